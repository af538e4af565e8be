"""The shapes of a case as pure geometry: which points are inside, how far the surface is, samples.

Points have shape (n, 3), in m. Signed distances are negative inside; outside a convex shape they are exact,
elsewhere and for ellipsoids their magnitude is a lower bound of the distance to the surface.
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from rfablate.case.geometry.label_shapes import label_contains, label_corners, label_distance, label_samples
from rfablate.case.tables.geometry_tables import (
    AxisymmetricDomain,
    Box,
    BoxDomain,
    Cylinder,
    CylinderDomain,
    Ellipsoid,
    HalfSpace,
    Label,
    Slab,
    Sphere,
    Structure,
    Tube,
)

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
GeneratedDomain = CylinderDomain | AxisymmetricDomain | BoxDomain
Shape = Structure | GeneratedDomain


def contains(shape: Shape, points: FloatArray) -> BoolArray:
    """Return which points lie inside the shape or on its surface."""
    if isinstance(shape, Label):
        return label_contains(shape, points)
    return np.asarray(signed_distance(shape, points) <= 0.0)


def signed_distance(shape: Shape, points: FloatArray) -> FloatArray:
    """Return the signed distance [m] of each point to the shape's surface; see the head of this module."""
    points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    match shape:
        case Sphere():
            return np.asarray(np.linalg.norm(points - shape.centre, axis=1) - shape.radius)
        case Ellipsoid():
            axes = np.array(shape.semi_axes)
            return np.asarray((np.linalg.norm((points - shape.centre) / axes, axis=1) - 1.0) * axes.min())
        case Box() | BoxDomain():
            return _box(points - shape.centre, 0.5 * np.array(shape.size))
        case HalfSpace():
            return -(points - shape.point) @ _unit(shape.normal)
        case Slab():
            return np.asarray(np.abs((points - shape.point) @ _unit(shape.normal)) - 0.5 * shape.thickness)
        case Tube():
            return _tube(points, np.array(shape.path), 0.5 * shape.diameter)
        case Cylinder():
            return _cylinder(points, np.array(shape.start), np.array(shape.end), 0.5 * shape.diameter)
        case Label():
            return label_distance(shape, points)
        case CylinderDomain() | AxisymmetricDomain():
            half = np.array([0.0, 0.0, 0.5 * shape.height])
            return _cylinder(points, shape.centre - half, shape.centre + half, shape.radius)


def _unit(direction: tuple[float, float, float]) -> FloatArray:
    return np.asarray(np.array(direction) / np.linalg.norm(direction))


def _box(points: FloatArray, half: FloatArray) -> FloatArray:
    beyond = np.abs(points) - half
    outside = np.linalg.norm(np.maximum(beyond, 0.0), axis=1)
    return np.asarray(outside + np.minimum(beyond.max(axis=1), 0.0))


def _cylinder(points: FloatArray, start: FloatArray, end: FloatArray, radius: float) -> FloatArray:
    axis = end - start
    length = float(np.linalg.norm(axis))
    along = (points - start) @ (axis / length)
    across = np.linalg.norm(points - start - np.outer(along, axis / length), axis=1)
    return _box(np.column_stack([across, along - 0.5 * length]), np.array([radius, 0.5 * length]))


def _tube(points: FloatArray, path: FloatArray, radius: float) -> FloatArray:
    """Union of a cylinder a segment and a ball a bend: flat at both ends, round where the path turns."""
    parts = [_cylinder(points, start, end, radius) for start, end in itertools.pairwise(path)]
    parts += [np.linalg.norm(points - joint, axis=1) - radius for joint in path[1:-1]]
    return np.asarray(np.min(parts, axis=0))


def axis_at(shape: Tube | Cylinder, points: FloatArray) -> FloatArray:
    """Return the unit vector along the tube's or cylinder's axis where it is nearest to each point, shape (n, 3)."""
    path = np.array(shape.path if isinstance(shape, Tube) else [shape.start, shape.end])
    start, step = path[:-1], np.diff(path, axis=0)
    along = np.einsum("nsk,sk->ns", points[:, None] - start, step) / (step**2).sum(axis=1)
    nearest = start + np.clip(along, 0.0, 1.0)[:, :, None] * step
    segment = np.linalg.norm(points[:, None] - nearest, axis=2).argmin(axis=1)
    return np.asarray((step / np.linalg.norm(step, axis=1, keepdims=True))[segment])


def bounding_box(shape: Shape) -> FloatArray:
    """Return the lower and the upper corner [m], shape (2, 3); infinite where the shape is unbounded."""
    match shape:
        case Sphere():
            return _span(np.array([shape.centre]), np.full(3, shape.radius))
        case Ellipsoid():
            return _span(np.array([shape.centre]), np.array(shape.semi_axes))
        case Box() | BoxDomain():
            return _span(np.array([shape.centre]), 0.5 * np.array(shape.size))
        case CylinderDomain() | AxisymmetricDomain():
            return _span(np.array([shape.centre]), np.array([shape.radius, shape.radius, 0.5 * shape.height]))
        case Tube():
            path = np.array(shape.path)
            ends = [_disc_box(*pair, 0.5 * shape.diameter) for pair in itertools.pairwise(path)]
            balls = [_span(joint[None], np.full(3, 0.5 * shape.diameter)) for joint in path[1:-1]]
            corners = np.array([*ends, *balls])
            return np.array([corners[:, 0].min(axis=0), corners[:, 1].max(axis=0)])
        case Cylinder():
            return _disc_box(np.array(shape.start), np.array(shape.end), 0.5 * shape.diameter)
        case Label():
            return label_corners(shape)
        case HalfSpace() | Slab():
            return _plate_box(shape)


def _span(points: FloatArray, half: FloatArray) -> FloatArray:
    return np.array([points.min(axis=0) - half, points.max(axis=0) + half])


def _disc_box(start: FloatArray, end: FloatArray, radius: float) -> FloatArray:
    axis = (end - start) / np.linalg.norm(end - start)
    return _span(np.array([start, end]), radius * np.sqrt(np.maximum(0.0, 1.0 - axis**2)))


def _plate_box(shape: HalfSpace | Slab) -> FloatArray:
    """Bounded only across a normal along x, y or z."""
    box = np.array([np.full(3, -np.inf), np.full(3, np.inf)])
    normal, point = _unit(shape.normal), np.array(shape.point)
    axis = int(np.argmax(np.abs(normal)))
    if abs(normal[axis]) > 1.0 - 1e-12:
        half = 0.5 * shape.thickness if isinstance(shape, Slab) else 0.0
        if isinstance(shape, Slab) or normal[axis] > 0:
            box[0, axis] = point[axis] - half
        if isinstance(shape, Slab) or normal[axis] < 0:
            box[1, axis] = point[axis] + half
    return box


# --- samples --------------------------------------------------------------------------------------


def sample_points(shape: Shape, window: FloatArray, count: int = 2000) -> FloatArray:
    """Return points spread over the shape, half of them near its surface; the same on every call.

    A half space or a slab is sampled within `window`, a bounding box of shape (2, 3) [m]. Fewer than `count`
    points come back where part of the window is outside the shape.
    """
    spread = _spread(count)
    match shape:
        case Sphere():
            return np.asarray(shape.centre + shape.radius * _ball(spread))
        case Ellipsoid():
            return np.asarray(shape.centre + np.array(shape.semi_axes) * _ball(spread))
        case Box() | BoxDomain():
            return np.asarray(shape.centre + np.array(shape.size) * (_shell(spread, np.array([0, 1, 2])) - 0.5))
        case Tube():
            return _along(np.array(shape.path), 0.5 * shape.diameter, spread)
        case Cylinder():
            return _along(np.array([shape.start, shape.end]), 0.5 * shape.diameter, spread)
        case Label():
            return label_samples(shape, spread)
        case CylinderDomain() | AxisymmetricDomain():
            half = np.array([0.0, 0.0, 0.5 * shape.height])
            return _along(np.array([shape.centre - half, shape.centre + half]), shape.radius, spread)
        case HalfSpace() | Slab():
            points = window[0] + spread * (window[1] - window[0])
            if isinstance(shape, Slab):
                normal = _unit(shape.normal)
                depth = (np.sqrt(2.0) * np.arange(count) % 1.0 - 0.5) * shape.thickness
                points = points + np.outer(depth - (points - shape.point) @ normal, normal)
            return np.asarray(points[contains(shape, points)])


def _spread(count: int) -> FloatArray:
    """Return an evenly spread sequence in the unit cube (additive recurrence, generalised golden ratio)."""
    golden = 1.22074408460575947536
    steps: FloatArray = golden ** -np.arange(1.0, 4.0)
    return np.asarray((0.5 + np.outer(np.arange(1, count + 1), steps)) % 1.0)


def _shell(spread: FloatArray, columns: npt.NDArray[np.int64]) -> FloatArray:
    """Press one coordinate of every second point, in turn, to the faces of the unit cube."""
    pressed: FloatArray = spread.copy()
    rows = np.arange(0, len(spread), 2)
    column = columns[(rows // 2) % len(columns)]
    pressed[rows, column] = np.where(pressed[rows, column] < 0.5, 1e-3, 1.0 - 1e-3)
    return pressed


def _ball(spread: FloatArray) -> FloatArray:
    radius = np.cbrt(spread[:, :1])
    radius[::2] = 0.999
    cosine, angle = 2.0 * spread[:, 1] - 1.0, 2 * np.pi * spread[:, 2]
    sine = np.sqrt(1.0 - cosine**2)
    directions: FloatArray = np.stack([sine * np.cos(angle), sine * np.sin(angle), cosine], axis=1)
    points: FloatArray = radius * directions
    return points


def _along(path: FloatArray, tube_radius: float, spread: FloatArray) -> FloatArray:
    """Spread points through cylinders along a polyline."""
    steps = np.diff(path, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    station = spread[:, 2] * lengths.sum()
    segment = np.minimum(np.searchsorted(np.cumsum(lengths), station), len(lengths) - 1)
    axis = steps[segment] / lengths[segment, None]
    start = np.where(np.abs(axis[:, :1]) < 0.9, np.array([[1.0, 0.0, 0.0]]), np.array([[0.0, 1.0, 0.0]]))
    u = np.cross(axis, start)
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    v = np.cross(axis, u)
    radius, angle = tube_radius * np.sqrt(spread[:, 0]), 2 * np.pi * spread[:, 1]
    radius[::2] = 0.999 * tube_radius
    along = station - (np.cumsum(lengths) - lengths)[segment]
    across = (radius * np.cos(angle))[:, None] * u + (radius * np.sin(angle))[:, None] * v
    return np.asarray(path[segment] + along[:, None] * axis + across)
