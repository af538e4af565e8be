"""How far two lesions cover each other: their volumes, the volume they share, and the Dice coefficient.

    Dice = 2 |A and B| / (|A| + |B|)

Both are on one mesh; cells are cut where a level is zero, so that volumes are finer than a cell and exact for levels
that are linear inside cells. In the half plane each piece stands for the ring that it sweeps about the axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rfablate.compare.body import Body, Carried

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Overlap:
    """Volumes of two lesions and of what they share [mm3]."""

    a: float
    b: float
    both: float

    @property
    def only_a(self) -> float:
        """Volume of A without B [mm3]."""
        return max(self.a - self.both, 0.0)

    @property
    def only_b(self) -> float:
        """Volume of B without A [mm3]."""
        return max(self.b - self.both, 0.0)

    @property
    def dice(self) -> float | None:
        """Dice coefficient, from 0 to 1; None where neither run has the lesion."""
        return 2.0 * self.both / (self.a + self.b) if self.a + self.b > 0.0 else None


def overlap(carried: Carried, rule: str) -> Overlap:
    """Return how far a rule's lesion of the mesh's own run (a) and the other run's (b) cover each other."""
    home = carried.home
    own, other = home.levels[rule], carried.levels[rule]
    first, second = home.tissue & home.reached(own), carried.tissue & home.reached(other)
    mine = _cut(_grid(home, first, own, other), "own")
    theirs = _cut(_grid(home, second, own, other), "other")
    both = _cut(_cut(_grid(home, first & second, own, other), "own"), "other")
    return Overlap(*(_volume(each, flat=home.axis is not None) for each in (mine, theirs, both)))


def lesion_volume(body: Body, rule: str) -> float:
    """Return the volume of a rule's lesion on the run's own mesh [mm3]."""
    level = body.levels[rule]
    grid = _grid(body, body.tissue & body.reached(level), level, level)
    return _volume(_cut(grid, "own"), flat=body.axis is not None)


def grid_of(body: Body, chosen: BoolArray) -> Any:
    """Return the chosen cells of a mesh as PyVista's grid."""
    import pyvista as pv

    kind = pv.CellType.TETRA if body.cells.shape[1] == 4 else pv.CellType.TRIANGLE
    return pv.UnstructuredGrid({kind: body.cells[chosen]}, body.x)


def _grid(body: Body, chosen: BoolArray, own: FloatArray, other: FloatArray) -> Any:
    grid = grid_of(body, chosen)
    grid.point_data["own"], grid.point_data["other"] = own, other
    return grid


def _cut(grid: Any, level: str) -> Any:
    """Return what of a grid has a level of at least 0."""
    return grid.clip_scalar(scalars=level, value=0.0, invert=False) if grid.n_cells else grid


def _volume(grid: Any, *, flat: bool) -> float:
    """Return the volume of a grid, of the rings that it sweeps where it is flat [mm3]."""
    import pyvista as pv

    simplices = grid.triangulate() if grid.n_cells else grid
    cells = simplices.cells_dict.get(pv.CellType.TRIANGLE if flat else pv.CellType.TETRA)
    if cells is None:
        return 0.0
    corners = np.asarray(simplices.points, dtype=np.float64)[cells]
    sides = corners[:, 1:] - corners[:, :1]
    if flat:
        areas = 0.5 * np.abs(np.linalg.det(sides[:, :, :2]))
        return float(2.0 * np.pi * (areas * corners[:, :, 0].mean(axis=1)).sum())
    return float(np.abs(np.linalg.det(sides)).sum() / 6.0)
