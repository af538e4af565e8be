"""The page of every key of case and study files, of the models of their tables. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from rfablate.case.describe.key_reference import Key, Kinds, TableEntry, tables_of
from rfablate.case.describe.key_text import toml_value
from rfablate.case.tables.schema import Case
from rfablate.study.study_tables import StudyFile

HEAD = """# Key reference

Every key of a case file and of a study file: meaning, unit, allowed values, default and an example. `rfablate explain
KEY` prints the same text. [The case file](case_file.md) describes the tables. Generated from the code by
`python -m docs.reference_pages`.
"""


def key_page() -> str:
    """Return the page."""
    return "\n".join([HEAD, *_file("Case file", Case, "case"), *_file("Study file", StudyFile, "study")])


def _file(title: str, file: type[BaseModel], what: str) -> Iterator[str]:
    yield f"## {title}\n"
    for table in tables_of(file).values():
        yield from _table(table, f"Keys at the top of a {what} file")


def _table(table: TableEntry, top: str) -> Iterator[str]:
    yield f"### {f'`{table.head}`' if table.head else top}\n"
    if table.path:
        yield f"{_cell(table.meaning)}{_where(table.where)}\n"
    if table.kinds:
        yield "| `kind` | |\n|---|---|"
        yield "\n".join(f"| `{kind}` | {_cell(text)} |" for kind, text in table.kinds) + "\n"
    keys = [key for key in table.keys if not (table.kinds and key.name == "kind")]
    if keys:
        yield "| key | meaning | unit | value | default | example |\n|---|---|---|---|---|---|"
        yield "\n".join(_row(key, table) for key in keys) + "\n"


def _row(key: Key, table: TableEntry) -> str:
    default = "required" if key.required else "" if key.default is None else f"`{_cell(toml_value(key.default))}`"
    own = [names for where, names in key.kinds if where == table.path]
    kinds = f" Only with kind = {', '.join(f'`{each}`' for each in own[0])}." if own else ""
    cells = [f"`{key.name}`", _cell(key.meaning) + kinds, key.unit, _cell(key.value), default]
    return f"| {' | '.join(cells)} | `{_cell(toml_value(key.example))}` |"


def _where(kinds: Kinds) -> str:
    """Return in which kinds of the tables above it a table exists; nothing where it always does."""
    places = [f"`{table}` with kind = {', '.join(f'`{name}`' for name in names)}" for table, names in kinds]
    return f" Only in {' and '.join(places)}." if places else ""


def _cell(text: str) -> str:
    """Return a text for a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")
