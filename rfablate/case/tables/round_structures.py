"""Structures with round surfaces: ellipsoid, sphere, and along a line tube and cylinder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from rfablate.arrays import FloatArray
from rfablate.case.tables import shape_math
from rfablate.case.tables.shape_math import Point, on_axis
from rfablate.case.tables.structure_base import (
    OFF_AXIS_HINT,
    Bodies,
    SectionBuilder,
    SolidBuilder,
    StructureTable,
    axis_text,
    place_text,
)
from rfablate.case.tables.units import MmPositive, PointMm, SizesMm, in_mm
from rfablate.errors import Fault


def _centre_fault(where: str, centre: Point, axis: FloatArray) -> Fault | None:
    if on_axis(axis, centre):
        return None
    found = f"found {place_text(centre)}, off the axis"
    return Fault(f"{where}.centre_mm", found, f"a centre on the axis, {axis_text(axis)}", OFF_AXIS_HINT)


class Ellipsoid(StructureTable):
    """Ellipsoid with axes along x, y, z."""

    kind: Literal["ellipsoid"] = "ellipsoid"
    """Selects an ellipsoid with axes along x, y, z."""
    centre: PointMm = Field(alias="centre_mm", examples=[[0, 0, 3]])
    """Centre of the ellipsoid, x, y, z [mm]."""
    semi_axes: SizesMm = Field(alias="semi_axes_mm", examples=[[4, 8, 2]])
    """Semi-axes of the ellipsoid along x, y, z [mm], half of its extents."""

    def distance(self, points: FloatArray) -> FloatArray:
        """See `StructureTable`; a lower bound everywhere."""
        axes = np.array(self.semi_axes)
        return np.asarray((np.linalg.norm((points - self.centre) / axes, axis=1) - 1.0) * axes.min())

    def bounds(self) -> FloatArray:
        """See `StructureTable`."""
        return shape_math.span(np.array([self.centre]), np.array(self.semi_axes))

    def samples(self, spread: FloatArray, window: FloatArray) -> FloatArray:
        """See `StructureTable`."""
        return np.asarray(self.centre + np.array(self.semi_axes) * shape_math.ball_samples(spread))

    def solid(self, build: SolidBuilder, reach: float) -> Bodies:
        """See `StructureTable`."""
        return build.ellipsoid(self.centre, self.semi_axes)

    def section(self, build: SectionBuilder, reach: float) -> Bodies:
        """See `StructureTable`."""
        return build.ellipse(self.centre[2], self.semi_axes[0], self.semi_axes[2])

    def thinnest(self) -> float:
        """See `StructureTable`."""
        return 2.0 * min(self.semi_axes)

    def rounding(self) -> float:
        """See `StructureTable`."""
        return 1.25

    def lengths(self) -> Iterator[tuple[str, float]]:
        """See `StructureTable`."""
        yield "semi_axes_mm", max(self.semi_axes)

    def text(self) -> str:
        """See `StructureTable`."""
        return f"ellipsoid, semi-axes {in_mm(*self.semi_axes)}, at {in_mm(*self.centre)}"

    def revolution_fault(self, where: str, axis: FloatArray) -> Fault | None:
        """See `StructureTable`."""
        fault = _centre_fault(where, self.centre, axis)
        if fault is None and abs(self.semi_axes[0] - self.semi_axes[1]) > shape_math.ON_AXIS:
            x, y = (value * 1e3 for value in self.semi_axes[:2])
            found, expected = f"found {x:g} along x and {y:g} along y", "equal semi-axes along x and y"
            return Fault(f"{where}.semi_axes_mm", found, expected, OFF_AXIS_HINT)
        return fault


class Sphere(StructureTable):
    """Sphere."""

    kind: Literal["sphere"] = "sphere"
    """Selects a sphere."""
    centre: PointMm = Field(alias="centre_mm", examples=[[0, 0, 3]])
    """Centre of the sphere, x, y, z [mm]."""
    radius: MmPositive = Field(alias="radius_mm", examples=[1.5])
    """Radius of the sphere [mm]."""

    def distance(self, points: FloatArray) -> FloatArray:
        """See `StructureTable`."""
        return np.asarray(np.linalg.norm(points - self.centre, axis=1) - self.radius)

    def bounds(self) -> FloatArray:
        """See `StructureTable`."""
        return shape_math.span(np.array([self.centre]), np.full(3, self.radius))

    def samples(self, spread: FloatArray, window: FloatArray) -> FloatArray:
        """See `StructureTable`."""
        return np.asarray(self.centre + self.radius * shape_math.ball_samples(spread))

    def solid(self, build: SolidBuilder, reach: float) -> Bodies:
        """See `StructureTable`."""
        return build.ball(self.centre, self.radius)

    def section(self, build: SectionBuilder, reach: float) -> Bodies:
        """See `StructureTable`."""
        return build.disk(self.centre[2], self.radius)

    def thinnest(self) -> float:
        """See `StructureTable`."""
        return 2.0 * self.radius

    def rounding(self) -> float:
        """See `StructureTable`."""
        return 1.25

    def lengths(self) -> Iterator[tuple[str, float]]:
        """See `StructureTable`."""
        yield "radius_mm", self.radius

    def text(self) -> str:
        """See `StructureTable`."""
        return f"sphere, radius {in_mm(self.radius)}, at {in_mm(*self.centre)}"

    def revolution_fault(self, where: str, axis: FloatArray) -> Fault | None:
        """See `StructureTable`."""
        return _centre_fault(where, self.centre, axis)


class Tube(StructureTable):
    """Nerve or vessel: all points within half a diameter of a polyline, with flat ends."""

    kind: Literal["tube"] = "tube"
    """Selects a tube along a polyline, for a nerve or a vessel."""
    path: tuple[PointMm, ...] = Field(alias="path_mm", min_length=2, examples=[[[3, -15, 0], [3, 15, 2]]])
    """Points of the tube's centre line, each x, y, z [mm]."""
    diameter: MmPositive = Field(alias="diameter_mm", examples=[2])
    """Diameter of the tube [mm]."""
    sigma_along: Annotated[float, Field(strict=True, gt=0, le=100)] | None = Field(
        default=None, alias="sigma_along_S_per_m", examples=[0.6]
    )
    """Electric conductivity at 37 degC along the axis, as in a nerve [S/m]; the tissue's value applies across it, and
    their ratio is at most 50. By default the tissue's value applies in all directions."""

    place_key: ClassVar[str] = "path_mm"

    def distance(self, points: FloatArray) -> FloatArray:
        """See `StructureTable`."""
        return shape_math.tube_distance(points, np.array(self.path), 0.5 * self.diameter)

    def bounds(self) -> FloatArray:
        """See `StructureTable`."""
        return shape_math.tube_bounds(np.array(self.path), 0.5 * self.diameter)

    def samples(self, spread: FloatArray, window: FloatArray) -> FloatArray:
        """See `StructureTable`."""
        return shape_math.tube_samples(np.array(self.path), 0.5 * self.diameter, spread)

    def solid(self, build: SolidBuilder, reach: float) -> Bodies:
        """See `StructureTable`."""
        return build.tube(self.path, self.diameter / 2)

    def section(self, build: SectionBuilder, reach: float) -> Bodies:
        """See `StructureTable`."""
        heights = [point[2] for point in self.path]
        return build.rectangle(self.diameter / 2, min(heights), max(heights))

    def thinnest(self) -> float:
        """See `StructureTable`."""
        return self.diameter

    def rounding(self) -> float:
        """See `StructureTable`."""
        return 0.67

    def lengths(self) -> Iterator[tuple[str, float]]:
        """See `StructureTable`."""
        yield "diameter_mm", self.diameter

    def text(self) -> str:
        """See `StructureTable`."""
        return f"tube, diameter {in_mm(self.diameter)}, {in_mm(*self.path[0])} to {in_mm(*self.path[-1])}"

    def degenerate_faults(self, where: str) -> Iterator[Fault]:
        """See `StructureTable`."""
        repeated = [i + 1 for i in range(len(self.path) - 1) if self.path[i] == self.path[i + 1]]
        if repeated:
            found = f"point {repeated[0]} repeats the one before it"
            yield Fault(f"{where}.path_mm", found, "consecutive points that differ")

    def revolution_fault(self, where: str, axis: FloatArray) -> Fault | None:
        """See `StructureTable`."""
        if on_axis(axis, *self.path):
            return None
        expected = f"a path along the axis, {axis_text(axis)}"
        return Fault(f"{where}.path_mm", "found a path off the axis", expected, OFF_AXIS_HINT)


class Cylinder(StructureTable):
    """Circular cylinder between the centres of its two ends."""

    kind: Literal["cylinder"] = "cylinder"
    """Selects a circular cylinder between two points."""
    start: PointMm = Field(alias="start_mm", examples=[[0, -15, 3]])
    """Centre of one end, x, y, z [mm]."""
    end: PointMm = Field(alias="end_mm", examples=[[0, 15, 3]])
    """Centre of the other end, x, y, z [mm]."""
    diameter: MmPositive = Field(alias="diameter_mm", examples=[2])
    """Diameter of the cylinder [mm]."""
    sigma_along: Annotated[float, Field(strict=True, gt=0, le=100)] | None = Field(
        default=None, alias="sigma_along_S_per_m", examples=[0.6]
    )
    """Electric conductivity at 37 degC along the axis, as in a nerve [S/m]; the tissue's value applies across it, and
    their ratio is at most 50. By default the tissue's value applies in all directions."""

    place_key: ClassVar[str] = "start_mm"

    def distance(self, points: FloatArray) -> FloatArray:
        """See `StructureTable`."""
        return shape_math.cylinder_distance(points, np.array(self.start), np.array(self.end), 0.5 * self.diameter)

    def bounds(self) -> FloatArray:
        """See `StructureTable`."""
        return shape_math.cylinder_bounds(np.array(self.start), np.array(self.end), 0.5 * self.diameter)

    def samples(self, spread: FloatArray, window: FloatArray) -> FloatArray:
        """See `StructureTable`."""
        return shape_math.tube_samples(np.array([self.start, self.end]), 0.5 * self.diameter, spread)

    def solid(self, build: SolidBuilder, reach: float) -> Bodies:
        """See `StructureTable`."""
        return build.tube((self.start, self.end), self.diameter / 2)

    def section(self, build: SectionBuilder, reach: float) -> Bodies:
        """See `StructureTable`."""
        return build.rectangle(self.diameter / 2, *sorted((self.start[2], self.end[2])))

    def thinnest(self) -> float:
        """See `StructureTable`."""
        return min(self.diameter, float(np.linalg.norm(np.subtract(self.end, self.start))))

    def rounding(self) -> float:
        """See `StructureTable`."""
        return 0.67

    def lengths(self) -> Iterator[tuple[str, float]]:
        """See `StructureTable`."""
        yield "diameter_mm", self.diameter

    def text(self) -> str:
        """See `StructureTable`."""
        return f"cylinder, diameter {in_mm(self.diameter)}, {in_mm(*self.start)} to {in_mm(*self.end)}"

    def degenerate_faults(self, where: str) -> Iterator[Fault]:
        """See `StructureTable`."""
        if self.start == self.end:
            yield Fault(f"{where}.end_mm", "found the same point as start_mm", "two different points")

    def revolution_fault(self, where: str, axis: FloatArray) -> Fault | None:
        """See `StructureTable`."""
        if on_axis(axis, self.start, self.end):
            return None
        found = f"found ends at {place_text(self.start)} and {place_text(self.end)}"
        return Fault(f"{where}.start_mm", found, f"both ends on the axis, {axis_text(axis)}", OFF_AXIS_HINT)
