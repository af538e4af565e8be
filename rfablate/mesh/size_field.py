"""The element size field of a generated mesh, as Gmsh fields. Root only."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import gmsh
import numpy as np

from rfablate.arrays import FloatArray
from rfablate.case.geometry.applicator_axes import ApplicatorFrame
from rfablate.case.geometry.applicator_parts import Tine
from rfablate.case.geometry.element_sizes import Sizes
from rfablate.case.tables.shape_math import perpendicular_axes

Interfaces = dict[str, tuple[str, list[int]]]
"""What bounds each structure: the kind of entities as a Distance field names it (`SurfacesList`), and their tags."""


@dataclass(frozen=True)
class Needle:
    """An applicator in the coordinates of the mesh [m]."""

    frame: ApplicatorFrame
    radius: float
    active: float
    length: float
    edges: Sequence[float]
    """Distances of its sharp circular edges from the tip [m]."""
    tines: Sequence[Tine]

    def point(self, s: float) -> FloatArray:
        """Return the point of the centre line at arc length s [m] from the tip."""
        return np.asarray(self.frame.centre_line(np.array([s]))[0])

    def ring(self, s: float, count: int, dim: int) -> list[FloatArray]:
        """Return `count` points on the circle around the centre line at s [m] from the tip; one in the half plane."""
        if dim == 2:
            return [self.point(s) + np.array([self.radius, 0.0, 0.0])]
        first, second = perpendicular_axes(self.frame.direction(s))
        angles = 2.0 * np.pi * np.arange(count) / count
        return [self.point(s) + self.radius * (np.cos(a) * first + np.sin(a) * second) for a in angles]


@dataclass(frozen=True)
class SizeGuides:
    """Points that control the element size: on the axis of active tip and shaft, on sharp edges, on the tines."""

    active: list[int]
    shaft: list[int]
    edges: list[int]
    tines: list[int]
    tine_ends: list[int]


def add_guides(needle: Needle, sizes: Sizes, dim: int) -> SizeGuides:
    """Add the size control points of an applicator; call before `synchronize`."""
    tines = needle.tines
    count = max(8, int(np.ceil(2.0 * np.pi * needle.radius / sizes.edge * 2.0)))
    return SizeGuides(
        _add_points(_along(needle, 0.0, needle.active, sizes.tip / 2)),
        _add_points(_along(needle, needle.active, needle.length, sizes.shaft / 2)),
        _add_points([point for s in needle.edges for point in needle.ring(s, count, dim)]),
        _add_points([point for tine in tines for point in tine.at(_stations(0.0, tine.length, sizes.tine / 2))]),
        _add_points([point for tine in tines for point in tine.end_circle(8)]),
    )


def _along(needle: Needle, start: float, end: float, spacing: float) -> list[FloatArray]:
    return [needle.point(s) for s in _stations(start, end, spacing)]


def _stations(start: float, end: float, spacing: float) -> FloatArray:
    return np.linspace(start, end, max(2, int(np.ceil((end - start) / spacing)) + 1))


def _add_points(points: list[FloatArray]) -> list[int]:
    return [gmsh.model.occ.addPoint(*point) for point in points]


@dataclass(frozen=True)
class SizeGrid:
    """Sizes [m] at the points of a grid along x, y, z."""

    origin: FloatArray
    spacing: float
    size: FloatArray
    """Shape (i, j, k)."""
    enlarged: float
    """Factor on the labels' sizes."""

    def write(self, path: Path) -> None:
        """Write the binary file of Gmsh's field "Structured"."""
        head = struct.pack("<6d3i", *self.origin, *(self.spacing,) * 3, *self.size.shape)
        path.write_bytes(head + np.ascontiguousarray(self.size, dtype="<f8").tobytes())


def add_grid(grid: SizeGrid, path: Path) -> int:
    """Add sizes that are given at the points of a grid; return the field's number. Meshing reads the file at `path`."""
    field = gmsh.model.mesh.field
    grid.write(path)
    number = int(field.add("Structured"))
    field.setString(number, "FileName", str(path))
    field.setNumber(number, "TextFormat", 0)
    return number


def set_background(
    guided: Sequence[tuple[Needle, SizeGuides]],
    interfaces: Interfaces,
    sizes: Sizes,
    others: Sequence[int] = (),
) -> None:
    """Set the element size to the minimum of the sizes from active tips, shafts and structure surfaces.

    Args:
        guided: the applicators, each with the result of `add_guides`.
        interfaces: what bounds each structure.
        sizes: the required sizes.
        others: more fields of which the least counts.
    """
    field = gmsh.model.mesh.field
    fields = [*others]
    fields += [number for pair in guided for number in _of_needle(*pair, sizes)]
    active = _distance("PointsList", [point for _, each in guided for point in each.active])
    zone = _growing(active, min([sizes.tip, *sizes.structure.values()]), sizes.zone, sizes)
    for name, (entities, tags) in interfaces.items():
        if name in sizes.structure and tags:
            near = _distance(entities, tags)
            both = field.add("Max")
            field.setNumbers(both, "FieldsList", [_growing(near, sizes.structure[name], 0.0, sizes), zone])
            fields.append(both)
    least = field.add("Min")
    field.setNumbers(least, "FieldsList", fields)
    field.setAsBackgroundMesh(least)


def _of_needle(needle: Needle, guides: SizeGuides, sizes: Sizes) -> list[int]:
    """Add the size fields of an applicator."""
    active, shaft = (_distance("PointsList", points) for points in (guides.active, guides.shaft))
    fields = [
        _growing_from_tip(active, needle.radius, sizes.tip, sizes),
        _growing(shaft, sizes.shaft, needle.radius, sizes),
        _growing(_distance("PointsList", guides.edges), sizes.edge, 0.0, sizes),
    ]
    if needle.tines:
        along = _distance("PointsList", guides.tines)
        fields += [
            _growing_from_tip(along, needle.tines[0].radius, sizes.tine, sizes),
            _growing(_distance("PointsList", guides.tine_ends), 0.5 * sizes.tine, 0.0, sizes),
        ]
    return fields


def _distance(entities: str, tags: list[int]) -> int:
    number = gmsh.model.mesh.field.add("Distance")
    gmsh.model.mesh.field.setNumbers(number, entities, tags)
    gmsh.model.mesh.field.setNumber(number, "Sampling", 12)  # points per surface; 40 take three times as long
    return int(number)


def _growing(distance: int, size: float, start: float, sizes: Sizes) -> int:
    """Add a field that is `size` up to the distance `start` and increases beyond it up to the far size."""
    field = gmsh.model.mesh.field
    number = field.add("Threshold")
    field.setNumber(number, "InField", distance)
    field.setNumber(number, "SizeMin", size)
    field.setNumber(number, "SizeMax", max(size, sizes.far))
    field.setNumber(number, "DistMin", start)
    field.setNumber(number, "DistMax", start + max(sizes.far - size, 1e-9) / sizes.growth_outside)
    return int(number)


def _growing_from_tip(distance: int, radius: float, size: float, sizes: Sizes) -> int:
    """Add a field that grows from bare metal, slowly up to the expected lesion surface and faster beyond it."""
    near = f"({size} + {sizes.growth} * (F{distance} - {radius}))"
    edge = size + sizes.growth * sizes.lesion
    outside = f"({edge} + {sizes.growth_outside} * (F{distance} - {radius + sizes.lesion}))"
    larger = f"(0.5 * ({near} + {outside} + Sqrt(({near} - {outside}) ^ 2)))"
    return _capped(_math(larger), sizes.far)


def _math(expression: str) -> int:
    number = gmsh.model.mesh.field.add("MathEval")
    gmsh.model.mesh.field.setString(number, "F", expression)
    return int(number)


def _capped(number: int, largest: float) -> int:
    least = gmsh.model.mesh.field.add("Min")
    gmsh.model.mesh.field.setNumbers(least, "FieldsList", [number, _math(str(largest))])
    return int(least)
