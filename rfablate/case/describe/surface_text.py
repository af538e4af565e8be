"""Table of the surfaces of a case, as printed by `rfablate check`."""

from __future__ import annotations

from pathlib import Path

from rfablate.case.tables.geometry_tables import Surface
from rfablate.case.tables.schema import Case

SURFACE_HEAD = ("surface", "name", "triangles", "volume mm3", "thickness mm", "x mm", "y mm", "z mm")


def surface_rows(case: Case) -> list[list[str]]:
    """Return a row of the table for each surface, in the coordinates of the case."""
    rows = []
    for each in case.structures:
        if not isinstance(each, Surface):
            continue
        from rfablate.case.tables.surface_shapes import placed_surface  # loads SciPy and VTK

        surface = placed_surface(each)
        lower, upper = surface.bounds * 1e3
        spans = [f"{a:.4g} to {b:.4g}" for a, b in zip(lower, upper, strict=True)]
        count, volume = f"{len(surface.triangles)}", f"{surface.volume * 1e9:.4g}"
        rows.append([Path(each.file).name, each.name, count, volume, f"{each.thinnest() * 1e3:.3g}", *spans])
    return rows
