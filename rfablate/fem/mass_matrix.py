"""Heat capacity and perfusion as matrices: lumped, or consistent with the linear elements.

    C_ij = integral rho c N_i N_j          W_ij = integral omega_b rho_b c_b alive N_i N_j

Lumped: the row sums are on the diagonal. Temperatures stay monotone for short steps, the order remains two, and a new
step length changes the diagonal only. Consistent (tetrahedra only): the default of other codes. With alive linear in
the cell and q = V omega_b rho_b c_b / 120,

    W_ij = q (sum alive + alive_i + alive_j),  W_ii = 2 q (sum alive + 2 alive_i)

and C is the same with q = V rho c / 120 and alive = 1.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from rfablate.arrays import FloatArray
from rfablate.kernels.loader import call
from rfablate.linalg.matrix import Matrix, Pattern
from rfablate.mesh.domain import Domain

Rows = npt.NDArray[np.int64]


class Mass(Protocol):
    """Heat capacity and perfusion of the owned nodes."""

    capacity: FloatArray
    """Row sums of C at the owned nodes [J/K], i.e. the heat for a uniform rise of 1 K."""
    lumped: bool
    """Whether `add` changes the diagonal only."""

    def add(self, operator: Matrix, stiffness: Matrix, w0: float, alive: FloatArray) -> None:
        """Set `operator` to the stiffness plus w0 C + W(alive), alive at the local nodes."""

    def heat(self, u: FloatArray) -> FloatArray:
        """Return C u at the owned nodes, with u at the local nodes."""

    def heat_at(self, rows: Rows, u: FloatArray) -> FloatArray:
        """Return C u at the given owned nodes."""

    def perfused(self, u: FloatArray) -> FloatArray:
        """Return W u at the owned nodes, with W from the last call of `add`."""


class LumpedMass:
    """Lumped matrices: row sums on the diagonal."""

    lumped = True

    def __init__(self, domain: Domain, capacity: FloatArray, perfusion: FloatArray) -> None:
        """Assemble from rho c [J/(m3 K)] and omega_b rho_b c_b [W/(m3 K)] of each cell of the stencil."""
        n = self._n = domain.nodes.owned
        self.capacity = domain.stencil.to_nodes(capacity, domain.nodes.local)[:n]
        self.perfusion = domain.stencil.to_nodes(perfusion, domain.nodes.local)[:n]
        self._now = self.perfusion

    def add(self, operator: Matrix, stiffness: Matrix, w0: float, alive: FloatArray) -> None:
        """See `Mass.add`; the off-diagonal entries are shared with the stiffness."""
        self._now = self.perfusion * alive[: self._n]
        operator.diagonal[:] = stiffness.diagonal + w0 * self.capacity + self._now

    def heat(self, u: FloatArray) -> FloatArray:
        """See `Mass.heat`."""
        return self.capacity * u[: self._n]

    def heat_at(self, rows: Rows, u: FloatArray) -> FloatArray:
        """See `Mass.heat_at`."""
        return self.capacity[rows] * u[rows]

    def perfused(self, u: FloatArray) -> FloatArray:
        """See `Mass.perfused`."""
        return self._now * u[: self._n]


class ConsistentMass:
    """Consistent matrices; of W, only the rows affected by a change of `alive` are recomputed."""

    lumped = False

    def __init__(self, domain: Domain, pattern: Pattern, capacity: FloatArray, perfusion: FloatArray) -> None:
        """Assemble from rho c [J/(m3 K)] and omega_b rho_b c_b [W/(m3 K)] of each cell of the stencil."""
        self._domain, self._C, self._W = domain, Matrix(pattern), Matrix(pattern)
        volume, local = domain.stencil.volume / 120.0, domain.nodes.local
        self._q, self._alive = volume * perfusion, np.zeros(local)
        self._recompute(self._C, volume * capacity, np.zeros(local), np.ones(local))
        self.capacity = self._C.times(np.ones(local))

    def _recompute(self, matrix: Matrix, q: FloatArray, old: FloatArray, nodal: FloatArray) -> None:
        """Set it to the integral of N_i N_j with weights q times a nodal field, whose previous value is `old`."""
        cells, touched = self._domain.stencil.cells, np.zeros(len(nodal), dtype=np.int16)
        call("renew_consistent_mass", len(cells), cells, q, old, nodal, touched, *matrix.layout)

    def add(self, operator: Matrix, stiffness: Matrix, w0: float, alive: FloatArray) -> None:
        """See `Mass.add`."""
        if not np.array_equal(alive, self._alive):
            self._recompute(self._W, self._q, self._alive, alive)
            self._alive = alive.copy()
        for name in ("values", "diagonal"):
            K, C, W, out = (getattr(matrix, name) for matrix in (stiffness, self._C, self._W, operator))
            call("weighted_sum", len(out), K, w0, C, W, out)

    def heat(self, u: FloatArray) -> FloatArray:
        """See `Mass.heat`."""
        return self._C.times(u)

    def heat_at(self, rows: Rows, u: FloatArray) -> FloatArray:
        """See `Mass.heat_at`."""
        return self._C.rows_times(rows, u)

    def perfused(self, u: FloatArray) -> FloatArray:
        """See `Mass.perfused`."""
        return self._W.times(u)
