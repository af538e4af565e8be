"""The solver of each coarse level of a V-cycle, by the size of the level and the number of ranks.

| level | stored |
|---|---|
| few unknowns, or few ranks | on every rank (`replicated_levels.py`) |
| many rows on each rank | distributed, with the smoother of the fine level (`distributed_level.py`) |
| few rows on each rank | a matrix of PETSc, on fewer ranks if it is small (`petsc_levels.py`) |
"""

from __future__ import annotations

from functools import partial

from rfablate.errors import SolveError
from rfablate.linalg.coarse_limits import CoarseLevels, storage
from rfablate.linalg.coarse_system import Coarsening, CoarseSolver, coarse_system
from rfablate.linalg.distributed_level import DistributedLevel
from rfablate.linalg.replicated_levels import ReplicatedLevels


def make_coarse_solver(level: Coarsening, number: int = 1, *, how: CoarseLevels = "auto") -> CoarseSolver:
    """Return the solver of the level below `level`; `number` is that of the new level. Collective.

    Raises:
        SolveError: PETSc is needed and cannot be used.
    """
    kind = storage(level.total, level.nodes.comm.size, how)
    if kind == "replicated":
        return ReplicatedLevels(level, number)
    if kind == "distributed":
        return DistributedLevel(coarse_system(level), number, partial(make_coarse_solver, how=how))
    try:
        from rfablate.linalg.petsc_levels import PetscLevels
    except ImportError as error:
        raise SolveError(
            f"the coarse levels need PETSc, and petsc4py cannot be imported ({error}); install it, or use "
            'solver.coarse_levels = "replicated"'
        ) from None
    return PetscLevels(coarse_system(level))
