"""Distances, bounds and sample points of simple solids. Pure.

Points have shape (n, 3), in m. Signed distances are negative inside; outside a convex solid they are exact, elsewhere
their magnitude is a lower bound of the distance to the surface.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from rfablate.arrays import FloatArray

Point = tuple[float, float, float]

_MOVES = 8
"""Number of steps from a point to the surface of a shape."""
ON_AXIS = 1e-9
"""Largest distance from the axis of a point that counts as on it [m]."""


def unit(direction: Point) -> FloatArray:
    """Return the unit vector along a direction."""
    return np.asarray(np.array(direction) / np.linalg.norm(direction))


def on_axis(axis: FloatArray, *points: Point) -> bool:
    """Return whether all points lie on the vertical axis through (x, y) = `axis` [m]."""
    return all(float(np.hypot(*(np.array(point[:2]) - axis))) <= ON_AXIS for point in points)


def is_vertical(direction: Point) -> bool:
    """Return whether a direction is parallel to z."""
    x, y, z = direction
    return float(np.hypot(x, y)) <= 1e-9 * abs(z)


# --- signed distances -----------------------------------------------------------------------------


def box_distance(points: FloatArray, half: FloatArray) -> FloatArray:
    """Return the signed distance [m] to a box centred at the origin with half edge lengths `half` [m]."""
    beyond = np.abs(points) - half
    outside = np.linalg.norm(np.maximum(beyond, 0.0), axis=1)
    return np.asarray(outside + np.minimum(beyond.max(axis=1), 0.0))


def cylinder_distance(points: FloatArray, start: FloatArray, end: FloatArray, radius: float) -> FloatArray:
    """Return the signed distance [m] to a circular cylinder between the centres of its ends."""
    axis = end - start
    length = float(np.linalg.norm(axis))
    along = (points - start) @ (axis / length)
    across = np.linalg.norm(points - start - np.outer(along, axis / length), axis=1)
    return box_distance(np.column_stack([across, along - 0.5 * length]), np.array([radius, 0.5 * length]))


def tube_distance(points: FloatArray, path: FloatArray, radius: float) -> FloatArray:
    """Return the signed distance [m] to the union of a cylinder per segment and a ball per bend of a polyline."""
    parts = [cylinder_distance(points, start, end, radius) for start, end in itertools.pairwise(path)]
    parts += [np.linalg.norm(points - joint, axis=1) - radius for joint in path[1:-1]]
    return np.asarray(np.min(parts, axis=0))


# --- axes --------------------------------------------------------------------------------------------


def perpendicular_axes(axis: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return unit vectors u and v that form a right-handed system (u, v, axis) with a unit vector of shape (3,).

    u is perpendicular to the coordinate axis that is most perpendicular to `axis`, the first one of several.
    """
    u = np.cross(axis, np.eye(3)[int(np.argmin(np.abs(axis)))])
    u /= np.linalg.norm(u)
    return u, np.cross(axis, u)


# --- bounds: lower and upper corner, shape (2, 3) ---------------------------------------------------


def span(points: FloatArray, half: FloatArray) -> FloatArray:
    """Return the bounds of points [m], extended by `half` [m] to each side."""
    return np.array([points.min(axis=0) - half, points.max(axis=0) + half])


def cylinder_bounds(start: FloatArray, end: FloatArray, radius: float) -> FloatArray:
    """Return the bounds of a circular cylinder [m]."""
    axis = (end - start) / np.linalg.norm(end - start)
    return span(np.array([start, end]), radius * np.sqrt(np.maximum(0.0, 1.0 - axis**2)))


def tube_bounds(path: FloatArray, radius: float) -> FloatArray:
    """Return the bounds of a tube along a polyline [m]."""
    ends = [cylinder_bounds(*pair, radius) for pair in itertools.pairwise(path)]
    balls = [span(joint[None], np.full(3, radius)) for joint in path[1:-1]]
    corners = np.array([*ends, *balls])
    return np.array([corners[:, 0].min(axis=0), corners[:, 1].max(axis=0)])


def plate_bounds(point: Point, normal: Point, thickness: float | None) -> FloatArray:
    """Return the bounds of a slab, or of a half space (`thickness` None); finite only across a normal along an axis."""
    box = np.array([np.full(3, -np.inf), np.full(3, np.inf)])
    direction = unit(normal)
    axis = int(np.argmax(np.abs(direction)))
    if abs(direction[axis]) > 1.0 - 1e-12:
        half = 0.0 if thickness is None else 0.5 * thickness
        if thickness is not None or direction[axis] > 0:
            box[0, axis] = point[axis] - half
        if thickness is not None or direction[axis] < 0:
            box[1, axis] = point[axis] + half
    return box


# --- sample points: half of them near the surface ---------------------------------------------------


def spread_points(count: int) -> FloatArray:
    """Return an evenly spread sequence in the unit cube (additive recurrence, generalised golden ratio)."""
    golden = 1.22074408460575947536
    steps: FloatArray = golden ** -np.arange(1.0, 4.0)
    return np.asarray((0.5 + np.outer(np.arange(1, count + 1), steps)) % 1.0)


Distance = Callable[[FloatArray], FloatArray]
"""A signed distance [m] as a function of points (n, 3)."""


def offset_and_normal(distance: Distance, points: FloatArray, step: float) -> tuple[FloatArray, FloatArray]:
    """Return the distance of points near a surface along its normal, and the outward unit normals, from differences.

    The signed distance may be a lower bound; `step`: length of the differences [m].
    """
    moves = step * np.eye(3)
    slope = np.column_stack([distance(points + move) - distance(points - move) for move in moves]) / (2.0 * step)
    steepness = np.maximum(np.linalg.norm(slope, axis=1), 0.1)
    return distance(points) / steepness, slope / steepness[:, None]


def onto_surface(distance: Distance, points: FloatArray, depth: float) -> FloatArray:
    """Return points moved along the normals of a signed distance to `depth` [m] inside its surface.

    Where the distance is a lower bound, some points end elsewhere: the caller checks them.
    """
    step = 1e-4 * float(np.ptp(points, axis=0).max())
    for _ in range(_MOVES):
        offset, normal = offset_and_normal(distance, points, step)
        points = points - (offset + depth)[:, None] * normal
    return points


def box_samples(spread: FloatArray) -> FloatArray:
    """Return points of the unit cube; one coordinate of every second point, in turn, is moved to a face."""
    moved: FloatArray = spread.copy()
    rows = np.arange(0, len(spread), 2)
    column = (rows // 2) % 3
    moved[rows, column] = np.where(moved[rows, column] < 0.5, 1e-3, 1.0 - 1e-3)
    return moved


def ball_samples(spread: FloatArray) -> FloatArray:
    """Return points of the unit ball."""
    radius = np.cbrt(spread[:, :1])
    radius[::2] = 0.999
    cosine, angle = 2.0 * spread[:, 1] - 1.0, 2 * np.pi * spread[:, 2]
    sine = np.sqrt(1.0 - cosine**2)
    directions: FloatArray = np.stack([sine * np.cos(angle), sine * np.sin(angle), cosine], axis=1)
    points: FloatArray = radius * directions
    return points


def tube_samples(path: FloatArray, tube_radius: float, spread: FloatArray) -> FloatArray:
    """Return points of the cylinders along a polyline [m]."""
    steps = np.diff(path, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    station = spread[:, 2] * lengths.sum()
    segment = np.minimum(np.searchsorted(np.cumsum(lengths), station), len(lengths) - 1)
    axes = steps / lengths[:, None]
    u, v = np.stack([perpendicular_axes(axis) for axis in axes], axis=1)[:, segment]
    radius, angle = tube_radius * np.sqrt(spread[:, 0]), 2 * np.pi * spread[:, 1]
    radius[::2] = 0.999 * tube_radius
    along = station - (np.cumsum(lengths) - lengths)[segment]
    across = (radius * np.cos(angle))[:, None] * u + (radius * np.sin(angle))[:, None] * v
    return np.asarray(path[segment] + along[:, None] * axes[segment] + across)
