"""Killed or signalled runs resume on any number of ranks.

| law                                                                        | allowed                     |
|----------------------------------------------------------------------------|-----------------------------|
| a run killed with -9 and resumed ends with the numbers of the unbroken run | 1e-10 on as many ranks      |
| the same on another number of ranks                                        | 1e-6, rank independence     |
| a signal to any one rank                                                   | a checkpoint of all, no hang |
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from rfablate.results.checkpoint import read_checkpoint
from tests.compare import apart
from tests.mpi.launch import Done, begin, launch, rfablate

CASES = Path(__file__).parent / "cases"
SAME, OTHER = 1e-10, 1e-6
LONG = 280.0
"""Wall time of a run on a busy machine [s]."""
TRIALS = 50
"""Trials of a run killed at a random time; four of them in `make test`."""
KEYS = {
    "axisymmetric": ("generator.hold_s=8", "generator.cooldown_s=4"),
    "structures": ("generator.hold_s=6",),
    "distributed": ("generator.hold_s=8", "generator.cooldown_s=4", "solver.coarse_levels=distributed"),
}
FILES = {"distributed": "axisymmetric"}
"""Case files of keys with another name."""
OFTEN = ("output.checkpoint_every_s=0.5",)

STOPPED = """
import os, signal, sys
import rfablate.solve.loop
from mpi4py import MPI
from rfablate.cli.main import main

real, calls = rfablate.solve.loop.solve_step, 0

def signalled(*args):
    global calls
    calls += 1
    if MPI.COMM_WORLD.rank == {rank} and calls == {at}:
        os.kill(os.getpid(), signal.{name})
    return real(*args)

rfablate.solve.loop.solve_step = signalled
sys.exit(main())
"""

Unbroken = Callable[[str, int], Path]


def _arguments(name: str, folder: Path, *keys: str) -> list[str | Path]:
    sets = [part for key in (*KEYS[name], *keys) for part in ("--set", key)]
    return ["run", CASES / f"{FILES.get(name, name)}.toml", "-o", folder, *sets]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Unbroken:
    """Return the directory of an uninterrupted run of a case on some ranks, created at the first call."""
    folder = tmp_path_factory.mktemp("unbroken")

    @cache
    def made(name: str, ranks: int) -> Path:
        done = rfablate(ranks, *_arguments(name, folder / f"{name}-{ranks}"), "--overwrite", timeout=LONG)
        assert done.code == 0, done.text[-2000:]
        return folder / f"{name}-{ranks}"

    return made


def _stopped(folder: Path, name: str, *, rank: int, at: int, signal_name: str) -> Done:
    """Run a case on 2 ranks; one rank sends itself a signal during a step."""
    script = folder.with_suffix(".py")
    script.write_text(STOPPED.format(rank=rank, at=at, name=signal_name))
    return launch(2, [script, *_arguments(name, folder, *OFTEN)])


def _resume(ranks: int, folder: Path) -> None:
    done = rfablate(ranks, "resume", folder, timeout=LONG)
    assert done.code == 0, done.text[-2000:]


@pytest.mark.parametrize(
    ("name", "ranks"),
    [
        ("axisymmetric", 1),
        ("axisymmetric", 2),
        ("axisymmetric", 3),
        ("structures", 2),
        ("structures", 3),
        ("distributed", 2),
        ("distributed", 3),
    ],
)
def test_a_run_killed_on_2_ranks_goes_on_on_any(unbroken: Unbroken, tmp_path: Path, name: str, ranks: int) -> None:
    folder = tmp_path / "run"
    done = _stopped(folder, name, rank=1, at=30, signal_name="SIGKILL")
    assert done.code != 0 and not (folder / "summary.json").exists()
    assert read_checkpoint(folder / "checkpoint.h5").memory["state"]["t"] > 1.0
    _resume(ranks, folder)
    worst = apart(unbroken(name, 2), folder, same_ranks=ranks == 2)
    assert max(worst.values()) <= (SAME if ranks == 2 else OTHER), worst


@pytest.mark.parametrize(("rank", "signal_name"), [(0, "SIGTERM"), (1, "SIGTERM"), (1, "SIGUSR2")])
def test_a_rank_told_to_stop_stops_all_with_a_checkpoint(
    unbroken: Unbroken, tmp_path: Path, rank: int, signal_name: str
) -> None:
    folder = tmp_path / "run"
    done = _stopped(folder, "axisymmetric", rank=rank, at=21, signal_name=signal_name)
    assert done.code == 6
    assert len(done.errors) == 1 and f"`rfablate resume {folder}`" in done.errors[0]
    assert "Traceback" not in done.text and not (folder / "summary.json").exists()
    _resume(2, folder)
    assert "resumed at t =" in (folder / "run.log").read_text()
    assert max(apart(unbroken("axisymmetric", 2), folder).values()) <= SAME


def test_a_rank_asked_for_a_checkpoint_writes_one_with_all_and_goes_on(unbroken: Unbroken, tmp_path: Path) -> None:
    script, folder = tmp_path / "ask.py", tmp_path / "run"
    script.write_text(STOPPED.format(rank=1, at=21, name="SIGUSR1"))
    done = launch(2, [script, *_arguments("axisymmetric", folder)])
    assert done.code == 0, done.text[-2000:]
    told = [line for line in (folder / "run.log").read_text().splitlines() if "checkpoint at t =" in line]
    assert len(told) == 2  # the requested checkpoint, and the final one
    assert max(apart(unbroken("axisymmetric", 2), folder).values()) <= SAME


def test_a_finished_run_has_nothing_left_to_do(unbroken: Unbroken) -> None:
    folder = unbroken("axisymmetric", 2)
    before = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    done = rfablate(2, "resume", folder)
    assert done.code == 0 and "has already ended: completed" in done.text
    assert {file.name: file.stat().st_mtime_ns for file in folder.iterdir()} == before


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    done = rfablate(2, "resume", tmp_path)
    assert done.code == 2 and len(done.errors) == 1 and "no case.toml" in done.text
    assert list(tmp_path.iterdir()) == []


# --- the real command, killed at random times -----------------------------------------------------


def descendants(pid: int) -> list[int]:
    """Return the processes that a process has started, and theirs."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found += [int(stat.parent.name), *descendants(int(stat.parent.name))]
    return found


@pytest.mark.parametrize(
    "number", [*range(4), *(pytest.param(number, marks=pytest.mark.faults) for number in range(4, TRIALS))]
)
def test_the_command_killed_at_any_time_goes_on(unbroken: Unbroken, tmp_path: Path, number: int) -> None:
    """Every second time on a different rank count; at all stages of the run, including output.

    In every third trial on 2 ranks only one rank is killed; mpirun ends the other.
    """
    name = ("axisymmetric", "structures")[number // 2 % 2]
    ranks = (1, 2)[number // 4 % 2]
    then = ranks if number % 2 == 0 else random.Random(number).choice([n for n in (1, 2, 3) if n != ranks])
    timing = json.loads((unbroken(name, ranks) / "summary.json").read_text())["timing_s"]
    whole = timing["total"] - timing["imports"]
    folder = tmp_path / "run"
    process = begin(ranks, ["-m", "rfablate", *_arguments(name, folder, "output.checkpoint_every_s=0.1")])
    while not (folder / "case.toml").is_file():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    time.sleep(random.Random(100 + number).uniform(0.0, whole))
    everyone = [*descendants(process.pid), process.pid]
    for pid in everyone[:1] if ranks == 2 and number % 3 == 0 else everyone:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.communicate(timeout=60)
    _resume(then, folder)
    worst = apart(unbroken(name, ranks), folder, same_ranks=then == ranks)
    text = (folder / "run.log").read_text()
    print(
        name, ranks, then, [line.split("  ")[-1] for line in text.splitlines() if "resumed" in line or "anew" in line]
    )
    assert max(worst.values()) <= (SAME if then == ranks else OTHER), worst
