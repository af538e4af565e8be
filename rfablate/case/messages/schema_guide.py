"""What a file allows at each place, in words, derived from its schema.

The default file type is a case; the functions also accept other models, for example a study.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from rfablate.case.tables.schema import Case

Node = dict[str, Any]
Location = tuple[str | int, ...]

_UNITS = {
    "_V2_per_K_s": "V2/(K s)",
    "_V2_per_K": "V2/K",
    "_V2": "V2",
    "_mL_per_min_per_100g": "mL/min/100 g",
    "_mL_per_min_per_kg": "mL/min/kg",
    "_kg_per_m3_s": "kg/m3/s",
    "_W_per_m3": "W/m3",
    "_kg_per_m3": "kg/m3",
    "_J_per_kgK": "J/(kg K)",
    "_J_per_mol": "J/mol",
    "_W_per_mK": "W/(m K)",
    "_W_per_K_s": "W/(K s)",
    "_W_per_m2K": "W/(m2 K)",
    "_W_per_K": "W/K",
    "_S_per_m": "S/m",
    "_per_K": "1/K",
    "_m_per_s": "m/s",
    "_per_s": "1/s",
    "_mPa_s": "mPa s",
    "_degC": "degC",
    "_deg": "degrees",
    "_mm": "mm",
    "_mL": "mL",
    "_percent": "%",
    "_s": "s",
    "_W": "W",
    "_V": "V",
    "_A": "A",
    "_K": "K",
    "_ohm_mm2": "ohm mm2",
    "_ohm": "ohm",
    "_ms": "ms",
    "_Hz": "Hz",
}


def split_unit(key: str) -> tuple[str, str]:
    """Return a case key without its unit suffix, and the unit in words ('' for a key without a unit)."""
    for suffix, unit in _UNITS.items():
        if key.endswith(suffix) and len(key) > len(suffix):
            return key[: -len(suffix)], unit
    return key, ""


@functools.cache
def schema_of(file: type[BaseModel]) -> Node:
    """Return the JSON schema of a file type with every reference replaced by its definition."""
    raw = file.model_json_schema(by_alias=True)
    known: dict[str, Any] = {}

    def whole(node: Any) -> Any:
        if isinstance(node, str) and node.startswith("#/$defs/"):
            if node not in known:
                known[node] = whole(raw["$defs"][node.rsplit("/", 1)[1]])
            return known[node]
        if isinstance(node, list):
            return [whole(each) for each in node]
        if not isinstance(node, dict):
            return node
        return whole(node["$ref"]) if "$ref" in node else {key: whole(each) for key, each in node.items()}

    result: Node = whole({key: each for key, each in raw.items() if key != "$defs"})
    return result


def resolve(node: Node) -> Node:
    """Return the schema node without the null option of an optional value."""
    choices = [choice for choice in node.get("anyOf", []) if choice.get("type") != "null"]
    return resolve(choices[0]) if len(choices) == 1 else node


def variants(node: Node) -> dict[str, Node]:
    """Return the tables that `kind` selects from, by kind; empty if there is no choice."""
    mapping = node.get("discriminator", {}).get("mapping", {})
    return {kind: resolve(table) for kind, table in mapping.items()}


def chosen(node: Node, value: Any) -> Node:
    """Return the table that the value's `kind` selects; the node itself if there is no choice."""
    kind = value.get("kind") if isinstance(value, dict) else None
    return variants(node).get(kind, node) if isinstance(kind, str) else node


@dataclass(frozen=True)
class Place:
    """A place in a file: its keys as written by the user, the schema node, and the value found."""

    keys: Location
    node: Node
    value: Any

    @property
    def key(self) -> str:
        """The innermost named key."""
        return next((key for key in reversed(self.keys) if isinstance(key, str)), "")


def locate(location: Location, data: Any, file: type[BaseModel] = Case) -> Place:
    """Return the place in the file's `data` that `location` refers to; its value is None if absent.

    Pydantic inserts the selected `kind` into a location although it is not a key; such parts are skipped.
    """
    node, keys, value = schema_of(file), [], data
    for number, part in enumerate(location):
        # "labels" is a kind of domain and a list in that domain's table: before a name it is the kind
        doubtful = part in chosen(node, value).get("properties", {})
        if part in variants(node) and not (doubtful and not isinstance((*location, 0)[number + 1], str)):
            node = variants(node)[str(part)]
            continue
        node = chosen(node, value)
        if "anyOf" in node:
            break
        node = resolve(_child(node, part))
        keys.append(part)
        value = _item(value, part)
    return Place(tuple(keys), node, value)


def _child(node: Node, part: str | int) -> Node:
    if isinstance(part, int):
        items = node.get("prefixItems", [])
        found: Node = items[part] if part < len(items) else node.get("items", {})
        return found
    extra = node.get("additionalProperties")
    named: Node = node.get("properties", {}).get(part, extra if isinstance(extra, dict) else {})
    return named


def _item(value: Any, part: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(part)
    if isinstance(value, (list, tuple)) and isinstance(part, int) and part < len(value):
        return value[part]
    return None


def render(keys: Location, data: Any) -> str:
    """Return the place as text for the user, e.g. structures[1] "motor_root".diameter_mm."""
    text, value = "", data
    for part in keys:
        value = _item(value, part)
        if isinstance(part, int):
            text += f"[{part}]"
            name = value.get("name") if isinstance(value, dict) else None
            text += f' "{name}"' if isinstance(name, str) else ""
        else:
            text += f".{part}" if text else part
    return text


def show(value: Any) -> str:
    """Return a value in TOML notation, shortened."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= 60 else f'"{value[:57]}..."'
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, (list, tuple)):
        text = "[" + ", ".join(show(item) for item in value) + "]"
        return text if len(text) <= 60 else f"a list of {len(value)} items"
    return str(value)


def allowed(node: Node, key: str = "") -> str:
    """Return the values allowed at `key`, in words and in the unit of the key."""
    if "const" in node:
        return show(node["const"])
    if "enum" in node:
        return "one of " + ", ".join(show(item) for item in node["enum"])
    if variants(node):
        return "a table with kind = one of " + ", ".join(variants(node))
    if "anyOf" in node:
        return " or ".join(allowed(resolve(each)) for each in node["anyOf"])
    match node.get("type"):
        case "number":
            return _number("a number", node, key)
        case "integer":
            return _number("an integer", node, key)
        case "boolean":
            return "true or false"
        case "string":
            return "a name: a letter, then letters, digits or _" if "pattern" in node else "a string in quotes"
        case "array":
            return _array(node, key)
        case "object":
            return "a table"
    return ""


def _number(what: str, node: Node, key: str) -> str:
    lower = _bound(node, "exclusiveMinimum", "minimum", -math.inf)
    upper = _bound(node, "exclusiveMaximum", "maximum", math.inf)
    bounds = []
    if math.isfinite(lower):
        bounds.append(f"above {lower:g}" if "exclusiveMinimum" in node else f"of at least {lower:g}")
    if math.isfinite(upper):
        bounds.append(f"below {upper:g}" if "exclusiveMaximum" in node else f"at most {upper:g}")
    unit = split_unit(key)[1]
    return " ".join([what, " and ".join(bounds)]).strip() + (f" [{unit}]" if unit else "")


def _bound(node: Node, exclusive: str, inclusive: str, otherwise: float) -> float:
    found = [node[key] for key in (exclusive, inclusive) if key in node]
    return float(found[0]) if found else otherwise


def _array(node: Node, key: str) -> str:
    items = node.get("prefixItems")
    if items and items[0].get("type") == "string":
        return f"a list of {len(items)} strings in quotes"
    if items:
        return f"a list of {len(items)} numbers, each {_number('a number', items[0], key)}"
    inner = resolve(node.get("items", {}))
    least = node.get("minItems", 0)
    count = f"at least {least} " if least else ""
    if variants(inner) or inner.get("type") == "object":
        return f"{count}[[{key}]] table{'s' if least != 1 else ''}"
    if inner.get("type") == "array":
        return f"a list of {count}points, each {_array(inner, key)}"
    each = allowed(inner, key)
    return f"a list, each item {each}" if each else "a list that is not empty" if least else "a list"


def known_keys(node: Node) -> tuple[str, ...]:
    """Return the keys that a table allows; with a choice of `kind`, the keys of all kinds."""
    tables = [node, *variants(node).values()]
    return tuple(dict.fromkeys(key for table in tables for key in table.get("properties", {})))


def homes(key: str, file: type[BaseModel] = Case) -> tuple[str, ...]:
    """Return the tables, as their heads are written in a file, that have a key named `key`."""
    return tuple(head for head, node in _tables(file) if head and key in known_keys(node))


def _tables(file: type[BaseModel]) -> Iterator[tuple[str, Node]]:
    for name, entry in schema_of(file)["properties"].items():
        node = resolve(entry)
        extra = node.get("additionalProperties")
        if "items" in node:
            yield f"[[{name}]]", resolve(node["items"])
        elif isinstance(extra, dict):
            yield f"[{name}.NAME]", resolve(extra)
        else:
            yield f"[{name}]", node
