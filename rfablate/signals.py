"""Signal handling: SIGUSR1 requests a checkpoint; SIGUSR2, SIGTERM and SIGINT request a checkpoint and a stop.

mpirun and srun forward SIGUSR1 and SIGUSR2 to the ranks and wait. After SIGTERM, mpirun may kill the ranks one second
later.

A signal may reach only one rank, or reach the ranks at different times. `SignalListener` therefore only stores the
request; the ranks agree on it between two time steps (`simulation/checkpointing.py`).
"""

from __future__ import annotations

import os
import signal
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

_KILL_WITH_PARENT = 1  # PR_SET_PDEATHSIG
LATER = 0.01
"""Delay of a signal that arrives where an exception would be lost [s]."""


class SignalRequest(IntEnum):
    """Request made by a signal. Where ranks have different requests, the largest value applies to all of them."""

    NOTHING = 0
    CHECKPOINT = 1
    STOP = 2
    FAULT = 3
    """No signal: a file of the run cannot be written."""


MEANING = {
    signal.SIGUSR1: SignalRequest.CHECKPOINT,
    signal.SIGUSR2: SignalRequest.STOP,
    signal.SIGTERM: SignalRequest.STOP,
    signal.SIGINT: SignalRequest.STOP,
}


class Aborted(KeyboardInterrupt):
    """A second SIGINT: the process ends at once, without another checkpoint."""

    exit_code = 130


class SignalListener:
    """Context manager that stores the requests of signals; it restores the earlier signal handlers at exit.

    A second stop signal before the end of the step does not wait for it: the earlier handler is called, or
    KeyboardInterrupt is raised where the earlier handler is not a Python function. A second SIGINT raises Aborted at
    any time. Python delivers signals to the main thread only. In any other thread the handlers stay unchanged.
    """

    def __init__(self) -> None:
        """Start without a stored request."""
        self._request = SignalRequest.NOTHING
        self._interrupted = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> SignalListener:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.getsignal(number) for number in MEANING}
            for number in MEANING:
                signal.signal(number, self._store)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler or signal.SIG_DFL)  # None: the handler was not set from Python

    def _store(self, number: int, frame: FrameType | None) -> None:
        request = MEANING[signal.Signals(number)]
        before = self._before[signal.Signals(number)]
        second = number == signal.SIGINT and self._interrupted
        if (second or self._request is request is SignalRequest.STOP) and _would_be_lost(frame):
            again = threading.Timer(LATER, os.kill, (os.getpid(), number))
            again.daemon = True
            again.start()
            return
        if second:
            raise Aborted
        self._interrupted = self._interrupted or number == signal.SIGINT
        if self._request is request is SignalRequest.STOP:
            if not callable(before):  # ignored or default, as in a shell's background job
                raise KeyboardInterrupt
            before(number, frame)
        self._request = max(self._request, request)

    def take(self) -> SignalRequest:
        """Return this rank's request since the last call, and clear it."""
        request, self._request = self._request, SignalRequest.NOTHING
        return request


@contextmanager
def preserved_handlers() -> Iterator[None]:
    """Restore the signal handlers after a block that replaces them in C, as `gmsh.initialize` does for SIGTERM.

    A signal that arrives inside the block is delivered after it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in MEANING}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, handlers)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            if handler is not None:
                signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def die_with_parent() -> None:
    """Have Linux kill this process when the one that started it ends."""
    import ctypes

    ctypes.CDLL(None).prctl(_KILL_WITH_PARENT, signal.SIGKILL)


def install_handlers() -> None:
    """Install handlers that end the command with exit code 6 after a stop signal."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2, signal.SIGALRM):
        signal.signal(number, _raise)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # PETSc aborts if the reader of the output has gone
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # before the first step there is no state for a checkpoint


def _raise(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, or set a timer that raises it 10 ms later where it would be lost now."""
    _delivered.append(number)
    if _would_be_lost(frame):
        signal.setitimer(signal.ITIMER_REAL, LATER)
        return
    raise KeyboardInterrupt


_delivered: list[int] = []
"""Signals that have raised KeyboardInterrupt."""


def was_interrupted() -> bool:
    """Return whether a stop signal has arrived, even if its exception was converted: imports in C raise ImportError."""
    return bool(_delivered)


def _would_be_lost(frame: FrameType | None) -> bool:
    """Return whether an exception raised in a frame does not reach the command.

    Python discards exceptions in finalisers and in weak-reference callbacks, pydantic converts them to its own errors,
    and HDF5, which writes through `guarded_file`, crashes on them.
    """
    while frame is not None:
        file = Path(frame.f_code.co_filename)
        if frame.f_code.co_name == "__del__" or str(file) == weakref.__file__ or "pydantic" in file.parts:
            return True
        if file.name == "guarded_file.py":
            return True
        frame = frame.f_back
    return False
