"""Locks of directories: one process at a time works on a run or a study.

The kernel's lock (flock) ends with the process that holds it, however that ends. File systems that do not pass it on
between nodes need more: a run's lock file names its host and process, and its time is renewed every BEAT_S. A lock of
another host counts while its file is renewed; after SILENCE_S without renewal its process is taken for dead.
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
"""The lock file of a run; a study's claim on a member is another file."""
PATIENCE_S = 3.0
"""How long a run waits for the last processes of a killed one to end [s]."""
BEAT_S, SILENCE_S = 10.0, 120.0
"""How often a run renews its lock file, and the age at which that of another host is no longer respected [s]."""

log = logging.getLogger("rfablate")


def acquire(
    number: int, *, shared: bool = False, patience_s: float = 0.0, told: Callable[[], None] | None = None
) -> bool:
    """Take the kernel's lock on an open file; return whether it was free within `patience_s`.

    `told` is called once when it was not free for a second.

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
            if told is not None and waited > 1.0:
                told()
                told = None
            time.sleep(min(0.1, patience_s))


class RunLock:
    """Holds a run directory for this process from its making to `release`. Root only."""

    def __init__(
        self, directory: Path, *, patience_s: float = PATIENCE_S, beat_s: float = BEAT_S, silence_s: float = SILENCE_S
    ) -> None:
        """Take the lock of a directory that exists.

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
                str(directory), error.strerror or str(error), "a place to write to", "choose another directory"
            )
            raise CaseError([fault], "run") from None
        self._thread = threading.Thread(target=self._renew, name="run-lock", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Give the directory free and remove the lock file; does nothing the second time."""
        if self._done.is_set():
            return
        self._done.set()
        self._thread.join()
        with suppress(OSError):  # the directory may be gone
            if _same(self._number, self._path):
                self._path.unlink()
        os.close(self._number)

    def _open(self, patience_s: float) -> int:
        """Return the locked file; anew where a lock that was just released has taken the file with it."""
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
                    "no file locks in %s (%s): only its lock file tells of other runs", self._path.parent, error
                )
                self._locked = False
            if _same(number, self._path):
                return number
            os.close(number)

    def _wait_for_others(self) -> None:
        """Wait until a lock that the kernel does not know has not been renewed for long; refuse where it is renewed."""
        owner, first, told = _read(self._number), os.fstat(self._number).st_mtime, False
        while "host" in owner and not (self._locked and owner["host"] == socket.gethostname()):
            renewed = os.fstat(self._number).st_mtime
            if renewed != first:
                os.close(self._number)
                raise self._refused(owner)
            if self._clock() - renewed > self._silence:
                return
            if not told:
                log.warning(
                    "waiting up to %g s: %s may be running in %s", self._silence, _who(owner), self._path.parent
                )
                told = True
            time.sleep(min(1.0, 0.2 * self._beat))

    def _clock(self) -> float:
        """Return the file system's time [s], which is that of the server where it is a network's."""
        probe = self._path.with_name(f"{LOCK}.{os.getpid()}")
        try:
            with probe.open("w") as file:
                return os.fstat(file.fileno()).st_mtime
        finally:
            probe.unlink(missing_ok=True)

    def _refused(self, owner: dict[str, object]) -> CaseError:
        hint = "wait for its end, or stop it with SIGTERM and resume; another -o for another run"
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
    """Return who a lock file says holds it; nothing where that cannot be read."""
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
