"""The environment of child processes started by tests."""

from __future__ import annotations

import os

LEFT = ("OMPI_", "PMIX_", "PMI_", "ORTE_")
"""Prefixes of the variables of Open MPI, both of a running job and set by the user."""
SET = ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "OMPI_MCA_mpi_yield_when_idle")
"""Variables set by the user that child processes need."""


def clean_environment() -> dict[str, str]:
    """Return the environment without a running MPI job, for `env=` of a child process.

    Importing mpi4py adds variables of the MPI library to the environment of the process, but not to `os.environ`. Under
    mpirun both contain the variables of the launcher. A child process that inherits them treats this process as its
    launcher; an mpirun then exits immediately with code 1 and without a message.
    """
    return {key: value for key, value in os.environ.items() if not key.startswith(LEFT) or key in SET}
