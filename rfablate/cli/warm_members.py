"""Members of a study as forks of one process that has imported the solver.

Each member is a separate process: it initialises MPI itself, and its failure does not affect other members. Forking
saves 0.8 s of imports per member.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from rfablate.signals import die_with_parent
from rfablate.single_process import prepare_single_process
from rfablate.study.worker_pool import CONSOLE, Job, Start, member_arguments, start_run

POLL_S = 0.02
INTERRUPTED = 6

Main = Callable[[Sequence[str]], int]
"""The command line: arguments to exit code."""


class Fork:
    """A forked member, with the part of the interface of subprocess.Popen that studies use."""

    def __init__(self, pid: int) -> None:
        """Store the process id of a child."""
        self._pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, minus the signal that ended it; None while it runs."""
        if self._code is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code

    def send_signal(self, number: int) -> None:
        """Send a signal to the process."""
        if self.poll() is None:
            os.kill(self._pid, number)

    def kill(self) -> None:
        """Kill the process."""
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit code."""
        end = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if end is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired("member", timeout or 0.0)
            time.sleep(POLL_S)
        return code


def start_warm(main: Main, ranks: int, launcher: str | None = None) -> Start:
    """Return a function that starts members as forks of this process; members with several ranks are new processes.

    Args:
        main: the command line.
        ranks: number of ranks of a member.
        launcher: command that starts members with several ranks; None: as for `start_run`.
    """
    anew = start_run(ranks) if launcher is None else start_run(ranks, launcher=launcher)
    if ranks > 1 or sys.platform != "linux":
        return anew
    warm: list[bool] = []

    def start(directory: Path, lock: int) -> Job:
        if not warm:
            warm.append(_import_without_mpi())
        if not warm[0]:
            return anew(directory, lock)
        return _fork(lambda: _run(main, member_arguments(directory)), directory / CONSOLE, lock)

    return start


def start_warm_command(main: Main) -> Callable[[Sequence[str], Path], Fork] | None:
    """Import the solver; return a function that runs `rfablate` with some arguments in a fork of this process.

    Its second argument is the file for the output. None where this process cannot be forked.
    """
    if sys.platform != "linux" or not _import_without_mpi():
        return None
    import rfablate.api.run_case
    import rfablate.report.report_page  # noqa: F401
    from rfablate.report.picture_process import warm_up

    warm_up()
    return lambda arguments, console: _fork(lambda: _run_to_end(main, arguments), console)


def _import_without_mpi() -> bool:
    """Import the solver without starting MPI; return whether this process can be forked afterwards."""
    try:
        import mpi4py

        mpi4py.rc.initialize = False
        from mpi4py import MPI

        from rfablate.cli.solver_import import import_solver

        import_solver()
        import rfablate.mesh.generate  # noqa: F401
    except ImportError:
        return False  # the members report the missing package
    return not MPI.Is_initialized() and threading.active_count() == 1


def _fork(command: Callable[[], int], console: Path, lock: int = -1) -> Fork:
    """Run a command in a fork, which keeps the file descriptor `lock` open; return the process."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            _detach(console, lock)
            code = command()
        except KeyboardInterrupt:  # a signal arrived before the handlers were installed
            code = INTERRUPTED
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return Fork(pid)


def _detach(console: Path, lock: int) -> None:
    """Detach from the study's terminal, files and locks, except for the lock of this member."""
    os.setsid()  # the study receives ctrl-C and then ends its members
    die_with_parent()
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) != lock:
            try:
                os.close(int(name))
            except OSError:  # the one that listed them
                pass
    nothing, out = os.open(os.devnull, os.O_RDONLY), os.open(console, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for source, target in ((nothing, 0), (out, 1), (out, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(out)
    os.environ["OMP_NUM_THREADS"] = "1"
    prepare_single_process()


def _run(main: Main, arguments: Sequence[str]) -> int:
    from mpi4py import MPI

    MPI.Init_thread(MPI.THREAD_MULTIPLE)
    return _run_to_end(main, arguments)


def _run_to_end(main: Main, arguments: Sequence[str]) -> int:
    """Run the command line, which may start MPI, and finalise MPI."""
    from mpi4py import MPI

    code = main(arguments)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the daemon of Open MPI can send this signal to processes that end
    if MPI.Is_initialized():
        MPI.Finalize()
    return code
