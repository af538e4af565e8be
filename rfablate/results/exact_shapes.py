"""Exact shapes of the structures, for runs whose mesh does not conform to their surfaces.

In such a mesh a cell belongs to a structure as a whole, so the region surfaces are jagged by half a cell. Pictures show
the exact shapes of the case instead. Labels and surfaces are drawn from their file if it still exists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from contourpy import contour_generator

from rfablate.arrays import FloatArray
from rfablate.results.run_reader import RunData

if TYPE_CHECKING:
    from rfablate.case.tables.geometry_tables import Structure

FROM_FILE = ("label", "surface")
"""Kinds of structures that are read from a file."""
GRID = 120
"""Points along each edge of the grid from which outlines are drawn [1]."""


def placed_shapes(run: RunData) -> Mapping[str, Structure]:
    """Return the structures of the case by name where the mesh does not conform to them, otherwise those from files."""
    structures = [item for item in run.case.get("structures", ()) if item.get("kind") != "object"]  # no shape in files
    if run.table("numerics").get("interfaces") != "cells":
        structures = [item for item in structures if item.get("kind") in FROM_FILE]
    if not all(Path(item["file"]).is_file() for item in structures if item.get("kind") in FROM_FILE):
        return {}
    from pydantic import TypeAdapter, ValidationError

    from rfablate.case.tables.geometry_tables import Structure

    adapter: TypeAdapter[Structure] = TypeAdapter(Structure)
    try:
        shapes = [adapter.validate_python(item) for item in structures]
    except ValidationError:
        return {}
    return {shape.name: shape for shape in shapes}


def depth_mm(shapes: Mapping[str, Structure], name: str, points_mm: FloatArray) -> FloatArray:
    """Return the signed distance of points to the surface of a structure [mm], positive inside, shape (n,).

    Parts of the structure that a later structure overlaps do not belong to it.
    """
    from rfablate.case.geometry.shapes import signed_distance

    order = list(shapes)
    depth = -signed_distance(shapes[name], points_mm * 1e-3) * 1e3
    near = np.flatnonzero(depth > -1.0)  # farther outside, later structures cannot change the sign
    for later in order[order.index(name) + 1 :]:
        depth[near] = np.minimum(depth[near], signed_distance(shapes[later], points_mm[near] * 1e-3) * 1e3)
    return np.asarray(depth)


def outline_placed(depth: FloatArray, low: Sequence[float], high: Sequence[float]) -> list[FloatArray]:
    """Return the zero lines of `depth` [mm], sampled on `window_grid` of the same window, as polylines."""
    x, y = (np.linspace(low[i], high[i], GRID) for i in (0, 1))
    lines = contour_generator(x, y, depth.reshape(GRID, GRID)).lines(0.0)
    return [np.asarray(line) for line in lines]


def window_grid(low: Sequence[float], high: Sequence[float]) -> FloatArray:
    """Return the grid points of a window [mm], shape (GRID * GRID, 2)."""
    x, y = (np.linspace(low[i], high[i], GRID) for i in (0, 1))
    return np.column_stack([part.ravel() for part in np.meshgrid(x, y)])
