"""Regular meshes without a mesher: cells are halved exactly, so that orders of convergence are accurate. In m.

Each function returns a `MeshData` with one region `tissue`. Surfaces:

    shell_half_plane, shell_octant     inner, outer (spheres around the origin; without a hole there is no inner)
    rectangle                          low_r, high_r, low_z, high_z (the axis is no surface)
    box                                low_x ... high_z
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, permutations

import numpy as np

from rfablate.arrays import FloatArray, IntArray
from rfablate.mesh.facets import boundary_facets
from rfablate.mesh.mesh_data import MeshData


def geometric(start: float, end: float, n: int, last_over_first: float = 1.0) -> FloatArray:
    """Return n + 1 numbers from start to end whose spacing grows geometrically, in all by `last_over_first`.

    Halving is consistent: every second number of 2 n is a number of n.
    """
    q = last_over_first
    s = np.linspace(0.0, 1.0, n + 1)
    return start + (end - start) * (s if q == 1.0 else (q**s - 1.0) / (q - 1.0))


def rectangle(r: Sequence[float] | FloatArray, z: Sequence[float] | FloatArray) -> MeshData:
    """Return triangles on the grid of r and z in the half plane, diagonals alternating."""
    r, z = np.asarray(r, dtype=float), np.asarray(z, dtype=float)
    points, cells = _grid_triangles(r, z)
    return _with_surfaces(points, cells, {"r": (0, r[0], r[-1]), "z": (1, z[0], z[-1])}, axisymmetric=True)


def shell_half_plane(radii: FloatArray, n_theta: int, *, quarter: bool = False) -> MeshData:
    """Return the half plane of a spherical shell with nodes on the given radii [m]; `quarter`: its upper half only."""
    theta = np.linspace(0.0, np.pi / 2 if quarter else np.pi, n_theta + 1)
    polar, cells = _grid_triangles(radii, theta)
    rho, angle = polar[:, 0], polar[:, 1]
    points = np.stack([rho * np.sin(angle), rho * np.cos(angle), np.zeros(len(rho))], axis=1)
    return _shell(points, cells, radii, axisymmetric=True)


def shell_octant(radii: FloatArray, n_side: int) -> MeshData:
    """Return an eighth (x, y, z >= 0) of a spherical shell, its triangle divided into n_side^2."""
    barycentric = [(i, j, n_side - i - j) for i in range(n_side + 1) for j in range(n_side + 1 - i)]
    number = {each: k for k, each in enumerate(barycentric)}
    # tan of the angle along each edge of the octant: triangles of nearly equal size
    flat = np.sin(0.5 * np.pi * np.array(barycentric, dtype=float) / n_side)
    unit = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    triangles = []
    for i in range(n_side):
        for j in range(n_side - i):
            k = n_side - i - j
            triangles.append((number[i + 1, j, k - 1], number[i, j + 1, k - 1], number[i, j, k]))
            if k >= 2:
                triangles.append((number[i + 1, j, k - 1], number[i + 1, j + 1, k - 2], number[i, j + 1, k - 1]))
    layer = len(unit)
    points = (radii[:, None, None] * unit[None]).reshape(-1, 3)
    cells = []
    for below in np.sort(np.array(triangles), axis=1):
        for level in range(len(radii) - 1):
            a, b, c = below + level * layer
            d, e, f = below + (level + 1) * layer
            # the order of the nodes divides a prism into three, so that neighbours divide their common side equally
            cells += [(a, b, c, f), (a, b, e, f), (a, d, e, f)]
    return _shell(points, np.array(cells, dtype=np.int64), radii, axisymmetric=False)


def box(x: FloatArray, y: FloatArray, z: FloatArray) -> MeshData:
    """Return six tetrahedra per brick (Kuhn) on the grid of x, y and z."""
    grid = np.stack(np.meshgrid(x, y, z, indexing="ij"), axis=-1).reshape(-1, 3)
    shape = (len(x), len(y), len(z))
    index = np.arange(len(grid)).reshape(shape)
    stride = np.array([index[1, 0, 0], index[0, 1, 0], index[0, 0, 1]])
    corner = index[:-1, :-1, :-1].ravel()
    cells = [
        np.stack([corner + sum(stride[list(order[:k])]) for k in range(4)], axis=1) for order in permutations(range(3))
    ]
    planes = {name: (axis, line[0], line[-1]) for axis, (name, line) in enumerate(zip("xyz", (x, y, z), strict=True))}
    return _with_surfaces(grid, np.concatenate(cells).astype(np.int64), planes, axisymmetric=False)


def _grid_triangles(a: FloatArray, b: FloatArray) -> tuple[FloatArray, IntArray]:
    grid = np.stack(np.meshgrid(a, b, indexing="ij"), axis=-1).reshape(-1, 2)
    index = np.arange(len(grid), dtype=np.int64).reshape(len(a), len(b))
    p, q, s, t = (c.ravel() for c in (index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]))
    i, j = np.meshgrid(np.arange(len(a) - 1), np.arange(len(b) - 1), indexing="ij")
    even = ((i + j) % 2 == 0).ravel()[:, None, None]
    one = np.stack([np.stack([p, q, s], 1), np.stack([p, s, t], 1)], 1)
    other = np.stack([np.stack([p, q, t], 1), np.stack([q, s, t], 1)], 1)
    points = np.concatenate([grid, np.zeros((len(grid), 1))], axis=1)
    return points, np.where(even, one, other).reshape(-1, 3)


def _shell(points: FloatArray, cells: IntArray, radii: FloatArray, *, axisymmetric: bool) -> MeshData:
    points[np.abs(points) < 1e-12 * np.linalg.norm(points, axis=1, keepdims=True)] = 0.0
    points, cells = _merge(points, cells)
    facets = boundary_facets(cells)
    radius = np.linalg.norm(points[facets], axis=2)
    surfaces = {"outer": facets[(np.abs(radius - radii[-1]) < 1e-9 * radii[-1]).all(axis=1)]}
    if radii[0] > 0.0:
        surfaces["inner"] = facets[(np.abs(radius - radii[0]) < 1e-9 * radii[0]).all(axis=1)]
    return MeshData(points, cells, np.ones(len(cells), np.int32), {1: "tissue"}, surfaces, axisymmetric)


def _merge(points: FloatArray, cells: IntArray) -> tuple[FloatArray, IntArray]:
    """Return the mesh with coincident nodes merged, and without the cells that become flat."""
    scale = np.abs(points).max()
    _, first, number = np.unique(np.round(points / scale, 12), axis=0, return_index=True, return_inverse=True)
    cells = number.ravel()[cells]
    whole = np.all([cells[:, i] != cells[:, j] for i, j in combinations(range(cells.shape[1]), 2)], axis=0)
    return points[first], cells[whole].astype(np.int64)


def _with_surfaces(
    points: FloatArray, cells: IntArray, planes: dict[str, tuple[int, float, float]], *, axisymmetric: bool
) -> MeshData:
    facets = boundary_facets(cells)
    surfaces = {}
    for name, (axis, low, high) in planes.items():
        for end, value in (("low", low), ("high", high)):
            if not (axisymmetric and axis == 0 and value == 0.0):
                on = np.abs(points[facets][:, :, axis] - value) <= 1e-9 * (high - low)
                surfaces[f"{end}_{name}"] = facets[on.all(axis=1)]
    return MeshData(points, cells, np.ones(len(cells), np.int32), {1: "tissue"}, surfaces, axisymmetric)
