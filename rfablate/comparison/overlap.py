"""Overlap of two lesions: their volumes, the common volume and the Dice coefficient.

    Dice = 2 |A and B| / (|A| + |B|)

Both lesions are on one mesh. Cells are cut at the zero level, so volumes are exact for levels that are linear in each
cell. In the half plane each piece represents the ring that it sweeps about the axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rfablate.arrays import BoolArray, FloatArray
from rfablate.comparison.lesion_body import CommonMesh, LesionMesh


@dataclass(frozen=True)
class Overlap:
    """Volumes of two lesions and their common volume [mm3]."""

    a: float
    b: float
    both: float

    @property
    def only_a(self) -> float:
        """Volume of A outside B [mm3]."""
        return max(self.a - self.both, 0.0)

    @property
    def only_b(self) -> float:
        """Volume of B outside A [mm3]."""
        return max(self.b - self.both, 0.0)

    @property
    def dice(self) -> float | None:
        """Dice coefficient, from 0 to 1; None where neither run has the lesion."""
        return 2.0 * self.both / (self.a + self.b) if self.a + self.b > 0.0 else None


def overlap(carried: CommonMesh, rule: str) -> Overlap:
    """Return the overlap of the lesions of a rule: `a` is the run of the mesh, `b` the other run."""
    home = carried.home
    own, other = home.levels[rule], carried.levels[rule]
    return Overlap(
        _volume(home, home.tissue, own),
        _volume(home, carried.tissue, other),
        _volume(home, home.tissue & carried.tissue, own, other),
    )


def lesion_volume(body: LesionMesh, rule: str) -> float:
    """Return the volume of the lesion of a rule on the run's own mesh [mm3]."""
    return _volume(body, body.tissue, body.levels[rule])


def grid_of(body: LesionMesh, chosen: BoolArray) -> Any:
    """Return the chosen cells of a mesh as a PyVista grid."""
    import pyvista as pv

    kind = pv.CellType.TETRA if body.cells.shape[1] == 4 else pv.CellType.TRIANGLE
    return pv.UnstructuredGrid({kind: body.cells[chosen]}, body.x)


def _volume(body: LesionMesh, chosen: BoolArray, *levels: FloatArray) -> float:
    """Return the volume of the part of the chosen cells where every level is at least 0 [mm3]."""
    import pyvista as pv

    flat = body.axis is not None
    for level in levels:
        chosen = chosen & body.reached(level)
    inside = chosen & np.all([(level >= 0.0)[body.cells].all(axis=1) for level in levels], axis=0)
    volume = _swept(body.x[body.cells[inside]], flat=flat)
    grid = grid_of(body, chosen & ~inside)
    for number, level in enumerate(levels):
        grid.point_data[str(number)] = level
    for number in range(len(levels)):
        grid = grid.clip_scalar(scalars=str(number), value=0.0, invert=False) if grid.n_cells else grid
    if not grid.n_cells:
        return volume
    pieces = grid.triangulate()
    cells = pieces.cells_dict[pv.CellType.TRIANGLE if flat else pv.CellType.TETRA]
    return volume + _swept(np.asarray(pieces.points, dtype=np.float64)[cells], flat=flat)


def _swept(corners: FloatArray, *, flat: bool) -> float:
    """Return the volume of tetrahedra (n, 4, 3), or of the rings swept by triangles (n, 3, 3) [mm3]."""
    sides = corners[:, 1:] - corners[:, :1]
    if flat:
        areas = 0.5 * np.abs(np.linalg.det(sides[:, :, :2]))
        return float(2.0 * np.pi * (areas * corners[:, :, 0].mean(axis=1)).sum())
    return float(np.abs(np.linalg.det(sides)).sum() / 6.0)
