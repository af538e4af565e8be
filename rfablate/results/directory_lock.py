"""Locks of directories: one process at a time works on a run or a study.

The kernel's lock (flock) is released when its process ends for any reason. Some file systems do not share it between
nodes. Therefore a run's lock file also contains host and process, and its modification time is renewed every BEAT_S.
The lock of another host is valid while its file is renewed; after SILENCE_S without renewal its process counts as
ended.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

from rfablate.errors import CaseError, Fault

LOCK = ".run.lock"
"""The lock file of a run; studies lock their members with another file."""
PATIENCE_S = 3.0
"""Time that a run waits for the last processes of a killed run to end [s]."""
BEAT_S, SILENCE_S = 10.0, 120.0
"""Interval of renewal of the lock file, and age at which the lock file of another host is no longer valid [s]."""

log = logging.getLogger("rfablate")


def acquire(
    number: int, *, shared: bool = False, patience_s: float = 0.0, on_wait: Callable[[], None] | None = None
) -> bool:
    """Acquire the kernel's lock on an open file; return whether it was free within `patience_s`.

    `on_wait` is called once if it was not free for a second.

    Raises:
        OSError: the file system has no locks.
    """
    begin = time.monotonic()
    while True:
        try:
            fcntl.flock(number, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            return True
        except (BlockingIOError, PermissionError):
            waited = time.monotonic() - begin
            if waited >= patience_s:
                return False
            if on_wait is not None and waited > 1.0:
                on_wait()
                on_wait = None
            time.sleep(min(0.1, patience_s))


class RunLock:
    """Lock of a run directory for this process from construction to `release`. Root only."""

    def __init__(
        self, directory: Path, *, patience_s: float = PATIENCE_S, beat_s: float = BEAT_S, silence_s: float = SILENCE_S
    ) -> None:
        """Acquire the lock of an existing directory.

        Raises:
            CaseError: another process runs in the directory, or the directory cannot be written to.
        """
        self._path, self._beat, self._silence = directory / LOCK, beat_s, silence_s
        self._done, self._locked = threading.Event(), True
        try:
            self._number = self._open(patience_s)
            self._wait_for_others()
            self._write({"host": socket.gethostname(), "pid": os.getpid(), "since": _now()})
        except OSError as error:
            fault = Fault(
                str(directory), error.strerror or str(error), "a writable directory", "choose another directory"
            )
            raise CaseError([fault], "run") from None
        self._thread = threading.Thread(target=self._renew, name="run-lock", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Release the directory and remove the lock file; a second call has no effect."""
        if self._done.is_set():
            return
        self._done.set()
        self._thread.join()
        with suppress(OSError):  # the directory may have been removed
            if _same(self._number, self._path):
                self._path.unlink()
        os.close(self._number)

    def _open(self, patience_s: float) -> int:
        """Return the locked file; opened again if another process removed it with its lock."""
        while True:
            number = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
            try:
                if not acquire(number, patience_s=patience_s):
                    raise self._refused(_read(number))
            except CaseError:
                os.close(number)
                raise
            except OSError as error:
                log.warning(
                    "no file locks in %s (%s): other runs are detected by the lock file only", self._path.parent, error
                )
                self._locked = False
            if _same(number, self._path):
                return number
            os.close(number)

    def _wait_for_others(self) -> None:
        """Wait until a lock of another host has expired; raise an error where it is renewed."""
        owner, first, logged = _read(self._number), os.fstat(self._number).st_mtime, False
        while "host" in owner and not (self._locked and owner["host"] == socket.gethostname()):
            renewed = os.fstat(self._number).st_mtime
            if renewed != first:
                os.close(self._number)
                raise self._refused(owner)
            if self._clock() - renewed > self._silence:
                return
            if not logged:
                log.warning(
                    "waiting up to %g s: %s may be running in %s", self._silence, _who(owner), self._path.parent
                )
                logged = True
            time.sleep(min(1.0, 0.2 * self._beat))

    def _clock(self) -> float:
        """Return the time of the file system [s]; for a network file system that of its server."""
        probe = self._path.with_name(f"{LOCK}.{os.getpid()}")
        try:
            with probe.open("w") as file:
                return os.fstat(file.fileno()).st_mtime
        finally:
            probe.unlink(missing_ok=True)

    def _refused(self, owner: dict[str, object]) -> CaseError:
        hint = "wait until it ends, or stop it with SIGTERM and resume; for another run use another -o"
        return CaseError(
            [Fault(str(self._path.parent), f"{_who(owner)} is running here", "one run at a time", hint)], "run"
        )

    def _write(self, owner: dict[str, object]) -> None:
        os.ftruncate(self._number, 0)
        os.pwrite(self._number, json.dumps(owner).encode(), 0)

    def _renew(self) -> None:
        while not self._done.wait(self._beat):
            with suppress(OSError):
                os.utime(self._number)


def _read(number: int) -> dict[str, object]:
    """Return the owner recorded in a lock file; empty where it cannot be read."""
    try:
        found = json.loads(os.pread(number, 4096, 0))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _who(owner: dict[str, object]) -> str:
    if "pid" not in owner:
        return "another rfablate"
    return f"another rfablate (process {owner['pid']} on {owner.get('host')}, since {owner.get('since')})"


def _same(number: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(number), os.stat(path))
    except FileNotFoundError:
        return False


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
