"""The command-line verb `compare`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rfablate.errors import CaseError, Fault


def add_compare_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rfablate compare`."""
    parser.epilog = "exit codes: 0 comparison done, whatever the differences; 2 no finished run"
    parser.add_argument("a", type=Path, metavar="RUN_A", help="run directory")
    parser.add_argument("b", type=Path, nargs="+", metavar="RUN_B", help="run directories; differences are B - A")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all numbers to a JSON file")
    parser.add_argument("--report", type=Path, metavar="FILE", help="also write a page with all lesions in one scene")


def compare(args: argparse.Namespace) -> int:
    """Print the differences between finished runs; return the exit code."""
    from rfablate.api.studies import compare as compare_runs
    from rfablate.api.studies import write_comparison
    from rfablate.comparison.compare_text import as_json, as_text

    found = [compare_runs(args.a, b) for b in args.b]
    print("\n\n".join(map(as_text, found)))
    if args.json is not None:
        data = [as_json(each) for each in found]
        text = json.dumps(data[0] if len(data) == 1 else data, indent=1, ensure_ascii=False)
        try:
            args.json.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise _unwritable(args.json, error) from None
    if args.report is not None:
        print(f"\n{write_comparison(found, args.report)}")
    return 0


def _unwritable(file: Path, error: OSError) -> CaseError:
    return CaseError([Fault(str(file), error.strerror or str(error), "a writable file")], "compare")
