"""Jobs of the Slurm tests: commands, submission, monitoring, and shortening of Slurm's waiting times.

Steps sleep, so that a run exceeds a limit of one minute on any machine.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from tests.environment import clean_environment

ROOT = Path(__file__).parents[2]
CASE = ROOT / "tests" / "mpi" / "cases" / "axisymmetric.toml"
LONG = ["generator.hold_s=8", "generator.cooldown_s=4"]
SLOW = """
import importlib.abc, importlib.util, os, sys, time

class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "rfablate.solve.loop":
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
set = ["generator.ramp_s=2", "generator.hold_s=2", "output.checkpoint_wall_s=0"]
[[axes]]
key = "generator.target_degC"
values = [66, 68, 70, 72]
[[axes]]
key = "solver.max_iterations"
values = [2000, 1, 2000, 2000]
[design]
kind = "zip"
"""


def site_file(folder: Path, name: str, *, step_s: float = 0.0, **keys: object) -> Path:
    lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    if step_s:
        lines.append(f'setup = ["export STEP_S={step_s} PYTHONPATH={folder / "slow"}:$PYTHONPATH"]')
    file = folder / f"{name}.toml"
    file.write_text("\n".join(lines) + "\n")
    return file


def sets(keys: list[str]) -> list[str]:
    return [part for key in keys for part in ("--set", key)]


def do(*command: object, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a command in an environment without a running MPI job."""
    environment = clean_environment()
    return subprocess.run(
        list(map(str, command)), capture_output=True, text=True, cwd=folder, check=False, timeout=200, env=environment
    )


def rfablate(*arguments: object, code: int = 0) -> str:
    done = do(sys.executable, "-m", "rfablate", *arguments)
    assert done.returncode == code, done.stdout + done.stderr + _logs(arguments)
    return done.stdout


def _logs(arguments: tuple[object, ...]) -> str:
    """Return the logs of the jobs of a run or a study, and Slurm's record of every job."""
    folders = [each for each in arguments if isinstance(each, Path) and each.is_dir()]
    logs = [log for folder in folders for log in (*folder.glob("slurm*.log"), *folder.glob("slurm/*.log"))]
    said = [f"\n--- {log.name}\n{log.read_text()[-3000:]}" for log in logs]
    return "".join([*said, "\n--- jobs\n", _jobs()])


def _jobs() -> str:
    return slurm("scontrol", "--oneliner", "show", "job")


def job_of(said: str) -> str:
    found = re.search(r"job (\d+)", said)
    assert found is not None, said
    return found.group(1)


def slurm(*command: str) -> str:
    done = do(*command)
    assert done.returncode == 0, done.stderr
    return done.stdout


def about(job: str, key: str) -> str:
    """Return a field of Slurm's record of a job, e.g. JobState or Restarts."""
    found = re.search(rf"\b{key}=(\S+)", slurm("scontrol", "show", "job", job))
    assert found is not None
    return found.group(1)


def wait(true: Callable[[], bool], what: str, seconds: float = 150.0, *, log: Path | None = None) -> None:
    """Wait until a condition is true; after the timeout fail with the log of the job."""
    end = time.monotonic() + seconds
    while not true():
        _let_start()
        if time.monotonic() > end:
            said = log.read_text()[-3000:] if log is not None and log.is_file() else ""
            raise AssertionError(f"not within {seconds:g} s: {what}\n{said}\n{_jobs()}")
        time.sleep(0.2)


def _let_start() -> None:
    """Shorten the two minutes for which Slurm delays the start of requeued jobs.

    The delay cannot be zero: slurmd distinguishes two starts of a job by the second, and rejects a start in the second
    in which the job ended.
    """
    now = datetime.now()  # Slurm's time format
    for line in slurm("squeue", "--noheader", "--states=PENDING", "--format=%i %S %r").splitlines():
        job, start, reason = line.split(maxsplit=2)
        known = start != "N/A"  # the scheduler has not processed it yet
        if reason == "BeginTime" and known and datetime.fromisoformat(start) > now + timedelta(seconds=10):
            slurm("scontrol", "update", f"JobId={job}", "StartTime=now+4seconds")


def ended(job: str) -> bool:
    return not slurm("squeue", "--noheader", f"--jobs={job}")


def steps(folder: Path) -> int:
    history = folder / "history.csv"
    return len(history.read_text().splitlines()) - 1 if history.is_file() else 0
