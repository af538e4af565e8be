"""Fields of a run sampled at points of space, for the interactive scenes and the difference maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rfablate.arrays import BoolArray, FloatArray
from rfablate.report.scene_packing import SceneSurface
from rfablate.results.fields_reader import FieldsReader
from rfablate.results.run_reader import RunData
from rfablate.results.run_view import Cannula, heating_end, read_cannulas, rule_levels

POINTS = 48
"""Points along each edge of the grid on which fields are sampled [1]."""
FRAMES = 16
"""Largest number of frames shown [1]."""
WARM_degC = 45.0
"""Temperature that the sampled box encloses [degC]."""
AROUND = 1.5
"""Edge of the box in which structures are shown over that of the sampled box [1]."""
Corners = tuple[FloatArray, FloatArray]
"""Lowest and highest corner of a box [mm], shape (3,) each."""


@dataclass(frozen=True)
class PointValues:
    """Fields at points. All arrays have the points along the last axis."""

    temperature: FloatArray
    """Temperature of each frame [degC], NaN outside the domain, shape (frames, points)."""
    levels: Mapping[str, FloatArray]
    """Lesion rule -> level of each frame, positive inside the lesion, shape (frames, points)."""
    inside: BoolArray
    """True for points inside the domain, shape (points,)."""


@dataclass(frozen=True)
class SampleGrid:
    """A cubic grid of POINTS^3 points; x is the fastest index."""

    low: FloatArray
    """First corner [mm], shape (3,)."""
    spacing: float
    """Distance of neighbouring points [mm]."""

    @classmethod
    def over(cls, low: FloatArray, high: FloatArray) -> SampleGrid:
        """Return the grid over a cube [mm]."""
        return cls(low, float(high[0] - low[0]) / (POINTS - 1))

    @property
    def high(self) -> FloatArray:
        """Last corner [mm], shape (3,)."""
        return self.low + (POINTS - 1) * self.spacing

    @property
    def points(self) -> FloatArray:
        """The points [mm], shape (POINTS^3, 3)."""
        line = np.arange(POINTS) * self.spacing
        z, y, x = np.meshgrid(self.low[2] + line, self.low[1] + line, self.low[0] + line, indexing="ij")
        return np.column_stack([x.ravel(), y.ravel(), z.ravel()])

    @property
    def box(self) -> Corners:
        """Corners of the box in which structures are shown [mm]."""
        middle, half = (self.low + self.high) / 2, AROUND * (self.high - self.low) / 2
        return middle - half, middle + half

    def contour(self, values: FloatArray, level: float, inside: BoolArray) -> SceneSurface:
        """Return the surface on which values at the points equal `level`."""
        import pyvista as pv

        values = np.where(inside, values, level - 1.0)
        if not (values > level).any():
            return SceneSurface()
        box = pv.ImageData(dimensions=(POINTS,) * 3, spacing=(self.spacing,) * 3, origin=tuple(self.low))
        box.point_data["value"] = values
        return scene_surface(box.contour([level], scalars="value"))


@dataclass(frozen=True)
class Samples:
    """Fields on a grid at some frames of a run."""

    grid: SampleGrid
    times_s: tuple[float, ...]
    """Time of each frame [s]."""
    frames_in_file: int
    """Number of frames of the file, shown or not."""
    values: PointValues

    def thinned(self, heating_end_s: float | None) -> Samples:
        """Return the samples of about half of the frames."""
        kept = chosen_frames(self.times_s, heating_end_s, max(len(self.times_s) // 2, 3))
        levels = {rule: level[kept] for rule, level in self.values.levels.items()}
        values = PointValues(self.values.temperature[kept], levels, self.values.inside)
        return replace(self, times_s=tuple(self.times_s[i] for i in kept), values=values)


def sample(run: RunData, fields: FieldsReader) -> Samples:
    """Return temperature and lesion levels on a grid around the lesion and the active tips.

    Raises:
        ValueError: the file has no frame.
    """
    if not len(fields.times_s):
        raise ValueError("the file has a mesh but no frame")
    frames = chosen_frames(fields.times_s.tolist(), heating_end(run))
    grid = SampleGrid.over(*lesion_box(run, fields, frames))
    times = tuple(float(fields.times_s[frame]) for frame in frames)
    return Samples(grid, times, len(fields.times_s), values_at(run, fields, frames, grid.points))


def values_at(run: RunData, fields: FieldsReader, frames: Sequence[int], points: FloatArray) -> PointValues:
    """Return temperature and lesion levels at points of space [mm], shape (n, 3), for frames of a file.

    Points of an axisymmetric run are turned into its half plane.
    """
    import pyvista as pv

    axis = axis_of(fields, read_cannulas(run))
    if axis is not None:
        radius = np.hypot(points[:, 0] - axis[0], points[:, 1] - axis[1])
        points = np.column_stack([radius, np.zeros(len(points)), points[:, 2]])
    heat = [fields.point_data("temperature_degC", frame) for frame in frames]
    levels = [rule_levels(run, fields, frame) for frame in frames]
    kind = pv.CellType.TETRA if fields.cells.shape[1] == 4 else pv.CellType.TRIANGLE
    mesh = pv.UnstructuredGrid({kind: fields.cells}, fields.points_mm)
    columns = [*heat, *(level[rule] for rule in levels[0] for level in levels)]
    mesh.point_data["all"] = np.column_stack(columns).astype(np.float32)
    probe: Any = pv.PolyData(points).sample(mesh)
    inside = np.asarray(probe["vtkValidPointMask"], dtype=bool)
    values = np.asarray(probe["all"], dtype=np.float64).T
    count = len(frames)
    temperature = np.where(inside, values[:count], np.nan)
    found = {
        rule: np.where(inside, values[(1 + i) * count : (2 + i) * count], -1.0) for i, rule in enumerate(levels[0])
    }
    return PointValues(temperature, found, inside)


def chosen_frames(times_s: Sequence[float], heating_end_s: float | None, most: int = FRAMES) -> list[int]:
    """Return at most `most` evenly spread frames, with the first, the last and the last one of heating."""
    count = len(times_s)
    if count <= most:
        return list(range(count))
    hot = [i for i, time in enumerate(times_s) if heating_end_s is not None and time <= heating_end_s * (1 + 1e-9)]
    spread = np.linspace(0, count - 1, max(most - 1, 2)).round().astype(int).tolist()
    return sorted({*spread, *hot[-1:]})


def axis_of(fields: FieldsReader, cannulas: Sequence[Cannula]) -> FloatArray | None:
    """Return x and y of the axis of an axisymmetric run [mm], on which its applicators lie; None in 3-D."""
    if not fields.axisymmetric:
        return None
    return cannulas[0].tip[:2] if cannulas else np.zeros(2)


def lesion_box(run: RunData, fields: FieldsReader, frames: Sequence[int]) -> Corners:
    """Return a cube around hot or dead nodes and the active tips [mm]."""
    cannulas = read_cannulas(run)
    hot = np.max([fields.point_data("temperature_degC", frame) for frame in frames], axis=0) > WARM_degC
    last = rule_levels(run, fields, frames[-1])
    dead = np.any([level > 0 for level in last.values()], axis=0) if last else hot
    points, axis = fields.points_mm[hot | dead], axis_of(fields, cannulas)
    parts = [points]
    if axis is not None and len(points):
        reach = float(np.max(points[:, 0]))
        ends = points[:, 2].min(), points[:, 2].max()
        parts = [np.array([[*(axis - reach), ends[0]], [*(axis + reach), ends[1]]])]
    parts += [np.array([c.tip, c.tip + c.span * c.direction]) for c in cannulas]
    every = np.concatenate(parts)
    every = every if len(every) else np.array([[-8.0] * 3, [8.0] * 3])
    low, high = every.min(axis=0), every.max(axis=0)
    half = max(0.57 * float(np.max(high - low)), cannulas[0].active_tip if cannulas else 0.0)
    return (low + high) / 2 - half, (low + high) / 2 + half


def scene_surface(mesh: Any) -> SceneSurface:
    """Return a PyVista surface as points and triangles."""
    if not mesh.n_points or not mesh.n_cells:
        return SceneSurface()
    mesh.clear_data()
    triangles = mesh.triangulate()
    return SceneSurface(np.asarray(triangles.points, dtype=float), triangles.faces.reshape(-1, 4)[:, 1:])
