"""Versions of the program and the libraries that it computes with."""

from __future__ import annotations

import platform
from importlib.util import find_spec

from rfablate.mesh._compat import DOLFINX_VERSION
from rfablate.version import __version__


def library_versions() -> dict[str, str]:
    """Return name and version of rfablate, its libraries, Python and the machine."""
    import numpy
    import petsc4py

    versions = {
        "rfablate": __version__,
        "dolfinx": DOLFINX_VERSION,
        "petsc4py": petsc4py.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
    }
    if find_spec("gmsh") is not None:
        import gmsh

        versions["gmsh"] = gmsh.__version__
    return versions
