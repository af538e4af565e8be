"""The electrode in a mesh: tip, axis, diameter and length of its active surface. Pure.

The facets are grouped into patches that share nodes. On the side of a needle the normals n are perpendicular to its
axis, so the axis is the eigenvector of the smallest eigenvalue of

    N = sum(A n n^T) / sum(A)        over the facets of area A.

It holds for a half or a quarter of a needle at planes of symmetry too. Facets of a tip face are then left out, and a
cylinder is fitted to the nodes of the side by least squares. A surface without such an axis, as a sphere or a plate,
has no needle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from rfablate.arrays import FloatArray, IntArray
from rfablate.case.tables.shape_math import perpendicular_axes
from rfablate.mesh.mesh_data import MeshData

_SECTORS = 24
"""Sectors into which a surface of the half plane is revolved."""
_MOST_NODES = 4000
"""Nodes that a cylinder is fitted to; of more, some that are spread over all."""
_MOST_PATCHES = 20
"""Patches that are compared one by one; of more, all together are one patch."""


@dataclass(frozen=True)
class SurfacePatch:
    """Connected facets of the active surface."""

    corners: FloatArray
    """Nodes of each facet [m], shape (n, 3, 3); of a half plane, the revolved surface."""
    edge: float
    """Median over the facets of the longest edge [m]."""


@dataclass(frozen=True)
class MeshNeedle:
    """A needle as its active surface shows it, in the coordinates of the corners."""

    tip: FloatArray
    """Point of the axis at the height of the most distal node [m]."""
    axis: FloatArray
    """Unit vector away from the tip, along +z rather than against it."""
    length: float
    """Extent of the surface along the axis [m]."""
    diameter: float
    """Diameter of the cylinder through the nodes of the side [m]."""
    is_round: bool
    """Whether four in five nodes of the side lie on a cylinder within 5 % of its radius."""


def active_patches(mesh: MeshData) -> list[SurfacePatch]:
    """Return the patches of the active surface; empty without one. With several, the last one is all together."""
    facets = mesh.surfaces.get("active")
    if facets is None or len(facets) == 0:
        return []
    count, pieces = _pieces(facets)
    groups = [facets[pieces == n] for n in range(count)] if 1 < count <= _MOST_PATCHES else []
    return [_patch(mesh, each) for each in [*groups, facets]]


def _pieces(facets: IntArray) -> tuple[int, IntArray]:
    """Return the number of connected pieces, and the piece of each facet."""
    nodes, local = np.unique(facets, return_inverse=True)
    local = local.reshape(facets.shape)
    first, other = np.repeat(local[:, 0], facets.shape[1] - 1), local[:, 1:].ravel()
    graph = coo_matrix((np.ones(len(first)), (first, other)), shape=(len(nodes), len(nodes)))
    count, piece = connected_components(graph, directed=False)
    return int(count), np.asarray(piece[local[:, 0]])


def _patch(mesh: MeshData, facets: IntArray) -> SurfacePatch:
    corners = mesh.points[facets]
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
    return SurfacePatch(_revolved(corners) if mesh.axisymmetric else corners, float(np.median(edges.max(axis=1))))


def _revolved(segments: FloatArray) -> FloatArray:
    """Return the triangles of the surface that segments (r, z, 0), shape (n, 2, 3), describe about the z axis."""
    angles = 2 * np.pi * np.arange(_SECTORS + 1) / _SECTORS
    r, z = segments[None, :, :, 0], np.broadcast_to(segments[None, :, :, 1], (len(angles), *segments.shape[:2]))
    rings = np.stack([r * np.cos(angles)[:, None, None], r * np.sin(angles)[:, None, None], z], axis=3)
    a, b, c, d = rings[:-1, :, 0], rings[:-1, :, 1], rings[1:, :, 1], rings[1:, :, 0]
    triangles = np.concatenate([np.stack(each, axis=2).reshape(-1, 3, 3) for each in ((a, b, c), (a, c, d))])
    return triangles[_normals(triangles)[1] > 0.0]


def _normals(corners: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return unit normals and areas of triangles."""
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    double = np.linalg.norm(cross, axis=1)
    return cross / np.maximum(double, 1e-300)[:, None], 0.5 * double


def needle_of(corners: FloatArray, tip_face: float = 0.0) -> MeshNeedle | None:
    """Return the needle whose surface the facets are, shape (n, 3, 3) [m]; None for another shape.

    `tip_face` is the length of the bevel or cone at the tip [m], whose facets do not tell the axis.
    """
    normals, area = _normals(corners)
    if not area.sum() > 0.0:
        return None
    side, axis = np.ones(len(corners), dtype=bool), _axis(normals, area)
    for steepest in (0.5, 0.3):
        if axis is None:
            return None
        side = np.abs(normals @ axis) <= steepest
        axis = _axis(normals[side], area[side])
    if axis is None:
        return None
    heights = corners @ axis
    beyond = side & (heights.min(axis=1) > heights.min() + tip_face)
    if tip_face > 0.0 and area[beyond].sum() > 0.3 * area[side].sum():
        better = _axis(normals[beyond], area[beyond])
        side, axis = beyond, axis if better is None else better
    nodes = np.unique(corners[side].reshape(-1, 3), axis=0)
    axis, centre, radius, is_round = _cylinder(nodes[:: 1 + len(nodes) // _MOST_NODES], axis)
    heights = (corners - centre) @ axis
    low, length = float(heights.min()), float(np.ptp(heights))
    if length < 2.0 * radius:
        return None
    return MeshNeedle(centre + low * axis, axis, length, 2.0 * radius, is_round)


def _axis(normals: FloatArray, area: FloatArray) -> FloatArray | None:
    """Return the direction to which the normals are perpendicular, along +z; None if there is no such direction."""
    if not area.sum() > 0.0:
        return None
    values, vectors = np.linalg.eigh((normals * area[:, None]).T @ normals / area.sum())
    if values[1] < 0.1 or values[0] > 0.6 * values[1]:
        return None
    return np.asarray(_upward(vectors[:, 0]))


def _upward(axis: FloatArray) -> FloatArray:
    return -axis if axis[2] < 0.0 else axis


def _cylinder(nodes: FloatArray, axis: FloatArray) -> tuple[FloatArray, FloatArray, float, bool]:
    """Return axis, a point on it and radius of the cylinder through nodes, and whether they lie on it."""
    middle = nodes.mean(axis=0)
    u, v = perpendicular_axes(axis)
    x, y = (nodes - middle) @ u, (nodes - middle) @ v
    (cx, cy, rest), *_ = np.linalg.lstsq(np.stack([2 * x, 2 * y, np.ones(len(x))], axis=1), x * x + y * y, rcond=None)
    radius = float(np.sqrt(max(rest + cx * cx + cy * cy, 1e-30)))
    start = middle + cx * u + cy * v
    scale = max(float(np.ptp((nodes - middle) @ axis)), radius)

    def line(p: FloatArray) -> tuple[FloatArray, FloatArray]:
        along = axis + radius / scale * (p[0] * u + p[1] * v)
        return along / np.linalg.norm(along), start + radius * (p[2] * u + p[3] * v)

    def misfit(p: FloatArray) -> FloatArray:
        along, point = line(p)
        return np.asarray(np.linalg.norm(np.cross(nodes - point, along), axis=1) / radius - p[4])

    # Nodes of a tip face that are still among them lie inside the cylinder: a loss that hardly weighs them.
    found = least_squares(misfit, np.array([0.0, 0.0, 0.0, 0.0, 1.0]), loss="cauchy", f_scale=0.01, max_nfev=100)
    is_round = bool(np.quantile(np.abs(found.fun), 0.8) <= 0.05 * abs(found.x[4]))
    if not is_round:
        return axis, start, radius, False
    along, point = line(found.x)
    return _upward(along), point, radius * float(abs(found.x[4])), True
