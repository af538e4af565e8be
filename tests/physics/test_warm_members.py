"""Members forked from a process that has imported the solver are independent processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="members are forked on Linux only")

PRELUDE = """
import os, signal, sys, time
from pathlib import Path
from rfablate.cli.warm_members import Fork, start_warm
place = Path(sys.argv[1])
lock = os.open(place / "lock", os.O_RDWR | os.O_CREAT)
other = os.open(place / "other", os.O_RDWR | os.O_CREAT)
def begin(main):
    job = start_warm(main, 1)(place, lock)
    assert isinstance(job, Fork)
    return job
"""


def _run(code: str, place: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + code, str(place)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_a_member_starts_mpi_itself_and_has_its_own_console_and_exit_code(tmp_path: Path) -> None:
    code = """
def main(arguments):
    from mpi4py import MPI
    assert MPI.Is_initialized() and MPI.COMM_WORLD.size == 1
    assert "rfablate.simulation.run" in sys.modules and "petsc4py" not in sys.modules
    files = [Path("/proc/self/fd") / number for number in os.listdir("/proc/self/fd")]
    held = {os.readlink(file) for file in files if file.exists()}
    assert str(place / "lock") in held and str(place / "other") not in held, held
    print(*arguments)
    return 5
assert begin(main).wait(60) == 5
from mpi4py import MPI
assert not MPI.Is_initialized()
os.fstat(other)
"""
    _run(code, tmp_path)
    said = (tmp_path / "console.txt").read_text()
    assert said == f"run {tmp_path}/case.toml -o {tmp_path} --overwrite --quiet --one-process\n"


def test_a_member_that_dies_takes_nobody_with_it(tmp_path: Path) -> None:
    code = """
assert begin(lambda arguments: os.abort()).wait(60) == -signal.SIGABRT
assert begin(lambda arguments: 1 / 0).wait(60) == 1
job = begin(lambda arguments: time.sleep(60))
job.kill()
assert job.wait(60) == -signal.SIGKILL
assert begin(lambda arguments: 0).wait(60) == 0
"""
    _run(code, tmp_path)


def test_a_member_that_is_told_to_end_before_its_first_step_is_interrupted(tmp_path: Path) -> None:
    code = """
from rfablate.signals import install_handlers
install_handlers()
def main(arguments):
    (place / "begun").touch()
    time.sleep(60)
job = begin(main)
while not (place / "begun").exists():
    time.sleep(0.01)
job.send_signal(signal.SIGUSR2)
assert job.wait(30) == 6
"""
    _run(code, tmp_path)
