"""Pairs of triangles of a surface that pass through each other. Pure.

Pairs whose boxes overlap are found in a tree of boxes over the triangles in Morton order. In each pair the edges of one
triangle are tested against the other. Triangles that touch, share an edge or lie in one plane do not count.
"""

from __future__ import annotations

import numpy as np

from rfablate.arrays import BoolArray, FloatArray, IntArray
from rfablate.case.tables.triangle_surface import TriangleSurface

_LEAF = 8
"""Number of triangles in the smallest boxes."""
_TINY = 1e-9
"""Relative height above a triangle's plane that counts as touching."""
_BLOCK = 2_000_000
"""Number of pairs of boxes at a time."""


def crossing_pairs(surface: TriangleSurface) -> IntArray:
    """Return the pairs of triangles that pass through each other, shape (n, 2)."""
    pairs = _near_pairs(surface.corners)
    if not len(pairs):
        return pairs
    first, second = surface.triangles[pairs[:, 0]], surface.triangles[pairs[:, 1]]
    shared = (first[:, :, None] == second[:, None, :]).any(axis=2).sum(axis=1)
    pairs = pairs[shared < 2]
    crossed = _edges_cross(surface, pairs[:, 0], pairs[:, 1]) | _edges_cross(surface, pairs[:, 1], pairs[:, 0])
    return np.asarray(pairs[crossed])


def _edges_cross(surface: TriangleSurface, of: IntArray, through: IntArray) -> BoolArray:
    """Return where an edge of a triangle passes through the inside of another triangle without a common corner."""
    corners, at = surface.corners[through], surface.triangles[through]
    a, ab, ac = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    normal = np.cross(ab, ac)
    length = np.linalg.norm(normal, axis=1)
    normal = normal / np.maximum(length, 1e-300)[:, None]
    size = np.sqrt(np.maximum(length, 1e-300))
    found = np.zeros(len(of), dtype=bool)
    for n in range(3):
        ends = surface.triangles[of][:, [n, (n + 1) % 3]]
        free = ~(ends[:, :, None] == at[:, None, :]).any(axis=(1, 2))
        p, q = surface.points[ends[:, 0]], surface.points[ends[:, 1]]
        above, below = ((each - a) * normal for each in (p, q))
        hp, hq = above.sum(axis=1), below.sum(axis=1)
        apart = (hp * hq < 0.0) & (np.minimum(np.abs(hp), np.abs(hq)) > _TINY * size)
        t = hp / np.where(apart, hp - hq, 1.0)
        x = p + t[:, None] * (q - p) - a
        v, w = (np.cross(x, ac) * normal).sum(axis=1), (np.cross(ab, x) * normal).sum(axis=1)
        inside = (v > _TINY * length) & (w > _TINY * length) & (v + w < (1.0 - _TINY) * length)
        found |= free & apart & inside
    return found


def _near_pairs(corners: FloatArray) -> IntArray:
    """Return the pairs of triangles whose boxes overlap, the smaller number first, shape (n, 2)."""
    order = _morton(corners.mean(axis=1))
    levels = max(0, int(np.ceil(np.log2(max(1.0, len(order) / _LEAF)))))
    size = _LEAF << levels
    padded = np.full((size, 3), np.inf)
    low, high = padded.copy(), -padded
    low[: len(order)], high[: len(order)] = corners.min(axis=1)[order], corners.max(axis=1)[order]
    boxes = [(low, high)]
    width = _LEAF
    while len(boxes[-1][0]) > 1:
        low, high = (each.reshape(-1, width, 3) for each in boxes[-1])
        boxes.append((low.min(axis=1), high.max(axis=1)))
        width = 2
    pairs = np.zeros((1, 2), dtype=np.int64)
    for level in range(len(boxes) - 2, -1, -1):
        parts = _LEAF if level == 0 else 2
        children = np.array([(i, j) for i in range(parts) for j in range(parts)])
        kept = [np.zeros((0, 2), dtype=np.int64)]
        for start in range(0, len(pairs), _BLOCK // len(children)):
            some = (pairs[start : start + _BLOCK // len(children), None] * parts + children).reshape(-1, 2)
            some = some[some[:, 0] <= some[:, 1] if level else some[:, 0] < some[:, 1]]
            kept.append(some[_overlap(*boxes[level], some)])
        pairs = np.concatenate(kept)
    return np.sort(order[pairs], axis=1)


def _overlap(low: FloatArray, high: FloatArray, pairs: IntArray) -> BoolArray:
    a, b = pairs[:, 0], pairs[:, 1]
    return np.asarray(((low[a] <= high[b]) & (low[b] <= high[a])).all(axis=1))


def _morton(points: FloatArray) -> IntArray:
    """Return the order of points along a curve that keeps near ones together."""
    span = np.maximum(np.ptp(points, axis=0), 1e-300)
    cell = ((points - points.min(axis=0)) / span * 1023.0).astype(np.int64)
    key = np.zeros(len(points), dtype=np.int64)
    for bit in range(10):
        for axis in range(3):
            key |= ((cell[:, axis] >> bit) & 1) << (3 * bit + axis)
    return np.argsort(key, kind="stable")
