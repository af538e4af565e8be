"""A run's mesh with its lesions at an output time, and the same lesions on another run's mesh.

Lesions are level fields, positive inside and linear inside cells (`physics.damage.Rule.level`). From one mesh to
another the level itself is interpolated: the temperature, or the logarithm of damage. Lengths are in mm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rfablate.case.geometry.half_plane import HalfPlane
from rfablate.mesh.mesh_transfer import transfer_weights
from rfablate.results.fields_reader import FieldsReader
from rfablate.results.run_reader import FIELDS, RunData
from rfablate.results.run_view import metal_regions, rule_levels

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

SAME_TIME = 1e-6
"""Part of a run within which two times are one."""


@dataclass(frozen=True)
class Body:
    """A run's mesh and the levels of its lesion rules at one time."""

    x: FloatArray
    """Nodes [mm], shape (n, 3), (r, z, 0) of triangles."""
    cells: IntArray
    """Shape (m, 4) or (m, 3)."""
    tissue: BoolArray
    """Which cells are tissue, shape (m,): metal is no lesion."""
    levels: dict[str, FloatArray]
    """Rule -> level, shape (n,)."""
    axis: tuple[float, float] | None
    """Where the axis of revolution meets the plane z = 0 [mm]; None in 3-D."""

    def reached(self, level: FloatArray) -> BoolArray:
        """Return which cells the lesion of a nodal level reaches into."""
        return np.asarray((level >= 0.0)[self.cells].any(axis=1))

    def from_space(self, points: FloatArray) -> FloatArray:
        """Return points (x, y, z) of space in this mesh's coordinates."""
        if self.axis is None:
            return points
        return HalfPlane(*self.axis).from_space(points)


@dataclass(frozen=True)
class Carried:
    """Two runs' lesions on one mesh, `home`'s."""

    home: Body
    tissue: BoolArray
    """Which cells of the mesh that a lesion reaches into are tissue to the other run."""
    levels: dict[str, FloatArray]
    """The other run's levels at the mesh's nodes."""
    same_mesh: bool


def times_to_compare(a: RunData, b: RunData) -> list[tuple[float, float]]:
    """Return the times of A and of B [s] at which their lesions are held against each other.

    The last output times of both; where these differ, also the last that both have after the start, if any.

    Raises:
        OSError, ValueError: a fields file cannot be read.
    """
    first, second = _times(a), _times(b)
    shared = [float(t) for t in first if t > 0.0 and np.any(np.abs(second - t) <= SAME_TIME * t)]
    ends = float(first[-1]), float(second[-1])
    if not shared or (abs(ends[0] - ends[1]) <= SAME_TIME * ends[0]):
        return [ends]
    return [ends, (shared[-1], shared[-1])]


def _times(run: RunData) -> FloatArray:
    file = run.directory / FIELDS
    if not file.is_file():
        raise ValueError(f"there is no {FIELDS} in {run.directory}")
    with FieldsReader(file) as fields:
        if not len(fields.times_s):
            raise ValueError(f"{FIELDS} in {run.directory} holds a mesh but no frame")
        return fields.times_s


def read_body(run: RunData, time_s: float) -> Body:
    """Return a run's lesions at one of its output times [s].

    Raises:
        OSError, ValueError: its fields file cannot be read.
    """
    with FieldsReader(run.directory / FIELDS) as fields:
        x, flat = fields.points_mm, fields.axisymmetric
        metal = [tag for tag, name in fields.region_names.items() if name in metal_regions(run)]
        centre = run.case.get("domain", {}).get("centre_mm", (0.0, 0.0, 0.0))
        try:
            levels = rule_levels(run, fields, int(np.argmin(np.abs(fields.times_s - time_s))))
        except KeyError as error:
            raise ValueError(f"{FIELDS} of {run.directory} lacks {error}") from None
        return Body(
            x=np.stack([x[:, 0], x[:, 2], np.zeros(len(x))], axis=1) if flat else x,
            cells=fields.cells,
            tissue=~np.isin(fields.region, metal),
            levels=levels,
            axis=(float(centre[0]), float(centre[1])) if flat else None,
        )


def carry(home: Body, other: Body) -> Carried:
    """Return another run's lesions on a run's mesh; a body of revolution goes onto a mesh in 3-D.

    At a node in the other run's metal, or outside its mesh, its level is that of its nearest tissue node.
    """
    if np.array_equal(home.x, other.x) and np.array_equal(home.cells, other.cells):
        return Carried(home, other.tissue, other.levels, True)
    to_other: Any = other.from_space if home.axis is None else np.asarray
    nodes = transfer_weights(other.x, other.cells[other.tissue], to_other(home.x))
    levels = {rule: np.asarray(nodes @ level) for rule, level in other.levels.items()}
    reached = np.any([home.reached(level) for level in (*home.levels.values(), *levels.values())], axis=0)
    # With nodes of its own each cell has one value: the weights then tell in which cell a point lies.
    apart = np.arange(other.cells.size).reshape(other.cells.shape)
    middles = to_other(home.x[home.cells[reached]].mean(axis=1))
    inside = transfer_weights(other.x[other.cells.ravel()], apart, middles)
    tissue = np.zeros(len(home.cells), dtype=bool)
    tissue[reached] = inside @ np.repeat(other.tissue.astype(np.float64), other.cells.shape[1]) > 0.5
    return Carried(home, tissue, levels, False)
