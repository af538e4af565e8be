"""Point location in the mesh: the cell and the weights for interpolation of nodal fields at points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from rfablate.arrays import BoolArray, FloatArray
from rfablate.mesh.containing_cells import OUTSIDE, best_cells, refuse_outside
from rfablate.mesh.domain import Domain


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


def in_mesh(domain: Domain, points: FloatArray) -> BoolArray:
    """Return which points [m], shape (n, 3), lie in a cell, or just outside a faceted surface. Collective."""
    _, weights = best_cells(domain.x, domain.elements.cells, points, domain.elements.corners)
    quality = weights.min(axis=1) if len(weights) else np.full(len(points), -np.inf)
    return np.asarray(np.max(np.stack(domain.comm.allgather(quality)), axis=0) >= OUTSIDE)


def make_probe(domain: Domain, points: FloatArray, what: str) -> Probe:
    """Return the interpolation at `points` [m], shape (n, 3), (r, z, 0) if axisymmetric. Collective.

    A point just outside a faceted surface gets the extrapolated linear field of the nearest cell.
    Raises:
        MeshError: a point is outside the mesh; the message calls the points `what`.
    """
    cells, weights = best_cells(domain.x, domain.elements.cells, points, domain.elements.corners)
    quality = weights.min(axis=1) if len(weights) else np.zeros(0)
    ranked = domain.comm.allgather(quality)
    best_rank = np.argmax(np.stack(ranked), axis=0)
    refuse_outside(points, np.max(np.stack(ranked), axis=0), what)
    mine = np.flatnonzero(best_rank == domain.comm.rank)
    corners = domain.elements.cells.shape[1]
    matrix = sp.csr_matrix(
        (weights[mine].ravel(), (np.repeat(mine, corners), domain.elements.cells[cells[mine]].ravel())),
        shape=(len(points), domain.nodes.local),
    )
    return Probe(domain, matrix)
