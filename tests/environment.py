"""The environment that tests start other processes with."""

from __future__ import annotations

import os

LEFT = ("OMPI_", "PMIX_", "PMI_", "ORTE_")
"""What Open MPI calls its variables, those of a running job and those a user sets."""
SET = ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "OMPI_MCA_mpi_yield_when_idle")
"""The user's, whose children need them."""


def clean_environment() -> dict[str, str]:
    """Return the environment of a user who has no MPI running, for `env=` of a child.

    A process that has imported mpi4py has the library's variables in its environment, though not in `os.environ`, and
    one that mpirun has started has the launcher's in both. Children that inherited them would take this process for
    their launcher, and an mpirun among them would end at once with 1 and without a word.
    """
    return {key: value for key, value in os.environ.items() if not key.startswith(LEFT) or key in SET}
