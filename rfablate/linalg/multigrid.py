"""Smoothed aggregation multigrid: a V-cycle in single precision as preconditioner, on any number of ranks.

Each level is scaled to a unit diagonal, A' = D^-1/2 A D^-1/2. This removes fixed nodes (their D^-1/2 is zero) and keeps
values within the range of single precision; the entries of A' then fit into 16 bits. Strongly coupled nodes form
aggregates. A column of the prolongation P is the constant over an aggregate, times D^1/2, smoothed by one Jacobi step;
the next level is P^T A' P:

    P = (I - 4/(3 lambda) A') T,        lambda = largest eigenvalue of A'      (Vanek, Mandel, Brezina 1996)

The smoother is a Chebyshev polynomial in A'. It requires matrix products only, so the order of rows and the number of
ranks do not matter. The coarsest level is inverted. Aggregates do not extend over ranks. The fine level is distributed
like the mesh; a cycle exchanges ghost values before each product. The coarse levels, smaller by a factor of twenty or
more, are stored on every rank, or distributed too: see `coarse_choice.py`.

The hierarchy is only a preconditioner. It is kept while the coefficients change, see `CachedHierarchy`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from rfablate.arrays import FloatArray
from rfablate.kernels.loader import call
from rfablate.linalg.aggregation import STRONG, fine_rows, largest_eigenvalue, prolongation
from rfablate.linalg.coarse_choice import make_coarse_solver
from rfablate.linalg.coarse_limits import CoarseLevels
from rfablate.linalg.coarse_system import Coarsening
from rfablate.linalg.matrix import Matrix
from rfablate.linalg.smoother import ScaledMatrix, Smoother, Transfer
from rfablate.mesh.domain import Nodes

FEW_DIGITS = 5.0
"""Reduction of the energy in powers of ten below which a solve does not indicate the quality of its hierarchy."""
BUILDING = 40.0
"""Excess iterations after which the hierarchy is rebuilt: half of the cost of a rebuild (70 to 100 iterations on
146,000 nodes, on one and two ranks), because coefficients change most at the start and the rest of the run benefits."""
ROUNDED = 0.5
"""Mean excess of iterations in a solve because their number is an integer."""


class VCycle:
    """A V-cycle as an approximate inverse of K + w0 C, for one stiffness K, one diagonal C and any w0.

    The prolongations depend on K only. For a new w0, K and C are combined on every level, P^T (K + w0 C) P, and scaled
    to a unit diagonal; no level is rebuilt when the time step changes. On the fine level, where C is diagonal, the
    largest eigenvalue of the scaled K is an upper bound for that of the scaled sum; `SpectralBound` has that of the
    coarse levels.
    """

    def __init__(
        self,
        nodes: Nodes,
        matrix: Matrix,
        free: npt.NDArray[np.bool_],
        mass: FloatArray | None = None,
        *,
        coarse: CoarseLevels = "auto",
    ) -> None:
        """Build the hierarchy of a stiffness for the free owned nodes, and of a diagonal (None for zero). Collective.

        Call `weigh` before the first use. `coarse` selects the storage of the coarse levels.
        """
        self._nodes, self._matrix, self._free = nodes, matrix, free & (matrix.diagonal > 0.0)
        self._mass = np.zeros(nodes.owned) if mass is None else mass
        root = self._root(0.0)
        fine = fine_rows(matrix, root)
        candidate = np.divide(1.0, root, out=np.zeros_like(root), where=root > 0.0)
        largest = largest_eigenvalue(nodes, fine, candidate)
        scaled, own = prolongation(nodes, fine, candidate, largest, STRONG)
        diagonal = sp.csr_matrix(sp.diags(self._mass, shape=(nodes.owned, nodes.local)))
        self.coarse = make_coarse_solver(Coarsening(nodes, fine, root, diagonal, scaled, own), how=coarse)
        pattern = matrix.pattern
        self._values = np.zeros(len(pattern.columns), dtype=np.int16)
        self._fine = Smoother(ScaledMatrix(pattern.n, pattern.columns, self._values, largest), nodes=nodes)
        self._transfer = Transfer(self.coarse.P)
        self._factor = np.zeros(nodes.owned, dtype=np.float32)
        self.sizes = [nodes.total, *self.coarse.sizes]
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
        scale = self.coarse.weigh(w0)
        self._transfer.scale(np.divide(1.0, owned, out=np.zeros_like(owned), where=owned > 0.0), scale)

    def apply(self, r: FloatArray, u: FloatArray) -> float:
        """See `Preconditioner.apply`. Collective."""
        fine, owned = self._fine, self._nodes.owned
        call("to_single", owned, r, self._factor, fine.b, 1.0)
        fine.smooth_down()
        self._transfer.down(fine.residual(), self.coarse.b)
        self._transfer.add_up(self.coarse.solve(), fine.x)
        fine.smooth_up()
        return float(call("to_double", owned, fine.x, self._factor, r, u, 1.0))


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

    def __init__(
        self, nodes: Nodes, matrix: Matrix, mass: FloatArray | None = None, *, coarse: CoarseLevels = "auto"
    ) -> None:
        """Set up without building; `matrix` is the stiffness, `mass` the diagonal that w0 multiplies."""
        self._nodes, self._matrix, self._mass, self._coarse = nodes, matrix, mass, coarse
        self._cycle: VCycle | None = None
        self._fresh: float | None = None
        self._wasted = 0.0
        self.built = 0

    def get(self, free: npt.NDArray[np.bool_], w0: float = 0.0) -> VCycle:
        """Return the hierarchy for the free owned nodes; build it if there is none. Collective."""
        if self._cycle is None:
            self._cycle = self._make(free)
            self._fresh, self._wasted = None, 0.0
            self.built += 1
        self._cycle.weigh(w0)
        return self._cycle

    def _make(self, free: npt.NDArray[np.bool_]) -> VCycle:
        return VCycle(self._nodes, self._matrix, free, self._mass, coarse=self._coarse)

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
        self._cycle = self._make(free)
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
