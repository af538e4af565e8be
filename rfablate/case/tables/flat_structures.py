"""Structures with flat surfaces: half space, slab and box."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from rfablate.arrays import FloatArray
from rfablate.case.tables import shape_math
from rfablate.case.tables.shape_math import Point, is_vertical
from rfablate.case.tables.structure_base import (
    OFF_AXIS_HINT,
    Bodies,
    SectionBuilder,
    SolidBuilder,
    StructureTable,
)
from rfablate.case.tables.units import Direction, MmPositive, PointMm, SizesMm, in_mm
from rfablate.errors import Fault


def _zero_normal_faults(where: str, normal: Point) -> Iterator[Fault]:
    if not np.any(normal):
        yield Fault(f"{where}.normal", "found a direction of zero length", "three numbers, not all 0", "[0, 0, 1]")


def _tilted_normal_fault(where: str, normal: Point) -> Fault | None:
    if is_vertical(normal):
        return None
    found = f"found {list(normal)}"
    return Fault(f"{where}.normal", found, "[0, 0, 1] or [0, 0, -1], along the axis", OFF_AXIS_HINT)


class HalfSpace(StructureTable):
    """All points on the side of a plane that `normal` points to."""

    kind: Literal["half_space"] = "half_space"
    """Selects all points on one side of a plane."""
    point: PointMm = Field(alias="point_mm", examples=[[0, 0, -6]])
    """A point of the plane, x, y, z [mm]."""
    normal: Direction = Field(examples=[[0, 0, -1]])
    """Vector across the plane, to the side of the structure; its length does not matter."""

    place_key: ClassVar[str] = "point_mm"
    bounded: ClassVar[bool] = False

    def distance(self, points: FloatArray) -> FloatArray:
        """See `StructureTable`."""
        return -(points - self.point) @ shape_math.unit(self.normal)

    def bounds(self) -> FloatArray:
        """See `StructureTable`."""
        return shape_math.plate_bounds(self.point, self.normal, None)

    def samples(self, spread: FloatArray, window: FloatArray) -> FloatArray:
        """See `StructureTable`."""
        points = window[0] + spread * (window[1] - window[0])
        return np.asarray(points[self.distance(points) <= 0.0])

    def solid(self, build: SolidBuilder, reach: float) -> Bodies:
        """See `StructureTable`."""
        return build.plate(self.point, self.normal, bottom=0.0, thickness=2 * reach, reach=reach)

    def section(self, build: SectionBuilder, reach: float) -> Bodies:
        """See `StructureTable`."""
        z = self.point[2]
        return build.rectangle(reach, z, z + reach) if self.normal[2] > 0 else build.rectangle(reach, z - reach, z)

    def thinnest(self) -> None:
        """See `StructureTable`."""
        return

    def lengths(self) -> Iterator[tuple[str, float]]:
        """See `StructureTable`."""
        yield from ()

    def text(self) -> str:
        """See `StructureTable`."""
        return f"half space from {in_mm(*self.point)}"

    def degenerate_faults(self, where: str) -> Iterator[Fault]:
        """See `StructureTable`."""
        return _zero_normal_faults(where, self.normal)

    def revolution_fault(self, where: str, axis: FloatArray) -> Fault | None:
        """See `StructureTable`."""
        return _tilted_normal_fault(where, self.normal)


class Slab(StructureTable):
    """All points within half a `thickness` of the plane through `point` across `normal`."""

    kind: Literal["slab"] = "slab"
    """Selects a layer between two parallel planes."""
    point: PointMm = Field(alias="point_mm", examples=[[0, 0, -6]])
    """A point midway between the two planes, x, y, z [mm]."""
    normal: Direction = Field(examples=[[0, 0, -1]])
    """Vector across the layer; its length does not matter."""
    thickness: MmPositive = Field(alias="thickness_mm", examples=[2])
    """Distance between the two planes [mm]."""

    place_key: ClassVar[str] = "point_mm"
    bounded: ClassVar[bool] = False

    def distance(self, points: FloatArray) -> FloatArray:
        """See `StructureTable`."""
        return np.asarray(np.abs((points - self.point) @ shape_math.unit(self.normal)) - 0.5 * self.thickness)

    def bounds(self) -> FloatArray:
        """See `StructureTable`."""
        return shape_math.plate_bounds(self.point, self.normal, self.thickness)

    def samples(self, spread: FloatArray, window: FloatArray) -> FloatArray:
        """See `StructureTable`."""
        points, normal = window[0] + spread * (window[1] - window[0]), shape_math.unit(self.normal)
        depth = (np.sqrt(2.0) * np.arange(len(spread)) % 1.0 - 0.5) * self.thickness
        points = points + np.outer(depth - (points - self.point) @ normal, normal)
        return np.asarray(points[self.distance(points) <= 0.0])

    def solid(self, build: SolidBuilder, reach: float) -> Bodies:
        """See `StructureTable`."""
        bottom = -self.thickness / 2
        return build.plate(self.point, self.normal, bottom=bottom, thickness=self.thickness, reach=reach)

    def section(self, build: SectionBuilder, reach: float) -> Bodies:
        """See `StructureTable`."""
        z = self.point[2]
        return build.rectangle(reach, z - self.thickness / 2, z + self.thickness / 2)

    def thinnest(self) -> float:
        """See `StructureTable`."""
        return self.thickness

    def lengths(self) -> Iterator[tuple[str, float]]:
        """See `StructureTable`."""
        yield "thickness_mm", self.thickness

    def text(self) -> str:
        """See `StructureTable`."""
        return f"slab, {in_mm(self.thickness)} thick, through {in_mm(*self.point)}"

    def degenerate_faults(self, where: str) -> Iterator[Fault]:
        """See `StructureTable`."""
        return _zero_normal_faults(where, self.normal)

    def revolution_fault(self, where: str, axis: FloatArray) -> Fault | None:
        """See `StructureTable`."""
        return _tilted_normal_fault(where, self.normal)


class Box(StructureTable):
    """Box with edges along x, y, z."""

    kind: Literal["box"] = "box"
    """Selects a box with edges along x, y, z."""
    centre: PointMm = Field(alias="centre_mm", examples=[[0, 0, 3]])
    """Centre of the box, x, y, z [mm]."""
    size: SizesMm = Field(alias="size_mm", examples=[[10, 4, 6]])
    """Lengths of the edges along x, y, z [mm]."""

    def distance(self, points: FloatArray) -> FloatArray:
        """See `StructureTable`."""
        return shape_math.box_distance(points - self.centre, 0.5 * np.array(self.size))

    def bounds(self) -> FloatArray:
        """See `StructureTable`."""
        return shape_math.span(np.array([self.centre]), 0.5 * np.array(self.size))

    def samples(self, spread: FloatArray, window: FloatArray) -> FloatArray:
        """See `StructureTable`."""
        return np.asarray(self.centre + np.array(self.size) * (shape_math.box_samples(spread) - 0.5))

    def solid(self, build: SolidBuilder, reach: float) -> Bodies:
        """See `StructureTable`."""
        return build.box(self.centre, self.size)

    def thinnest(self) -> float:
        """See `StructureTable`."""
        return min(self.size)

    def lengths(self) -> Iterator[tuple[str, float]]:
        """See `StructureTable`."""
        yield "size_mm", max(self.size)

    def text(self) -> str:
        """See `StructureTable`."""
        return f"box {in_mm(*self.size)} at {in_mm(*self.centre)}"
