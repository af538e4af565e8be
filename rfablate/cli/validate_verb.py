"""The verb `validate`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rfablate.signals import install_handlers

if TYPE_CHECKING:
    from mpi4py import MPI


def add_validate_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rfablate validate` to the parser."""
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="experiments to run (default: the quick subset, or --all)"
    )
    parser.add_argument("--all", action="store_true", dest="everything", help="all experiments of the package")
    parser.add_argument(
        "--nominal", action="store_true", help="do not vary the uncertain inputs: fewer runs, u_input is too small"
    )
    parser.add_argument(
        "--data",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="folder of own experiments, each a NAME.toml with a NAME.csv; may be repeated",
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="directory of the results (default: runs/validation)"
    )


def validate_model(comm: MPI.Comm, args: argparse.Namespace) -> int:
    """Validate the model; return 0 whatever the verdicts, 1 if a run failed. Collective."""
    from rfablate.api.evidence import VALIDATION, validate
    from rfablate.evidence.validation_table import validation_text

    install_handlers()
    place = args.output or VALIDATION
    chosen = args.names or ("all" if args.everything else "quick")
    found = validate(place, chosen, data=args.data, vary_inputs=not args.nominal, comm=comm)
    if comm.rank == 0:
        print("", validation_text(found), f"written to {place}/validation.html, .md and .json", sep="\n", flush=True)
    return 1 if found.faults else 0
