"""The command-line verb `compare`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from rfablate.errors import CaseError, Fault

if TYPE_CHECKING:
    pass


def add_compare_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rfablate compare`."""
    parser.epilog = "exit codes: 0 comparison done, whatever the differences; 2 no finished run"
    parser.add_argument("a", type=Path, metavar="RUN_A", help="run directory")
    parser.add_argument("b", type=Path, metavar="RUN_B", help="run directory; differences are B - A")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all numbers to a JSON file")


def compare(args: argparse.Namespace) -> int:
    """Print the differences between two finished runs; return the exit code."""
    from rfablate.api.studies import compare as compare_runs
    from rfablate.comparison.compare_text import as_json, as_text

    found = compare_runs(args.a, args.b)
    print(as_text(found))
    if args.json is not None:
        try:
            args.json.write_text(json.dumps(as_json(found), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise CaseError(
                [Fault(str(args.json), error.strerror or str(error), "a writable file")], "compare"
            ) from None
    return 0
