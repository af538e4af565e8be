"""`rfablate library`: list tissues, applicators or damage parameters."""

from __future__ import annotations

import argparse
from pathlib import Path

from rfablate.errors import CaseError, Fault


def library(args: argparse.Namespace) -> int:
    """Print a table of the library, or one entry, and write pictures of applicators; return the exit code."""
    from rfablate.cli import library_text as catalogue

    if args.pictures is not None and args.table != "applicators":
        hint = f"rfablate library applicators --pictures {args.pictures}"
        raise CaseError([Fault("--pictures", f"{args.table} have no pictures", "applicators", hint)], "library")
    match args.table:
        case "tissues":
            print(catalogue.tissues_text(args.name))
        case "applicators":
            print(catalogue.applicators_text(args.name))
            if args.pictures is not None:
                print(_pictures(args.name, args.pictures))
        case _:
            print(catalogue.damage_text(args.name))
    return 0


def _pictures(name: str | None, folder: Path) -> str:
    """Write the pictures of one applicator, or of all; return a line that names the files."""
    from rfablate.physics.library import applicator_names
    from rfablate.report.applicator_pictures import write_picture

    names = applicator_names() if name is None else (name,)
    try:
        files = [write_picture(each, folder) for each in names]
    except OSError as error:
        raise CaseError([Fault(str(folder), error.strerror or str(error), "a writable folder")], "library") from None
    return f"{len(files)} pictures in {folder}" if len(files) > 1 else str(files[0])
