"""The solver of linear systems that a case selects: conjugate gradients of this package, or PETSc."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from rfablate.arrays import FloatArray
from rfablate.errors import SolveError
from rfablate.linalg.conjugate_gradients import ConjugateGradients, Preconditioner
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

    def solve(
        self,
        x: FloatArray,
        b: FloatArray | None,
        inverse: FloatArray,
        reference: float,
        preconditioner: Preconditioner | None = None,
        *,
        add_start: bool = False,
    ) -> int:
        """Solve in place; return the number of iterations. See `ConjugateGradients.solve`. Collective."""


@dataclass(frozen=True)
class Engine:
    """Choice of the solver of a run."""

    name: Literal["native", "petsc"] = "native"
    options: Mapping[str, str] = field(default_factory=dict)
    """Options of PETSc without their prefix."""

    def solver(self, nodes: Nodes, matrix: Matrix, *, what: str, rtol: float, max_iterations: int) -> LinearSolver:
        """Return a solver; arguments as in `ConjugateGradients`. PETSc is imported only if it is selected. Collective.

        Raises:
            SolveError: PETSc cannot be used here.
        """
        if self.name == "native":
            return ConjugateGradients(nodes, matrix, what=what, rtol=rtol, max_iterations=max_iterations)
        try:
            from rfablate.linalg.petsc_solver import PetscSolver
        except ImportError as error:
            raise SolveError(
                f'solver.engine = "petsc": petsc4py cannot be imported ({error}); install it, or use "native"'
            ) from None

        return PetscSolver(nodes, matrix, what=what, rtol=rtol, max_iterations=max_iterations, options=self.options)


NATIVE = Engine()
