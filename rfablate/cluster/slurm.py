"""Slurm: site options, batch scripts that requeue a job at its time limit, and job states.

Before the time limit Slurm sends SIGUSR1 to the script. The script sends SIGUSR2 to its command, and mpirun and srun
forward it to the ranks. The run writes a checkpoint and ends. The script then requeues the job, which resumes from the
checkpoint.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pydantic import Field, ValidationError

from rfablate.case.messages.validation_faults import faults_of
from rfablate.case.tables.base import Table
from rfablate.case.tables.user_file import parse_toml, read_user_file
from rfablate.errors import CaseError, Fault

POLL_S = 10.0
"""Time between two queries of the queue [s]."""
GUARDED = """near= code=0
trap 'near=yes; kill -USR2 "$child"' USR1
{command} &
child=$!
while wait "$child"; code=$?; [ "$code" -gt 128 ] && kill -0 "$child" 2>/dev/null; do :; done
case $code in 0 | 5) near= ;; esac
[ -n "$near" ] || exit "$code"
job=${{SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}}${{SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}}
if [ "${{SLURM_RESTART_COUNT:-0}}" -ge {requeues} ]; then
  echo "time limit: requeued {requeues} times, the maximum in the site file; submit the job again to continue"
  exit "$code"
fi
echo "time limit: job $job is requeued"
scontrol requeue "$job"
"""
"""Shell lines that run a command which SIGUSR2 stops with a checkpoint, and requeue the job to finish it."""


class Site(Table):
    """Slurm options of a cluster; keys as in `sbatch`."""

    partition: str | None = None
    account: str | None = None
    time: str = "01:00:00"
    """Time limit of a job, or of an array task."""
    mem_per_cpu: str | None = None
    launcher: str = "mpirun -n {ranks}"
    """Command that starts several ranks inside an allocation."""
    warn_s: int = Field(default=90, ge=1, le=65535)
    """Time before the limit at which a run is signalled to write a checkpoint and end [s].

    Slurm may send the signal up to 60 s earlier.
    """
    requeues: int = Field(default=20, ge=0)
    """Maximum number of times that a job is requeued at its time limit."""
    tasks: int = Field(default=100, ge=1)
    """Maximum number of array tasks; the members are divided among them."""
    at_once: int | None = Field(default=None, ge=1)
    """Maximum number of concurrent tasks."""
    options: tuple[str, ...] = ()
    """Additional `#SBATCH` options, each in the form that `sbatch` accepts."""
    setup: tuple[str, ...] = ()
    """Shell lines to run before rfablate starts: modules, environments."""


def load_site(file: Path) -> Site:
    """Return the site options in a TOML file.

    Raises:
        CaseError: the file cannot be read or has faults.
    """
    try:
        data = parse_toml(read_user_file(file).decode("utf-8"))
    except (OSError, ValueError) as error:
        raise CaseError([Fault(str(file), str(error), "a readable site file (.toml)")], str(file)) from None
    try:
        site = Site.model_validate(data)
    except ValidationError as error:
        raise CaseError(faults_of(error, data, file=Site), str(file)) from None
    if faults := list(_text_faults(site)):
        raise CaseError(faults, str(file))
    return site


def _text_faults(site: Site) -> Iterator[Fault]:
    """Yield a fault for each value that would start another line of the script, or a launcher with open quotes."""
    for key, value in site.model_dump().items():
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and not text.isprintable():
                yield Fault(key, f"found {text[:60]!r}", "one line of printable characters")
    try:
        shlex.split(site.launcher)
    except ValueError as error:
        yield Fault("launcher", f"found {site.launcher[:60]!r}: {error}", "a command of the shell")


def launched(launcher: str, ranks: int, command: Sequence[str]) -> list[str]:
    """Return the command, preceded by the launcher where `ranks` is above 1."""
    return [*(shlex.split(launcher.replace("{ranks}", str(ranks))) if ranks > 1 else ()), *command]


def script(name: str, site: Site, head: Sequence[str], body: str) -> str:
    """Return a batch script.

    Args:
        name: job name.
        site: options of the cluster.
        head: additional `#SBATCH` options of this job.
        body: shell lines that the job runs.
    """
    given = {"partition": site.partition, "account": site.account, "time": site.time, "mem-per-cpu": site.mem_per_cpu}
    options = [
        *_quoted([f"--job-name={name}", *(f"--{key}={value}" for key, value in given.items() if value), *head]),
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


def _quoted(options: Sequence[str]) -> Iterator[str]:
    """Yield options as sbatch reads them: the value is in quotes where it has blanks or other special characters."""
    for option in options:
        key, equal, value = option.partition("=")
        if not option.isprintable():
            raise CaseError([Fault(key, "found control characters", "one line of printable characters")], "slurm")
        yield f"{key}={shlex.quote(value)}" if equal else key


def guard(site: Site) -> list[str]:
    """Return the `#SBATCH` options of a job whose body comes from `guarded`."""
    return ["--requeue", "--open-mode=append", f"--signal=B:USR1@{site.warn_s}"]


def guarded(command: str, site: Site) -> str:
    """Return shell lines that run a command and requeue the job when it reaches its time limit."""
    return GUARDED.format(command=command, requeues=site.requeues)


def sbatch(arguments: Sequence[str]) -> str:
    """Submit a script and return the job number.

    Raises:
        CaseError: sbatch is missing or rejects the script; the fault has its error message.
    """
    try:
        done = subprocess.run(["sbatch", "--parsable", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        fault = Fault("--slurm", "sbatch not found", "a login node of a Slurm cluster")
        raise CaseError([fault], "slurm") from None
    if done.returncode != 0:
        raise CaseError(
            [Fault("sbatch", done.stderr.strip() or "job rejected", "an accepted job", "correct the site file")],
            "slurm",
        )
    return done.stdout.strip().partition(";")[0]


def follow(jobs: Sequence[str], progress: Callable[[], str]) -> None:
    """Print the job states and the text of `progress` whenever they change, until no job is left in the queue."""
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
    """Return the number of jobs in each state; one job in QUEUE_DOES_NOT_ANSWER where squeue fails."""
    command = ["squeue", "--noheader", "--array", f"--jobs={','.join(jobs)}", "--format=%T"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0 or "Invalid job id" in done.stderr:
        return Counter(done.stdout.split())
    return Counter(["QUEUE_DOES_NOT_ANSWER"])


def submit_run(directory: Path, site: Site, ranks: int, nodes: int | None) -> str:
    """Write the batch script into a prepared run directory, submit it and return the job number.

    Raises:
        CaseError: sbatch is missing or rejects the script; the fault has its error message.
    """
    file = directory / "slurm.sh"
    file.write_text(run_script(directory.resolve(), site, ranks, nodes), encoding="utf-8")
    return sbatch([str(file)])


def pattern(path: Path) -> str:
    """Return a path in which Slurm replaces nothing."""
    return str(path).replace("%", "%%")


def run_script(directory: Path, site: Site, ranks: int, nodes: int | None) -> str:
    """Return the batch script of one run, which starts the run or resumes it where a checkpoint exists."""
    head = [f"--ntasks={ranks}", *([f"--nodes={nodes}"] if nodes else []), f"--output={pattern(directory)}/slurm.log"]
    command = shlex.join(launched(site.launcher, ranks, [sys.executable, "-m", "rfablate"]))
    lines = [
        f"run={shlex.quote(str(directory))}",
        'verb=(run "$run/case.toml" -o "$run" --overwrite)',
        'if compgen -G "$run/checkpoint*.h5" >/dev/null; then verb=(resume "$run"); fi',
        guarded(f'{command} "${{verb[@]}}"', site),
    ]
    return script("rfablate", site, [*head, *guard(site)], "\n".join(lines))
