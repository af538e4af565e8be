"""The keys of a file: meaning, unit, range, default and example of each, read from the models of its tables. Pure.

A key is named by its path without the numbers of list items: `generator.ramp_s`, `structures.semi_axes_mm`. Where a
`kind` selects between tables, a key can have several meanings: there is one `Key` for each.
"""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from rfablate.case.describe.file_schema import file_schema
from rfablate.case.messages.schema_guide import Node, allowed, split_unit

NAME = "NAME"
"""Placeholder in paths for a name that the user chooses, for example that of a tissue."""
NEAR = 4
"""Keys that are suggested for an unknown one, at most."""
_SHOWN = 8
"""Choices of a key that are listed one by one."""

Kinds = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Key:
    """A key with one meaning."""

    path: str
    kinds: Kinds
    """Where it exists: for each table with a choice on the way to it, the table's path and its kinds that have the key;
    none where every kind has it."""
    meaning: str
    unit: str
    """Unit in the file, empty without one."""
    value: str
    """Type, range or choices, in words."""
    default: Any
    """Value where the key is not given, in the unit of the file; None where there is none."""
    required: bool
    example: Any
    """A value that is allowed, in the unit of the file."""
    node: Node
    """What the JSON Schema of the file allows for the key."""

    @property
    def name(self) -> str:
        """The key itself, without its table."""
        return self.path.rpartition(".")[2]

    @property
    def table(self) -> str:
        """Path of the key's table, empty at the top of the file."""
        return self.path.rpartition(".")[0]


@dataclass(frozen=True)
class TableEntry:
    """A table of the file, or a list of tables."""

    path: str
    """Empty for the file itself."""
    head: str
    """As written in a file: [generator], [[structures]], [tissues.NAME]; empty for the file itself."""
    meaning: str
    kinds: tuple[tuple[str, str], ...]
    """Each kind that can be chosen, with its description; empty without a choice."""
    required: bool
    where: Kinds
    """Where the table exists, as for a key."""
    keys: tuple[Key, ...]
    tables: tuple[str, ...]
    """Paths of the tables inside it."""


@functools.cache
def tables_of(file: type[BaseModel]) -> dict[str, TableEntry]:
    """Return every table of the file that `file` models, by its path, in the order of the file; '' is the file."""
    schema = file_schema(file)
    entries: dict[str, TableEntry] = {}
    _walk(schema, entries, schema, TableEntry("", "", "", (), required=False, where=(), keys=(), tables=()))
    return entries


def keys_of(file: type[BaseModel]) -> dict[str, tuple[Key, ...]]:
    """Return every key of a file by its path, each with all its meanings; tables are not among them."""
    found: dict[str, tuple[Key, ...]] = {}
    for table in tables_of(file).values():
        for key in table.keys:
            found[key.path] = (*found.get(key.path, ()), key)
    return found


def find_key(path: str, file: type[BaseModel]) -> TableEntry | tuple[Key, ...] | None:
    """Return the table or the key at `path`, as a user may write it; None where there is none.

    Numbers and names of list items are left out: `applicators.0.tip_mm`, `structures[1].name`, `structures.nerve.role`.
    """
    parts = [part for part in path.replace("[", ".").replace("]", "").split(".") if part]
    tables, keys = tables_of(file), keys_of(file)
    at = ""
    for number, part in enumerate(parts):
        below = f"{at}.{part}" if at else part
        if below in tables:
            at = below
        elif below in keys:
            return keys[below] if number == len(parts) - 1 or _are_numbers(parts[number + 1 :]) else None
        elif not (at and (_is_item(tables[at], part) and (part.isdigit() or number < len(parts) - 1))):
            return None
    return tables[at]


def _are_numbers(parts: Sequence[str]) -> bool:
    return all(part.isdigit() for part in parts)


def _is_item(table: TableEntry, part: str) -> bool:
    """Return whether a table is one of a list or has names, so that `part` can name one of them."""
    return table.head.startswith("[[") or (table.head.endswith(f".{NAME}]") and bool(part))


def near_keys(path: str, file: type[BaseModel]) -> tuple[str, ...]:
    """Return the paths most like one that does not exist: those that end alike, then those with a similar name."""
    known = {each.lower(): each for each in (*tables_of(file), *keys_of(file)) if each}
    parts = [part for part in path.lower().replace("[", ".").replace("]", "").split(".") if part and not part.isdigit()]
    if not parts:
        return ()
    wanted = ".".join(parts)
    same = [each for each in known if each.rpartition(".")[2] == parts[-1]]
    alike = difflib.get_close_matches(wanted, known, n=NEAR, cutoff=0.6)
    names = {each.rpartition(".")[2] for each in known}
    others = difflib.get_close_matches(parts[-1], names, n=2, cutoff=0.7)
    beside = [each for name in others for each in known if each.rpartition(".")[2] == name]
    by_likeness = sorted(same, key=lambda each: -difflib.SequenceMatcher(None, wanted, each).ratio())
    return tuple(known[each] for each in dict.fromkeys([*by_likeness, *alike, *beside]))[:NEAR]


# --- from the schema to tables and keys -----------------------------------------------------------


def _walk(whole: Node, entries: dict[str, TableEntry], node: Node, entry: TableEntry) -> None:
    """Enter a table, and all below it; `entry` has its path, its head and where it exists."""
    variants, path, kinds = _variants(node, whole), entry.path, entry.where
    entries[path] = entry  # before the tables below it
    choices = {kind: table for kind, table in variants.items() if kind}
    every = tuple(choices)
    keys: list[Key] = []
    inner: dict[str, tuple[Node, bool, list[str]]] = {}
    for kind, table in variants.items():
        for name, raw in table.get("properties", {}).items():
            is_required = name in table.get("required", ())
            if _table_of(raw, whole) is not None:
                inner.setdefault(name, (raw, is_required, []))[2].append(kind)
                continue
            below = f"{path}.{name}" if path else name
            own = (*kinds, *(((path, (kind,)),) if kind else ()))
            keys.append(_key(below, own, raw, required=is_required))
    merged = _merged(keys, path, every)
    entries[path] = replace(
        entry,
        meaning=str(node.get("description", "")),
        kinds=tuple((kind, _selected(table)) for kind, table in choices.items()),
        keys=merged,
        tables=tuple(f"{path}.{name}" if path else name for name in inner),
    )
    for name, (raw, is_required, having) in inner.items():
        below = f"{path}.{name}" if path else name
        new_kinds = kinds if not every or tuple(having) == every else (*kinds, (path, tuple(having)))
        inside = {**(_table_of(raw, whole) or {}), **_own_words(raw)}
        found = TableEntry(below, _head(below, raw), "", (), required=is_required, where=new_kinds, keys=(), tables=())
        _walk(whole, entries, inside, found)


def _own_words(raw: Node) -> Node:
    """Return the description of a table from its key."""
    return {"description": raw["description"]} if "description" in raw else {}


def _head(path: str, raw: Node) -> str:
    if raw.get("type") == "array":
        return f"[[{path}]]"
    return f"[{path}.{NAME}]" if "additionalProperties" in raw and "properties" not in raw else f"[{path}]"


def _table_of(raw: Node, whole: Node) -> Node | None:
    """Return the table or choice of tables in the value of a key (direct, list or by name); None for other values."""
    extra = raw.get("additionalProperties")
    for node in (raw, raw.get("items"), extra):
        if isinstance(node, dict) and ("$ref" in node or any("$ref" in each for each in _choices(node))):
            return _resolved(node, whole)
    return None


def _choices(node: Node) -> list[Node]:
    return [*node.get("oneOf", ()), *node.get("anyOf", ())]


def _resolved(node: Node, whole: Node) -> Node:
    if "$ref" not in node:
        return node
    found: Node = whole["$defs"][node["$ref"].rsplit("/", 1)[1]]
    return found


def _variants(node: Node, whole: Node) -> dict[str, Node]:
    """Return the tables that a table's `kind` selects between; the table itself, by '', without a choice."""
    tables = [_resolved(each, whole) for each in _choices(node) if "$ref" in each]
    kinds = {str(each["properties"]["kind"]["const"]): each for each in tables}
    return kinds or {"": node}


def _key(path: str, kinds: Kinds, raw: Node, *, required: bool) -> Key:
    name = path.rpartition(".")[2]
    default = None if "const" in raw else raw.get("default")
    if default in ([], ""):
        default = None
    example = raw.get("const", next(iter(raw.get("examples", [])), default))
    value = _value_text(raw, name)
    return Key(
        path, kinds, str(raw.get("description", "")), split_unit(name)[1], value, default, required, example, raw
    )


def _value_text(node: Node, name: str) -> str:
    """Return type, range or choices of a value in words."""
    if "enum" in node and len(node["enum"]) > _SHOWN:
        first = ", ".join(f'"{each}"' for each in node["enum"][:2])
        return f"one of {len(node['enum'])} names of the library: {first}, ..."
    if "anyOf" in node and any("enum" in each for each in node["anyOf"]):
        return "text in quotes"
    return allowed(node, name)


def _merged(keys: Sequence[Key], path: str, every: tuple[str, ...]) -> tuple[Key, ...]:
    """Return the keys with those of one meaning in several kinds as one; `every`: all kinds of their table.

    The keys that select a kind are one key, with all kinds as its choices.
    """
    found: dict[tuple[Any, ...], Key] = {}
    for key in keys:
        same: tuple[Any, ...] = (key.path, key.meaning, key.value, json.dumps(key.default), key.required)
        if "const" in key.node:
            same = (key.path,)
        if same not in found:
            found[same] = key
            continue
        earlier = found[same]
        (where, had), (_, more) = earlier.kinds[-1], key.kinds[-1]
        found[same] = replace(earlier, kinds=(*earlier.kinds[:-1], (where, (*had, *more))))
    merged = [_selector(key, every) if "const" in key.node else key for key in found.values()]
    whole = [replace(key, kinds=key.kinds[:-1]) if every and key.kinds[-1] == (path, every) else key for key in merged]
    order = list(dict.fromkeys(key.path for key in whole))
    return tuple(sorted(whole, key=lambda key: order.index(key.path)))


def _selector(key: Key, every: tuple[str, ...]) -> Key:
    """Return the key `kind` of a table with all its choices."""
    meaning = "Kind of the table; it decides which other keys there are."
    node: Node = {"enum": list(every), "description": meaning}
    return replace(key, meaning=meaning, value=allowed(node, key.name), node=node)


def _selected(table: Node) -> str:
    """Return the description of a choice of the `kind` of a table."""
    return str(table["properties"]["kind"].get("description", "")).removeprefix("Selects ").rstrip(".")
