"""A distributed coarse level whose approximate inverse is algebraic multigrid of PETSc.

The preconditioner is symmetric: equal Chebyshev polynomials before and after the correction of each level. Its
interpolation depends on K only, as that of `multigrid.py`, so a hierarchy can be rebuilt from a checkpoint; for a new
w0 the matrices of its levels are computed again. Levels with few rows a rank move to fewer ranks (telescope).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from petsc4py import PETSc

from rfablate.arrays import FloatArray
from rfablate.errors import SolveError
from rfablate.linalg.aggregation import inverse_root
from rfablate.linalg.coarse_limits import Storage, fewer_ranks
from rfablate.linalg.coarse_system import CoarseSystem, joined_pattern
from rfablate.linalg.smoother import SingleArray
from rfablate.mesh.domain import ADD

PREFIX = "rfablate_coarse_"
ROUNDING = 1e-7
"""Relative addition to the diagonal: without fixed nodes and with w0 = 0 the matrix is singular."""
GAMG = {
    "pc_type": "gamg",
    "pc_gamg_reuse_interpolation": "true",
    "pc_gamg_threshold": "0.01",
    "pc_gamg_process_eq_limit": "500",
    "pc_gamg_coarse_eq_limit": "150",
    "mg_levels_ksp_type": "chebyshev",
    "mg_levels_ksp_max_it": "2",
    "mg_levels_pc_type": "jacobi",
}
"""Options of the preconditioner."""


class PetscLevels:
    """The level of a coarse system, solved approximately by PETSc."""

    def __init__(self, system: CoarseSystem) -> None:
        """Set up for K. Collective.

        Raises:
            SolveError: PETSc failed, or was built for complex numbers.
        """
        if np.dtype(PETSc.ScalarType).kind == "c":
            raise SolveError(
                "found a PETSc built for complex numbers; expected real numbers for the coarse levels; use "
                'solver.coarse_levels = "replicated"'
            )
        nodes = self._nodes = system.nodes
        self.P, self.sizes = system.P, [nodes.total]
        self.storage: list[Storage] = ["petsc"]
        vector = self._vector = nodes.vector(np.float32)
        self.b: SingleArray = vector.array
        both, stiffness, mass = joined_pattern(system.stiffness, system.mass, 1.0)
        rows = np.repeat(np.arange(nodes.owned), np.diff(both.indptr))
        there = nodes.global_index[both.indices]
        order = np.lexsort((there, rows))
        self._indptr, self._columns = both.indptr.astype(PETSc.IntType), there[order].astype(PETSc.IntType)
        self._stiffness, self._mass = stiffness[order], mass[order]
        self._on_diagonal = np.flatnonzero(both.indices[order] == rows)
        self._root = np.zeros(nodes.local)
        self._w0 = np.nan
        self._make()
        self.weigh(0.0)

    def _make(self) -> None:
        nodes = self._nodes
        size = (nodes.owned, nodes.total)
        csr = (self._indptr, self._columns, self._stiffness)
        self._A: Any = PETSc.Mat().createAIJ((size, size), csr=csr, comm=nodes.comm)
        self._A.setOption(PETSc.Mat.Option.SPD, flag=True)
        self._r, self._d = self._A.createVecs()
        fewer = fewer_ranks(nodes.total, nodes.comm.size)
        options = GAMG if fewer < 2 else _telescope(fewer)
        database = PETSc.Options(PREFIX)
        for key, value in options.items():
            database.setValue(key, value)
        self._pc: Any = PETSc.PC().create(nodes.comm)
        self._pc.setOptionsPrefix(PREFIX)
        self._pc.setOperators(self._A)
        self._pc.setFromOptions()

    def weigh(self, w0: float) -> FloatArray:
        """See `CoarseSolver.weigh`."""
        if w0 == self._w0:
            return self._root
        self._w0 = w0
        data = self._stiffness + w0 * self._mass
        diagonal = data[self._on_diagonal]
        self._root[: self._nodes.owned] = inverse_root(diagonal)
        self._nodes.update_ghosts(self._root)
        data[self._on_diagonal] = np.where(diagonal > 0.0, (1.0 + ROUNDING) * diagonal, 1.0)
        try:
            self._A.setValuesCSR(self._indptr, self._columns, data)
            self._A.assemble()
            self._pc.setOperators(self._A)
            self._pc.setUp()
        except PETSc.Error as error:
            cause = str(error).strip().splitlines()[-1]
            raise SolveError(
                f"PETSc failed on a coarse level of {self._nodes.total} unknowns: {cause}; try "
                'solver.coarse_levels = "replicated"'
            ) from None
        return self._root

    def solve(self) -> SingleArray:
        """See `CoarseSolver.solve`."""
        owned = self._nodes.owned
        root = self._root[:owned]
        self._vector.scatter_reverse(ADD)
        self._r.setArray(np.divide(self.b[:owned], root, out=np.zeros(owned), where=root > 0.0))
        self._pc.apply(self._r, self._d)
        x = self._d.getArray(readonly=True)
        self.b[:owned] = np.divide(x, root, out=np.zeros(owned), where=root > 0.0)
        self._vector.scatter_forward()
        return self.b


def _telescope(fewer: int) -> dict[str, str]:
    """Return the options that move the matrix to one of `fewer` ranks."""
    inner = {f"telescope_{key}": value for key, value in GAMG.items()}
    moved = {"pc_type": "telescope", "pc_telescope_reduction_factor": str(fewer), "telescope_ksp_type": "preonly"}
    return {**moved, **inner}
