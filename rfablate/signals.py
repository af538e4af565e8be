"""What signals ask of a run: SIGUSR1 a checkpoint, SIGUSR2, SIGTERM and SIGINT a checkpoint and the end.

mpirun and srun hand SIGUSR1 and SIGUSR2 on to the ranks and wait; after SIGTERM mpirun may kill them a second later.

A signal may reach one rank alone or each at another time; `Requests` only remembers it, and the ranks agree about it
between two steps (see keeper.py).
"""

from __future__ import annotations

import signal
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any


class Wish(IntEnum):
    """The greater wish of several ranks is that of all."""

    NOTHING = 0
    CHECKPOINT = 1
    STOP = 2
    FAULT = 3
    """No signal: a file of the run cannot be written."""


MEANING = {
    signal.SIGUSR1: Wish.CHECKPOINT,
    signal.SIGUSR2: Wish.STOP,
    signal.SIGTERM: Wish.STOP,
    signal.SIGINT: Wish.STOP,
}


class Aborted(KeyboardInterrupt):
    """A second SIGINT: the process ends at once, without another checkpoint."""

    exit_code = 130


class Requests:
    """Takes the signals over inside its `with` block; outside they are what they were before.

    A second signal to stop before the step's end does not wait for it: it goes to the handler from before, or raises
    KeyboardInterrupt where that was none of Python's. A second SIGINT raises Aborted at any time.
    Python gives signals to the main thread only: in another one nothing is taken over.
    """

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._wish = Wish.NOTHING
        self._interrupted = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Requests:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.getsignal(number) for number in MEANING}
            for number in MEANING:
                signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler or signal.SIG_DFL)  # None: one that was not set from Python

    def _note(self, number: int, frame: FrameType | None) -> None:
        asked = MEANING[signal.Signals(number)]
        before = self._before[signal.Signals(number)]
        if number == signal.SIGINT and self._interrupted:
            raise Aborted
        self._interrupted = self._interrupted or number == signal.SIGINT
        if asked is Wish.STOP and self._wish is Wish.STOP:
            if not callable(before):  # ignored or default, as in a shell's background job
                raise KeyboardInterrupt
            before(number, frame)
        self._wish = max(self._wish, asked)

    def take(self) -> Wish:
        """Return what this rank was asked since the last call."""
        wish, self._wish = self._wish, Wish.NOTHING
        return wish


@contextmanager
def kept() -> Iterator[None]:
    """Keep the handlers as they are through a block that replaces them in C, as `gmsh.initialize` does with SIGTERM's.

    A signal that arrives within the block is delivered after it.
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


def listen() -> None:
    """Have signals end the command with its own exit code."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2, signal.SIGALRM):
        signal.signal(number, _raise)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # PETSc would abort where the reader of the output has gone
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # asks for a checkpoint: before the first step there is none


def _raise(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt; a little later where it would not arrive.

    Python drops it in a finaliser and in a weak callback; pydantic makes it an error of its own.
    """
    inner = frame
    while inner is not None:
        file = Path(inner.f_code.co_filename)
        if inner.f_code.co_name == "__del__" or str(file) == weakref.__file__ or "pydantic" in file.parts:
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            return
        inner = inner.f_back
    raise KeyboardInterrupt
