"""The verb `schema` of the command line."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rfablate.errors import CaseError, Fault


def add_schema_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rfablate schema` to the parser."""
    parser.epilog = "Editors complete and check a case whose first line is: #:schema ./case.schema.json"
    parser.add_argument(
        "file", nargs="?", choices=("case", "study"), default="case", help="kind of file (default: case)"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write to a file instead of the terminal")


def schema(args: argparse.Namespace) -> int:
    """Print or write the JSON Schema of a case or study file; return the exit code."""
    from rfablate.api.file_keys import schema as schema_of

    text = json.dumps(schema_of(args.file), indent=1, ensure_ascii=False)
    if args.output is None:
        print(text)
        return 0
    try:
        args.output.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise CaseError([Fault(str(args.output), error.strerror or str(error), "a writable file")], "schema") from None
    print(args.output)
    return 0
