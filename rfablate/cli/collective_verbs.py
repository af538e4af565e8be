"""The verbs `run`, `resume` and `mesh`, which run on every rank. Functions are collective unless stated otherwise."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rfablate.case.read.case_name import case_name
from rfablate.signals import install_handlers

if TYPE_CHECKING:
    from mpi4py import MPI

    from rfablate.simulation.outcome import Outcome

THREADS = "OMP_NUM_THREADS"


def report_error(comm: MPI.Comm, text: str) -> None:
    """Write an error message to the log file and to standard error, on rank 0 only."""
    import logging

    log = logging.getLogger("rfablate")
    if comm.rank == 0:
        if log.handlers:
            log.error(text, extra={"file_only": True})
        print(f"error: {text}", file=sys.stderr, flush=True)


def run_case(comm: MPI.Comm, args: argparse.Namespace) -> int:
    """Run a case; return the exit code. Collective."""
    from rfablate.api.run_case import LogOptions, load_case, run_in
    from rfablate.mesh.root_tasks import from_root
    from rfablate.simulation.run_options import RunOptions

    install_handlers()  # second call: Open MPI 5 and PETSc may have replaced the signal handlers when they were loaded
    directory = args.output or Path("runs") / case_name(args.case)
    case = from_root(comm, lambda: load_case(args.case, args.overrides))
    notes = (f"{THREADS} is not set: every rank uses one thread",) if args.threads_unset else ()
    options = RunOptions(overwrite=args.overwrite, began=args.began, side=args.side)
    outcome = run_in(case, directory, comm, options, LogOptions(args.quiet, str(args.case), notes))
    return _print_card(comm, outcome)


def resume_run(comm: MPI.Comm, args: argparse.Namespace) -> int:
    """Resume a run; return the exit code. Collective."""
    from rfablate.api.run_case import resume_in
    from rfablate.mesh.root_tasks import from_root
    from rfablate.results.run_directory import end_reason
    from rfablate.simulation.run_options import RunOptions

    install_handlers()
    outcome = resume_in(args.run, comm, RunOptions(began=args.began, side=args.side), quiet=args.quiet)
    if outcome is None:
        reason = from_root(comm, lambda: end_reason(args.run))
        if comm.rank == 0:
            print(f"{args.run} has already ended: {reason}", flush=True)
        return 0
    return _print_card(comm, outcome)


def _print_card(comm: MPI.Comm, outcome: Outcome) -> int:
    """Print the lesion card on rank 0; return the exit code."""
    import logging

    if comm.rank == 0:
        logging.getLogger("rfablate").info(outcome.card, extra={"file_only": True})
        print(outcome.card, flush=True)
    return outcome.exit_code


def mesh_case(comm: MPI.Comm, args: argparse.Namespace) -> int:
    """Generate and write the mesh of a case; return the exit code. Collective."""
    from rfablate.case.read.case_file import load_case
    from rfablate.log import setup_log
    from rfablate.mesh.root_tasks import from_root

    case = from_root(comm, lambda: load_case(args.case, args.overrides))
    from rfablate.simulation.run import distributed_mesh, mesh_only

    setup_log(comm.rank)
    if args.distributed is not None:
        distributed_mesh(case, comm, args.distributed)
        return 0
    mesh_only(case, comm, args.output or Path("runs") / f"{case_name(args.case)}-mesh.vtkhdf")
    return 0
