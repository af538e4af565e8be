"""Real Slurm, one node: what is submitted runs, fails, is cancelled, meets its time limit and goes on.

| law                                                                              | allowed               |
|----------------------------------------------------------------------------------|-----------------------|
| a run that meets its time limit is requeued and ends with the unbroken's numbers | 1e-10 on as many ranks |
| a study loses no finished member to a cancel, and no other to one that fails     |                       |

Steps are made slow by sleeping, so that a run outlasts a limit of one minute on any machine.
"""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.compare import apart
from tests.hpc.cluster import cluster, missing
from tests.mpi.launch import rfablate as on_ranks

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing())]

ROOT = Path(__file__).parents[2]
CASE = ROOT / "tests" / "mpi" / "cases" / "axisymmetric.toml"
LONG = ["generator.hold_s=8", "generator.cooldown_s=4"]
SLOW = """
import importlib.abc, importlib.util, os, sys, time

class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "rfablate.run":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            real = module.solve_step
            module.solve_step = lambda *args: (time.sleep(float(os.environ["STEP_S"])), real(*args))[1]

        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Slow())
"""
STUDY = f"""base = "{CASE}"
set = ["generator.ramp_s=2", "generator.hold_s=2"]
[[axes]]
key = "generator.target_degC"
values = [66, 68, 70, 72]
[[axes]]
key = "solver.max_iterations"
values = [2000, 1, 2000, 2000]
[design]
kind = "zip"
"""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of a user on a login node: SLURM_CONF is set, and no trace of this process's own MPI."""
    folder = tmp_path_factory.mktemp("slurm")
    (folder / "slow").mkdir()
    (folder / "slow" / "sitecustomize.py").write_text(SLOW)
    with cluster() as base, pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("OMPI_", "PMIX_", "PMI_", "ORTE_", "SLURM_"))]:
            patch.delenv(name)
        patch.setenv("SLURM_CONF", str(base / "slurm.conf"))
        patch.setenv("PYTHONPATH", str(ROOT))
        for name in ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "OMPI_MCA_mpi_yield_when_idle"):
            patch.setenv(name, "1")
        yield folder


@pytest.fixture(scope="module")
def long_run(work: Path) -> tuple[str, Path]:
    """Job and directory of a run on two ranks that takes longer than its limit; it goes on beside the other tests."""
    site = _site(work, "limit", step_s=0.7, time="00:01:00", warn_s=25)
    said = _rfablate("run", CASE, "-o", work / "long", *_sets(LONG), "--slurm", site, "--ranks", "2", "--nodes", "1")
    return _job(said), work / "long"


def _site(folder: Path, name: str, *, step_s: float = 0.0, **keys: object) -> Path:
    lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    if step_s:
        lines.append(f'setup = ["export STEP_S={step_s} PYTHONPATH={folder / "slow"}:$PYTHONPATH"]')
    file = folder / f"{name}.toml"
    file.write_text("\n".join(lines) + "\n")
    return file


def _sets(keys: list[str]) -> list[str]:
    return [part for key in keys for part in ("--set", key)]


def _rfablate(*arguments: object, code: int = 0) -> str:
    command = [sys.executable, "-m", "rfablate", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=200)
    assert done.returncode == code, done.stdout + done.stderr + _logs(arguments)
    return done.stdout


def _logs(arguments: tuple[object, ...]) -> str:
    """Return what the jobs of a run or a study have said, and what Slurm says of every job."""
    folders = [each for each in arguments if isinstance(each, Path) and each.is_dir()]
    logs = [log for folder in folders for log in (*folder.glob("slurm*.log"), *folder.glob("slurm/*.log"))]
    said = [f"\n--- {log.name}\n{log.read_text()[-3000:]}" for log in logs]
    return "".join([*said, "\n--- jobs\n", _slurm("scontrol", "--oneliner", "show", "job")])


def _job(said: str) -> str:
    found = re.search(r"job (\d+)", said)
    assert found is not None, said
    return found.group(1)


def _slurm(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _about(job: str, key: str) -> str:
    """Return what Slurm says of a job, e.g. its JobState or Restarts."""
    found = re.search(rf"\b{key}=(\S+)", _slurm("scontrol", "show", "job", job))
    assert found is not None
    return found.group(1)


def _wait(true: Callable[[], bool], what: str, seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        _let_start()
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.2)


def _let_start() -> None:
    """Spare requeued jobs most of the two minutes for which Slurm keeps them from starting.

    Not all: slurmd tells a job's earlier start from its later one by the second, and refuses what it takes for a start
    of the job that it has just ended.
    """
    now = datetime.now()  # as Slurm tells times
    for line in _slurm("squeue", "--noheader", "--states=PENDING", "--format=%i %S %r").splitlines():
        job, start, reason = line.split(maxsplit=2)
        known = start != "N/A"  # the scheduler has yet to look at it
        if reason == "BeginTime" and known and datetime.fromisoformat(start) > now + timedelta(seconds=10):
            _slurm("scontrol", "update", f"JobId={job}", "StartTime=now+4seconds")


def _ended(job: str) -> bool:
    return not _slurm("squeue", "--noheader", f"--jobs={job}")


def _steps(folder: Path) -> int:
    history = folder / "history.csv"
    return len(history.read_text().splitlines()) - 1 if history.is_file() else 0


def _at_work(out: Path) -> list[Path]:
    return [each for each in out.glob("members/*") if _steps(each) >= 5 and not (each / "summary.json").exists()]


@pytest.mark.timeout(400)
def test_a_study_survives_a_bad_member_a_requeue_and_a_cancel(work: Path, long_run: object) -> None:
    """Of two tasks one is told that its time is over; then both are cancelled; then what is missing is submitted."""
    out = work / "study"
    (work / "study.toml").write_text(STUDY)
    slow, quick = _site(work, "slow", step_s=0.4, tasks=2), _site(work, "quick", tasks=2)
    array = _job(_rfablate("study", work / "study.toml", "-o", out, "--slurm", slow))
    _wait(lambda: bool(_at_work(out)), "a member at work")
    _slurm("scancel", "--batch", "--signal=USR1", f"{array}_0")
    _wait(lambda: _about(f"{array}_0", "Restarts") == "1", "the task is requeued")
    stopped = [
        each.parent for each in out.glob("members/*/checkpoint.h5") if not (each.parent / "summary.json").exists()
    ]
    assert len(stopped) == 1 and "time limit: job" in (out / "slurm" / "share-0.log").read_text()
    _wait(
        lambda: "resumed at t" in (stopped[0] / "run.log").read_text(),
        "its member goes on",
        30,
    )
    _wait(lambda: bool(list(out.glob("members/*/summary.json"))), "a member is completed")
    _slurm("scancel", array)
    _wait(lambda: _ended(array), "the array is cancelled")
    done = {each: each.stat().st_mtime_ns for each in out.glob("members/*/summary.json")}
    failed = list(out.glob("failed/*"))
    assert 1 <= len(done) < 3 and len(failed) <= 1

    said = _rfablate("study", work / "study.toml", "-o", out, "--slurm", quick, "--follow", code=1)
    assert "ended; members: 3 completed, 1 failed" in said
    assert {each: each.stat().st_mtime_ns for each in done} == done
    reason = json.loads(next(out.glob("failed/*/failure.json")).read_text())["reason"]
    assert "iterations" in reason
    with (out / "table.csv").open() as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["completed", "failed", "completed", "completed"]
    said = _rfablate("study", work / "study.toml", "-o", out, "--slurm", quick)
    assert "nothing to run" in said


@pytest.mark.timeout(400)
def test_a_run_that_may_not_be_requeued_is_submitted_again(work: Path, long_run: object) -> None:
    slow, folder = _site(work, "once", step_s=0.4, requeues=0), work / "once"
    job = _job(_rfablate("run", CASE, "-o", folder, *_sets(["generator.hold_s=2"]), "--slurm", slow))
    _wait(lambda: _steps(folder) >= 5, "the run is at work")
    _slurm("scancel", "--batch", "--signal=USR1", job)
    _wait(lambda: _ended(job), "the job ends")
    assert (_about(job, "JobState"), _about(job, "ExitCode")) == ("FAILED", "6:0")
    assert "submit it again" in (folder / "slurm.log").read_text()
    said = _rfablate("resume", folder, "--slurm", _site(work, "free"), "--ranks", "2", "--follow")
    assert "completed, the end of the treatment" in said
    assert "resumed at t" in (folder / "run.log").read_text()
    assert "nothing left to do" in _rfablate("resume", folder, "--slurm", slow)


def test_what_slurm_refuses_is_told(work: Path) -> None:
    site = _site(work, "nowhere", partition="nowhere")
    command = [sys.executable, "-m", "rfablate", "run", CASE, "-o", work / "refused", "--slurm", site]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 2 and "invalid partition specified" in done.stderr


@pytest.mark.timeout(600)
def test_a_run_that_meets_its_time_limit_ends_like_an_unbroken_one(work: Path, long_run: tuple[str, Path]) -> None:
    job, folder = long_run
    done = on_ranks(2, "run", CASE, "-o", work / "unbroken", *_sets(LONG))
    assert done.code == 0, done.text[-2000:]
    _wait(lambda: _about(job, "JobState") == "COMPLETED", "the run is completed", 240)
    restarts = int(_about(job, "Restarts"))
    assert restarts >= 1
    assert (folder / "slurm.log").read_text().count("goes back into the queue") == restarts
    assert "resumed at t" in (folder / "run.log").read_text()
    worst = apart(work / "unbroken", folder)
    assert max(worst.values()) <= 1e-10, worst
