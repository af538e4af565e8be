"""Versions of the program and the libraries that it computes with."""

from __future__ import annotations

import hashlib
import platform
from importlib.util import find_spec
from pathlib import Path

from rfablate.version import __version__

CODE = (".c", ".h", ".py", ".toml")
"""Endings of the files of the package that decide its numbers."""


def library_versions() -> dict[str, str]:
    """Return name and version of rfablate, its libraries, Python and the machine, and the hash of rfablate's code."""
    import numpy
    import petsc4py

    from rfablate.mesh._compat import DOLFINX_VERSION

    versions = {
        "rfablate": __version__,
        "dolfinx": DOLFINX_VERSION,
        "petsc4py": petsc4py.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
        "machine": machine(),
        "code": code_hash(),
    }
    if find_spec("gmsh") is not None:
        import gmsh

        versions["gmsh"] = gmsh.__version__
    return versions


def versions_without_solver() -> dict[str, str]:
    """Return the versions that are known where the solver is not installed."""
    return {
        "rfablate": __version__,
        "python": platform.python_version(),
        "machine": machine(),
        "code": code_hash(),
    }


def machine() -> str:
    """Return operating system and processor architecture."""
    return f"{platform.system()} {platform.machine()}"


def code_hash() -> str:
    """Return the first 16 digits of the SHA-256 of the package's code and tables, by relative path and content."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for file in sorted(each for each in package.rglob("*") if each.suffix in CODE):
        digest.update(f"{file.relative_to(package).as_posix()}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]
