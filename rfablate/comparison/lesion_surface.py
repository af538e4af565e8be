"""Distances between the surfaces of two lesions.

The surface of a lesion is the zero level in tissue: triangles in 3-D, segments in the half plane. Distances are from
the points of one surface to the nearest point of the other; means are weighted by area. Lengths are in mm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.comparison.lesion_body import LesionMesh
from rfablate.comparison.overlap import grid_of
from rfablate.lesion.surface_distance import distances

TURNS = 72
"""Points on the circle that represents a point of the half plane where it is compared with a 3-D surface."""


@dataclass(frozen=True)
class LesionSurface:
    """The surface of a lesion."""

    body: LesionMesh
    points: FloatArray
    """Points in the coordinates of the body's mesh [mm], shape (n, 3)."""
    pieces: FloatArray
    """Corners of the triangles, shape (m, 3, 3), or ends of the segments, shape (m, 2, 3) [mm]."""
    weight: FloatArray
    """Area of each point [mm2], shape (n,)."""


@dataclass(frozen=True)
class Distance:
    """Distance of one surface from another [mm]: area-weighted mean, 95th percentile, maximum."""

    mean: float
    p95: float
    largest: float


def surface(body: LesionMesh, rule: str) -> LesionSurface | None:
    """Return the surface of the lesion of a rule; None where there is no lesion."""
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
    return LesionSurface(body, x, x[parts], np.asarray(weight, dtype=np.float64))


def distance(a: LesionSurface | None, b: LesionSurface | None) -> Distance | None:
    """Return the distance of surface A from surface B; None where one of them does not exist."""
    if a is None or b is None:
        return None
    points, weight = a.points, a.weight
    if a.body.axis is None:
        points = b.body.from_space(points)
    elif b.body.axis is None:
        points, weight = _around(points, a.body.axis), np.tile(weight, TURNS)
    d = distances(points, b.pieces)
    order = np.argsort(d)
    area_fraction = np.cumsum(weight[order]) / weight.sum()
    p95 = float(d[order][np.searchsorted(area_fraction, 0.95)])
    return Distance(float(d @ weight / weight.sum()), p95, float(d.max()))


def _around(points: FloatArray, axis: tuple[float, float]) -> FloatArray:
    """Return points (r, z, 0) revolved about an axis to each of `TURNS` angles, shape (TURNS * n, 3)."""
    angle = 2.0 * np.pi * np.arange(TURNS)[:, None] / TURNS
    r, z = points[:, 0], points[:, 1]
    found = np.stack(
        [axis[0] + r * np.cos(angle), axis[1] + r * np.sin(angle), np.broadcast_to(z, (TURNS, len(z)))], -1
    )
    return np.asarray(found.reshape(-1, 3))
