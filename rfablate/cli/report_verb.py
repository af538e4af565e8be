"""`rfablate report`: rewrite the report of a run, or write it as PDF, its figures, a picture or a movie."""

from __future__ import annotations

import argparse
from pathlib import Path

from rfablate.errors import CaseError, Fault


def report(args: argparse.Namespace) -> int:
    """Write the report or the picture of a finished run; return the exit code."""
    from rfablate.results.run_directory import require_finished

    require_finished([args.run], "report")
    if args.picture is not None:
        print(_picture(args.run, args.picture))
        return 0
    if args.movie is not None:
        from rfablate.api.run_result import movie_of

        print(movie_of(args.run, args.movie))
        return 0
    if args.pdf is not None:
        from rfablate.api.run_result import pdf_of

        print(pdf_of(args.run, args.pdf))
        return 0
    if args.figures is not None:
        from rfablate.api.run_result import figures_of

        print(*figures_of(args.run, args.figures), sep="\n")
        return 0
    from rfablate.report import write_report

    write_report(args.run)
    print(args.run / "report.html")
    return 0


def _picture(run: Path, target: Path) -> Path:
    """Write the summary picture of a run; return its path."""
    from rfablate.report.summary_picture import write_summary_picture

    try:
        return write_summary_picture(run, target)
    except (OSError, ValueError) as error:
        raise CaseError(
            [Fault(str(target), str(error), "a run with fields, and a writable PNG file")], "report"
        ) from None
