"""The verb `verify`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rfablate.signals import install_handlers

if TYPE_CHECKING:
    from mpi4py import MPI


def add_verify_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rfablate verify` to the parser."""
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="directory of the results (default: runs/verification)"
    )
    parser.add_argument("--quick", action="store_true", help="less than a minute: shorter runs, coarser meshes in 3-D")


def verify_installation(comm: MPI.Comm, args: argparse.Namespace) -> int:
    """Verify the installation; return 0 if all checks pass, else 1. Collective."""
    from rfablate.api.evidence import VERIFICATION, verify
    from rfablate.evidence.verification_table import verification_text

    install_handlers()
    place = args.output or VERIFICATION
    found = verify(place, quick=args.quick, comm=comm)
    if comm.rank == 0:
        print("", verification_text(found), f"written to {place}/verification.json and .md", sep="\n", flush=True)
    return 0 if found.passed else 1
