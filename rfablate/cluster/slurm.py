"""Slurm: what a site wants to be told, scripts that outlive their time limit, and what becomes of a job.

Ahead of the time limit Slurm sends the script SIGUSR1. It passes SIGUSR2 on, which mpirun and srun hand to the ranks;
the run writes its checkpoint and ends, and the script puts the job back into the queue, where it goes on from there.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import Field, ValidationError

from rfablate.case.messages.validation_faults import faults_of
from rfablate.case.tables.base import Table
from rfablate.case.tables.user_file import parse_toml, read_user_file
from rfablate.errors import CaseError, Fault

POLL_S = 10.0
"""Time between two looks at the queue [s]."""
GUARDED = """near= code=0
trap 'near=yes; kill -USR2 "$child"' USR1
{command} &
child=$!
while wait "$child"; code=$?; [ "$code" -gt 128 ] && kill -0 "$child" 2>/dev/null; do :; done
case $code in 0 | 5) near= ;; esac
[ -n "$near" ] || exit "$code"
job=${{SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}}${{SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}}
if [ "${{SLURM_RESTART_COUNT:-0}}" -ge {requeues} ]; then
  echo "time limit: was requeued {requeues} times, which the site file allows; submit it again to go on"
  exit "$code"
fi
echo "time limit: job $job goes back into the queue"
scontrol requeue "$job"
"""
"""Runs a command that SIGUSR2 stops with a checkpoint, and requeues the job for the rest of it."""


class Site(Table):
    """What a cluster wants to be told; keys as in `sbatch`."""

    partition: str | None = None
    account: str | None = None
    time: str = "01:00:00"
    """Time limit of a job, or of a task of an array."""
    mem_per_cpu: str | None = None
    launcher: str = "mpirun -n {ranks}"
    """What starts several ranks inside an allocation."""
    warn_s: int = Field(default=90, ge=1, le=65535)
    """Time before the limit at which a run is told to write its checkpoint and end [s]; Slurm may be a minute early."""
    requeues: int = Field(default=20, ge=0)
    """How often a job goes back into the queue at its time limit."""
    tasks: int = Field(default=100, ge=1)
    """Tasks of an array at most; each takes its share of the members."""
    at_once: int | None = Field(default=None, ge=1)
    """Tasks that run at once at most."""
    options: tuple[str, ...] = ()
    """Further `#SBATCH` options, each as it is written there."""
    setup: tuple[str, ...] = ()
    """Lines of the shell before rfablate starts: modules, environments."""


def load_site(file: Path) -> Site:
    """Return the site in a TOML file.

    Raises:
        CaseError: it cannot be read or has faults.
    """
    try:
        data = parse_toml(read_user_file(file).decode("utf-8"))
    except (OSError, ValueError) as error:
        raise CaseError([Fault(str(file), str(error), "a readable site file (.toml)")], str(file)) from None
    try:
        return Site.model_validate(data)
    except ValidationError as error:
        raise CaseError(faults_of(error, data, file=Site), str(file)) from None


def launched(launcher: str, ranks: int, command: Sequence[str]) -> list[str]:
    """Return the command on so many ranks."""
    return [*(shlex.split(launcher.replace("{ranks}", str(ranks))) if ranks > 1 else ()), *command]


def script(name: str, site: Site, head: Sequence[str], body: str) -> str:
    """Return a batch script: the site's options, those in `head`, and what it does."""
    given = {"partition": site.partition, "account": site.account, "time": site.time, "mem-per-cpu": site.mem_per_cpu}
    options = [
        f"--job-name={name}",
        *(f"--{key}={value}" for key, value in given.items() if value),
        *head,
        *site.options,
    ]
    lines = [
        "#!/bin/bash",
        *(f"#SBATCH {option}" for option in options),
        "export OMP_NUM_THREADS=1",
        *site.setup,
        body,
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def guard(site: Site) -> list[str]:
    """Return the options of a job whose body is `guarded`."""
    return ["--requeue", "--open-mode=append", f"--signal=B:USR1@{site.warn_s}"]


def guarded(command: str, site: Site) -> str:
    """Return the lines that run a command of the shell and requeue the job where it meets its time limit."""
    return GUARDED.format(command=command, requeues=site.requeues)


def sbatch(arguments: Sequence[str]) -> str:
    """Submit a script and return the job's number.

    Raises:
        CaseError: sbatch is missing or refuses it; says why.
    """
    try:
        done = subprocess.run(["sbatch", "--parsable", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        fault = Fault("--slurm", "no sbatch here", "a login node of a Slurm cluster")
        raise CaseError([fault], "slurm") from None
    if done.returncode != 0:
        raise CaseError(
            [Fault("sbatch", done.stderr.strip() or "refused", "a job it takes", "mend the site file")], "slurm"
        )
    return done.stdout.strip().partition(";")[0]


def follow(jobs: Sequence[str], progress: Callable[[], str]) -> None:
    """Print the jobs' states, with what `progress` says, whenever they change, until none is left in the queue."""
    shown = ""
    while True:
        states = _states(jobs)
        line = ", ".join(f"{number} {state.lower()}" for state, number in sorted(states.items())) or "ended"
        line = f"jobs: {line}; {progress()}"
        if line != shown:
            print(f"{time.strftime('%H:%M:%S')}  {line}", flush=True)
        shown = line
        if not states:
            return
        time.sleep(POLL_S)


def _states(jobs: Sequence[str]) -> Counter[str]:
    """Return how many jobs are in each state; of a queue that does not answer, that it is so."""
    asked = ["squeue", "--noheader", "--array", f"--jobs={','.join(jobs)}", "--format=%T"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode == 0 or "Invalid job id" in done.stderr:
        return Counter(done.stdout.split())
    return Counter(["QUEUE_DOES_NOT_ANSWER"])


def submit_run(directory: Path, site: Site, ranks: int, nodes: int | None) -> str:
    """Write the script into a run directory that holds its case.toml, submit it and return the job's number.

    Raises:
        CaseError: sbatch is missing or refuses it; says why.
    """
    file = directory / "slurm.sh"
    file.write_text(run_script(directory.resolve(), site, ranks, nodes), encoding="utf-8")
    return sbatch([str(file)])


def run_script(directory: Path, site: Site, ranks: int, nodes: int | None) -> str:
    """Return the job of one run: begun, or resumed where a checkpoint is there."""
    head = [f"--ntasks={ranks}", *([f"--nodes={nodes}"] if nodes else []), f"--output={directory}/slurm.log"]
    command = shlex.join(launched(site.launcher, ranks, [sys.executable, "-m", "rfablate"]))
    lines = [
        f"run={shlex.quote(str(directory))}",
        'verb=(run "$run/case.toml" -o "$run" --overwrite)',
        'if compgen -G "$run/checkpoint*.h5" >/dev/null; then verb=(resume "$run"); fi',
        guarded(f'{command} "${{verb[@]}}"', site),
    ]
    return script("rfablate", site, [*head, *guard(site)], "\n".join(lines))
