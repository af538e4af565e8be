"""`rfablate run` and `resume` with `--slurm`: prepares the run directory and submits the run as a Slurm job."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rfablate.errors import CaseError, Fault

if TYPE_CHECKING:
    from rfablate.cluster.slurm import Site

LAST_LINES = 10
"""Last lines of slurm.log that are printed where a job ended before its run."""


def add_slurm_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for submitting one run to Slurm."""
    parser.add_argument("--slurm", type=Path, metavar="SITE", help="submit the run to Slurm; see hpc/README.md")
    parser.add_argument("--ranks", type=int, metavar="N", help="with --slurm: MPI ranks (default: 1)")
    parser.add_argument("--nodes", type=int, metavar="N", help="with --slurm: number of nodes")
    parser.add_argument("--follow", action="store_true", help="with --slurm: print the job state until the job ends")


def refuse_without_slurm(args: argparse.Namespace) -> None:
    """Raise CaseError where --ranks, --nodes or --follow is given without --slurm.

    Without Slurm, MPI ranks are started by mpirun, not by this process.
    """
    if args.ranks or args.nodes or args.follow:
        fault = Fault(
            "--ranks, --nodes, --follow",
            "no --slurm",
            "--slurm SITE as well",
            "without Slurm: mpirun -n RANKS rfablate ...",
        )
        raise CaseError([fault], "slurm")


def submit_new(args: argparse.Namespace, directory: Path) -> int:
    """Submit the run of a case; return the exit code."""
    from rfablate.case.checks.all_checks import case_warnings
    from rfablate.case.read.case_file import load_case
    from rfablate.cluster.slurm import load_site
    from rfablate.results.run_directory import RunDirectory

    site, case = load_site(args.slurm), load_case(args.case, args.overrides)
    for warning in case_warnings(case):
        print(f"warning: {warning}")
    try:
        RunDirectory.prepare(directory, case, overwrite=args.overwrite).release()
    except OSError as error:
        fault = Fault(str(directory), error.strerror or str(error), "a writable directory", "choose another -o")
        raise CaseError([fault], "output") from None
    return _submit(args, directory, site)


def submit_again(args: argparse.Namespace, directory: Path) -> int:
    """Submit the rest of an interrupted run; return the exit code."""
    from rfablate.cluster.slurm import load_site
    from rfablate.results.run_directory import end_reason

    site = load_site(args.slurm)
    if reason := end_reason(directory):
        print(f"{directory} has already ended: {reason}")
        return 0
    return _submit(args, directory, site)


def _submit(args: argparse.Namespace, directory: Path, site: Site) -> int:
    from rfablate.cluster.slurm import follow, submit_run
    from rfablate.results.run_directory import end_reason

    job = submit_run(directory, site, args.ranks or 1, args.nodes)
    print(f"submitted: job {job}; script, slurm.log and results in {directory}", flush=True)
    if not args.follow:
        return 0
    follow([job], lambda: end_reason(directory) or "not finished")
    if end_reason(directory):
        return 0
    print(f"job {job} ended before the run; last lines of {directory / 'slurm.log'}:\n{_last_lines(directory)}")
    return 1


def _last_lines(directory: Path) -> str:
    try:
        lines = (directory / "slurm.log").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "  (no such file: the job did not start, or its node cannot access the directory)"
    return "\n".join(f"  {line}" for line in lines[-LAST_LINES:])
