"""The mesh of a run with its lesions at one output time, and their interpolation onto the mesh of another run.

A lesion is a level field, positive inside the lesion and linear in each cell (`physics.damage.Rule.level`). The level
is interpolated between meshes: the temperature, or the logarithm of damage. Lengths are in mm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rfablate.arrays import BoolArray, FloatArray, IntArray
from rfablate.case.geometry.half_plane import HalfPlane
from rfablate.mesh.mesh_transfer import transfer_weights
from rfablate.results.fields_reader import FieldsReader
from rfablate.results.run_reader import FIELDS, SAME_TIME, RunData
from rfablate.results.run_view import metal_regions, rule_levels


@dataclass(frozen=True)
class LesionMesh:
    """The mesh of a run and the levels of its lesion rules at one time."""

    x: FloatArray
    """Nodes [mm], shape (n, 3); (r, z, 0) for an axisymmetric mesh."""
    cells: IntArray
    """Node numbers, shape (m, 4) for tetrahedra or (m, 3) for triangles."""
    tissue: BoolArray
    """True for tissue cells, shape (m,); metal is never part of a lesion."""
    levels: dict[str, FloatArray]
    """Rule -> level, shape (n,)."""
    axis: tuple[float, float] | None
    """Point (x, y) of the axis of revolution [mm]; None in 3-D."""

    def reached(self, level: FloatArray) -> BoolArray:
        """Return which cells have at least one node inside the lesion of a nodal level, shape (m,)."""
        return np.asarray((level >= 0.0)[self.cells].any(axis=1))

    def from_space(self, points: FloatArray) -> FloatArray:
        """Return points (x, y, z) [mm] in the coordinates of this mesh, shape (n, 3)."""
        if self.axis is None:
            return points
        return HalfPlane(*self.axis).from_space(points)


@dataclass(frozen=True)
class CommonMesh:
    """The lesions of two runs on the mesh of one of them, `home`."""

    home: LesionMesh
    tissue: BoolArray
    """True for cells that a lesion reaches and that are tissue in the other run, shape (m,)."""
    levels: dict[str, FloatArray]
    """Levels of the other run at the nodes of the mesh, shape (n,) for each rule."""
    same_mesh: bool


def times_to_compare(a: RunData, b: RunData) -> list[tuple[float, float]]:
    """Return the pairs of times of A and B [s] at which the lesions are compared.

    The first pair is the last output time of each run. Where the two differ, the last common output time after the
    start is added, if there is one.

    Raises:
        OSError, ValueError: a fields file cannot be read.
    """
    first, second = output_times(a), output_times(b)
    shared = [float(t) for t in first if t > 0.0 and np.any(np.abs(second - t) <= SAME_TIME * t)]
    ends = float(first[-1]), float(second[-1])
    if not shared or (abs(ends[0] - ends[1]) <= SAME_TIME * ends[0]):
        return [ends]
    return [ends, (shared[-1], shared[-1])]


def output_times(run: RunData) -> FloatArray:
    """Return the times of the frames of a run [s]; raises ValueError where there is none."""
    file = run.directory / FIELDS
    if not file.is_file():
        raise ValueError(f"no {FIELDS} in {run.directory}")
    with FieldsReader(file) as fields:
        if not len(fields.times_s):
            raise ValueError(f"{FIELDS} in {run.directory} has a mesh but no frame")
        return fields.times_s


def read_lesion_mesh(run: RunData, time_s: float) -> LesionMesh:
    """Return the mesh and lesions of a run at one of its output times [s].

    Raises:
        OSError, ValueError: the fields file cannot be read.
    """
    with FieldsReader(run.directory / FIELDS) as fields:
        x, flat = fields.points_mm, fields.axisymmetric
        metal = [tag for tag, name in fields.region_names.items() if name in metal_regions(run)]
        centre = run.case.get("domain", {}).get("centre_mm", (0.0, 0.0, 0.0))
        try:
            levels = rule_levels(run, fields, int(np.argmin(np.abs(fields.times_s - time_s))))
        except KeyError as error:
            raise ValueError(f"{FIELDS} of {run.directory} has no field {error}") from None
        return LesionMesh(
            x=np.stack([x[:, 0], x[:, 2], np.zeros(len(x))], axis=1) if flat else x,
            cells=fields.cells,
            tissue=~np.isin(fields.region, metal),
            levels=levels,
            axis=(float(centre[0]), float(centre[1])) if flat else None,
        )


def interpolate_lesions(home: LesionMesh, other: LesionMesh) -> CommonMesh:
    """Return the lesions of two runs on the mesh of `home`; an axisymmetric run can be interpolated onto a 3-D mesh.

    A node in the metal of the other run, or outside its mesh, takes the level of the nearest tissue node.
    """
    if np.array_equal(home.x, other.x) and np.array_equal(home.cells, other.cells):
        return CommonMesh(home, other.tissue, other.levels, same_mesh=True)
    to_other: Any = other.from_space if home.axis is None else np.asarray
    nodes = transfer_weights(other.x, other.cells[other.tissue], to_other(home.x))
    levels = {rule: np.asarray(nodes @ level) for rule, level in other.levels.items()}
    reached = np.any([home.reached(level) for level in (*home.levels.values(), *levels.values())], axis=0)
    # Each cell gets its own copies of its nodes and so one value per cell: the weights then identify the cell in
    # which a point lies.
    apart = np.arange(other.cells.size).reshape(other.cells.shape)
    middles = to_other(home.x[home.cells[reached]].mean(axis=1))
    inside = transfer_weights(other.x[other.cells.ravel()], apart, middles)
    tissue = np.zeros(len(home.cells), dtype=bool)
    tissue[reached] = inside @ np.repeat(other.tissue.astype(np.float64), other.cells.shape[1]) > 0.5
    return CommonMesh(home, tissue, levels, same_mesh=False)
