"""Signed distance of points to a closed surface of triangles. Pure.

The closest point is found among the triangles of the samples nearest to a point: samples lie on every triangle, at most
`spacing` apart. The sign is that of the offset from the closest point along the normal there, which at an edge or a
corner is the mean normal of the adjacent triangles, weighted by their angles (Baerentzen and Aanaes, IEEE TVCG
2005;11:243). This is exact, and used in the cells of a grid within three cells of the surface. The other cells lie on
one side; distances there are interpolated between the cells' centres, to about half a cell.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from rfablate.arrays import BoolArray, FloatArray, IntArray
from rfablate.case.tables.triangle_surface import TriangleSurface

SideArray = npt.NDArray[np.int8]

_SAMPLES = 40_000
"""Number of samples on a surface, about."""
_NEAREST = 10
"""Number of nearest samples whose triangles are examined."""
_GRID = 48
"""Number of grid cells along the longest edge of the bounding box."""
_BAND = 3
"""Number of cells next to the surface in which distances are exact."""
_NEXT = 1.8
"""Number of cells from a cell with samples up to which the surface may pass, the diagonal neighbours included."""
_BLOCK = 200_000
"""Number of points at a time."""
OUTSIDE, INSIDE, TOUCHED, NEAR_OUTSIDE, NEAR_INSIDE = range(5)
"""Sides of grid cells: far from the surface; next to it, maybe on both sides; and in the band with exact distances."""


class SignedDistance:
    """Distances to a closed surface whose triangles face outwards."""

    def __init__(self, surface: TriangleSurface) -> None:
        """Prepare the samples."""
        from scipy.spatial import cKDTree  # imported late: most cases do not use it

        self.surface = surface
        self.spacing = float(np.sqrt(surface.areas.sum() / _SAMPLES))
        self.samples, self.owner = samples_on(surface, self.spacing)
        self._tree = cKDTree(self.samples)
        self._normals = _Normals(surface)

    def __call__(self, points: FloatArray) -> FloatArray:
        """Return the signed distance of points (n, 3), negative inside; exact near the surface."""
        from scipy import ndimage  # imported late: most cases do not use it

        near = np.flatnonzero(self._side_at(points) >= TOUCHED)
        lower, step, _, distance = self._grid
        index = (points - lower) / step - 0.5
        inside = np.clip(index, 0.0, np.array(distance.shape) - 1.0)
        found = ndimage.map_coordinates(distance, inside.T, order=1)
        found = found + np.linalg.norm((index - inside) * step, axis=1)
        found[near] = self.closest(points[near])[0]
        return np.asarray(found)

    def closest(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the signed distances of points (n, 3), and the outward unit normals at the closest points.

        Exact for all points, but slow for points far from the surface.
        """
        parts = [self._closest(points[start : start + _BLOCK]) for start in range(0, len(points), _BLOCK)]
        if not parts:
            return np.zeros(0), np.zeros((0, 3))
        return np.concatenate([each[0] for each in parts]), np.concatenate([each[1] for each in parts])

    def _closest(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        _, nearest = self._tree.query(x, k=min(_NEAREST, len(self.samples)))
        candidates = self.owner[np.asarray(nearest).reshape(len(x), -1)]
        best = np.full(len(x), np.inf)
        weights, triangle = np.zeros((len(x), 3)), np.zeros(len(x), dtype=np.int64)
        corners = self.surface.corners
        for n in range(candidates.shape[1]):
            new = np.ones(len(x), dtype=bool) if n == 0 else (candidates[:, n] != candidates[:, n - 1])
            own = np.flatnonzero(new)
            if not len(own):
                continue
            bary = closest_on_triangles(x[own], corners[candidates[own, n]])
            at = np.einsum("nk,nkd->nd", bary, corners[candidates[own, n]])
            far = np.linalg.norm(x[own] - at, axis=1)
            nearer = far < best[own]
            chosen = own[nearer]
            best[chosen], weights[chosen], triangle[chosen] = far[nearer], bary[nearer], candidates[chosen, n]
        at = np.einsum("nk,nkd->nd", weights, corners[triangle])
        normal = self._normals.at(triangle, weights)
        side = ((x - at) * normal).sum(axis=1)
        return np.where(side < 0.0, -best, best), normal

    def inside(self, points: FloatArray) -> BoolArray:
        """Return which points (n, 3) lie inside or on the surface."""
        side = self._side_at(points)
        near = np.flatnonzero(side == TOUCHED)
        found = (side == INSIDE) | (side == NEAR_INSIDE)
        found[near] = self.closest(points[near])[0] <= 0.0
        return np.asarray(found)

    def _side_at(self, points: FloatArray) -> SideArray:
        """Return the side of the grid cell of each point."""
        lower, step, side, _ = self._grid
        index = np.floor((points - lower) / step).astype(np.int64)
        known = ((index >= 0) & (index < side.shape)).all(axis=1)
        found = np.full(len(points), OUTSIDE, dtype=np.int8)
        found[known] = side[tuple(index[known].T)]
        return found

    @cached_property
    def _grid(self) -> tuple[FloatArray, float, SideArray, FloatArray]:
        """Return corner and step of the grid, the side of each cell, and the signed distance of its centre."""
        from scipy import ndimage  # imported late: most cases do not use it

        lower, upper = self.surface.bounds
        step = float((upper - lower).max()) / _GRID
        lower = lower - (_BAND + 1.5) * step
        shape = np.ceil((upper - lower) / step).astype(int) + _BAND + 2
        spread, _ = samples_on(self.surface, 0.5 * step)
        cell = np.ravel_multi_index(tuple(np.floor((spread - lower) / step).astype(int).T), tuple(shape))
        touched, number = np.unique(cell, return_inverse=True)
        total = [np.bincount(number.reshape(-1), spread[:, d]).astype(np.float64) for d in range(3)]
        mean = np.stack(total, axis=1) / np.bincount(number.reshape(-1))[:, None]
        free = np.ones(int(np.prod(shape)), dtype=bool)
        free[touched] = False
        steps, nearest = ndimage.distance_transform_edt(free.reshape(shape), return_indices=True)
        middles = lower + (np.moveaxis(np.indices(shape), 0, -1) + 0.5) * step
        order = np.searchsorted(touched, np.ravel_multi_index(tuple(nearest), tuple(shape)))
        distance = np.linalg.norm(middles - mean[order], axis=-1)
        near = steps <= _BAND
        side = np.where(near, TOUCHED, OUTSIDE).astype(np.int8)
        parts, _ = ndimage.label(~near)
        for n, block in enumerate(ndimage.find_objects(parts), 1):
            own = parts[block] == n
            first = tuple(np.argwhere(own & (distance[block] == distance[block][own].min()))[0])
            if self.closest(middles[block][first][None])[0][0] <= 0.0:
                side[block][own] = INSIDE
        distance[side == INSIDE] *= -1.0
        band = np.flatnonzero(near.ravel())
        distance.reshape(-1)[band] = self.closest(middles.reshape(-1, 3)[band])[0]
        clear = near & (steps > _NEXT)
        side[clear] = np.where(distance[clear] <= 0.0, NEAR_INSIDE, NEAR_OUTSIDE)
        return lower, step, side, distance


def samples_on(surface: TriangleSurface, spacing: float) -> tuple[FloatArray, IntArray]:
    """Return points on the triangles, about `spacing` apart, and the triangle of each.

    They lie in rows parallel to the longest edge of a triangle, at least one in each triangle.
    """
    corners = surface.corners
    edges = np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2)  # edge n starts at corner n
    rows = np.arange(len(corners))
    first = edges.argmax(axis=1)
    turned = np.stack([corners[rows, (first + n) % 3] for n in range(3)], axis=1)
    longest = edges[rows, first]
    along = np.maximum(1, np.ceil(longest / spacing)).astype(np.int64)
    across = np.maximum(1, np.ceil(2.0 * surface.areas / np.maximum(longest, 1e-300) / spacing)).astype(np.int64)
    found, owner = [], []
    for counts in np.unique(np.column_stack([along, across]), axis=0):
        own = np.flatnonzero((along == counts[0]) & (across == counts[1]))
        bary = _rows(int(counts[0]), int(counts[1]))
        found.append(np.einsum("sk,nkd->nsd", bary, turned[own]).reshape(-1, 3))
        owner.append(np.repeat(own, len(bary)))
    return np.concatenate(found), np.concatenate(owner)


def _rows(along: int, across: int) -> FloatArray:
    """Return the barycentric coordinates of points in `across` rows parallel to the first edge."""
    found = []
    for row in range(across):
        v = (row + 0.5) / across if across > 1 else 1.0 / 3.0
        count = max(1, int(np.ceil(along * (1.0 - v))))
        u = (np.arange(count) + 0.5) / count * (1.0 - v)
        found.append(np.column_stack([1.0 - u - v, u, np.full(count, v)]))
    return np.concatenate(found)


def closest_on_triangles(x: FloatArray, corners: FloatArray) -> FloatArray:
    """Return the barycentric coordinates of the point of each triangle (n, 3, 3) closest to each point (n, 3).

    By the regions of Ericson, Real-Time Collision Detection (2005), section 5.1.5.
    """
    a, b, c = (corners[:, n] for n in range(3))
    ab, ac, ap, bp, cp = b - a, c - a, x - a, x - b, x - c
    d1, d2 = (ab * ap).sum(1), (ac * ap).sum(1)
    d3, d4 = (ab * bp).sum(1), (ac * bp).sum(1)
    d5, d6 = (ab * cp).sum(1), (ac * cp).sum(1)
    va, vb, vc = d3 * d6 - d5 * d4, d5 * d2 - d1 * d6, d1 * d4 - d3 * d2
    total = np.where(np.abs(va + vb + vc) > 0.0, va + vb + vc, 1.0)
    bary = np.column_stack([va, vb, vc]) / total[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (d4 - d3) / ((d4 - d3) + (d5 - d6))
        on_bc = (va <= 0.0) & (d4 - d3 >= 0.0) & (d5 - d6 >= 0.0)
        bary[on_bc] = np.column_stack([np.zeros_like(t), 1.0 - t, t])[on_bc]
        t = d2 / (d2 - d6)
        on_ac = (vb <= 0.0) & (d2 >= 0.0) & (d6 <= 0.0)
        bary[on_ac] = np.column_stack([1.0 - t, np.zeros_like(t), t])[on_ac]
        t = d1 / (d1 - d3)
        on_ab = (vc <= 0.0) & (d1 >= 0.0) & (d3 <= 0.0)
        bary[on_ab] = np.column_stack([1.0 - t, t, np.zeros_like(t)])[on_ab]
    bary[(d6 >= 0.0) & (d5 <= d6)] = [0.0, 0.0, 1.0]
    bary[(d3 >= 0.0) & (d4 <= d3)] = [0.0, 1.0, 0.0]
    bary[(d1 <= 0.0) & (d2 <= 0.0)] = [1.0, 0.0, 0.0]
    return np.asarray(bary)


class _Normals:
    """Outward normals of triangles, edges and corners."""

    def __init__(self, surface: TriangleSurface) -> None:
        corners, triangles = surface.corners, surface.triangles
        cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        self.face = _unit(cross)
        self.corner = np.zeros_like(surface.points)
        for n in range(3):
            before, after = (_unit(corners[:, (n + k) % 3] - corners[:, n]) for k in (1, 2))
            angle = np.arccos(np.clip((before * after).sum(axis=1), -1.0, 1.0))
            np.add.at(self.corner, triangles[:, n], angle[:, None] * self.face)
        self.corner = _unit(self.corner)
        # edge n of a triangle is opposite to its corner n
        pairs = np.sort(np.concatenate([triangles[:, [(n + 1) % 3, (n + 2) % 3]] for n in range(3)]), axis=1)
        edges, number = np.unique(pairs, axis=0, return_inverse=True)
        total = np.zeros((len(edges), 3))
        np.add.at(total, number.reshape(-1), np.tile(self.face, (3, 1)))
        self.edge = _unit(total)
        self.edge_of = number.reshape(3, -1).T
        self.triangles = triangles

    def at(self, triangle: IntArray, bary: FloatArray) -> FloatArray:
        """Return the normals at points of triangles given by barycentric coordinates."""
        zero = bary <= 1e-12
        count = zero.sum(axis=1)
        normal = self.face[triangle].copy()
        on_edge, at_corner = np.flatnonzero(count == 1), np.flatnonzero(count >= 2)
        normal[on_edge] = self.edge[self.edge_of[triangle[on_edge], zero[on_edge].argmax(axis=1)]]
        normal[at_corner] = self.corner[self.triangles[triangle[at_corner], bary[at_corner].argmax(axis=1)]]
        return np.asarray(normal)


def _unit(vectors: FloatArray) -> FloatArray:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-300))
