"""Importing the solver for the command line."""

from __future__ import annotations

import sys
from typing import Any


def import_solver() -> None:
    """Import the solver without PETSc.

    DOLFINx imports petsc4py if it is installed, which initialises PETSc and MPI. This takes 0.15 s and prevents
    forking; runs with the native solver do not use PETSc. A later `import petsc4py` works.
    """
    modules: dict[str, Any] = dict(sys.modules)
    hidden = not {"petsc4py", "dolfinx"} & modules.keys()
    if hidden:
        sys.modules["petsc4py"] = None  # type: ignore[assignment]
    arguments, sys.argv = sys.argv, sys.argv[:1]  # DOLFINx reads them for its log, and fails on some file names
    try:
        import rfablate.simulation.run  # noqa: F401
    finally:
        sys.argv = arguments
        if hidden:
            del sys.modules["petsc4py"]
