"""Reading of users' binary files in a child process, so that a damaged or hostile file cannot crash or block a run.

HDF5, SimpleITK and meshio read many formats with code in C and C++. A file can make them end the process with a signal,
use all memory or never return. `isolated` calls a function in a forked child with limits of memory, processor time and
wall time, and returns its result. A child costs about 10 ms.

MPI is not used in the child. Where a process cannot fork, the function runs in the process itself.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import resource
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

Value = TypeVar("Value")
SECONDS = 300.0
"""Default limit of wall time and of processor time [s]."""
MEMORY = 16 * 2**30
"""Default limit of memory beyond that of the process [bytes]."""
VARIABLE = "RFABLATE_ISOLATE"
"""Environment variable; 0 reads files in the process itself, for systems on which a process with MPI must not fork."""


class ReaderCrashed(Exception):
    """The child ended without a result; the text states how."""


def may_fork() -> bool:
    """Return whether a process may start children by a fork: not on systems without it, or with RFABLATE_ISOLATE=0."""
    return hasattr(os, "fork") and os.environ.get(VARIABLE) != "0"


def isolated(work: Callable[[], Value], *, seconds: float = SECONDS, memory: int = MEMORY) -> Value:
    """Return the result of `work`, which is called in a child process; an exception in it is raised here.

    Raises:
        ReaderCrashed: the child was ended by a signal or by a limit.
    """
    if not may_fork():
        return work()
    ours, theirs = os.pipe()
    try:
        child = os.fork()
    except OSError:
        os.close(ours)
        os.close(theirs)
        return work()
    if child == 0:
        os.close(ours)
        _serve(work, theirs, seconds, memory)
    os.close(theirs)
    try:
        data, late = _receive(ours, time.monotonic() + seconds)
    finally:
        os.close(ours)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)  # it has sent its result, or is late, or the caller is interrupted
        _, status = os.waitpid(child, 0)
    if late:
        raise ReaderCrashed(f"its reader did not end within {seconds:g} s")
    try:
        succeeded, value = pickle.loads(data)
    except Exception:  # no result, or half of one
        raise ReaderCrashed(f"its reader crashed ({_ending(status)})") from None
    if not succeeded:
        raise value
    result: Value = value
    return result


def _serve(work: Callable[[], Any], pipe: int, seconds: float, memory: int) -> None:
    """Call `work` and write its pickled result to the pipe; ends the process."""
    code = 1
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, signal.SIG_DFL)
        faulthandler.disable()  # the caller reports the crash
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _limit(resource.RLIMIT_AS, _used() + memory)
        _limit(resource.RLIMIT_CPU, int(seconds) + 1)
        try:
            data = pickle.dumps((True, work()), protocol=5)
        except Exception as error:
            data = _pickled(error)
        view = memoryview(data)
        while view:
            view = view[os.write(pipe, view) :]
        code = 0
    finally:
        os._exit(code)


def _pickled(error: Exception) -> bytes:
    try:
        data = pickle.dumps((False, error), protocol=5)
        pickle.loads(data)
        return data
    except Exception:  # an exception whose constructor has other arguments
        return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")), protocol=5)


def _receive(pipe: int, end: float) -> tuple[bytes, bool]:
    """Return all data until the pipe is closed, and whether the time `end` came first."""
    parts: list[bytes] = []
    while True:
        ready, _, _ = select.select([pipe], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            return b"", True
        part = os.read(pipe, 1 << 20)
        if not part:
            return b"".join(parts), False
        parts.append(part)


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    most = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with suppress(OSError, ValueError):
        resource.setrlimit(kind, (most, hard))


def _used() -> int:
    """Return the address space of the process [bytes]."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return 1 << 40


def _ending(status: int) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return "killed" if number == signal.SIGKILL else signal.Signals(number).name
    return f"exit code {os.WEXITSTATUS(status)}"
