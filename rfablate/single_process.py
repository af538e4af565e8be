"""The environment of MPI in a process that no launcher has started. Call it before MPI starts."""

from __future__ import annotations

import os

from rfablate.cores import LAUNCHED

SETTINGS = {"OMPI_MCA_ess_singleton_isolated": "1", "OMPI_MCA_orte_create_session_dirs": "0"}
"""Settings of Open MPI 4; other versions ignore them."""


def prepare_single_process() -> None:
    """Set the variables of Open MPI 4 for one rank: it starts no daemon and makes no session folder in TMPDIR.

    The session folders of all processes of a user are in one folder of TMPDIR, which the process that leaves it empty
    removes. A process that starts at this moment cannot make its own and ends with an error in MPI_Init: so failed one
    member of eight studies that were started at once. One rank needs no session folder, and a killed one would leave it
    behind. Variables that the user has set are kept.
    """
    for name, value in SETTINGS.items():
        if name.endswith("isolated") or not any(launched in os.environ for launched in LAUNCHED):
            os.environ.setdefault(name, value)
