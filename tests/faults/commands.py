"""Start the command line as a user does, with limits and environments that make it fail."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.environment import clean_environment

ROOT = Path(__file__).parents[2]
CASE = ROOT / "tests" / "mpi" / "cases" / "axisymmetric.toml"
SLOW = ("time.max_step_s=0.01", "time.first_step_s=0.01")
"""Keys with which CASE has thousands of steps."""
LIMITED = """
import resource, sys
from mpi4py import MPI
from rfablate.cli.main import main
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
sys.exit(main())
"""


def begin(
    *arguments: str | Path, file_limit: int | None = None, env: Mapping[str, str] | None = None, cwd: Path = ROOT
) -> subprocess.Popen[str]:
    """Start `rfablate ARGUMENTS`; file_limit: largest size of a file [bytes], as set by `ulimit -f`.

    MPI requires larger files than the case of a test: the limit is set after MPI has started.
    """
    command = ["-m", "rfablate"] if file_limit is None else ["-c", LIMITED.format(limit=file_limit)]
    return subprocess.Popen(
        [sys.executable, *command, *map(str, arguments)],
        cwd=cwd,
        env=clean_environment() | {"PYTHONPATH": str(ROOT)} | dict(env or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )


def rfablate(
    *arguments: str | Path,
    timeout: float = 120.0,
    file_limit: int | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
) -> subprocess.CompletedProcess[str]:
    """Return the result of `rfablate ARGUMENTS`."""
    process = begin(*arguments, file_limit=file_limit, env=env, cwd=cwd)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def sets(*keys: str) -> list[str]:
    """Return keys as arguments of the command line."""
    return [part for key in keys for part in ("--set", key)]


def wait_for(condition: Callable[[], bool], timeout: float = 60.0) -> None:
    """Wait until a condition is true; the test fails after `timeout` [s]."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"not true after {timeout:g} s"
        time.sleep(0.02)


def rows(folder: Path) -> int:
    """Return the number of lines of history.csv that a run has written."""
    file = folder / "history.csv"
    return file.read_bytes().count(b"\n") if file.is_file() else 0
