"""The geometry of a structure that is a surface of triangles: reading, position, distance, samples, thickness. Pure.

Lengths in m, except where stated. Surfaces are read, repaired and examined once per file, unit and position.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from rfablate.arrays import BoolArray, FloatArray
from rfablate.case.tables.surface_soundness import Unsound, repaired, soundness
from rfablate.case.tables.triangle_distance import SignedDistance
from rfablate.case.tables.triangle_surface import UNITS, TriangleSurface, read_triangles, surface_error

_RAYS = 400
"""Number of places at which the thickness is measured."""
_THIN = 0.2
"""Fraction of the surface that may be thinner than its thickness."""
_TO_MM = 1e3


class SurfaceSource(Protocol):
    """A structure of kind "surface"."""

    file: str
    length_unit: Literal["m", "cm", "mm", "um"]
    repair: bool
    rotate: tuple[float, float, float]
    translate: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class ExaminedSurface:
    """A surface at the coordinates of its file, in mm, with its faults and what was repaired."""

    surface: TriangleSurface
    faults: tuple[Unsound, ...]
    repairs: tuple[str, ...]


@dataclass(frozen=True)
class _FileVersion:
    """A state of a file, and how it is read."""

    path: str
    changed: int
    size: int
    unit: str
    repair: bool


def examined_surface(shape: SurfaceSource) -> ExaminedSurface:
    """Return the surface of a structure's file; raises CaseError if it cannot be read."""
    return _examined(_file(shape))


def _file(shape: SurfaceSource) -> _FileVersion:
    path = Path(shape.file)
    try:
        found = path.stat()
    except OSError as error:
        raise surface_error(path, error.strerror or str(error), "a surface (.stl, .ply, .obj, .vtp)") from None
    return _FileVersion(str(path), found.st_mtime_ns, found.st_size, shape.length_unit, shape.repair)


@lru_cache(maxsize=32)
def _examined(file: _FileVersion) -> ExaminedSurface:
    surface = read_triangles(file.path).scaled(UNITS[file.unit] * _TO_MM)
    repairs: list[str] = []
    if file.repair:
        surface, repairs = repaired(surface)
    return ExaminedSurface(surface, tuple(soundness(surface)), tuple(repairs))


def placed_surface(shape: SurfaceSource) -> TriangleSurface:
    """Return the surface in the coordinates of the case [m]."""
    return _distances(shape).surface


def _distances(shape: SurfaceSource) -> SignedDistance:
    return _placed(_file(shape), shape.rotate, shape.translate)


@lru_cache(maxsize=32)
def _placed(
    file: _FileVersion, rotate: tuple[float, float, float], translate: tuple[float, float, float]
) -> SignedDistance:
    surface = _examined(file).surface
    points = surface.points / _TO_MM @ rotation(rotate).T + np.array(translate)
    return SignedDistance(TriangleSurface(points, surface.triangles))


def rotation(angles: tuple[float, float, float]) -> FloatArray:
    """Return the matrix of rotations about x, then y, then z [degrees], exact for multiples of 90."""
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        if angle % 90.0 == 0.0:
            c, s = np.rint(c), np.rint(s)
        turn = np.eye(3)
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn[i, i], turn[i, j], turn[j, i], turn[j, j] = c, -s, s, c
        matrix = turn @ matrix
    return matrix


def surface_contains(shape: SurfaceSource, points: FloatArray) -> BoolArray:
    """Return which points lie inside the surface or on it."""
    return _distances(shape).inside(points)


def surface_distance_of(shape: SurfaceSource, points: FloatArray) -> FloatArray:
    """Return the signed distance to the surface, negative inside; exact within a sixteenth of its size."""
    return _distances(shape)(points)


def surface_offset(shape: SurfaceSource, points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the exact signed distance of points near the surface, and the outward unit normals."""
    return _distances(shape).closest(points)


def surface_volume(shape: SurfaceSource) -> float:
    """Return the enclosed volume [m3]."""
    return placed_surface(shape).volume


def surface_samples(shape: SurfaceSource, spread: FloatArray) -> FloatArray:
    """Return points inside the surface, about half of them next to it.

    Args:
        shape: the structure.
        spread: points spread over the unit cube, shape (n, 3), from which positions are computed.
    """
    distances = _distances(shape)
    surface = distances.surface
    lower, upper = surface.bounds
    rim, whole = spread[::2], spread[1::2]
    triangle = np.searchsorted(np.cumsum(surface.areas) / surface.areas.sum(), rim[:, 0]).clip(
        0, len(surface.areas) - 1
    )
    root = np.sqrt(rim[:, 1])
    bary = np.column_stack([1.0 - root, root * (1.0 - rim[:, 2]), root * rim[:, 2]])
    corners = surface.corners[triangle]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-300)
    near = np.einsum("nk,nkd->nd", bary, corners) - 1e-3 * float((upper - lower).min()) * normal
    # as many points of the box as are needed for the other half
    filled = min(1.0, max(0.02, surface.volume / float(np.prod(upper - lower))))
    turns = int(np.ceil(1.0 / filled))
    shifts = (np.arange(turns)[:, None] * np.array([0.7548776662, 0.5698402910, 0.3819660113])) % 1.0
    box = lower + ((whole[None] + shifts[:, None]) % 1.0).reshape(-1, 3) * (upper - lower)
    inner = box[distances.inside(box)][: len(whole)]
    return np.concatenate([near[distances.inside(near)], inner])


@lru_cache(maxsize=64)
def _thickness(distances: SignedDistance) -> float:
    """Return the diameter of the largest balls that touch the surface from inside, below which a fifth of it lies.

    A ball touches at a place if no other place of the surface is nearer to its centre, which lies on the normal. Its
    radius is found by shrinking.
    """
    surface = distances.surface
    chosen = np.linspace(0.0, 1.0, _RAYS, endpoint=False) + 0.5 / _RAYS
    own = np.searchsorted(np.cumsum(surface.areas) / surface.areas.sum(), chosen).clip(0, len(surface.areas) - 1)
    corners = surface.corners[own]
    p = corners.mean(axis=1)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-300)
    radius = np.full(len(p), 0.5 * float(np.linalg.norm(np.ptp(surface.points, axis=0))))
    for _ in range(30):
        depth = -distances(p - radius[:, None] * normal)
        too_large = depth < 0.98 * radius
        if not too_large.any():
            break
        radius = np.where(too_large, np.maximum(0.9 * radius, 0.5 * (radius + depth)), radius)
    return 2.0 * float(np.quantile(radius, _THIN))


def surface_thickness(shape: SurfaceSource) -> float:
    """Return the thickness of the body's thinner parts: a fifth of its surface may be thinner."""
    return _thickness(_distances(shape))
