"""A live run is protected: `resume` and `run --overwrite` in its directory are rejected.

| law                                                         | allowed                                  |
|-------------------------------------------------------------|------------------------------------------|
| resume, run --overwrite on a live run                       | exit 2 within 15 s, host and process named |
| the live run afterwards                                     | completes, every frame and history row   |
| resume after kill -9                                        | at once, completes                       |
| two runs started into one new directory at the same moment  | one runs, the other ends with 2          |
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from rfablate.results.fields_reader import FieldsReader
from tests.faults.commands import CASE, SLOW, begin, rfablate, rows, sets, wait_for

FRAMES = 11
"""Number of frames of a complete run: the start and ten more."""
KEYS = sets("generator.ramp_s=1", "generator.hold_s=2", *SLOW)


@pytest.mark.parametrize("verb", ["resume", "run"])
def test_a_live_run_is_refused_and_not_disturbed(tmp_path: Path, verb: str) -> None:
    folder = tmp_path / "run"
    live = begin("run", CASE, "-o", folder, *KEYS)
    try:
        wait_for(lambda: rows(folder) > 20)
        live.send_signal(signal.SIGSTOP)  # it still runs, and does not end before the second begins
        arguments = ["resume", folder] if verb == "resume" else ["run", CASE, "-o", folder, "--overwrite"]
        second = rfablate(*arguments, timeout=15)
        live.send_signal(signal.SIGCONT)
        assert second.returncode == 2, second.stderr
        assert f"process {live.pid} on {socket.gethostname()}" in second.stderr
        _, errors = live.communicate(timeout=120)
    finally:
        live.kill()
    assert live.returncode == 0, errors
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["status"] == "completed"
    with FieldsReader(folder / "fields.vtkhdf") as fields:
        assert len(fields.times_s) == FRAMES
    assert rows(folder) == summary["numerics"]["steps"] + 2  # the header and the start
    assert not (folder / ".run.lock").exists()


def test_a_killed_run_leaves_no_lock(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    live = begin("run", CASE, "-o", folder, *KEYS, *sets("output.checkpoint_every_s=0.2"))
    wait_for(lambda: (folder / "checkpoint.h5").is_file())
    live.kill()
    live.wait()
    assert (folder / ".run.lock").is_file()  # it has the number of a process that has ended
    done = rfablate("resume", folder)
    assert done.returncode == 0, done.stderr
    assert json.loads((folder / "summary.json").read_text())["provenance"]["resumed"]


@pytest.mark.parametrize("trials", [1, pytest.param(5, marks=pytest.mark.faults)])
def test_of_two_runs_into_one_directory_one_runs(tmp_path: Path, trials: int) -> None:
    for trial in range(trials):
        folder = tmp_path / f"{trial}"
        both = [begin("run", CASE, "-o", folder, "--set", "generator.hold_s=2") for _ in range(2)]
        said = [process.communicate(timeout=120)[1] for process in both]
        assert sorted(process.returncode for process in both) == [0, 2], said
        assert json.loads((folder / "summary.json").read_text())["status"] == "completed"


@pytest.mark.faults
def test_a_run_is_held_on_every_number_of_ranks(tmp_path: Path) -> None:
    """Rank 0 has the lock; all ranks of the second run end with the error."""
    from tests.mpi.launch import begin as begin_ranks
    from tests.mpi.launch import rfablate as ranks_rfablate

    folder = tmp_path / "run"
    live = begin_ranks(2, ["-m", "rfablate", "run", CASE, "-o", folder, *KEYS])
    try:
        wait_for(lambda: rows(folder) > 5)
        second = ranks_rfablate(2, "resume", folder, timeout=30)
        assert second.code == 2 and len(second.errors) == 1, second.text
    finally:
        os.killpg(live.pid, signal.SIGKILL)
        live.communicate()
    wait_for(lambda: subprocess.run(["flock", "-n", folder / ".run.lock", "true"], check=False).returncode == 0)
