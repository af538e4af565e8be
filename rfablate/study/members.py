"""The directory of a study: members, failed members apart, and which is which.

    members/NAME/       an ordinary run directory; it is finished when its summary.json can be read and says so
    failed/NAME/        what a failed member left, with failure.json: exit code, reason, wall time

summary.json is written last and renamed into place by the run, so a killed run leaves none.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from rfablate.errors import CaseError, Fault
from rfablate.results.directory_lock import acquire

State = Literal["completed", "failed", "open"]
PATIENCE_S = 5.0
"""How long a new study waits for the last members of a killed one to end [s]."""
QUEUED_PATIENCE_S = 120.0
"""How long a job, or who submits one, waits for the other jobs of a study: one that collects, or tasks that end [s]."""


class StudyDirectory:
    """Where a study's members lie."""

    def __init__(self, path: Path) -> None:
        """Make the directory where it is missing."""
        self.path = path
        self.members, self.failed = path / "members", path / "failed"
        try:
            self.members.mkdir(parents=True, exist_ok=True)
            self.failed.mkdir(exist_ok=True)
        except OSError as error:
            fault = Fault(str(path), error.strerror or str(error), "a place to write to", "choose another -o")
            raise CaseError([fault], "output") from None

    @contextmanager
    def alone(self, *, shared: bool = False, queued: bool = False) -> Iterator[int]:
        """Hold the study for this process; yields the lock, which members inherit so that none is left unseen.

        shared: hold it beside other shares of the study, but against those who want it alone.
        queued: wait as long as jobs of one study may be in each other's way.

        Raises:
            CaseError: another process works on it.
        """
        with (self.path / ".lock").open("a+") as file:
            told = self._say_waiting if queued else None
            patience = QUEUED_PATIENCE_S if queued else PATIENCE_S
            if not acquire(file.fileno(), shared=shared, patience_s=patience, told=told):
                fault = Fault(str(self.path), "another rfablate works on this study", "one at a time")
                raise CaseError([fault], "study")
            yield file.fileno()

    def _say_waiting(self) -> None:
        print(f"waiting for another rfablate to be done with {self.path}", flush=True)

    def claim(self, name: str) -> int | None:
        """Hold one member for this process; return the lock, None where another has it."""
        (self.members / name).mkdir(exist_ok=True)
        lock = os.open(self.members / name / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        if acquire(lock):
            return lock
        os.close(lock)
        return None

    def summary(self, name: str) -> dict[str, Any] | None:
        """Return the summary a member left, wherever it lies now; None where there is none that can be read."""
        for place in (self.members, self.failed):
            found = _read_json(place / name / "summary.json")
            if found is not None:
                return found
        return None

    def failure(self, name: str) -> dict[str, Any] | None:
        """Return why a member failed; None where it did not."""
        return _read_json(self.failed / name / "failure.json")

    def state(self, name: str) -> State:
        """Return how far a member is; one whose summary tells of a failure is put apart."""
        summary = _read_json(self.members / name / "summary.json")
        if summary is not None and summary.get("status") != "failed":
            return "completed"
        if summary is not None:
            self.put_apart(name, {"exit_code": 4, "reason": str(summary.get("reason"))})
        return "failed" if self.failure(name) is not None else "open"

    def put_apart(self, name: str, failure: Mapping[str, Any]) -> None:
        """Move what a failed member left to failed/, with its reason."""
        source, target = self.members / name, self.failed / name
        shutil.rmtree(target, ignore_errors=True)
        source.mkdir(exist_ok=True)
        _write(source / "failure.json", json.dumps(failure, indent=1) + "\n")
        source.rename(target)

    def forget_failure(self, name: str) -> None:
        """Remove what a failed member left, so that it is tried again."""
        shutil.rmtree(self.failed / name, ignore_errors=True)


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):  # missing, or cut short by a power failure
        return None
    return found if isinstance(found, dict) else None


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
