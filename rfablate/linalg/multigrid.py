"""Smoothed aggregation: a V-cycle in single precision as preconditioner, on any number of ranks.

Each level is scaled to a unit diagonal, A' = D^-1/2 A D^-1/2, which takes the fixed nodes out (their D^-1/2 is zero)
and keeps single precision far from its limits; the entries of A' then fit into 16 bits. Nodes that are strongly coupled
form aggregates; the constant over each aggregate, times D^1/2, smoothed by one Jacobi step, is a column of P, and the
next level is P^T A' P:

    P = (I - 4/(3 lambda) A') T,        lambda = largest eigenvalue of A'      (Vanek, Mandel, Brezina 1996)

A cycle smooths with a Chebyshev polynomial in A', which needs products only (no order of rows, so ranks do not matter),
goes down, and smooths again; the last level is inverted. Aggregates do not cross ranks. The fine level is distributed
like the mesh. Those below, twenty times smaller and less, are held by every rank, which works on its share of their
rows: a cycle exchanges the ghosts' values before each product on the fine level, sums once over ranks, and gathers each
product's rows below.

The hierarchy only preconditions. It is kept while the coefficients change, see `KeptHierarchy`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from mpi4py import MPI
from scipy.linalg import lapack

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
from rfablate.linalg.smoother import Rows, Smoother, Transfer, sliced
from rfablate.mesh.domain import Nodes

FloatArray = npt.NDArray[np.float64]
SingleArray = npt.NDArray[np.float32]

STRONG = 0.02
"""Couplings |a'_ij| above this join aggregates on the fine level; half as much on each level below."""
COARSEST = 150
"""Unknowns that are inverted at once."""
ROUNDING = 1e-7
"""Added to the coarsest level's unit diagonal: without fixed nodes and w0 its constant would be nobody's."""
FEW_DIGITS = 5.0
"""Powers of ten of the error's energy below which a solve says nothing of how good its hierarchy is."""
BUILDING = 40.0
"""Wasted iterations after which to build anew: half of what that costs (70 to 100 iterations on 146,000 nodes, on one
rank and on two), because coefficients change most at the start and the rest of the run gains."""
ROUNDED = 0.5
"""Iterations that a solve makes beyond what it needs, because it makes whole ones."""
SLOWEST = 0.5
"""A level that shrinks less than this takes every coupling for strong."""


class VCycle:
    """One V-cycle as an approximate inverse of K + w0 C, for one stiffness K, one diagonal C and any w0.

    Prolongations come from K alone. A new w0 only weighs K and C anew on every level, P^T (K + w0 C) P, and scales to
    a unit diagonal: no level is built again when the time step changes. The largest eigenvalue of the scaled K bounds
    that of the scaled sum.
    """

    def __init__(
        self, nodes: Nodes, matrix: Matrix, free: npt.NDArray[np.bool_], mass: FloatArray | None = None
    ) -> None:
        """Build the hierarchy of a stiffness for these free owned nodes and a diagonal, zero if None. Collective.

        `weigh` comes before the first use.
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
        self._fine = Smoother(pattern.n, pattern.columns, self._values, largest, nodes=nodes)
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
        """Make it the inverse of K + w0 C, with the stiffness as it is now on the fine level. Collective."""
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


class _Level:
    """A level that every rank holds: stiffness and mass on one pattern, and how they smooth together."""

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
        """Bytes that a product reads [B]."""
        self.smoother = Smoother(self.n, columns, self._values, largest, rows=Rows(self.n, comm))
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
    """The last level, inverted as a whole."""

    def __init__(self, stiffness: sp.csr_matrix, mass: sp.csr_matrix) -> None:
        self.n = stiffness.shape[0]
        self._stiffness, self._mass = stiffness.toarray(), mass.toarray()
        self.inverse = np.zeros((self.n, self.n), dtype=np.float32)
        self.x = np.zeros(self.n, dtype=np.float32)

    def weigh(self, w0: float) -> FloatArray:
        total = self._stiffness + w0 * self._mass
        root = inverse_root(total.diagonal())
        total *= np.outer(root, root)
        np.fill_diagonal(total, 1.0 + ROUNDING)  # of empty rows too
        factor, fault = lapack.dpotrf(total)
        assert fault == 0, "a scaled matrix with its rounding added is positive definite"
        inverse, _ = lapack.dpotri(factor)
        self.inverse[:] = np.triu(inverse) + np.triu(inverse, 1).T
        return root


def _weigh_levels(levels: list[_Level | _Coarsest], w0: float) -> FloatArray:
    """Weigh K and C on every level; return D^-1/2 of the first."""
    roots = [level.weigh(w0) for level in levels]
    for level, root, below in zip(levels, roots, roots[1:], strict=False):
        assert isinstance(level, _Level)
        level.transfer.scale(np.divide(1.0, root, out=np.zeros_like(root), where=root > 0.0), below)
    return roots[0]


def _cycle(levels: list[_Level | _Coarsest], b: SingleArray) -> SingleArray:
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


def _levels_below(stiffness: sp.csr_matrix, mass: sp.csr_matrix, comm: MPI.Comm) -> list[_Level | _Coarsest]:
    """Return the levels of a matrix that every rank holds as a whole."""
    levels: list[_Level | _Coarsest] = []
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
        levels.append(_Level(stiffness, mass, largest, P, comm))
        stiffness, mass = coarse_matrix(serial, A, scaled), sp.csr_matrix(P.T @ mass @ P)
    return [*levels, _Coarsest(stiffness, mass)]


@dataclass(frozen=True)
class HierarchyMemory:
    """What a kept hierarchy can be built again from, to the last bit on the same number of ranks."""

    built_at: FloatArray | None = None
    weighed_at: FloatArray | None = None
    """Nodal temperatures [degC] of the stiffness it was built of and last weighed with; None: there is none."""
    w0: float = 0.0
    fresh: float | None = None
    wasted: float = 0.0


class KeptHierarchy:
    """A V-cycle that is built once, and anew when iterations that a fresh one would have spared cost as much."""

    def __init__(self, nodes: Nodes, matrix: Matrix, mass: FloatArray | None = None) -> None:
        """Build nothing yet; `matrix` is the stiffness and `mass` the diagonal that w0 multiplies."""
        self._nodes, self._matrix, self._mass = nodes, matrix, mass
        self._cycle: VCycle | None = None
        self._fresh: float | None = None
        self._wasted = 0.0
        self.built = 0

    def get(self, free: npt.NDArray[np.bool_], w0: float = 0.0) -> VCycle:
        """Return the hierarchy for these free owned nodes, built now if there is none. Collective."""
        if self._cycle is None:
            self._cycle = VCycle(self._nodes, self._matrix, free, self._mass)
            self._fresh, self._wasted = None, 0.0
            self.built += 1
        self._cycle.weigh(w0)
        return self._cycle

    def memory(self) -> HierarchyMemory:
        """Return what `restore` needs."""
        cycle = self._cycle
        if cycle is None:
            return HierarchyMemory()
        return HierarchyMemory(cycle.built_at, cycle.weighed_at, cycle.w0, self._fresh, self._wasted)

    def restore(
        self, memory: HierarchyMemory, free: npt.NDArray[np.bool_], assemble: Callable[[FloatArray], None]
    ) -> None:
        """Build again what was remembered; `assemble` fills the matrix at a temperature. Collective."""
        if memory.built_at is None or memory.weighed_at is None:
            return
        assemble(memory.built_at)
        self._cycle = VCycle(self._nodes, self._matrix, free, self._mass)
        assemble(memory.weighed_at)
        self._cycle.weigh(memory.w0)
        self._fresh, self._wasted = memory.fresh, memory.wasted

    def drop(self) -> None:
        """Build it anew at the next call: other nodes are fixed now."""
        self._cycle = None

    def note(self, iterations: int, digits: float) -> None:
        """Take note of what a solve needed for so many powers of ten, and drop a hierarchy that has grown poor."""
        if digits < FEW_DIGITS:  # says little
            return
        if self._fresh is None:
            self._fresh = iterations / digits
        self._wasted += max(0.0, iterations - ROUNDED - self._fresh * digits)
        if self._wasted > BUILDING:
            self._cycle = None
