"""The verb `converge` of the command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rfablate.case.read.case_name import case_name
from rfablate.signals import install_handlers

if TYPE_CHECKING:
    from mpi4py import MPI


def add_converge_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rfablate converge` to the parser."""
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="study directory (default: runs/<case>-converge)"
    )
    parser.add_argument("--quiet", action="store_true", help="print warnings and the table only")


def converge_case(comm: MPI.Comm, args: argparse.Namespace) -> int:
    """Study the convergence of a case; return the exit code. Collective."""
    from rfablate.api.evidence import converge
    from rfablate.api.run_case import load_case
    from rfablate.evidence.convergence_table import convergence_text
    from rfablate.mesh.root_tasks import from_root

    install_handlers()
    case = from_root(comm, lambda: load_case(args.case, args.overrides))
    place = args.output or Path("runs") / f"{case_name(args.case)}-converge"
    found = converge(case, place, comm=comm, quiet=args.quiet)
    if comm.rank == 0:
        print(convergence_text(found), f"\nwritten to {place}/convergence.json", sep="\n", flush=True)
    return 0
