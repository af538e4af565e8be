"""Importing the solver for the command line."""

from __future__ import annotations

import sys
from typing import Any


def import_solver() -> None:
    """Import what a run needs, without PETSc.

    DOLFINx imports petsc4py where it is there, which starts PETSc and MPI: 0.15 s for what a run does not use, and no
    process could be forked any more. A later `import petsc4py` finds it.
    """
    modules: dict[str, Any] = dict(sys.modules)
    hidden = not {"petsc4py", "dolfinx"} & modules.keys()
    if hidden:
        sys.modules["petsc4py"] = None  # type: ignore[assignment]
    try:
        import rfablate.simulation.run  # noqa: F401
    finally:
        if hidden:
            del sys.modules["petsc4py"]
