"""Slices of a mesh by a plane: triangles, their regions and interpolated nodal values.

The axisymmetric half plane, mirrored at the axis, has the same form. Isolines and outlines of regions are joined into
polylines. Uses numpy only, so that the report needs no VTK.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rfablate.arrays import BoolArray, FloatArray, IntArray
from rfablate.case.tables.shape_math import perpendicular_axes

EDGES = np.array([(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)])


@dataclass(frozen=True)
class Plane:
    """A plane through `origin` [mm] with unit vectors `across` and `along`, and the labels of its two axes."""

    origin: FloatArray
    across: FloatArray
    along: FloatArray
    across_label: str
    along_label: str
    title: str
    offset: tuple[float, float] = (0.0, 0.0)
    """In-plane coordinates of the origin [mm]."""

    def coordinates(self, points: FloatArray) -> FloatArray:
        """Return the in-plane coordinates of `points` (n, 3) [mm], shape (n, 2)."""
        local = (points - self.origin) @ np.column_stack([self.across, self.along])
        return np.asarray(local + self.offset)

    def distance(self, point: FloatArray) -> float:
        """Return the distance of `point` (3,) from the plane [mm]."""
        return float(abs((point - self.origin) @ np.cross(self.across, self.along)))

    def positions(self, local: FloatArray) -> FloatArray:
        """Return the points at in-plane coordinates `local` (n, 2) [mm], shape (n, 3) [mm]."""
        return np.asarray(self.origin + (local - self.offset) @ np.stack([self.across, self.along]))


@dataclass(frozen=True)
class Slice:
    """The triangle mesh of a plane section through a mesh.

    points: in-plane coordinates [mm], shape (n, 2). triangles: point numbers, shape (m, 3).
    cell: mesh cell of each triangle, shape (m,). region: region tag of each triangle, shape (m,).
    ends, weight: each point lies on the mesh edge from node ends[:, 0] to ends[:, 1], at fraction `weight` of it.
    """

    plane: Plane
    points: FloatArray
    triangles: IntArray
    cell: IntArray
    region: IntArray
    ends: IntArray
    weight: FloatArray

    def at(self, nodal: FloatArray) -> FloatArray:
        """Return the values of a nodal array of the mesh at the points of the slice."""
        first, second = nodal[self.ends[:, 0]], nodal[self.ends[:, 1]]
        return np.asarray(first + self.weight * (second - first))

    def within(self, low: FloatArray, high: FloatArray) -> Slice:
        """Return the slice with only the triangles that overlap the window from `low` to `high` [mm]."""
        corners = self.points[self.triangles]
        keep = np.all((corners.max(axis=1) >= low) & (corners.min(axis=1) <= high), axis=1)
        return self._replace(keep)

    def _replace(self, keep: BoolArray) -> Slice:
        used, triangles = np.unique(self.triangles[keep], return_inverse=True)
        return Slice(
            self.plane,
            self.points[used],
            triangles.reshape(-1, 3),
            self.cell[keep],
            self.region[keep],
            self.ends[used],
            self.weight[used],
        )


def planes_through(tip_mm: Sequence[float], direction: Sequence[float]) -> tuple[Plane, Plane]:
    """Return two orthogonal planes that contain the axis of an applicator.

    Where the shaft points along +x, +y or +z, the planes use the coordinates of the case; otherwise they use distances
    from the tip.
    """
    tip = np.asarray(tip_mm, dtype=np.float64)
    along = np.asarray(direction, dtype=np.float64)
    along = along / np.linalg.norm(along)
    main = int(np.argmax(np.abs(along)))
    if along[main] > 1 - 1e-9:
        return tuple(_aligned_plane(tip, axis, main) for axis in range(3) if axis != main)  # type: ignore[return-value]
    second, opposite = perpendicular_axes(along)
    first = -opposite
    label = "from the tip along the shaft (mm)"
    return (
        Plane(tip, first, along, "across the shaft, first plane (mm)", label, "First plane through the axis"),
        Plane(
            tip, second, along, "across the shaft, second plane (mm)", label, "Second plane, perpendicular to the first"
        ),
    )


def _aligned_plane(tip: FloatArray, across: int, along: int) -> Plane:
    names = "xyz"
    third = 3 - across - along
    # + 0.0: a rounding error must not give "-0"
    title = f"Plane {names[across]}–{names[along]} at {names[third]} = {round(float(tip[third]), 2) + 0.0:g} mm"
    return Plane(
        tip,
        np.eye(3)[across],
        np.eye(3)[along],
        f"{names[across]} (mm)",
        f"{names[along]} (mm)",
        title.replace("-", "−"),
        (float(tip[across]), float(tip[along])),
    )


def cut(points: FloatArray, cells: IntArray, region: IntArray, plane: Plane) -> Slice:
    """Cut tetrahedra `cells` (m, 4) over `points` (n, 3) [mm] with a plane."""
    height = (points - plane.origin) @ np.cross(plane.across, plane.along)
    # A node on the plane counts as above it, and every cut edge that ends at it is cut at the node. Triangles that
    # collapse are removed, and their neighbours stay connected.
    on_plane = np.abs(height) < 1e-7 * float(np.ptp(points, axis=0).max())
    above = (height > 0) | on_plane
    inside = above[cells]
    count = inside.sum(axis=1)
    crossed = np.flatnonzero((count > 0) & (count < 4))
    inside, nodes = inside[crossed], cells[crossed]
    cut_edges = inside[:, EDGES[:, 0]] != inside[:, EDGES[:, 1]]
    ends = np.sort(nodes[:, EDGES][cut_edges], axis=1)
    ends = np.where(on_plane[ends[:, :1]], ends[:, :1], ends)
    ends = np.where(on_plane[ends[:, 1:]], ends[:, 1:], ends)
    unique, inverse = np.unique(ends[:, 0] * len(points) + ends[:, 1], return_inverse=True)
    numbers = np.full(cut_edges.shape, -1, dtype=np.int64)
    numbers[cut_edges] = inverse
    first, second = np.divmod(unique, len(points))
    span = height[first] - height[second]
    weight = np.where(first == second, 0.0, height[first] / np.where(span == 0.0, 1.0, span))
    where = points[first] + weight[:, None] * (points[second] - points[first])
    triangles, owner = _polygons(numbers, cut_edges, inside)
    proper = (np.diff(np.sort(triangles, axis=1), axis=1) > 0).all(axis=1)
    triangles, cell = triangles[proper], crossed[owner[proper]]
    return Slice(
        plane,
        plane.coordinates(where),
        triangles,
        cell,
        region[cell],
        np.column_stack([first, second]),
        weight,
    )


def _polygons(numbers: IntArray, cut_edges: BoolArray, above: BoolArray) -> tuple[IntArray, IntArray]:
    """Return the triangles of the cut tetrahedra, and the row of the tetrahedron of each triangle."""
    three = np.flatnonzero(cut_edges.sum(axis=1) == 3)
    triangles = numbers[three][cut_edges[three]].reshape(-1, 3)
    four = np.flatnonzero(cut_edges.sum(axis=1) == 4)
    # In the order of EDGES, an uncut edge n and its opposite edge 5 - n split the corners into two pairs. Around the
    # quadrilateral, consecutive cut edges share a corner.
    pair = np.where(above[four, 0] == above[four, 1], 0, np.where(above[four, 0] == above[four, 2], 1, 2))
    ring = np.array([(1, 2, 4, 3), (0, 2, 5, 3), (0, 1, 5, 4)])[pair]
    quads = np.take_along_axis(numbers[four], ring, axis=1)
    both = np.concatenate([triangles, quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    return both, np.concatenate([three, four, four])


def mirrored(points: FloatArray, cells: IntArray, region: IntArray) -> Slice:
    """Return the (r, z) half plane, with points (r, 0, z) [mm], and its mirror image at the axis as a slice."""
    plane = Plane(
        np.zeros(3), np.eye(3)[0], np.eye(3)[2], "r (mm)", "z (mm)", "Half plane (r, z), mirrored at the axis"
    )
    half = points[:, [0, 2]]
    n = len(half)
    nodes = np.tile(np.arange(n), 2)
    return Slice(
        plane,
        np.concatenate([half, half * (-1.0, 1.0)]),
        np.concatenate([cells, cells + n]),
        np.tile(np.arange(len(cells)), 2),
        np.tile(region, 2),
        np.column_stack([nodes, nodes]),
        np.zeros(2 * n),
    )


def outline(points: FloatArray, triangles: IntArray, inside: BoolArray) -> list[FloatArray]:
    """Return the boundary between the triangles `inside` and the other triangles as polylines (k, 2).

    Edges on the boundary of the mesh, and on the axis between the two mirrored halves, are not included.
    """
    edges = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]], axis=2).reshape(-1, 2)
    owner_inside = np.repeat(inside, 3)
    keys, inverse, count = np.unique(edges[:, 0] * len(points) + edges[:, 1], return_inverse=True, return_counts=True)
    inside_count = np.bincount(inverse, weights=owner_inside, minlength=len(keys))
    border = (count == 2) & (inside_count == 1)
    return [points[line] for line in chain(np.column_stack(np.divmod(keys[border], len(points))))]


def isolines(points: FloatArray, triangles: IntArray, values: FloatArray, level: float) -> list[FloatArray]:
    """Return the isolines of nodal `values` at `level`, linear in each triangle, as polylines (k, 2)."""
    over = values >= level
    sides = triangles[:, [[0, 1], [1, 2], [2, 0]]]
    crossed = over[sides[..., 0]] != over[sides[..., 1]]
    cutting = crossed.sum(axis=1) == 2
    edges = np.sort(sides[cutting][crossed[cutting]].reshape(-1, 2), axis=1)
    keys, number = np.unique(edges[:, 0] * len(points) + edges[:, 1], return_inverse=True)
    first, second = np.divmod(keys, len(points))
    weight = (level - values[first]) / (values[second] - values[first])
    where = points[first] + weight[:, None] * (points[second] - points[first])
    return [where[line] for line in chain(number.reshape(-1, 2))]


def chain(edges: IntArray) -> list[IntArray]:
    """Join edges (k, 2) into polylines of point numbers; a closed line ends at its first point."""
    touching: dict[int, list[int]] = {}
    for number, (first, second) in enumerate(edges.tolist()):
        touching.setdefault(first, []).append(number)
        touching.setdefault(second, []).append(number)
    left = set(range(len(edges)))
    starts = [point for point, numbers in touching.items() if len(numbers) != 2]
    lines = []
    pairs = edges.tolist()

    def walk(point: int) -> IntArray:
        line = [point]
        while free := [n for n in touching[point] if n in left]:
            left.discard(free[0])
            first, second = pairs[free[0]]
            point = second if point == first else first
            line.append(point)
        return np.array(line)

    for point in starts:
        while any(n in left for n in touching[point]):
            lines.append(walk(point))
    while left:
        lines.append(walk(pairs[next(iter(left))][0]))
    return lines
