"""Descriptions of keys and tables of a file, as printed by `rfablate explain`. Pure."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from rfablate.case.describe.key_reference import Key, Kinds, TableEntry, find_key, near_keys, tables_of
from rfablate.case.geometry.applicator_spacing import SPACING
from rfablate.errors import CaseError, Fault

WIDTH = 116
WIDEST_DEFAULT = 20
_SPACING_TEXT = f"""{SPACING}

  Distance between the two applicator tips that are nearest to each other [mm]; above 0. It moves all tips.
  Not a key of a case file: only for changes with --set, for axes of a study and for `rfablate find`.

  example   --set {SPACING}=10"""
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def explain_key(path: str, file: type[BaseModel], what: str = "case") -> str:
    """Return the meaning, unit, range, default and an example of a key, or the keys of a table.

    Args:
        path: `generator.ramp_s`, `structures.0.role`, `generator`; empty for the tables of the file.
        file: the model of the file.
        what: name of the kind of file in texts.

    Raises:
        CaseError: there is no such key; the message has the nearest ones.
    """
    if not path:
        return _overview(file, what)
    if path == SPACING:
        return _SPACING_TEXT
    found = find_key(path, file)
    if found is None:
        near = near_keys(path, file)
        hint = f"did you mean {', '.join(near)}?" if near else f"rfablate explain{_option(what)} lists the tables"
        raise CaseError([Fault(path, "unknown key", f"a key or table of a {what} file", hint)], "explain")
    return _table_text(found, file, what) if isinstance(found, TableEntry) else _key_text(found, file)


def _option(what: str) -> str:
    return "" if what == "case" else f" --{what}"


# --- a key ----------------------------------------------------------------------------------------


def _key_text(meanings: Sequence[Key], file: type[BaseModel]) -> str:
    blocks = [_meaning_text(each, tables_of(file)[each.table]) for each in meanings]
    return "\n\n".join([meanings[0].path, *blocks])


def _meaning_text(key: Key, table: TableEntry) -> str:
    default = "none: required" if key.required else "none"
    example = [*([table.head] if table.head else ()), *_example_lines(key, table)]
    rows = [
        ("unit", [key.unit or "none"]),
        ("value", [key.value]),
        ("default", [default if key.default is None else toml_value(key.default)]),
        ("in", _where(key.kinds)),
        ("example", example),
        ("kinds", _kind_lines(table) if key.name == "kind" else []),
    ]
    lines = [*textwrap.wrap(key.meaning, WIDTH, initial_indent="  ", subsequent_indent="  "), ""]
    for label, texts in rows:
        for number, text in enumerate(texts):
            start = f"  {'' if number else label:<9} "
            lines += textwrap.wrap(text, WIDTH, initial_indent=start, subsequent_indent=" " * len(start))
    return "\n".join(lines)


def _kind_lines(table: TableEntry) -> list[str]:
    wide = max((len(kind) for kind, _ in table.kinds), default=0)
    return [f"{kind:<{wide}}  {text}" for kind, text in table.kinds]


def _where(kinds: Kinds) -> list[str]:
    """Return the tables and kinds in which a key exists; none where it always does."""
    return [f"{table} with kind = {' or '.join(toml_value(kind) for kind in names)}" for table, names in kinds]


def _example_lines(key: Key, table: TableEntry) -> list[str]:
    """Return the key with a value as TOML, below the kind that it requires."""
    own = [names[0] for where, names in key.kinds if where == table.path]
    return [*(f"kind = {toml_value(kind)}" for kind in own), f"{key.name} = {toml_value(key.example)}"]


def toml_value(value: Any) -> str:
    """Return a value in TOML syntax."""
    if isinstance(value, dict):
        inner = ", ".join(f"{_toml_key(key)} = {toml_value(each)}" for key, each in value.items())
        return f"{{ {inner} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml_value(each) for each in value)}]"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e6:
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)


def _toml_key(key: str) -> str:
    return key if _BARE.fullmatch(key) else json.dumps(key)


# --- tables ---------------------------------------------------------------------------------------


def _table_text(table: TableEntry, file: type[BaseModel], what: str) -> str:
    lines = [table.head, "", *textwrap.wrap(table.meaning, WIDTH, initial_indent="  ", subsequent_indent="  ")]
    lines += [f"  Only in {text}." for text in _where(table.where)]
    if table.kinds:
        lines += ["", "kinds"]
        lines += [f"  {line}" for line in _kind_lines(table)]
    keys = [key for key in table.keys if not (table.kinds and key.name == "kind")]
    lines += ["", "keys", *_rows(keys, table)]
    if table.tables:
        lines += ["", "tables", *_table_rows([tables_of(file)[path] for path in table.tables])]
    prefix = f"rfablate explain{_option(what)}"
    example = keys[0].path if keys else table.path
    return "\n".join([*lines, "", f"More about a key: {prefix} {example}"])


def _rows(keys: Sequence[Key], table: TableEntry) -> list[str]:
    """Return for each key its name, default, first sentence and the kinds that have it, where these are not all."""
    cells = []
    for key in keys:
        default = toml_value(key.default) if key.default is not None else "required" if key.required else "-"
        cells.append((key.name, default, first_sentence(key.meaning) + _kinds_of(key, table)))
    wide = [max((len(cell[n]) for cell in cells), default=0) for n in (0, 1)]
    wide[1] = min(wide[1], WIDEST_DEFAULT)
    lines = []
    for name, default, text in cells:
        start = f"  {name:<{wide[0]}}  {default:<{wide[1]}}  "
        lines += textwrap.wrap(text, WIDTH, initial_indent=start, subsequent_indent=" " * (wide[0] + wide[1] + 6))
    return lines


def _kinds_of(key: Key, table: TableEntry) -> str:
    """Return the kinds of its table that have a key, or those that do not where these are fewer; '' for all."""
    having = [kind for where, names in key.kinds if where == table.path for kind in names]
    lacking = [kind for kind, _ in table.kinds if kind not in having]
    if not having or not lacking:
        return ""
    return f" ({', '.join(having)})" if len(having) <= len(lacking) else f" (not {', '.join(lacking)})"


def _table_rows(tables: Sequence[TableEntry]) -> list[str]:
    wide = max(len(each.head) for each in tables)
    return [
        f"  {each.head:<{wide}}  {'required' if each.required else '-':<8}  {first_sentence(each.meaning)}"
        for each in tables
    ]


def _overview(file: type[BaseModel], what: str) -> str:
    """Return the tables of a file, and its keys outside any table."""
    top = tables_of(file)[""]
    tables = [tables_of(file)[path] for path in top.tables]
    lines = [f"A {what} file: keys at its top, then tables.", "", "keys", *_rows(top.keys, top)]
    lines += ["", "tables", *_table_rows(tables), ""]
    option = _option(what)
    return "\n".join([*lines, f"Keys of a table: rfablate explain{option} {tables[0].path}"])


def first_sentence(text: str) -> str:
    """Return the first sentence of a text, without what follows a semicolon, or the colon before a list of choices."""
    ends = r"(?<!e\.g)[.;](?=\s|$)" if text.startswith("For ") else r"(?<!e\.g)[.;:](?=\s|$)"
    return re.split(ends, text, maxsplit=1)[0]
