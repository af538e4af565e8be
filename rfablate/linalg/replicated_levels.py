"""Coarse levels that every rank stores completely; each rank computes its part of the rows and gathers the others.

Quicker than distributed levels while they are small. Memory and gathers grow with the mesh, not with the share of a
rank: see `coarse_choice.py`.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from mpi4py import MPI
from scipy.linalg import lapack

from rfablate.arrays import FloatArray
from rfablate.kernels.loader import SHORT_ONE
from rfablate.linalg.aggregation import (
    STRONG,
    Serial,
    SpectralBound,
    coarse_matrix,
    inverse_root,
    largest_eigenvalue,
    prolongation,
    sum_over_ranks,
)
from rfablate.linalg.coarse_limits import Storage
from rfablate.linalg.coarse_system import Coarsening, joined_pattern
from rfablate.linalg.smoother import Rows, ScaledMatrix, SingleArray, Smoother, Transfer, sliced

COARSEST = 150
"""Largest number of unknowns that is inverted directly."""
ROUNDING = 1e-7
"""Added to the unit diagonal of the coarsest level, which is singular without fixed nodes if w0 = 0."""
SLOWEST = 0.5
"""Largest ratio of unknowns between levels; above it, all couplings count as strong."""


class ReplicatedLevels:
    """A coarse level and all below it, stored on every rank."""

    def __init__(self, level: Coarsening, number: int = 1) -> None:
        """Build the levels below one; `number` is that of the first of them. Collective."""
        self._comm = level.nodes.comm
        stiffness, mass = level.products(level.scaled)
        stiffness = sum_over_ranks(level.nodes, stiffness)
        stiffness = sp.csr_matrix(0.5 * (stiffness + stiffness.T))
        self.P = level.unscaled(level.scaled)
        self.b = np.zeros(level.total, dtype=np.float32)
        self.levels = _levels_below(stiffness, sum_over_ranks(level.nodes, mass), self._comm, number)
        self.sizes = [each.n for each in self.levels]
        self.storage: list[Storage] = ["replicated"] * len(self.levels)

    def weigh(self, w0: float) -> FloatArray:
        """See `CoarseSolver.weigh`."""
        roots = [level.weigh(w0) for level in self.levels]
        for level, root, below in zip(self.levels, roots, roots[1:], strict=False):
            assert isinstance(level, GridLevel)
            level.transfer.scale(np.divide(1.0, root, out=np.zeros_like(root), where=root > 0.0), below)
        return roots[0]

    def solve(self) -> SingleArray:
        """See `CoarseSolver.solve`."""
        if self._comm.size > 1:
            self._comm.Allreduce(MPI.IN_PLACE, self.b)
        return _cycle(self.levels, self.b)


class GridLevel:
    """A level stored on every rank: stiffness and mass on one pattern, and the smoother of their sum."""

    def __init__(
        self, stiffness: sp.csr_matrix, mass: sp.csr_matrix, largest: float, P: sp.csr_matrix, comm: MPI.Comm
    ) -> None:
        """Set up; `largest` is the eigenvalue of the scaled stiffness, `P` the prolongation to this level."""
        self._bound = SpectralBound(Serial(stiffness.shape[0]), stiffness, mass, largest)
        self.n = stiffness.shape[0]
        both, self._stiffness, self._mass = joined_pattern(stiffness, mass, 0.0)
        self._rows, self._columns = np.repeat(np.arange(self.n), np.diff(both.indptr)), both.indices
        self.entries = both.nnz
        self._diagonals = stiffness.diagonal(), mass.diagonal()
        number = sp.csr_matrix((np.arange(1, both.nnz + 1), both.indices, both.indptr), shape=both.shape)
        (columns, _), self._number = sliced(number)
        self._values = np.zeros(len(columns), dtype=np.int16)
        self.nbytes = columns.nbytes + self._values.nbytes
        """Bytes read per product [B]."""
        self.smoother = Smoother(ScaledMatrix(self.n, columns, self._values, largest), rows=Rows(self.n, comm))
        self.transfer = Transfer(P)
        self.b = np.zeros(P.shape[1], dtype=np.float32)

    def weigh(self, w0: float) -> FloatArray:
        """Scale K + w0 C to a unit diagonal; return D^-1/2."""
        self.smoother.set_largest(self._bound.at(w0))
        root = inverse_root(self._diagonals[0] + w0 * self._diagonals[1])
        data = (self._stiffness + w0 * self._mass) * root[self._rows] * root[self._columns]
        self._values[:] = in_shorts(data)[self._number]
        return root


class Coarsest:
    """The coarsest level, inverted directly."""

    entries = 0

    def __init__(self, stiffness: sp.csr_matrix, mass: sp.csr_matrix) -> None:
        """Set up; `weigh` inverts."""
        self.n = stiffness.shape[0]
        self._stiffness, self._mass = stiffness.toarray(), mass.toarray()
        self.inverse = np.zeros((self.n, self.n), dtype=np.float32)
        self.x = np.zeros(self.n, dtype=np.float32)

    def weigh(self, w0: float) -> FloatArray:
        """Invert K + w0 C, scaled to a unit diagonal; return D^-1/2."""
        total = self._stiffness + w0 * self._mass
        root = inverse_root(total.diagonal())
        total *= np.outer(root, root)
        np.fill_diagonal(total, 1.0 + ROUNDING)  # also in empty rows
        factor, fault = lapack.dpotrf(total)
        assert fault == 0, "a scaled matrix with its rounding added is positive definite"
        inverse, _ = lapack.dpotri(factor)
        self.inverse[:] = np.triu(inverse) + np.triu(inverse, 1).T
        return root


def in_shorts(data: FloatArray):  # type: ignore[no-untyped-def]
    """Return entries of a matrix with unit diagonal in 16 bits, after a zero for padding."""
    shorts = np.rint(SHORT_ONE * np.clip(data, -1.0, 1.0)).astype(np.int16)
    return np.concatenate([np.zeros(1, dtype=np.int16), shorts])


def _cycle(levels: list[GridLevel | Coarsest], b: SingleArray) -> SingleArray:
    level = levels[0]
    if isinstance(level, Coarsest):
        return np.dot(level.inverse, b, out=level.x)
    smoother = level.smoother
    smoother.b[:] = b
    smoother.smooth_down()
    level.transfer.down(smoother.residual(), level.b)
    level.transfer.add_up(_cycle(levels[1:], level.b), smoother.x)
    smoother.smooth_up()
    return smoother.x


def _levels_below(
    stiffness: sp.csr_matrix, mass: sp.csr_matrix, comm: MPI.Comm, number: int
) -> list[GridLevel | Coarsest]:
    """Return the coarse levels of a matrix that every rank stores completely."""
    levels: list[GridLevel | Coarsest] = []
    while stiffness.shape[0] > COARSEST:
        serial = Serial(stiffness.shape[0])
        root = inverse_root(stiffness.diagonal())
        A = sp.csr_matrix(sp.diags(root) @ stiffness @ sp.diags(root))
        candidate = np.divide(1.0, root, out=np.zeros_like(root), where=root > 0.0)
        largest = largest_eigenvalue(serial, A, candidate)
        scaled, _ = prolongation(serial, A, candidate, largest, STRONG * 0.5 ** (len(levels) + number))
        if scaled.shape[1] > SLOWEST * A.shape[0]:
            scaled, _ = prolongation(serial, A, candidate, largest, 0.0)
        P = sp.csr_matrix(sp.diags(root) @ scaled)
        levels.append(GridLevel(stiffness, mass, largest, P, comm))
        stiffness, mass = coarse_matrix(serial, A, scaled), sp.csr_matrix(P.T @ mass @ P)
    return [*levels, Coarsest(stiffness, mass)]
