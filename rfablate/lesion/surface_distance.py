"""Distances between structures and a lesion surface. Root only, plain arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from rfablate.arrays import FloatArray

_DIRECTION = np.array([0.5403023058681398, 0.8414709848078965, 0.7071067811865476])
"""Points in general position differ in their components along it."""
FIRST = 64
"""Number of points in the first batch; each following batch is four times larger."""


def extreme_distance(points: FloatArray, surface: FloatArray, *, largest: bool) -> tuple[float, int] | None:
    """Return the largest or the smallest distance of points from a lesion surface [m], and the number of the point.

    None without a surface.

    The distance of any point of a triangle from its centroid is at most two thirds of its longest edge. The distance to
    the nearest centroid therefore gives an upper and a lower bound. Distances are computed exactly in the order of
    these bounds, until no remaining point can change the result.

    Args:
        points: shape (n, 3) [m].
        surface: triangles (m, 3, 3) or segments (m, 2, 3) [m].
        largest: True for the largest distance, False for the smallest.
    """
    if len(surface) == 0 or len(points) == 0:
        return None
    from scipy.spatial import cKDTree

    upper, _ = cKDTree(surface.mean(axis=1)).query(points)
    edges = np.linalg.norm(surface - np.roll(surface, 1, axis=1), axis=2)
    lower = upper - edges.max() * 2.0 / 3.0
    order = np.argsort(-upper if largest else lower)
    best, at, done, size = -np.inf if largest else np.inf, 0, 0, FIRST
    while done < len(order):
        if (upper[order[done]] <= best) if largest else (lower[order[done]] >= best):
            break  # no remaining point can change the result
        batch = order[done : done + size]
        distance = distances(points[batch], surface)
        n = int(np.argmax(distance) if largest else np.argmin(distance))
        if distance[n] > best if largest else distance[n] < best:
            best, at = float(distance[n]), int(batch[n])
        done, size = done + size, 4 * size
    return best, at


def target_margin(x: FloatArray, level: FloatArray, surface: FloatArray) -> tuple[float, int] | None:
    """Return the smallest depth of points inside a lesion [m], or minus the largest distance of those outside.

    Also the number of the point with this distance; None without a surface.

    Args:
        x: points, shape (n, 3) [m].
        level: level of the lesion at these points, positive inside, shape (n,).
        surface: as in `extreme_distance`.
    """
    outside = level < 0.0
    if not outside.any():
        return extreme_distance(x, surface, largest=False)
    found = extreme_distance(x[outside], surface, largest=True)
    return None if found is None else (-found[0], int(np.flatnonzero(outside)[found[1]]))


def other_margin(x: FloatArray, level: FloatArray, surface: FloatArray) -> tuple[float, int] | None:
    """Return the smallest distance of points from a lesion [m], or minus the largest depth of those inside.

    Also the number of the point with this distance; None without a surface.
    """
    return target_margin(x, np.where(level >= 0.0, -1.0, 1.0), surface)


def distances(points: FloatArray, surface: FloatArray) -> FloatArray:
    """Return the distance of each point from a surface [m]; arguments as in `extreme_distance`.

    Uses VTK itself: importing PyVista, which calls the same locator, takes 0.3 s of a run.
    """
    from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
    from vtkmodules.vtkCommonCore import mutable, vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData, vtkStaticCellLocator

    count, corners = surface.shape[:2]
    places, pieces, mesh = vtkPoints(), vtkCellArray(), vtkPolyData()
    places.SetData(numpy_to_vtk(np.ascontiguousarray(surface.reshape(-1, 3)), deep=True))
    offsets, nodes = (np.arange(0, count * corners + 1, step, dtype=np.int64) for step in (corners, 1))
    pieces.SetData(*(numpy_to_vtkIdTypeArray(each, deep=True) for each in (offsets, nodes[:-1])))
    mesh.SetPoints(places)
    (mesh.SetPolys if corners == 3 else mesh.SetLines)(pieces)
    locator: Any = vtkStaticCellLocator()
    locator.SetDataSet(mesh)
    locator.BuildLocator()
    closest, cell, part = [0.0, 0.0, 0.0], mutable(0), mutable(0)
    square: Any = mutable(0.0)
    found = np.empty(len(points))
    for n, point in enumerate(points.tolist()):
        locator.FindClosestPoint(point, closest, cell, part, square)
        found[n] = square.get()
    return np.sqrt(found)


def distances_of_repeated(points: FloatArray, surface: FloatArray) -> FloatArray:
    """Return the same as `distances` for points of which most occur several times; computes each of them once."""
    key = points @ _DIRECTION
    _, first, back = np.unique(key, return_index=True, return_inverse=True)
    if not np.array_equal(points[first][back], points):  # two points have the same key
        return distances(points, surface)
    return distances(points[first], surface)[back]
