"""Where points lie in the mesh: the cell and the weights that interpolate nodal fields there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.spatial import cKDTree

from rfablate.errors import MeshError
from rfablate.fem.domain import Domain

FloatArray = npt.NDArray[np.float64]

NEAREST = 20
"""Cells looked at for a point outside the mesh, nearest centroids first."""
ROOM = 1e-9
"""Added to the bounding boxes of cells on all sides [m]."""
OUTSIDE = -0.02
"""Smallest barycentric coordinate at which a point just outside a faceted surface still counts as on it."""


@dataclass(frozen=True)
class Probe:
    """Interpolation of nodal fields at fixed points."""

    domain: Domain
    weights: sp.csr_matrix
    """Shape (n_points, nodes.local); each row is filled on exactly one rank."""

    def partial(self, nodal: FloatArray) -> FloatArray:
        """Return this rank's part of the values; the sum over ranks is the value at each point."""
        return np.asarray(self.weights @ nodal)

    def values(self, nodal: FloatArray) -> FloatArray:
        """Return the field's value at each point. Collective."""
        return np.asarray(self.domain.comm.allreduce(self.partial(nodal)))


def make_probe(domain: Domain, points: FloatArray, what: str) -> Probe:
    """Return the interpolation at `points` [m], shape (n, 3), (r, z, 0) when axisymmetric. Collective.

    A point just outside a faceted surface takes the nearest cell's linear field.

    Raises:
        MeshError: a point lies outside the mesh; `what` names the points in the message.
    """
    cells, weights = _best_cells(domain, points)
    quality = weights.min(axis=1) if len(weights) else np.zeros(0)
    ranked = domain.comm.allgather(quality)
    best_rank = np.argmax(np.stack(ranked), axis=0)
    best = np.max(np.stack(ranked), axis=0)
    if (best < OUTSIDE).any():
        lost = int(np.argmin(best))
        where = ", ".join(f"{value * 1e3:.4g}" for value in points[lost])
        raise MeshError(f"{what}: the point ({where}) mm lies outside the mesh; move it inside the domain")
    mine = np.flatnonzero(best_rank == domain.comm.rank)
    corners = domain.elements.cells.shape[1]
    matrix = sp.csr_matrix(
        (weights[mine].ravel(), (np.repeat(mine, corners), domain.elements.cells[cells[mine]].ravel())),
        shape=(len(points), domain.nodes.local),
    )
    return Probe(domain, matrix)


def _best_cells(domain: Domain, points: FloatArray) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """Return for each point this rank's cell with the largest least barycentric coordinate, and the coordinates."""
    cells = domain.elements.cells
    corners = cells.shape[1]
    if len(cells) == 0:
        return np.zeros(len(points), dtype=np.int64), np.full((len(points), corners), -np.inf)
    point, cell = _candidates(domain, points)
    dim = corners - 1
    corner = domain.x[cells[cell], :dim]
    edges = np.swapaxes(corner[:, 1:] - corner[:, :1], 1, 2)
    inner = np.linalg.solve(edges, (points[point, :dim] - corner[:, 0])[..., None])[..., 0]
    barycentric = np.concatenate([1.0 - inner.sum(axis=1, keepdims=True), inner], axis=1)
    order = np.lexsort((barycentric.min(axis=1), point))
    last = order[np.searchsorted(point[order], np.arange(len(points)), side="right") - 1]
    return cell[last], barycentric[last]


def _candidates(domain: Domain, points: FloatArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return pairs (point, cell) worth a look: cells whose box holds the point, and the nearest by their centroids.

    The boxes find every cell that holds a point, the centroids those next to a point just outside the mesh.
    """
    held = _cells_around(domain, points)
    near = min(NEAREST, len(domain.elements.cells))
    centroids = domain.x[domain.elements.cells].mean(axis=1)
    _, nearest = cKDTree(centroids).query(points, k=near)
    every = np.arange(len(points))
    point = np.concatenate([np.repeat(every, [len(cells) for cells in held]), np.repeat(every, near)])
    cell = np.concatenate([*held, np.asarray(nearest).ravel()])
    return point, cell.astype(np.int64)


def _cells_around(domain: Domain, points: FloatArray) -> list[npt.NDArray[np.int64]]:
    """Return for each point the cells whose bounding box, with a little room, holds it."""
    corner = [domain.x[column] for column in domain.elements.corners]
    low = np.minimum.reduce(corner) - ROOM
    high = np.maximum.reduce(corner) + ROOM
    near = np.flatnonzero(((low <= points.max(axis=0)) & (high >= points.min(axis=0))).all(axis=1))
    low, high = low[near], high[near]
    return [near[((low <= point) & (point <= high)).all(axis=1)] for point in points]
