"""A bone and its shell in one table: `shell_mm` and `shell_tissue` make a structure a shell and its core.

The structure as written is the outside. Its shell, named NAME_shell, takes that shape; the core keeps the name and the
role, is smaller by the shell all round, and comes after it, so that it wins inside. A run's own case has both.
"""

from __future__ import annotations

from typing import Any

from rfablate.case.messages.schema_guide import show
from rfablate.errors import Fault

_SIZES = {"sphere": ("radius_mm", 1.0), "tube": ("diameter_mm", 2.0), "cylinder": ("diameter_mm", 2.0)}
"""What a shell takes off: once a radius, twice a diameter. The ends of tubes and cylinders stay open."""
_LISTS = {"ellipsoid": ("semi_axes_mm", 1.0), "box": ("size_mm", 2.0)}
_OF_THE_CORE = ("role", "limit_degC", "required_fraction", "held_degC", "flow", "sigma_along_S_per_m")


def expand_shells(data: dict[str, Any]) -> list[Fault]:
    """Put a shell before each structure that asks for one, and make the structure its core; return the faults."""
    structures = data.get("structures")
    if not isinstance(structures, list):
        return []
    faults, expanded = [], []
    for number, table in enumerate(structures):
        if not isinstance(table, dict) or not ({"shell_mm", "shell_tissue"} & set(table)):
            expanded.append(table)
            continue
        where = f'structures[{number}] "{table.get("name", "")}"'
        thickness, tissue = table.pop("shell_mm", None), table.pop("shell_tissue", "cortical_bone")
        core = _core(table, thickness)
        if isinstance(core, str):
            faults.append(Fault(f"{where}.shell_mm", f"found {show(thickness)}", core))
            expanded.append(table)
            continue
        shape = {key: value for key, value in table.items() if key not in _OF_THE_CORE}
        expanded += [{**shape, "name": f"{table.get('name')}_shell", "tissue": tissue}, {**table, **core}]
    data["structures"] = expanded
    return faults


def _core(table: dict[str, Any], thickness: Any) -> dict[str, Any] | str:
    """Return the core's size, or what was expected where there is none."""
    if isinstance(thickness, bool) or not isinstance(thickness, (int, float)) or not thickness > 0.0:
        return "a number above 0 [mm], the shell's thickness"
    kind = table.get("kind")
    if kind in _SIZES:
        key, times = _SIZES[kind]
        sizes: list[Any] = [table.get(key)]
    elif kind in _LISTS:
        key, times = _LISTS[kind]
        sizes = table[key] if isinstance(table.get(key), list) else [None]
    else:
        return f"a shell of one of {', '.join((*_SIZES, *_LISTS))}; write a slab's or half space's as two structures"
    if not all(isinstance(size, (int, float)) and not isinstance(size, bool) for size in sizes):
        return {}
    inner = [size - times * thickness for size in sizes]
    if min(inner) <= 0.0:
        return f"less than {min(sizes) / times:g} [mm]: a core is left inside"
    return {key: inner if kind in _LISTS else inner[0]}
