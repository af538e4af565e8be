"""A watchdog of runs on several ranks: it reports which rank is in which stage while nothing advances.

If a rank stops (a stopped process, a dead file system, a deadlock), the other ranks wait in their next collective call
without a message. Every rank therefore marks the stages it enters in memory that the ranks of a machine share. A child
of the first rank of each machine reads the marks; a thread of the rank was seen to run again only when the rank had
stopped waiting. When no rank of the machine has entered a stage for `limit` seconds, the child prints to standard error
each rank with its process, the state of this process, its stage and the time since it entered it. It calls no MPI.

The watchdog ends nothing: a long stage, such as the partition of a large mesh, is no fault.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NoReturn

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from rfablate.errors import RfablateError
from rfablate.isolation import may_fork
from rfablate.timing import Stopwatch

VARIABLE = "RFABLATE_STALL_S"
"""Environment variable with the limit [s]; 0 switches the watchdog off."""
LIMIT = 600.0
"""Time without a new stage before the report [s]."""
STATES = {"T": "stopped", "t": "stopped by a debugger", "D": "waiting for a disk", "Z": "ended", "X": "ended"}
_WIDTH = 64
"""Bytes of a mark: time, rank, process, name of the stage."""


@dataclass(frozen=True)
class RankMark:
    """The last stage that a rank entered."""

    rank: int
    process: int
    stage: str
    age: float
    """Time since then [s]."""
    state: str
    """State of the process where it is unusual, else empty."""


class StallWatchdog:
    """Context manager that watches the ranks of a run. Entering and leaving it are collective."""

    def __init__(self, comm: MPI.Comm, watch: Stopwatch, limit: float | None = None) -> None:
        """Take the ranks, the stopwatch whose stages are marked and the limit [s]."""
        self._comm, self._watch = comm, watch
        self._limit = _limit() if limit is None else limit
        self._child = 0
        """Process that reads the marks; 0 where there is none."""
        self._marks: list[npt.NDArray[np.uint8]] = []

    def __enter__(self) -> StallWatchdog:
        if self._comm.size == 1 or self._limit <= 0.0:
            return self
        self._node = MPI.Intracomm(self._comm.Split_type(MPI.COMM_TYPE_SHARED))
        self._window = MPI.Win.Allocate_shared(_WIDTH, 1, comm=self._node)
        self._marks = [np.asarray(self._window.Shared_query(n)[0], dtype=np.uint8) for n in range(self._node.size)]
        self._mark("start")
        self._node.Barrier()
        self._watch.on_stage = self._mark
        if self._node.rank == 0 and may_fork():
            parent = os.getpid()
            with suppress(OSError):
                self._child = os.fork()
                if self._child == 0:
                    self._look(parent)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.on_stage = None
        if self._child:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(self._child, signal.SIGKILL)
                os.waitpid(self._child, 0)
        if self._marks and (kind is None or issubclass(kind, RfablateError)):  # after these all ranks leave together
            self._marks = []
            self._window.Free()
            self._node.Free()

    def _mark(self, stage: str) -> None:
        own = self._marks[self._node.rank]
        own[24:] = np.frombuffer(stage.encode()[: _WIDTH - 24].ljust(_WIDTH - 24, b"\0"), np.uint8)
        own[8:24].view(np.int64)[:] = self._comm.rank, os.getpid()
        own[:8].view(np.float64)[0] = time.monotonic()

    def _look(self, parent: int) -> NoReturn:
        """Report once for each time that the ranks stall, until `parent` ends. Runs in the child."""
        try:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
                signal.signal(number, signal.SIG_IGN)  # the ranks decide what ends a run
            os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # among them the lock of the run, which ends with the rank
            reported = 0.0
            while os.getppid() == parent:
                newest = max(float(mark[:8].view(np.float64)[0]) for mark in self._marks)
                if newest > reported and time.monotonic() - newest > self._limit:
                    os.write(2, f"{stall_text(self.marks(), self._limit)}\n".encode())
                    reported = newest
                time.sleep(min(1.0, 0.25 * self._limit))
        finally:
            os._exit(0)

    def marks(self) -> list[RankMark]:
        """Return the marks of the ranks of this machine."""
        now, found = time.monotonic(), []
        for mark in self._marks:
            rank, process = mark[8:24].view(np.int64).tolist()
            stage = bytes(mark[24:]).rstrip(b"\0").decode(errors="replace")
            found.append(RankMark(rank, process, stage, now - float(mark[:8].view(np.float64)[0]), _state(process)))
        return found


def stall_text(marks: Sequence[RankMark], limit: float) -> str:
    """Return the report: first the ranks whose process is stopped, waiting for a disk or gone, then the others."""
    lines = [f"warning: no rank of this machine has advanced for {limit:g} s; waiting in a collective call:"]
    for each in sorted(marks, key=lambda mark: (not mark.state, mark.rank)):
        state = f", {each.state}" if each.state else ""
        lines.append(f"  rank {each.rank} (process {each.process}{state}): stage {each.stage} for {each.age:.0f} s")
    return "\n".join(lines)


def _limit() -> float:
    try:
        return float(os.environ.get(VARIABLE, LIMIT))
    except ValueError:
        return LIMIT


def _state(process: int) -> str:
    """Return the state of a process where it is unusual, else ''."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return "gone" if Path("/proc/self").exists() else ""
    except OSError:
        return ""
    return STATES.get(text.rsplit(")", 1)[-1].split()[0], "")
