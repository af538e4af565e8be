"""The command-line verb `watch`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rfablate.api.watch_case import WatchedRun

MOST_KEYS = 4
"""Largest number of changed keys that a line names."""


def add_watch_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rfablate watch` beside those of the case."""
    parser.epilog = "ctrl-C ends it; ranks, Slurm and resuming: rfablate run"
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="page and run directories (default: runs/<case>-watch)"
    )


def watch_case(args: argparse.Namespace) -> int:
    """Run a case now and after every save until ctrl-C; return the exit code."""
    from rfablate.api.watch_case import watch
    from rfablate.case.read.case_file import load_case
    from rfablate.case.read.case_name import case_name
    from rfablate.cli.warm_members import start_warm_command
    from rfablate.report.watch_page import PAGE

    load_case(args.case, args.overrides)  # a case with faults at the start ends the command
    directory = args.output or Path("runs") / f"{case_name(args.case)}-watch"
    print(f"watching {args.case}; page: {(directory / PAGE).resolve().as_uri()}", flush=True)
    try:
        for run in watch(args.case, directory, args.overrides, start_warm_command(args.main)):
            print(f"\n{_head(run)}\n{run.text}", flush=True)
    except KeyboardInterrupt:
        print("", flush=True)
    return 0


def _head(run: WatchedRun) -> str:
    """Return a line about a run: what has changed, its accuracy and the time since the save."""
    if not run.accuracy:
        return "--- the case has faults"
    more = len(run.changed) - MOST_KEYS
    keys = ", ".join(run.changed[:MOST_KEYS]) + (f" and {more} more" if more > 0 else "")
    mesh = f" ({'same mesh' if run.same_mesh else 'new mesh'})" if keys else ""
    return f"--- {f'{keys}{mesh}: ' if keys else ''}{run.accuracy}, {run.seconds:.1f} s after the save"
