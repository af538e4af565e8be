"""The directory of a study: its members, its failed members and the state of each.

    members/NAME/       run directory of a member; finished when summary.json exists and its status is not "failed"
    failed/NAME/        files of a failed member, with failure.json: exit code, reason, wall time

A run writes summary.json last and atomically, so a killed run has none.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from rfablate.errors import CaseError, Fault, SolveError
from rfablate.files import write_text
from rfablate.results.directory_lock import acquire
from rfablate.results.result_base import Result
from rfablate.results.summary_models import RunSummary, read_summary

State = Literal["completed", "failed", "open"]
PATIENCE_S = 5.0
"""Time for which a new study waits for the members of a killed study to end [s]."""
QUEUED_PATIENCE_S = 120.0
"""Time for which a job, or its submission, waits for other jobs of the same study to release the lock [s]."""


class Failure(Result):
    """Why a member failed: the content of failure.json."""

    exit_code: int | None
    """None where its process could not be started."""
    reason: str
    wall_s: float | None = None


class StudyDirectory:
    """The directory of a study and its members."""

    def __init__(self, path: Path) -> None:
        """Create the directory where it does not exist; raises CaseError where this fails."""
        self.path = path
        self.members, self.failed = path / "members", path / "failed"
        try:
            self.members.mkdir(parents=True, exist_ok=True)
            self.failed.mkdir(exist_ok=True)
        except OSError as error:
            fault = Fault(str(path), error.strerror or str(error), "a writable directory", "choose another -o")
            raise CaseError([fault], "output") from None

    @contextmanager
    def alone(self, *, shared: bool = False, queued: bool = False) -> Iterator[int]:
        """Lock the study for this process and yield the file descriptor of the lock.

        The members inherit the lock, so that it is held as long as any of them runs.

        Args:
            shared: allow other processes with a shared lock, but none with an exclusive lock.
            queued: wait longer, as other jobs of the same study may hold the lock.

        Raises:
            CaseError: another process works on the study.
        """
        with (self.path / ".lock").open("a+") as file:
            on_wait = self._show_waiting if queued else None
            patience = QUEUED_PATIENCE_S if queued else PATIENCE_S
            if not acquire(file.fileno(), shared=shared, patience_s=patience, on_wait=on_wait):
                fault = Fault(str(self.path), "another rfablate process uses this study", "one at a time")
                raise CaseError([fault], "study")
            yield file.fileno()

    def _show_waiting(self) -> None:
        print(f"waiting for another rfablate process that uses {self.path}", flush=True)

    def claim(self, name: str) -> int | None:
        """Lock one member for this process; return the file descriptor, or None where another process has the lock."""
        (self.members / name).mkdir(exist_ok=True)
        lock = os.open(self.members / name / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        if acquire(lock):
            return lock
        os.close(lock)
        return None

    def summary(self, name: str) -> RunSummary | None:
        """Return the summary of a finished or failed member; None where there is no readable one."""
        return _summary_in(self.members / name) or _summary_in(self.failed / name)

    def failure(self, name: str) -> Failure | None:
        """Return why a member failed; None for any other member."""
        try:
            return Failure.model_validate_json((self.failed / name / "failure.json").read_bytes())
        except (OSError, ValueError):
            return None

    def state(self, name: str) -> State:
        """Return the state of a member; moves a member whose summary has the status "failed" to failed/."""
        summary = _summary_in(self.members / name)
        if summary is not None and summary.status != "failed":
            return "completed"
        if summary is not None:
            self.put_apart(name, Failure(exit_code=SolveError.exit_code, reason=summary.reason))
        return "failed" if self.failure(name) is not None else "open"

    def put_apart(self, name: str, failure: Failure) -> None:
        """Move the files of a failed member to failed/ and write failure.json."""
        source, target = self.members / name, self.failed / name
        shutil.rmtree(target, ignore_errors=True)
        source.mkdir(exist_ok=True)
        write_text(source / "failure.json", failure.model_dump_json(indent=1) + "\n")
        source.rename(target)

    def forget_failure(self, name: str) -> None:
        """Delete the files of a failed member, so that it can be run again."""
        shutil.rmtree(self.failed / name, ignore_errors=True)


def _summary_in(directory: Path) -> RunSummary | None:
    try:
        return read_summary(directory)
    except CaseError:  # missing, or truncated by a power failure
        return None
