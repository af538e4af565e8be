"""How far the surfaces of two lesions are apart.

A lesion's surface is where its level is zero in tissue: triangles, or lines in the half plane. Distances go from the
surface's points to the nearest point of the other surface; means are over the area. Lengths are in mm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rfablate.comparison.lesion_body import Body
from rfablate.comparison.overlap import grid_of
from rfablate.lesion.surface_distance import distances

FloatArray = npt.NDArray[np.float64]

TURNS = 72
"""Points on the circle that a point of the half plane stands for, where it is held against a surface in 3-D."""


@dataclass(frozen=True)
class Surface:
    """A lesion's surface."""

    body: Body
    points: FloatArray
    """In the coordinates of the body's mesh, shape (n, 3)."""
    pieces: FloatArray
    """Triangles (m, 3, 3) or segments (m, 2, 3) between them."""
    weight: FloatArray
    """Area that each point stands for [mm2]."""


@dataclass(frozen=True)
class Distance:
    """Distance of one surface from another [mm]: mean over the area, 95th percentile, largest."""

    mean: float
    p95: float
    largest: float


def surface(body: Body, rule: str) -> Surface | None:
    """Return the surface of a rule's lesion; None where there is none."""
    level = body.levels[rule]
    reached = body.tissue & body.reached(level)
    if not reached.any():
        return None
    grid = grid_of(body, reached)
    grid.point_data["level"] = level
    mesh = grid.contour([0.0], scalars="level")
    if not mesh.n_points:
        return None
    x = np.asarray(mesh.points, dtype=np.float64)
    flat = body.axis is not None
    parts = mesh.lines.reshape(-1, 3)[:, 1:] if flat else mesh.faces.reshape(-1, 4)[:, 1:]
    first, second = x[parts[:, 0]], x[parts[:, 1]]
    if flat:
        area = np.pi * (first[:, 0] + second[:, 0]) * np.linalg.norm(second - first, axis=1)
    else:
        area = 0.5 * np.linalg.norm(np.cross(second - first, x[parts[:, 2]] - first), axis=1)
    corners = parts.shape[1]
    weight = np.bincount(parts.ravel(), np.repeat(area / corners, corners), len(x))
    return Surface(body, x, x[parts], np.asarray(weight, dtype=np.float64))


def distance(a: Surface | None, b: Surface | None) -> Distance | None:
    """Return how far surface A is from surface B; None where one is not there."""
    if a is None or b is None:
        return None
    points, weight = a.points, a.weight
    if a.body.axis is None:
        points = b.body.from_space(points)
    elif b.body.axis is None:
        points, weight = _around(points, a.body.axis), np.tile(weight, TURNS)
    far = distances(points, b.pieces)
    order = np.argsort(far)
    share = np.cumsum(weight[order]) / weight.sum()
    p95 = float(far[order][np.searchsorted(share, 0.95)])
    return Distance(float(far @ weight / weight.sum()), p95, float(far.max()))


def _around(points: FloatArray, axis: tuple[float, float]) -> FloatArray:
    """Return points (r, z, 0) turned about an axis, in space: all of them at each of `TURNS` angles."""
    angle = 2.0 * np.pi * np.arange(TURNS)[:, None] / TURNS
    r, z = points[:, 0], points[:, 1]
    found = np.stack(
        [axis[0] + r * np.cos(angle), axis[1] + r * np.sin(angle), np.broadcast_to(z, (TURNS, len(z)))], -1
    )
    return np.asarray(found.reshape(-1, 3))
