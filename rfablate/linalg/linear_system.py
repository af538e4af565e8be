"""What a solver of linear systems is given: a right-hand side with its fixed nodes, and the options of a case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from rfablate.arrays import FloatArray
from rfablate.linalg.coarse_limits import CoarseLevels


class Preconditioner(Protocol):
    """An approximate inverse: symmetric, positive definite on free nodes, zero at fixed nodes."""

    def apply(self, r: FloatArray, u: FloatArray) -> float:
        """Write M r at the owned nodes into u; return the contribution of this rank to r . M r. Collective."""


@dataclass(frozen=True)
class LinearSystem:
    """One system A x = b with the current values of a solver's matrix."""

    b: FloatArray | None
    """Right-hand side at the owned nodes; None for zero."""
    inverse: FloatArray
    """Inverse of the diagonal at the owned nodes, zero at fixed nodes."""
    reference: float
    """Square of the energy norm to which the tolerance is relative."""
    add_start: bool = False
    """Add the energy of the initial residual to the reference, for problems driven by fixed values."""


@dataclass(frozen=True)
class SolverOptions:
    """The solver that a case chooses for an equation, its tolerance and its limit."""

    rtol: float
    """Relative tolerance of the solution in energy norm."""
    max_iterations: int
    engine: Literal["native", "petsc"] = "native"
    petsc_options: Mapping[str, str] = field(default_factory=dict)
    """Options of PETSc without their prefix."""
    coarse_levels: CoarseLevels = "auto"
    """Storage of the coarse levels of the native multigrid, see `coarse_choice.py`."""
