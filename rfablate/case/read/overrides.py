"""Changes to a case from the command line: key.path=value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tomli_w

from rfablate.case.geometry.applicator_spacing import SPACING, set_spacing
from rfablate.case.messages.suggestions import did_you_mean
from rfablate.case.tables.user_file import parse_toml
from rfablate.errors import Fault


class OverrideError(ValueError):
    """An override that cannot be applied; carries the fault."""

    def __init__(self, fault: Fault) -> None:
        """Store the fault."""
        self.fault = fault
        super().__init__(str(fault))


def setting(key: str, value: Any) -> str:
    """Return the override `key.path=value` for a key and a value, in TOML notation."""
    if isinstance(value, list | tuple):
        items = [setting("", each)[1:] for each in value]
        return f"{key}=[{', '.join(items)}]"
    if isinstance(value, Mapping):
        items = [
            f"{tomli_w.dumps({name: 0}).partition(' = ')[0]} = {setting('', each)[1:]}" for name, each in value.items()
        ]
        return f"{key}={{{', '.join(items)}}}"
    return f"{key}={tomli_w.dumps({'value': value}).partition('= ')[2].strip()}"


def apply_overrides(data: dict[str, Any], overrides: tuple[str, ...]) -> list[Fault]:
    """Apply each override `key.path=value` to `data`, in order; return the faults of those that cannot be applied.

    The value is TOML; a bare word is a string. A list item is addressed by its index from 0 or by its `name`:
    structures.0.diameter_mm=3 or structures.motor_root.diameter_mm=3. Missing tables on the path are created.
    `applicators.spacing_mm` moves all tips (see `rfablate.case.geometry.applicator_spacing`).
    """
    faults = []
    for override in overrides:
        try:
            _apply(data, override)
        except OverrideError as error:
            faults.append(error.fault)
    return faults


def _apply(data: dict[str, Any], override: str) -> None:
    path, separator, text = override.partition("=")
    keys = [key.strip() for key in path.split(".")]
    if not separator or not all(keys):
        expected = "key.path=value, e.g. --set generator.target_degC=80"
        raise OverrideError(Fault(f"--set {override}", "no key.path=value", expected))
    if keys == SPACING.split("."):
        fault = set_spacing(data, _value(text.strip(), override))
        if fault is not None:
            raise OverrideError(fault)
        return
    table: Any = data
    for depth, key in enumerate(keys[:-1]):
        table = _step(table, key, override, ".".join(keys[:depth]))
    key = keys[-1]
    if isinstance(table, list):
        table[_index(table, key, override, ".".join(keys[:-1]))] = _value(text.strip(), override)
    elif isinstance(table, dict):
        table[key] = _value(text.strip(), override)
    else:
        raise _not_a_table(override, ".".join(keys[:-1]))


def _step(table: Any, key: str, override: str, parent: str) -> Any:
    if isinstance(table, list):
        return table[_index(table, key, override, parent)]
    if isinstance(table, dict):
        return table.setdefault(key, {})
    raise _not_a_table(override, parent)


def _not_a_table(override: str, parent: str) -> OverrideError:
    return OverrideError(Fault(f"--set {override}", f"{parent} is not a table", "a path through tables and lists"))


def _index(items: list[Any], key: str, override: str, parent: str) -> int:
    """Return the index of the item that `key` identifies by number or name."""
    names = [item.get("name") if isinstance(item, dict) else None for item in items]
    if key in names:
        return names.index(key)
    if key.isdigit() and int(key) < len(items):
        return int(key)
    known = [name for name in names if isinstance(name, str)]
    expected = f"a number from 0 to {len(items) - 1}" if items else "nothing: the list is empty"
    expected += f", or a name: {', '.join(known)}" if known else ""
    fault = Fault(f"--set {override}", f'{parent} has no item "{key}"', expected, did_you_mean(key, known))
    raise OverrideError(fault)


def _value(text: str, override: str) -> Any:
    """Return the value of TOML `text`; text that is not TOML is a string unless it starts like a list or string."""
    try:
        parsed = parse_toml(f"value = {text}")
    except ValueError as error:
        if not text or text[0] in "[{\"'":
            raise OverrideError(Fault(f"--set {override}", str(error), "a TOML value after =")) from None
        return text
    return parsed["value"] if set(parsed) == {"value"} else text
