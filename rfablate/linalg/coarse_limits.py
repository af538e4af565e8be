"""From which sizes the coarse levels of a V-cycle are distributed over the ranks: plain numbers, as measured."""

from __future__ import annotations

from typing import Literal

CoarseLevels = Literal["auto", "replicated", "distributed"]
"""Choice of a case: as measured quicker, on every rank, or distributed."""
Storage = Literal["replicated", "distributed", "petsc"]
"""Of one level: on every rank; distributed with the smoother of the fine level; a matrix of PETSc."""

REPLICATED = 4000
"""Unknowns of a level up to which it is stored on every rank."""
ROWS = 200
"""Mean rows of a rank from which a distributed level is smoothed by the kernels of the fine level."""
PETSC_ROWS = 1000
"""Mean rows of a rank below which a matrix of PETSc is moved to fewer ranks."""


def storage(total: float, ranks: int, how: CoarseLevels = "auto") -> Storage:
    """Return how a level of `total` unknowns is stored."""
    if how == "replicated" or (how == "auto" and (ranks == 1 or total <= REPLICATED)):
        return "replicated"
    return "distributed" if total >= ROWS * ranks else "petsc"


def fewer_ranks(total: float, ranks: int) -> int:
    """Return how many ranks give their rows of a matrix of PETSc to one of them; 1 if each keeps its own."""
    return max(1, ranks // max(1, int(total) // PETSC_ROWS))
