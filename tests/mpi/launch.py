"""Start the command line on several ranks from a test, without leaving a process behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.environment import clean_environment

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Done:
    """Result of a launch."""

    code: int
    text: str
    """Standard output and standard error of all ranks."""

    @property
    def errors(self) -> list[str]:
        """The error lines of rfablate."""
        return [line for line in self.text.splitlines() if line.startswith("error:")]


def begin(ranks: int, arguments: Sequence[str | Path]) -> subprocess.Popen[str]:
    """Start `python ARGUMENTS` on the given number of ranks, in a separate session."""
    if shutil.which("mpirun") is None:
        pytest.skip("no mpirun on the path")
    environment = clean_environment() | {
        "OMP_NUM_THREADS": "1",
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_mpi_yield_when_idle": "1",
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.Popen(
        ["mpirun", "-n", str(ranks), sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )


def launch(ranks: int, arguments: Sequence[str | Path], *, timeout: float = 120.0) -> Done:
    """Return the result of `python ARGUMENTS` on the given number of ranks; fail after `timeout` [s]."""
    process = begin(ranks, arguments)
    try:
        text, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        text, _ = process.communicate()
        command = " ".join(map(str, arguments))
        pytest.fail(f"{command} on {ranks} ranks hangs: still running after {timeout:g} s\n{text[-2000:]}")
    return Done(process.returncode, text)


def rfablate(ranks: int, *arguments: str | Path, timeout: float = 120.0) -> Done:
    """Return the result of `rfablate ARGUMENTS` on the given number of ranks."""
    return launch(ranks, ["-m", "rfablate", *arguments], timeout=timeout)
