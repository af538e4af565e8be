"""Expansion of `shell_mm` and `shell_tissue`: one structure table becomes a shell and its core.

The structure as written gives the outer surface. The shell, named NAME_shell, has this shape. The core keeps the name
and the role, is smaller by the shell thickness on all sides, and follows in the list, so that it replaces the shell
inside. The case file written to a run directory contains both.
"""

from __future__ import annotations

from typing import Any

from rfablate.case.messages.schema_guide import show
from rfablate.errors import Fault

_SIZES = {"sphere": ("radius_mm", 1.0), "tube": ("diameter_mm", 2.0), "cylinder": ("diameter_mm", 2.0)}
"""Size key, and the number of shell thicknesses to subtract from it. The ends of tubes and cylinders stay open."""
_LISTS = {"ellipsoid": ("semi_axes_mm", 1.0), "box": ("size_mm", 2.0)}
_OF_THE_CORE = ("role", "limit_degC", "required_fraction", "held_degC", "flow", "sigma_along_S_per_m")


def expand_shells(data: dict[str, Any]) -> list[Fault]:
    """Replace each structure that has shell keys by its shell and its core in `data`; return the faults."""
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
    """Return the size of the core, or the expectation text if there is no core."""
    if isinstance(thickness, bool) or not isinstance(thickness, (int, float)) or not thickness > 0.0:
        return "a number above 0 [mm], the shell thickness"
    kind = table.get("kind")
    if kind in _SIZES:
        key, times = _SIZES[kind]
        sizes: list[Any] = [table.get(key)]
    elif kind in _LISTS:
        key, times = _LISTS[kind]
        sizes = table[key] if isinstance(table.get(key), list) else [None]
    else:
        return f"one of {', '.join((*_SIZES, *_LISTS))}; write a slab or half space with a shell as two structures"
    if not all(isinstance(size, (int, float)) and not isinstance(size, bool) for size in sizes):
        return {}
    inner = [size - times * thickness for size in sizes]
    if min(inner) <= 0.0:
        return f"less than {min(sizes) / times:g} [mm]: the core must have a size above 0"
    return {key: inner if kind in _LISTS else inner[0]}
