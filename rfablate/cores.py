"""The processor cores available to this process, and whether one of them is idle during a run on one rank."""

from __future__ import annotations

import os
from pathlib import Path

LAUNCHED = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMI_RANK", "PMIX_RANK", "MPI_LOCALNRANKS")
"""Variables that mpirun and srun set for their ranks."""
QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""File with the processor time that a container may use in a period [us], and the period [us]."""


def available_cores() -> int:
    """Return the number of cores: the smallest of affinity, container quota and Slurm allocation, at least 1."""
    counts = [len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, _quota()]
    if "SLURM_JOB_ID" in os.environ:
        counts.append(_count("SLURM_CPUS_PER_TASK") or _count("SLURM_CPUS_ON_NODE"))
    return min(count for count in counts if count > 0)


def second_core() -> bool:
    """Return whether a run on one rank leaves a core idle; never for a rank that mpirun or srun started."""
    launched = any(name in os.environ for name in LAUNCHED) or _count("SLURM_STEP_NUM_TASKS") > 1
    return not launched and available_cores() > 1


def _quota() -> int:
    """Return the cores that a container may use, rounded down but at least 1; 0 without a limit."""
    try:
        time, period = QUOTA.read_text(encoding="ascii").split()
        return 0 if time == "max" else max(1, int(time) // int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return 0


def _count(name: str) -> int:
    """Return an environment variable as a number, 0 where it is missing or not a number."""
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else 0
