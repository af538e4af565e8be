"""The verb `schema` of the command line."""

from __future__ import annotations

import argparse
import json


def add_schema_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the parser what `rfablate schema` takes."""
    parser.epilog = 'Editors complete and check a case file whose first line is "#:schema ./case.schema.json".'
    parser.add_argument("file", nargs="?", choices=("case", "study"), default="case", help="which file (default: case)")


def schema(args: argparse.Namespace) -> int:
    """Print the JSON Schema of a case or study file; return the exit code."""
    from rfablate.api.file_keys import schema as schema_of

    print(json.dumps(schema_of(args.file), indent=1, ensure_ascii=False))
    return 0
