"""The shapes of a case as geometry: point inclusion, signed distance, bounding boxes and sample points. Pure.

Points have shape (n, 3), in m. Signed distances are negative inside. Outside a convex shape they are exact. Inside,
outside a non-convex shape and for ellipsoids, their magnitude is a lower bound of the distance to the surface.
"""

from __future__ import annotations

import numpy as np

from rfablate.arrays import BoolArray, FloatArray
from rfablate.case.tables import shape_math
from rfablate.case.tables.geometry_tables import (
    AxisymmetricDomain,
    BoxDomain,
    Cylinder,
    CylinderDomain,
    Label,
    Structure,
    Surface,
    Tube,
)

GeneratedDomain = CylinderDomain | AxisymmetricDomain | BoxDomain
Shape = Structure | GeneratedDomain


def contains(shape: Shape, points: FloatArray) -> BoolArray:
    """Return which points lie inside the shape or on its surface."""
    if isinstance(shape, Label | Surface):
        return shape.contains(points)
    return np.asarray(signed_distance(shape, points) <= 0.0)


def signed_distance(shape: Shape, points: FloatArray) -> FloatArray:
    """Return the signed distance [m] of each point to the surface of the shape; see the module docstring."""
    points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    match shape:
        case BoxDomain():
            return shape_math.box_distance(points - shape.centre, 0.5 * np.array(shape.size))
        case CylinderDomain() | AxisymmetricDomain():
            return shape_math.cylinder_distance(points, *_ends(shape), shape.radius)
        case _:
            return shape.distance(points)


def _ends(domain: CylinderDomain | AxisymmetricDomain) -> tuple[FloatArray, FloatArray]:
    half = np.array([0.0, 0.0, 0.5 * domain.height])
    return domain.centre - half, domain.centre + half


def axis_at(shape: Tube | Cylinder, points: FloatArray) -> FloatArray:
    """Return the unit vector along the axis of the tube or cylinder at the axis point nearest each point, (n, 3)."""
    path = np.array(shape.path if isinstance(shape, Tube) else [shape.start, shape.end])
    start, step = path[:-1], np.diff(path, axis=0)
    along = np.einsum("nsk,sk->ns", points[:, None] - start, step) / (step**2).sum(axis=1)
    nearest = start + np.clip(along, 0.0, 1.0)[:, :, None] * step
    segment = np.linalg.norm(points[:, None] - nearest, axis=2).argmin(axis=1)
    return np.asarray((step / np.linalg.norm(step, axis=1, keepdims=True))[segment])


def bounding_box(shape: Shape) -> FloatArray:
    """Return the lower and the upper corner [m], shape (2, 3); infinite where the shape is unbounded."""
    match shape:
        case BoxDomain():
            return shape_math.span(np.array([shape.centre]), 0.5 * np.array(shape.size))
        case CylinderDomain() | AxisymmetricDomain():
            return shape_math.span(np.array([shape.centre]), np.array([shape.radius, shape.radius, 0.5 * shape.height]))
        case _:
            return shape.bounds()


def sample_points(shape: Shape, window: FloatArray, count: int = 2000) -> FloatArray:
    """Return points distributed over the shape, half of them near its surface; deterministic.

    A half space or a slab is sampled within `window`, a bounding box of shape (2, 3) [m]. The result has fewer than
    `count` points where part of the window is outside the shape.
    """
    spread = shape_math.spread_points(count)
    match shape:
        case BoxDomain():
            return np.asarray(shape.centre + np.array(shape.size) * (shape_math.box_samples(spread) - 0.5))
        case CylinderDomain() | AxisymmetricDomain():
            return shape_math.tube_samples(np.array(_ends(shape)), shape.radius, spread)
        case _:
            return shape.samples(spread, window)
