"""Concurrent runs of the members of a study, each in its own process, which is killed if the study process dies.

A process per member ensures that no member can affect the memory or the MPI state of another, or crash it. On the
command line it is forked from one that has imported the solver (`cli/warm_members.py`).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rfablate.case.read.case_file import dump_case
from rfablate.cluster.slurm import launched
from rfablate.cores import available_cores
from rfablate.errors import CaseError
from rfablate.signals import die_with_parent
from rfablate.study.members import Failure, StudyDirectory
from rfablate.study.study_plan import Member, Plan
from rfablate.study.study_progress import StudyProgress

POLL_S = 0.02
GRACE_S = 10.0
"""Time that a member has to end after an interruption of the study before it is killed [s]."""
STOPPED = (6, -signal.SIGTERM, -signal.SIGUSR2, 128 + signal.SIGTERM, 128 + signal.SIGUSR2)
"""Exit codes of a run that was stopped by a signal, for example by a batch system at the end of a job."""
EXCEEDED = 5
"""Exit code of a completed run with a protected structure over its limit."""
CONSOLE = "console.txt"
CHECKPOINTS = ("checkpoint.h5", "checkpoint.older.h5")


class Job(Protocol):
    """A running member; the part of the interface of subprocess.Popen that is used here."""

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""

    def send_signal(self, number: int) -> None:
        """Send a signal to the process; SIGUSR2 requests a checkpoint and a stop."""

    def kill(self) -> None:
        """Kill the process."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the process to end and return the exit code."""


Start = Callable[[Path, int], Job]
"""Starts the run of the case.toml in a directory; the second argument is the lock that the process inherits."""


def start_run(
    ranks: int = 1,
    command: Sequence[str] = (sys.executable, "-m", "rfablate"),
    launcher: str = "mpirun -n {ranks} --oversubscribe",
) -> Start:
    """Return a function that starts `rfablate run` on `ranks` ranks, or `rfablate resume` where a checkpoint exists."""
    program = launched(launcher, ranks, command)

    def start(directory: Path, lock: int) -> Job:
        with (directory / CONSOLE).open("wb") as console:
            return subprocess.Popen(
                (*program, *member_arguments(directory)),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                pass_fds=(lock,),
                start_new_session=True,  # Ctrl-C reaches only the study, which then stops its members
                preexec_fn=die_with_parent if sys.platform == "linux" else None,
            )

    return start


def member_arguments(directory: Path) -> tuple[str, ...]:
    """Return the arguments of `rfablate` that run the case in a directory, or resume it where there is a checkpoint."""
    if any((directory / name).is_file() for name in CHECKPOINTS):
        return ("resume", str(directory), "--quiet", "--one-process")
    return ("run", str(directory / "case.toml"), "-o", str(directory), "--overwrite", "--quiet", "--one-process")


@dataclass(frozen=True)
class Workers:
    """How the members of a study are run."""

    start: Start
    slots: int
    """Number of concurrent processes."""
    lock: int | None
    """File descriptor of the study lock; None where other processes run members of the same study: each member is then
    locked before its run."""


@dataclass
class _RunningMember:
    member: Member
    job: Job
    begun: float
    claim: int | None


def run_members(
    plan: Plan, members: Sequence[Member], directory: StudyDirectory, workers: Workers, progress: StudyProgress
) -> None:
    """Run `members` in concurrent processes. A failed member is moved to failed/ and the others continue.

    After a KeyboardInterrupt the running members are stopped; they resume from their checkpoints when the study is
    continued.
    """
    lock, waiting, running = workers.lock, iter(members), list[_RunningMember]()
    try:
        while True:
            while len(running) < workers.slots and (member := next(waiting, None)) is not None:
                claim = directory.claim(member.name) if lock is None else None
                if lock is None and (claim is None or directory.state(member.name) != "open"):
                    _release(claim)  # another process runs this member, or has run it meanwhile
                    continue
                job = _launch(plan, member, directory, workers.start, claim if lock is None else lock)
                if job is None:
                    progress.failed(member.name)
                    _release(claim)
                else:
                    running.append(_RunningMember(member, job, time.monotonic(), claim))
            if not running:
                return
            ended = [each for each in running if each.job.poll() is not None]
            running = [each for each in running if each not in ended]
            for each in ended:
                _judge(each, directory, progress)
                _release(each.claim)
            progress.show(len(running))
            if not ended:
                time.sleep(POLL_S)
    finally:
        _stop_all(running)


def _release(claim: int | None) -> None:
    if claim is not None:
        os.close(claim)


def _launch(plan: Plan, member: Member, directory: StudyDirectory, start: Start, lock: int | None) -> Job | None:
    """Write the case of a member and start its run; return None where the case has faults."""
    assert lock is not None
    try:
        case = plan.case_of(member)
    except CaseError as error:
        directory.put_apart(member.name, Failure(exit_code=error.exit_code, reason=str(error), wall_s=0.0))
        return None
    place = directory.members / member.name
    place.mkdir(exist_ok=True)
    for stale in ("summary.json", "failure.json"):  # an unreadable summary; a failure whose move was interrupted
        (place / stale).unlink(missing_ok=True)
    (place / "case.toml").write_text(dump_case(case), encoding="utf-8")
    return start(place, lock)


def _judge(ended: _RunningMember, directory: StudyDirectory, progress: StudyProgress) -> None:
    name, code = ended.member.name, ended.job.poll()
    if code in STOPPED:  # the member stays open
        return
    summary = directory.summary(name)
    failed = summary is not None and summary.status == "failed"
    if code in (0, EXCEEDED) and summary is not None and not failed:
        progress.completed(name)
        return
    reason = summary.reason if summary is not None and failed else ""
    reason = reason or _failure_reason(directory.members / name / CONSOLE, code)
    wall = round(time.monotonic() - ended.begun, 3)
    directory.put_apart(name, Failure(exit_code=code, reason=reason, wall_s=wall))
    progress.failed(name)


def _failure_reason(console: Path, code: int | None) -> str:
    """Return the reason of a failed run: the signal that ended it, or the error at the end of its console output."""
    if code is not None and code < 0:
        return f"ended by {signal.Signals(-code).name}" + (" (out of memory?)" if -code == signal.SIGKILL else "")
    try:
        text = console.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        text = ""
    error = text.rfind("error: ")
    return (text[error:] if error >= 0 else text[-500:]) or f"exit code {code} without any output"


def _stop_all(running: Sequence[_RunningMember]) -> None:
    for each in running:
        each.job.send_signal(signal.SIGUSR2)  # mpirun forwards it to the ranks and waits
    end = time.monotonic() + GRACE_S
    for each in running:
        try:
            each.job.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            each.job.kill()
            each.job.wait()


def slots_for(ranks: int, jobs: int | None) -> int:
    """Return the number of concurrent members: `jobs`, or by default the available cores divided by `ranks`."""
    return jobs if jobs is not None else max(1, available_cores() // ranks)
