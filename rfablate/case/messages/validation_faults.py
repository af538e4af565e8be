"""Translation of pydantic's validation errors into faults with place, value, allowed values and suggestion."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from rfablate.case.messages.schema_guide import (
    Location,
    Place,
    allowed,
    chosen,
    homes,
    known_keys,
    locate,
    render,
    resolve,
    show,
    variants,
)
from rfablate.case.messages.suggestions import did_you_mean, for_text_number, for_unknown_key, is_certain_misspelling
from rfablate.case.tables.schema import Case
from rfablate.errors import Fault


def faults_of(
    error: ValidationError,
    data: dict[str, Any],
    written: dict[str, Any] | None = None,
    file: type[BaseModel] = Case,
) -> list[Fault]:
    """Return every fault in `error`, one for each place in `data`, in the order of the schema.

    A missing key whose probable misspelling is present is reported once, at the unknown key.

    Args:
        error: the validation error.
        data: the validated tables.
        written: the tables as the user wrote them, where `data` holds further keys from defaults or models.
        file: the type of the file.
    """
    faults: dict[Location, Fault] = {}
    meant: set[Location] = set()
    for item in error.errors(include_url=False):
        place = locate(item["loc"], data, file)
        if item["type"] == "too_short" and len(place.value) >= item["ctx"]["min_length"]:
            continue  # the list is long enough, but some items are invalid
        if item["type"] == "missing" and place.keys and isinstance(place.keys[-1], int):
            place = locate(place.keys[:-1], data, file)
            faults.setdefault(place.keys, _wrong_value(place, data))
        elif item["type"] == "extra_forbidden":
            fault, key = _unknown(place, data, written or data, file)
            faults.setdefault(place.keys, fault)
            meant.add((*place.keys[:-1], key))
        else:
            faults.setdefault(place.keys, _fault(item["type"], place, data))
    return [fault for keys, fault in faults.items() if not (keys in meant and fault.found.startswith("missing"))]


def without_unknown(error: ValidationError, data: dict[str, Any], file: type[BaseModel] = Case) -> dict[str, Any]:
    """Return `data` without the unknown keys in `error`, each under the key that was surely meant where that is free.

    So a misspelt key does not keep the other values of its table from being looked at.
    """
    known = copy.deepcopy(data)
    for item in error.errors(include_url=False):
        if item["type"] != "extra_forbidden":
            continue
        place = locate(item["loc"], data, file)
        table: Any = known
        for key in place.keys[:-1]:
            table = table[key]
        fault, meant = _unknown(place, data, data, file)
        value = table.pop(place.keys[-1], None)
        if not meant or meant in table:
            continue
        if is_certain_misspelling(str(place.keys[-1]), meant):
            table[meant] = value
        elif number := re.search(rf"{re.escape(meant)} = ([-+\d.e]+)\?", fault.suggestion):  # in the unit of the key
            table[meant] = float(number[1])
    return known


def correct_table_names(data: dict[str, Any], file: type[BaseModel] = Case) -> list[Fault]:
    """Rename misspelt tables and lists in `data` where the intended name is beyond doubt; return their faults.

    The contents of a misspelt table are then validated in the same pass.
    """
    return list(_mended((), data, file))


def _mended(keys: Location, data: dict[str, Any], file: type[BaseModel]) -> Iterator[Fault]:
    table = locate(keys, data, file)
    if isinstance(table.value, list):
        for number, item in enumerate(table.value):
            if isinstance(item, dict):
                yield from _mended((*keys, number), data, file)
    if not isinstance(table.value, dict):
        return
    known = known_keys(chosen(table.node, table.value))
    for key in [key for key, value in table.value.items() if isinstance(value, (dict, list))]:
        meant = key
        if known and key not in known:
            fault, meant = _unknown(locate((*keys, key), data, file), data, data, file)
            if not is_certain_misspelling(key, meant) or meant in table.value:
                continue
            yield fault
            table.value[meant] = table.value.pop(key)
        yield from _mended((*keys, meant), data, file)


def _fault(kind: str, place: Place, data: dict[str, Any]) -> Fault:
    where = render(place.keys, data)
    match kind:
        case "missing":
            return _missing(where, place)
        case "union_tag_invalid" | "union_tag_not_found":
            return _wrong_kind(where, place)
        case "tuple_type" if isinstance(place.value, dict) and place.node.get("type") == "array":
            suggestion = f"write the header of each such table as [[{where}]], with two brackets"
            return Fault(where, "found one table", allowed(place.node, place.key), suggestion)
        case "model_attributes_type" | "model_type" | "dict_type" if isinstance(place.value, list):
            suggestion = f"write the header of the table as [{where}], with one bracket"
            return Fault(where, "found a list", allowed(place.node, place.key), suggestion)
    return _wrong_value(place, data)


def _wrong_value(place: Place, data: dict[str, Any]) -> Fault:
    where = render(place.keys, data)
    return Fault(where, f"found {show(place.value)}", allowed(place.node, place.key), _hint(place))


def _missing(where: str, place: Place) -> Fault:
    node = place.node
    if variants(node) or node.get("type") == "object":
        return Fault(where, "missing table", f"{allowed(node, place.key)} with the header [{where}]")
    if node.get("type") == "array" and where == "applicators":
        suggestion = '[[applicators]] with model = "cannula-22g-5mm"'
        return Fault(where, "missing table", allowed(node, place.key), suggestion)
    suggestion = ""
    if place.keys[0] == "applicators" and place.key in ("outer_diameter_mm", "active_tip_mm"):
        suggestion = 'set it, or give a model = "cannula-22g-5mm" of the library (rfablate library applicators)'
    return Fault(where, "missing key", allowed(node, place.key), suggestion)


def _unknown(place: Place, data: dict[str, Any], written: dict[str, Any], file: type[BaseModel]) -> tuple[Fault, str]:
    """Return the fault of an unknown key, and the key of its table that it probably means ('' if there is none)."""
    table = locate(place.keys[:-1], written, file)
    present = table.value if isinstance(table.value, dict) else {}
    known = known_keys(chosen(table.node, table.value))
    free = [key for key in known if key not in present]
    elsewhere = [head for head in homes(place.key, file) if head.strip("[]").split(".")[0] != place.keys[0]]
    meant, suggestion = for_unknown_key(place.key, place.value, free, elsewhere)
    if not suggestion:
        meant, suggestion = for_unknown_key(place.key, place.value, known)
    expected = f"one of {', '.join(free)}" if free else f"no keys other than {', '.join(known)}"
    return Fault(render(place.keys, data), f"unknown key (found {show(place.value)})", expected, suggestion), meant


def _wrong_kind(where: str, place: Place) -> Fault:
    kinds = variants(place.node)
    expected = "one of " + ", ".join(show(kind) for kind in kinds)
    given = place.value.get("kind") if isinstance(place.value, dict) else None
    if given is None:
        keys = set(place.value) if isinstance(place.value, dict) else set()
        fits = [kind for kind, node in kinds.items() if keys <= set(known_keys(node))]
        suggestion = f'kind = "{fits[0]}", from the keys present' if len(fits) == 1 else ""
        return Fault(f"{where}.kind", "missing key", expected, suggestion)
    suggestion = did_you_mean(given, kinds) if isinstance(given, str) else ""
    return Fault(f"{where}.kind", f"found {show(given)}", expected, suggestion)


def _hint(place: Place) -> str:
    """Return a suggestion for a value of the wrong type or out of range."""
    value, node, key = place.value, place.node, place.key
    if isinstance(value, str):
        if node.get("type") in ("number", "integer"):
            return for_text_number(key, value) or "a number, without quotes and without its unit"
        if "enum" in node:
            return did_you_mean(value, [str(each) for each in node["enum"]])
        if "pattern" in node:
            return f'did you mean "{_as_name(value)}"?'
        if node.get("type") == "array":
            return f"a list in brackets: {key} = [{show(value)}]"
        if node.get("type") == "object" or variants(node):
            return f"a table with the header [{key}]"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return ""
    if node.get("type") == "array" and not resolve(node.get("items", {})):
        return f"{key} = [{', '.join([show(value)] * len(node.get('prefixItems', [value])))}]"
    if key.endswith("_mm") and value > 1000:
        return "lengths are in mm"
    if key.endswith("_degC") and value > 500:
        return "temperatures are in degC"
    return ""


def _as_name(text: str) -> str:
    """Return `text` converted to a name that the schema accepts."""
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")
    return name if name[:1].isalpha() else f"s_{name}".rstrip("_")
