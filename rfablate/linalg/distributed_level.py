"""A coarse level distributed like the fine one: each rank smooths its rows and exchanges values of ghost aggregates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from rfablate.arrays import FloatArray
from rfablate.linalg.aggregation import STRONG, SpectralBound, inverse_root, largest_eigenvalue, prolongation
from rfablate.linalg.coarse_limits import Storage
from rfablate.linalg.coarse_system import Coarsening, CoarseSolver, CoarseSystem, joined_pattern
from rfablate.linalg.replicated_levels import SLOWEST, in_shorts
from rfablate.linalg.smoother import ScaledMatrix, SingleArray, Smoother, Transfer, sliced
from rfablate.mesh.domain import ADD


class DistributedLevel:
    """A distributed level: stiffness and mass on one pattern, the smoother of their sum, and the solver below."""

    def __init__(self, system: CoarseSystem, number: int, below: Callable[[Coarsening, int], CoarseSolver]) -> None:
        """Set up level `number` (1 is the first below the fine one); `below` makes the next level. Collective."""
        nodes = self._nodes = system.nodes
        self.P = system.P
        self._diagonals = system.stiffness.diagonal(), system.mass.diagonal()
        root = self._root(0.0)
        A = sp.csr_matrix(sp.diags(root[: nodes.owned]) @ system.stiffness @ sp.diags(root))
        candidate = np.divide(1.0, root, out=np.zeros_like(root), where=root > 0.0)
        largest = largest_eigenvalue(nodes, A, candidate)
        self._bound = SpectralBound(nodes, system.stiffness, system.mass, largest)
        scaled, own = prolongation(nodes, A, candidate, largest, STRONG * 0.5**number)
        if scaled.shape[1] > SLOWEST * nodes.total:
            scaled, own = prolongation(nodes, A, candidate, largest, 0.0)
        self._below = below(Coarsening(nodes, A, root, system.mass, scaled, own), number + 1)
        self.sizes = [nodes.total, *self._below.sizes]
        self.storage: list[Storage] = ["distributed", *self._below.storage]
        both, self._stiffness, self._mass = joined_pattern(system.stiffness, system.mass, 0.0)
        self._rows, self._columns = np.repeat(np.arange(nodes.owned), np.diff(both.indptr)), both.indices
        self.entries = both.nnz
        numbers = sp.csr_matrix((np.arange(1, both.nnz + 1), both.indices, both.indptr), shape=both.shape)
        (columns, _), self._number = sliced(numbers)
        self._values = np.zeros(len(columns), dtype=np.int16)
        self.smoother = Smoother(ScaledMatrix(nodes.owned, columns, self._values, largest), nodes=nodes)
        self._transfer = Transfer(self._below.P)
        self._vector = nodes.vector(np.float32)
        self.b: SingleArray = self._vector.array

    def _root(self, w0: float) -> FloatArray:
        """Return D^-1/2 at the local unknowns. Collective."""
        root = np.zeros(self._nodes.local)
        root[: self._nodes.owned] = inverse_root(self._diagonals[0] + w0 * self._diagonals[1])
        self._nodes.update_ghosts(root)
        return root

    def weigh(self, w0: float) -> FloatArray:
        """See `CoarseSolver.weigh`."""
        self.smoother.set_largest(self._bound.at(w0))
        root = self._root(w0)
        data = (self._stiffness + w0 * self._mass) * root[self._rows] * root[self._columns]
        self._values[:] = in_shorts(data)[self._number]
        owned = root[: self._nodes.owned]
        scale = self._below.weigh(w0)
        self._transfer.scale(np.divide(1.0, owned, out=np.zeros_like(owned), where=owned > 0.0), scale)
        return root

    def solve(self) -> SingleArray:
        """See `CoarseSolver.solve`."""
        smoother = self.smoother
        self._vector.scatter_reverse(ADD)
        smoother.b[:] = self.b[: self._nodes.owned]
        smoother.smooth_down()
        self._transfer.down(smoother.residual(), self._below.b)
        self._transfer.add_up(self._below.solve(), smoother.x)
        smoother.smooth_up()
        smoother.update()
        return smoother.x
