"""Compiles and preloads counts.c and reads its counters. The measured program is not changed."""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt

SOURCE = Path(__file__).with_name("counts.c")
KINDS = ("exchange", "allreduce", "gather", "persistent", "point", "other")
"""Ghost exchanges, MPI_Allreduce, MPI_Allgatherv, persistent sends (PETSc), other point-to-point messages, other
collectives; as in counts.c."""
PARTS = ("calls", "messages", "bytes")


def library(folder: Path) -> Path:
    """Return the counter library; it is compiled with `mpicc` if it is missing or older than its source."""
    path = folder.resolve() / "counts.so"
    if not path.is_file() or path.stat().st_mtime < SOURCE.stat().st_mtime:
        path.parent.mkdir(parents=True, exist_ok=True)
        command = [os.environ.get("MPICC", "mpicc"), "-O1", "-Wall", "-shared", "-fPIC", "-o", str(path), str(SOURCE)]
        subprocess.run(command, check=True)
    return path


def read() -> npt.NDArray[np.float64] | None:
    """Return this process's counters, shape (kinds, parts), or None if counts.c is not preloaded."""
    try:
        function = ctypes.CDLL(None).scaling_counts
    except AttributeError:
        return None
    out = np.zeros((len(KINDS), len(PARTS)))
    function(out.ctypes.data_as(ctypes.c_void_p))
    return out
