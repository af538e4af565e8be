"""Point location in the mesh: the cell and the weights for interpolation of nodal fields at points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from rfablate.arrays import FloatArray, IntArray
from rfablate.errors import MeshError
from rfablate.mesh.domain import Domain

NEAREST = 20
"""Number of nearest cells (by centroid) tested for a point outside the mesh."""
ROOM = 1e-9
"""Margin of the bounding boxes of cells on all sides [m]."""
OUTSIDE = -0.02
"""Smallest barycentric coordinate at which a point outside a faceted surface still counts as on it."""


@dataclass(frozen=True)
class Probe:
    """Interpolation of nodal fields at fixed points."""

    domain: Domain
    weights: sp.csr_matrix
    """Shape (n_points, nodes.local); each row is nonzero on exactly one rank."""

    def partial(self, nodal: FloatArray) -> FloatArray:
        """Return this rank's contribution to the values; the sum over ranks is the value at each point."""
        return np.asarray(self.weights @ nodal)

    def values(self, nodal: FloatArray) -> FloatArray:
        """Return the value of the field at each point. Collective."""
        return np.asarray(self.domain.comm.allreduce(self.partial(nodal)))


def make_probe(domain: Domain, points: FloatArray, what: str) -> Probe:
    """Return the interpolation at `points` [m], shape (n, 3), (r, z, 0) if axisymmetric. Collective.

    A point just outside a faceted surface gets the extrapolated linear field of the nearest cell.
    Raises:
        MeshError: a point is outside the mesh; the message calls the points `what`.
    """
    cells, weights = _best_cells(domain, points)
    quality = weights.min(axis=1) if len(weights) else np.zeros(0)
    ranked = domain.comm.allgather(quality)
    best_rank = np.argmax(np.stack(ranked), axis=0)
    best = np.max(np.stack(ranked), axis=0)
    if (best < OUTSIDE).any():
        lost = int(np.argmin(best))
        where = ", ".join(f"{value * 1e3:.4g}" for value in points[lost])
        raise MeshError(f"{what}: the point ({where}) mm is outside the mesh; move it inside the domain")
    mine = np.flatnonzero(best_rank == domain.comm.rank)
    corners = domain.elements.cells.shape[1]
    matrix = sp.csr_matrix(
        (weights[mine].ravel(), (np.repeat(mine, corners), domain.elements.cells[cells[mine]].ravel())),
        shape=(len(points), domain.nodes.local),
    )
    return Probe(domain, matrix)


def _best_cells(domain: Domain, points: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return, for each point, the local cell with the largest minimum barycentric coordinate, and its coordinates.

    The bounding boxes select all cells that can contain a point; for a point in none, the nearest cells are tested.
    """
    corners = domain.elements.cells.shape[1]
    best, weights = np.zeros(len(points), dtype=np.int64), np.full((len(points), corners), -np.inf)
    if len(domain.elements.cells) == 0 or len(points) == 0:
        return best, weights
    _take_best(domain, points, _cells_around(domain, points), best, weights)
    lost = np.flatnonzero(weights.min(axis=1) < 0.0)
    if len(lost):
        centroids = domain.x[domain.elements.cells].mean(axis=1)
        near: list[IntArray] = [np.zeros(0, dtype=np.int64)] * len(points)
        for n in lost:
            distance = np.linalg.norm(centroids - points[n], axis=1)
            near[n] = np.argpartition(distance, min(NEAREST, len(distance) - 1))[:NEAREST]
        _take_best(domain, points, near, best, weights)
    return best, weights


def _take_best(
    domain: Domain, points: FloatArray, candidates: list[IntArray], best: IntArray, weights: FloatArray
) -> None:
    """Write the best candidate of each point into `best` and `weights` if it improves on the present one."""
    point = np.repeat(np.arange(len(points)), [len(cells) for cells in candidates])
    cell = np.concatenate(candidates)
    dim = weights.shape[1] - 1
    corner = domain.x[domain.elements.cells[cell], :dim]
    edges = np.swapaxes(corner[:, 1:] - corner[:, :1], 1, 2)
    inner = np.linalg.solve(edges, (points[point, :dim] - corner[:, 0])[..., None])[..., 0]
    barycentric = np.concatenate([1.0 - inner.sum(axis=1, keepdims=True), inner], axis=1)
    order = np.lexsort((barycentric.min(axis=1), point))
    last = order[
        np.flatnonzero(np.diff(point[order], append=len(points)))
    ]  # the best candidate of each point is the last
    better = last[barycentric[last].min(axis=1) > weights[point[last]].min(axis=1)]
    best[point[better]], weights[point[better]] = cell[better], barycentric[better]


def _cells_around(domain: Domain, points: FloatArray) -> list[IntArray]:
    """Return, for each point, the cells whose bounding box, with a margin, contains it."""
    cells = np.arange(len(domain.elements.cells))
    boxes: list[tuple[FloatArray, FloatArray]] = []
    for axis in range(3):
        x = np.ascontiguousarray(domain.x[:, axis])
        corner = [x[column[cells]] for column in domain.elements.corners]
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
