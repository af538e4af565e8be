"""Parts of tetrahedra and triangles in which linear functions are positive, as smaller simplices. Plain arrays.

A function that is linear in a cell is positive on one side of a plane. The part of a tetrahedron on this side is a
tetrahedron or a prism of three tetrahedra; that of a triangle is a triangle or two. A second function is linear in each
part, so that the volume where both are positive is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np

from rfablate.arrays import FloatArray, IntArray

_MAKING = {
    # corners sorted by decreasing value; (i, j) is the point of zero value on the edge from corner i to corner j
    4: {
        1: [[(0, 0), (0, 1), (0, 2), (0, 3)]],
        2: [
            [(0, 0), (0, 2), (0, 3), (1, 3)],
            [(0, 0), (0, 2), (1, 2), (1, 3)],
            [(0, 0), (1, 1), (1, 2), (1, 3)],
        ],
        3: [
            [(0, 0), (1, 1), (2, 2), (2, 3)],
            [(0, 0), (1, 1), (1, 3), (2, 3)],
            [(0, 0), (0, 3), (1, 3), (2, 3)],
        ],
    },
    3: {
        1: [[(0, 0), (0, 1), (0, 2)]],
        2: [[(0, 0), (1, 1), (1, 2)], [(0, 0), (1, 2), (0, 2)]],
    },
}


def clip(cells: FloatArray, column: int) -> tuple[FloatArray, IntArray]:
    """Return the parts of cells in which one of their linear functions is positive, and the cell of each part.

    Args:
        cells: coordinates and functions at the corners, shape (n, corners, columns).
        column: the function.
    """
    n, corners = cells.shape[:2]
    value = cells[:, :, column]
    inside = (value >= 0.0).sum(axis=1)
    whole = np.flatnonzero(inside == corners)
    parts, owners = [cells[whole]], [whole]
    for count, pieces in _MAKING[corners].items():
        cut = np.flatnonzero(inside == count)
        if not len(cut):
            continue
        order = np.argsort(-value[cut], axis=1, kind="stable")
        ranked = np.take_along_axis(cells[cut], order[:, :, None], axis=1)
        for piece in pieces:
            parts.append(np.stack([_between(ranked, i, j, column) for i, j in piece], axis=1))
            owners.append(cut)
    return np.concatenate(parts), np.concatenate(owners)


def _between(ranked: FloatArray, i: int, j: int, column: int) -> FloatArray:
    """Return corner i, or the point of zero value on the edge from corner i to corner j."""
    if i == j:
        return ranked[:, i]
    span = ranked[:, i, column] - ranked[:, j, column]
    t = ranked[:, i, column] / np.where(span == 0.0, 1.0, span)
    return np.asarray(ranked[:, i] + t[:, None] * (ranked[:, j] - ranked[:, i]))


def volumes(cells: FloatArray) -> FloatArray:
    """Return the volume of tetrahedra, or of the rings of triangles (r, z), from the first columns [m3]."""
    if cells.shape[1] == 4:
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = ((cells[:, k, :3] - cells[:, 0, :3]).T for k in (1, 2, 3))
        triple = ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
        return np.asarray(np.abs(triple) / 6.0)
    a, b = cells[:, 1, :2] - cells[:, 0, :2], cells[:, 2, :2] - cells[:, 0, :2]
    area = 0.5 * np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
    return np.asarray(2.0 * np.pi * cells[:, :, 0].mean(axis=1) * area)


def volumes_above(places: FloatArray, volume: FloatArray, value: FloatArray) -> FloatArray:
    """Return the volume of each cell in which a linear function is not negative [m3].

    Args:
        places: corners of the cells, shape (n, corners, 3) [m].
        volume: volumes of the cells [m3], shape (n,).
        value: the function at the corners, shape (n, corners).
    """
    count = np.add.reduce([column >= 0.0 for column in value.T], axis=0, dtype=np.int64)
    corners = value.shape[1]
    above = np.where(count == corners, volume, 0.0)
    cut = np.flatnonzero((count > 0) & (count < corners))
    if corners == 4:
        above[cut] = volume[cut] * _fractions(value[cut], count[cut])
    elif len(cut):
        parts, owner = clip(np.concatenate([places[cut], value[cut][:, :, None]], axis=2), 3)
        above[cut] = np.bincount(owner, volumes(parts), len(cut))
    return above


def _fractions(value: FloatArray, count: IntArray) -> FloatArray:
    """Return the part of cut tetrahedra in which a function is not negative: the sums of the parts that `clip` makes.

    With a, b, c, d the values in decreasing order, the zero of an edge is at the fraction a / (a - c) of its length.
    """
    a, b, c, d = np.sort(value, axis=1).T[::-1]
    found = np.zeros(len(value))
    one, two, three = (count == n for n in (1, 2, 3))
    found[one] = (a**3)[one] / ((a - b) * (a - c) * (a - d))[one]
    found[three] = 1.0 + (d**3)[three] / ((a - d) * (b - d) * (c - d))[three]
    ac, ad, bc, bd = (x[two] / (x - y)[two] for x, y in ((a, c), (a, d), (b, c), (b, d)))
    found[two] = ac * ad * (1.0 - bd) + ac * (1.0 - bc) * bd + bc * bd
    return found


def split(cells: FloatArray, refine: Callable[[FloatArray], None] | None = None) -> FloatArray:
    """Return each cell as 8 tetrahedra, or as 4 triangles, with corners at the midpoints of its edges.

    Args:
        cells: shape (n, corners, columns); midpoints have the means of the columns.
        refine: changes columns of the midpoints in place, shape (n, edges, columns).
    """
    corners = cells.shape[1]
    edges = list(combinations(range(corners), 2))
    middle = np.stack([0.5 * (cells[:, i] + cells[:, j]) for i, j in edges], axis=1)
    if refine is not None:
        refine(middle)
    point = np.concatenate([cells, middle], axis=1)
    number = {(i, i): i for i in range(corners)} | {edge: corners + n for n, edge in enumerate(edges)}
    ends = [[(min(i, j), max(i, j)) for j in range(corners)] for i in range(corners)]
    if corners == 3:
        inner = [[(0, 1), (0, 2), (1, 2)]]
    else:
        ring = [(0, 2), (0, 3), (1, 3), (1, 2)]  # around the diagonal from the middle of edge 01 to that of edge 23
        inner = [[(0, 1), (2, 3), ring[n - 1], ring[n]] for n in range(4)]
    return np.concatenate([point[:, [number[key] for key in piece]] for piece in [*ends, *inner]])
