"""The cells of a mesh that contain given points. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rfablate.arrays import FloatArray, IntArray
from rfablate.errors import MeshError

Cells = npt.NDArray[np.int32] | npt.NDArray[np.int64]

NEAREST = 20
"""Number of nearest cells (by centroid) tested for a point outside the mesh."""
ROOM = 1e-9
"""Margin of the bounding boxes of cells on all sides [m]."""
OUTSIDE = -0.02
"""Smallest barycentric coordinate at which a point outside a faceted surface still counts as on it."""


def refuse_outside(points: FloatArray, smallest: FloatArray, what: str) -> None:
    """Check the smallest barycentric coordinate of each point in the best cell of the mesh.

    Raises:
        MeshError: a point is outside the mesh; the message calls the points `what`.
    """
    if (smallest < OUTSIDE).any():
        lost = int(np.argmin(smallest))
        where = ", ".join(f"{value * 1e3:.4g}" for value in points[lost])
        raise MeshError(f"{what}: the point ({where}) mm is outside the mesh; move it inside the domain")


def best_cells(
    x: FloatArray, cells: Cells, points: FloatArray, columns: Sequence[Cells] | None = None
) -> tuple[IntArray, FloatArray]:
    """Return, for each point, the cell with the largest minimum barycentric coordinate, and its coordinates.

    `x`: nodes [m], shape (n, 3); `columns`: the columns of `cells`, where they are contiguous already. The bounding
    boxes select all cells that can contain a point; for a point in none, the nearest cells are tested.
    """
    corners = cells.shape[1]
    best, weights = np.zeros(len(points), dtype=np.int64), np.full((len(points), corners), -np.inf)
    if len(cells) == 0 or len(points) == 0:
        return best, weights
    around = _cells_around(x, list(cells.T) if columns is None else columns, points)
    _improve(best, weights, _Search(x, cells, points), around)
    lost = np.flatnonzero(weights.min(axis=1) < 0.0)
    if len(lost):
        centroids = x[cells].mean(axis=1)
        near: list[IntArray] = [np.zeros(0, dtype=np.int64)] * len(points)
        for n in lost:
            distance = np.linalg.norm(centroids - points[n], axis=1)
            near[n] = np.argpartition(distance, min(NEAREST, len(distance) - 1))[:NEAREST]
        _improve(best, weights, _Search(x, cells, points), near)
    return best, weights


@dataclass(frozen=True)
class _Search:
    """Points to locate in the cells of a mesh."""

    x: FloatArray
    """Nodes [m]."""
    cells: Cells
    points: FloatArray
    """[m]"""


def _improve(best: IntArray, weights: FloatArray, search: _Search, candidates: list[IntArray]) -> None:
    """Write the best candidate of each point into `best` and `weights` if it improves on the present one."""
    x, cells, points = search.x, search.cells, search.points
    point = np.repeat(np.arange(len(points)), [len(cells) for cells in candidates])
    cell = np.concatenate(candidates)
    dim = weights.shape[1] - 1
    corner = x[cells[cell], :dim]
    edges = np.swapaxes(corner[:, 1:] - corner[:, :1], 1, 2)
    inner = np.linalg.solve(edges, (points[point, :dim] - corner[:, 0])[..., None])[..., 0]
    barycentric = np.concatenate([1.0 - inner.sum(axis=1, keepdims=True), inner], axis=1)
    order = np.lexsort((barycentric.min(axis=1), point))
    last = order[
        np.flatnonzero(np.diff(point[order], append=len(points)))
    ]  # the best candidate of each point is the last
    better = last[barycentric[last].min(axis=1) > weights[point[last]].min(axis=1)]
    best[point[better]], weights[point[better]] = cell[better], barycentric[better]


def _cells_around(x: FloatArray, columns: Sequence[Cells], points: FloatArray) -> list[IntArray]:
    """Return, for each point, the cells whose bounding box, with a margin, contains it."""
    cells = np.arange(len(columns[0]))
    boxes: list[tuple[FloatArray, FloatArray]] = []
    for axis in range(3):
        values = np.ascontiguousarray(x[:, axis])
        corner = [values[column[cells]] for column in columns]
        low, high = np.minimum.reduce(corner) - ROOM, np.maximum.reduce(corner) + ROOM
        near = (low <= points[:, axis].max()) & (high >= points[:, axis].min())
        cells, boxes = cells[near], [(a[near], b[near]) for a, b in [*boxes, (low, high)]]
    held = []
    for point in points:
        inside = np.ones(len(cells), dtype=bool)
        for (low, high), value in zip(boxes, point, strict=True):
            inside &= (low <= value) & (value <= high)
        held.append(cells[inside])
    return held
