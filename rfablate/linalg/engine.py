"""The solver of linear systems that a case selects: conjugate gradients of this package, or PETSc."""

from __future__ import annotations

from typing import Protocol

from rfablate.arrays import FloatArray
from rfablate.errors import SolveError
from rfablate.linalg.conjugate_gradients import ConjugateGradients
from rfablate.linalg.linear_system import LinearSystem, Preconditioner, SolverOptions
from rfablate.linalg.matrix import Matrix
from rfablate.mesh.domain import Nodes


class LinearSolver(Protocol):
    """Solver for one symmetric matrix with changing values; converged within its tolerance, or an error."""

    own_preconditioner: bool
    """Whether the solver has its own preconditioner and ignores the one that is passed to it."""
    iterations: int
    solves: int
    cycles: int
    """Iterations, solves, and iterations with a given preconditioner, since the start of the run."""
    digits: float
    """Powers of ten by which the last solve had to reduce the energy of the error."""

    def solve(self, x: FloatArray, system: LinearSystem, preconditioner: Preconditioner | None = None) -> int:
        """Solve in place; return the number of iterations. See `ConjugateGradients.solve`. Collective."""


def make_solver(nodes: Nodes, matrix: Matrix, what: str, options: SolverOptions) -> LinearSolver:
    """Return the solver of the equation `what`. PETSc is imported only if it is selected. Collective.

    Raises:
        SolveError: PETSc cannot be used here.
    """
    if options.engine == "native":
        return ConjugateGradients(nodes, matrix, what, options)
    try:
        from rfablate.linalg.petsc_solver import PetscSolver
    except ImportError as error:
        raise SolveError(
            f'solver.engine = "petsc": petsc4py cannot be imported ({error}); install it, or use "native"'
        ) from None

    return PetscSolver(nodes, matrix, what, options)
