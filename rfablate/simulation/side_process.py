"""A process on a second core that calls functions for a run on one rank: the error bar's run, then the pictures.

The command line forks it before MPI starts, when all modules are imported, so that it costs no processor time until it
is used. Arguments and results are sent as pickles through a pair of sockets. The process ends with the one that started
it.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from rfablate.cores import second_core
from rfablate.errors import RfablateError
from rfablate.signals import MEANING, die_with_parent
from rfablate.single_process import prepare_single_process

END_S = 2.0
"""Time that the process has to end after its last call before it is killed [s]."""


class SideProcessError(Exception):
    """The process has ended, or raised an exception that is not an RfablateError; the text says which."""


class PendingCall:
    """A function call in the side process."""

    def __init__(self, process: SideProcess, number: int) -> None:
        """Store the process, and the number of the call."""
        self._process, self._number = process, number

    def result(self, limit_s: float | None = None) -> Any:
        """Return the result of the call; wait for it, at most `limit_s` seconds.

        Raises:
            SideProcessError: there is no result.
            RfablateError: the function raised it.
        """
        value, fault = self._process.answer(self._number, limit_s)
        if fault is not None:
            raise fault
        return value


class SideProcess:
    """A process that calls functions in the order of `submit`."""

    def __init__(self, connection: Connection, pid: int) -> None:
        """Store the connection to a started process and its process id."""
        self._connection, self._pid = connection, pid
        self._submitted = 0
        self._ended = ""
        self._answers: list[tuple[Any, Exception | None]] = []

    def __enter__(self) -> SideProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def submit(self, function: Callable[..., Any], *arguments: Any) -> PendingCall | None:
        """Start a call; None where function or arguments cannot be pickled."""
        try:
            self._connection.send((function, arguments))
        except (pickle.PicklingError, AttributeError, TypeError):
            return None
        except OSError:  # the process has ended: `answer` says how
            pass
        self._submitted += 1
        return PendingCall(self, self._submitted - 1)

    def answer(self, number: int, limit_s: float | None = None) -> tuple[Any, Exception | None]:
        """Return value and exception of a call; wait for it, and end a process that takes longer than `limit_s`."""
        while len(self._answers) <= number:
            try:
                if not self._ended and not self._connection.poll(limit_s):
                    _kill(self._pid)
                    self._ended = f"the process took longer than {limit_s:g} s"
                self._answers.append(self._connection.recv())
            except (EOFError, OSError, pickle.UnpicklingError):
                self._ended = self._ended or f"the process {_end(self._pid)}"
                self._answers.append((None, SideProcessError(self._ended)))
        return self._answers[number]

    def close(self) -> None:
        """End the process; kill it where it has calls left or does not end."""
        while len(self._answers) < self._submitted and not self._ended and self._connection.poll(0):
            self.answer(len(self._answers))
        if len(self._answers) < self._submitted:
            _kill(self._pid)
        self._connection.close()
        end = threading.Timer(END_S, _kill, [self._pid])
        end.daemon = True
        end.start()
        _end(self._pid)
        end.cancel()


def fork_side_process() -> SideProcess | None:
    """Return a fork of this process; None without a second core, or where a fork is not safe.

    Call it after the imports and before MPI starts: MPI must not be used in a fork of a process that runs it.
    """
    from mpi4py import MPI

    if not second_core() or sys.platform != "linux" or MPI.Is_initialized() or threading.active_count() > 1:
        return None
    ours, theirs = socket.socketpair()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        try:
            ours.close()
            _serve(theirs.detach())
        finally:
            os._exit(0)
    theirs.close()
    return SideProcess(Connection(ours.detach()), pid)


def _serve(descriptor: int) -> None:
    """Call the functions that arrive, until the other end closes."""
    die_with_parent()
    os.setsid()  # ctrl-C reaches the run only, which then ends this process
    for number in MEANING:
        signal.signal(number, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):  # graphics libraries print warnings; a reader of the run's output must see its end
        os.dup2(nothing, standard)
    os.environ["OMP_NUM_THREADS"] = "1"
    prepare_single_process()
    with Connection(descriptor) as connection:
        while True:
            try:
                function, arguments = connection.recv()
            except (EOFError, OSError):
                break
            connection.send(_call(function, arguments))
    if "mpi4py.MPI" in sys.modules:
        from mpi4py import MPI

        if MPI.Is_initialized() and not MPI.Is_finalized():
            MPI.Finalize()


def _call(function: Callable[..., Any], arguments: Sequence[Any]) -> tuple[Any, Exception | None]:
    try:
        return function(*arguments), None
    except RfablateError as error:
        return None, error
    except BaseException as error:
        return None, SideProcessError(f"{type(error).__name__}: {error}")


def _end(pid: int) -> str:
    """Wait for a process and return how it ended."""
    try:
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError:
        return "has ended"
    return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
