"""The verb `credibility`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rfablate.case.read.case_name import case_name

if TYPE_CHECKING:
    from mpi4py import MPI

PLACES = {
    "run": "finished run of the case (default: runs/<case>)",
    "convergence": "directory of rfablate converge (default: runs/<case>-converge)",
    "verification": "directory of rfablate verify (default: runs/verification)",
    "validation": "directory of rfablate validate (default: runs/validation)",
    "study": "study with distributions (default: the newest one of this case in studies)",
}
MADE = ("run", "verify", "converge", "validate")


def add_credibility_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rfablate credibility` to the parser."""
    for name, text in PLACES.items():
        parser.add_argument(f"--{name}", type=Path, metavar="DIR", help=text)
    parser.add_argument(
        "--make", nargs="+", choices=MADE, default=[], metavar="PART",
        help="first make this evidence where it is missing: run, verify, converge, validate",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="directory of the document (default: runs/<case>-credibility)"
    )


def write_case_credibility(comm: MPI.Comm | None, args: argparse.Namespace) -> int:
    """Write the document and print its gaps; return the exit code. Collective with `make`, else root only."""
    from rfablate.api.credibility import write_credibility
    from rfablate.api.run_case import load_case

    if comm is not None:
        from rfablate.signals import install_handlers

        install_handlers()
    place = args.output or Path("runs") / f"{case_name(args.case)}-credibility"
    named = {name: getattr(args, name) for name in PLACES}
    if named["run"] is None and (args.case / "summary.json").is_file():
        named["run"] = args.case
    case = load_case(args.case, args.overrides)
    found = write_credibility(case, place, **named, name=case_name(args.case), make=args.make, comm=comm)
    if comm is None or comm.rank == 0:
        for gap in found.gaps:
            print(f"  {gap.kind:<8} {gap.part}: {gap.text}" + (f"  [{gap.remedy}]" if gap.remedy else ""))
        print(f"{len(found.gaps)} gaps", f"written to {place}/credibility.html and .md", sep="\n", flush=True)
    return 0
