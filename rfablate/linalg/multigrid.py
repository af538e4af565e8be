"""Smoothed aggregation multigrid: a V-cycle in single precision as preconditioner, on any number of ranks.

Each level is scaled to a unit diagonal, A' = D^-1/2 A D^-1/2. This removes fixed nodes (their D^-1/2 is zero) and keeps
values within the range of single precision; the entries of A' then fit into 16 bits. Strongly coupled nodes form
aggregates. A column of the prolongation P is the constant over an aggregate, times D^1/2, smoothed by one Jacobi step;
the next level is P^T A' P:

    P = (I - 4/(3 lambda) A') T,        lambda = largest eigenvalue of A'      (Vanek, Mandel, Brezina 1996)

The smoother is a Chebyshev polynomial in A'. It requires matrix products only, so the order of rows and the number of
ranks do not matter. The coarsest level is inverted. Aggregates do not extend over ranks. The fine level is distributed
like the mesh. The coarse levels, smaller by a factor of twenty or more, are stored on every rank, which computes its
part of their rows. A cycle exchanges ghost values before each product on the fine level, makes one sum over ranks, and
gathers the rows of each product on the coarse levels.

The hierarchy is only a preconditioner. It is kept while the coefficients change, see `CachedHierarchy`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from mpi4py import MPI
from scipy.linalg import lapack

from rfablate.arrays import FloatArray
from rfablate.kernels.loader import SHORT_ONE, call
from rfablate.linalg.aggregation import (
    Serial,
    coarse_matrix,
    fine_rows,
    inverse_root,
    largest_eigenvalue,
    prolongation,
    sum_over_ranks,
)
from rfablate.linalg.matrix import Matrix
from rfablate.linalg.smoother import Rows, ScaledMatrix, Smoother, Transfer, sliced
from rfablate.mesh.domain import Nodes

SingleArray = npt.NDArray[np.float32]

STRONG = 0.02
"""Threshold of |a'_ij| for strong couplings on the fine level; halved on each coarser level."""
COARSEST = 150
"""Largest number of unknowns that is inverted directly."""
ROUNDING = 1e-7
"""Added to the unit diagonal of the coarsest level, which is singular without fixed nodes if w0 = 0."""
FEW_DIGITS = 5.0
"""Reduction of the energy in powers of ten below which a solve does not indicate the quality of its hierarchy."""
BUILDING = 40.0
"""Excess iterations after which the hierarchy is rebuilt: half of the cost of a rebuild (70 to 100 iterations on
146,000 nodes, on one and two ranks), because coefficients change most at the start and the rest of the run benefits."""
ROUNDED = 0.5
"""Mean excess of iterations in a solve because their number is an integer."""
SLOWEST = 0.5
"""Largest ratio of unknowns between levels; above it, all couplings count as strong."""


class VCycle:
    """A V-cycle as an approximate inverse of K + w0 C, for one stiffness K, one diagonal C and any w0.

    The prolongations depend on K only. For a new w0, K and C are combined on every level, P^T (K + w0 C) P, and scaled
    to a unit diagonal; no level is rebuilt when the time step changes. The largest eigenvalue of the scaled K is an
    upper bound for that of the scaled sum.
    """

    def __init__(
        self, nodes: Nodes, matrix: Matrix, free: npt.NDArray[np.bool_], mass: FloatArray | None = None
    ) -> None:
        """Build the hierarchy of a stiffness for the free owned nodes, and of a diagonal (None for zero). Collective.

        Call `weigh` before the first use.
        """
        self._nodes, self._matrix, self._free = nodes, matrix, free & (matrix.diagonal > 0.0)
        self._mass = np.zeros(nodes.owned) if mass is None else mass
        root = self._root(0.0)
        fine = fine_rows(matrix, root)
        candidate = np.divide(1.0, root, out=np.zeros_like(root), where=root > 0.0)
        largest = largest_eigenvalue(nodes, fine, candidate)
        scaled = prolongation(nodes, fine, candidate, largest, STRONG)
        stiffness = coarse_matrix(nodes, fine, scaled)
        P = sp.csr_matrix(sp.diags(root) @ scaled)[: nodes.owned]
        weight = sum_over_ranks(nodes, P.T @ sp.diags(self._mass) @ P)
        pattern = matrix.pattern
        self._values = np.zeros(len(pattern.columns), dtype=np.int16)
        self._fine = Smoother(ScaledMatrix(pattern.n, pattern.columns, self._values, largest), nodes=nodes)
        self._transfer = Transfer(P)
        self._factor = np.zeros(nodes.owned, dtype=np.float32)
        self._coarse = _levels_below(stiffness, weight, nodes.comm)
        self._sum = np.zeros(P.shape[1], dtype=np.float32)
        self.levels = [nodes.total, *(level.n for level in self._coarse)]
        self.built_at = matrix.at
        self.w0 = -1.0

    def _root(self, w0: float) -> FloatArray:
        """Return D^-1/2 at the local nodes."""
        root, owned = np.zeros(self._nodes.local), self._nodes.owned
        diagonal = self._matrix.diagonal + w0 * self._mass
        root[:owned] = np.sqrt(np.divide(1.0, diagonal, out=np.zeros(owned), where=self._free))
        self._nodes.update_ghosts(root)
        return root

    def weigh(self, w0: float) -> None:
        """Set it to the inverse of K + w0 C, with the current stiffness on the fine level. Collective."""
        if w0 == self.w0:
            return
        self.w0, self.weighed_at = w0, self._matrix.at
        root = self._root(w0)
        pattern = self._matrix.pattern
        call("scale_to_shorts", pattern.n, *pattern.columns.layout, self._matrix.values, root, self._values)
        owned = root[: self._nodes.owned]
        self._factor[:] = owned
        scale = _weigh_levels(self._coarse, w0)
        self._transfer.scale(np.divide(1.0, owned, out=np.zeros_like(owned), where=owned > 0.0), scale)

    def apply(self, r: FloatArray, u: FloatArray) -> float:
        """See `Preconditioner.apply`. Collective."""
        fine, owned = self._fine, self._nodes.owned
        call("to_single", owned, r, self._factor, fine.b, 1.0)
        fine.smooth_down()
        self._transfer.down(fine.residual(), self._sum)
        if self._nodes.comm.size > 1:
            self._nodes.comm.Allreduce(MPI.IN_PLACE, self._sum)
        self._transfer.add_up(_cycle(self._coarse, self._sum), fine.x)
        fine.smooth_up()
        return float(call("to_double", owned, fine.x, self._factor, r, u, 1.0))


class _GridLevel:
    """A level stored on every rank: stiffness and mass on one pattern, and the smoother of their sum."""

    def __init__(
        self, stiffness: sp.csr_matrix, mass: sp.csr_matrix, largest: float, P: sp.csr_matrix, comm: MPI.Comm
    ) -> None:
        self.n = stiffness.shape[0]
        both = sp.csr_matrix(abs(stiffness) + abs(mass))
        both.setdiag(0.0)
        both.eliminate_zeros()
        rows = np.repeat(np.arange(self.n), np.diff(both.indptr))
        self._rows, self._columns = rows, both.indices
        self._stiffness, self._mass = (np.asarray(A[rows, both.indices]).ravel() for A in (stiffness, mass))
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
        root = inverse_root(self._diagonals[0] + w0 * self._diagonals[1])
        data = (self._stiffness + w0 * self._mass) * root[self._rows] * root[self._columns]
        shorts = np.rint(SHORT_ONE * np.clip(data, -1.0, 1.0)).astype(np.int16)
        self._values[:] = np.concatenate([np.zeros(1, dtype=np.int16), shorts])[self._number]
        return root


class _Coarsest:
    """The coarsest level, inverted directly."""

    def __init__(self, stiffness: sp.csr_matrix, mass: sp.csr_matrix) -> None:
        self.n = stiffness.shape[0]
        self._stiffness, self._mass = stiffness.toarray(), mass.toarray()
        self.inverse = np.zeros((self.n, self.n), dtype=np.float32)
        self.x = np.zeros(self.n, dtype=np.float32)

    def weigh(self, w0: float) -> FloatArray:
        total = self._stiffness + w0 * self._mass
        root = inverse_root(total.diagonal())
        total *= np.outer(root, root)
        np.fill_diagonal(total, 1.0 + ROUNDING)  # also in empty rows
        factor, fault = lapack.dpotrf(total)
        assert fault == 0, "a scaled matrix with its rounding added is positive definite"
        inverse, _ = lapack.dpotri(factor)
        self.inverse[:] = np.triu(inverse) + np.triu(inverse, 1).T
        return root


def _weigh_levels(levels: list[_GridLevel | _Coarsest], w0: float) -> FloatArray:
    """Combine K and C on every level; return D^-1/2 of the first."""
    roots = [level.weigh(w0) for level in levels]
    for level, root, below in zip(levels, roots, roots[1:], strict=False):
        assert isinstance(level, _GridLevel)
        level.transfer.scale(np.divide(1.0, root, out=np.zeros_like(root), where=root > 0.0), below)
    return roots[0]


def _cycle(levels: list[_GridLevel | _Coarsest], b: SingleArray) -> SingleArray:
    level = levels[0]
    if isinstance(level, _Coarsest):
        return np.dot(level.inverse, b, out=level.x)
    smoother = level.smoother
    smoother.b[:] = b
    smoother.smooth_down()
    level.transfer.down(smoother.residual(), level.b)
    level.transfer.add_up(_cycle(levels[1:], level.b), smoother.x)
    smoother.smooth_up()
    return smoother.x


def _levels_below(stiffness: sp.csr_matrix, mass: sp.csr_matrix, comm: MPI.Comm) -> list[_GridLevel | _Coarsest]:
    """Return the coarse levels of a matrix that every rank stores completely."""
    levels: list[_GridLevel | _Coarsest] = []
    while stiffness.shape[0] > COARSEST:
        serial = Serial(stiffness.shape[0])
        root = inverse_root(stiffness.diagonal())
        A = sp.csr_matrix(sp.diags(root) @ stiffness @ sp.diags(root))
        candidate = np.divide(1.0, root, out=np.zeros_like(root), where=root > 0.0)
        largest = largest_eigenvalue(serial, A, candidate)
        scaled = prolongation(serial, A, candidate, largest, STRONG * 0.5 ** (len(levels) + 1))
        if scaled.shape[1] > SLOWEST * A.shape[0]:
            scaled = prolongation(serial, A, candidate, largest, 0.0)
        P = sp.csr_matrix(sp.diags(root) @ scaled)
        levels.append(_GridLevel(stiffness, mass, largest, P, comm))
        stiffness, mass = coarse_matrix(serial, A, scaled), sp.csr_matrix(P.T @ mass @ P)
    return [*levels, _Coarsest(stiffness, mass)]


@dataclass(frozen=True)
class HierarchyMemory:
    """The data to rebuild a hierarchy bit by bit on the same number of ranks."""

    built_at: FloatArray | None = None
    weighed_at: FloatArray | None = None
    """Nodal temperatures [degC] of the stiffness at construction and at the last `weigh`; None without a hierarchy."""
    w0: float = 0.0
    fresh: float | None = None
    wasted: float = 0.0


class CachedHierarchy:
    """A V-cycle that is built once, and rebuilt when its excess iterations cost as much as a rebuild."""

    def __init__(self, nodes: Nodes, matrix: Matrix, mass: FloatArray | None = None) -> None:
        """Set up without building; `matrix` is the stiffness, `mass` the diagonal that w0 multiplies."""
        self._nodes, self._matrix, self._mass = nodes, matrix, mass
        self._cycle: VCycle | None = None
        self._fresh: float | None = None
        self._wasted = 0.0
        self.built = 0

    def get(self, free: npt.NDArray[np.bool_], w0: float = 0.0) -> VCycle:
        """Return the hierarchy for the free owned nodes; build it if there is none. Collective."""
        if self._cycle is None:
            self._cycle = VCycle(self._nodes, self._matrix, free, self._mass)
            self._fresh, self._wasted = None, 0.0
            self.built += 1
        self._cycle.weigh(w0)
        return self._cycle

    def memory(self) -> HierarchyMemory:
        """Return the data that `restore` requires."""
        cycle = self._cycle
        if cycle is None:
            return HierarchyMemory()
        return HierarchyMemory(cycle.built_at, cycle.weighed_at, cycle.w0, self._fresh, self._wasted)

    def restore(
        self, memory: HierarchyMemory, free: npt.NDArray[np.bool_], assemble: Callable[[FloatArray], None]
    ) -> None:
        """Rebuild a saved hierarchy; `assemble` computes the matrix at a temperature. Collective."""
        if memory.built_at is None or memory.weighed_at is None:
            return
        assemble(memory.built_at)
        self._cycle = VCycle(self._nodes, self._matrix, free, self._mass)
        assemble(memory.weighed_at)
        self._cycle.weigh(memory.w0)
        self._fresh, self._wasted = memory.fresh, memory.wasted

    def drop(self) -> None:
        """Discard the hierarchy, because the fixed nodes have changed; the next call of `get` rebuilds it."""
        self._cycle = None

    def note(self, iterations: int, digits: float) -> None:
        """Record the iterations of a solve for a reduction by `digits` powers of ten; discard a poor hierarchy."""
        if digits < FEW_DIGITS:  # not significant
            return
        if self._fresh is None:
            self._fresh = iterations / digits
        self._wasted += max(0.0, iterations - ROUNDED - self._fresh * digits)
        if self._wasted > BUILDING:
            self._cycle = None
