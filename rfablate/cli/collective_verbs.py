"""What `run`, `resume` and `mesh` do on every rank, for `rfablate.__main__`. Collective, unless said otherwise."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfablate import __version__
from rfablate.errors import CaseError, Fault, RfablateError
from rfablate.signals import listen

if TYPE_CHECKING:
    from mpi4py import MPI

    from rfablate.case.tables.schema import Case
    from rfablate.run.run import Outcome

THREADS = "OMP_NUM_THREADS"


class _Refused(RfablateError):
    """A fault of rank 0, told to every rank as text."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code


def say_error(comm: MPI.Comm, text: str) -> None:
    """Say what went wrong: rank 0 does, in the log and on stderr."""
    import logging

    log = logging.getLogger("rfablate")
    if comm.rank == 0:
        if log.handlers:
            log.error(text, extra={"file_only": True})
        print(f"error: {text}", file=sys.stderr, flush=True)


def _from_root(comm: MPI.Comm, work: Callable[[], Any]) -> Any:
    """Return on every rank what `work` returns on rank 0; its fault is raised on every rank. Collective."""
    told: tuple[Any, str, int] = (None, "", 0)
    if comm.rank == 0:
        try:
            told = (work(), "", 0)
        except RfablateError as error:
            told = (None, str(error), error.exit_code)
    value, text, code = comm.bcast(told)
    if text:
        raise _Refused(text, code)
    return value


def run_case(comm: MPI.Comm, args: argparse.Namespace) -> int:
    """Run a case; return the exit code. Collective."""
    from rfablate.case.checks.all_checks import case_warnings
    from rfablate.log import setup_log
    from rfablate.run.run import run

    listen()  # once more: Open MPI 5 and PETSc may have taken the signals over when they were loaded
    directory = args.output or Path("runs") / case_name(args.case)
    case: Case = _from_root(comm, lambda: _prepared(args, directory))
    log = setup_log(comm.rank, directory / "run.log", quiet=args.quiet)
    log.info("rfablate %s: %s", __version__, case.title)
    log.info("%s -> %s, %d rank%s", args.case, directory, comm.size, "s" if comm.size > 1 else "")
    if args.threads_unset:
        log.info("%s is not set: every rank uses one thread", THREADS)
    for warning in case_warnings(case) if comm.rank == 0 else ():
        log.warning(warning)
    # The directory was found free, or given up, above; since then it holds the log.
    return _told(comm, run(case, directory, comm, overwrite=True))


def resume_run(comm: MPI.Comm, args: argparse.Namespace) -> int:
    """Go on with a run; return the exit code. Collective."""
    from rfablate.case.read.case_file import load_case
    from rfablate.log import setup_log
    from rfablate.results.run_directory import ended
    from rfablate.run.run import resume

    listen()
    reason = _from_root(comm, lambda: ended(args.run))
    if reason:
        if comm.rank == 0:
            print(f"{args.run} has nothing left to do: {reason}", flush=True)
        return 0
    case: Case = _from_root(comm, lambda: load_case(args.run))
    log = setup_log(comm.rank, args.run / "run.log", quiet=args.quiet, append=True)
    log.info("rfablate %s resumes %s: %s", __version__, args.run, case.title)
    return _told(comm, resume(case, args.run, comm))


def _told(comm: MPI.Comm, outcome: Outcome) -> int:
    """Print a run's card on rank 0; return the exit code."""
    import logging

    if comm.rank == 0:
        logging.getLogger("rfablate").info(outcome.card, extra={"file_only": True})
        print(outcome.card, flush=True)
    return outcome.exit_code


def _prepared(args: argparse.Namespace, directory: Path) -> Case:
    """Return the case, with a directory for its run that is free or may be overwritten. Root only."""
    from rfablate.case.read.case_file import load_case
    from rfablate.results.run_directory import refuse_own_start, refuse_used

    case = load_case(args.case, args.overrides)
    refuse_used(directory, overwrite=args.overwrite)
    refuse_own_start(directory, case)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fault = Fault(str(directory), error.strerror or str(error), "a place to write to", "choose another -o")
        raise CaseError([fault], "output") from None
    return case


def mesh_case(comm: MPI.Comm, args: argparse.Namespace) -> int:
    """Mesh a case and write the mesh; return the exit code. Collective."""
    from rfablate.case.read.case_file import load_case
    from rfablate.log import setup_log

    case: Case = _from_root(comm, lambda: load_case(args.case, args.overrides))
    from rfablate.run.run import mesh_only

    setup_log(comm.rank)
    mesh_only(case, comm, args.output or Path("runs") / f"{case_name(args.case)}-mesh.vtkhdf")
    return 0


def case_name(case: Path) -> str:
    """Return what a run of this case file is called: its folder's name for a case.toml, else the file's."""
    path = case.resolve()
    if path.is_dir():
        return path.name
    return path.parent.name if path.name == "case.toml" else path.stem
