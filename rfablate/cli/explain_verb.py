"""The verb `explain` of the command line."""

from __future__ import annotations

import argparse


def add_explain_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rfablate explain` to the parser."""
    parser.epilog = "exit codes: 0 done, 2 unknown key (the message has the nearest ones)"
    text = "a key, generator.ramp_s, or a table, generator; without one the tables are listed"
    parser.add_argument("key", nargs="?", default="", metavar="KEY", help=text)
    parser.add_argument("--study", action="store_true", help="a key of a study file, as with study. before KEY")


def explain(args: argparse.Namespace) -> int:
    """Print the meaning of a key or a table; return the exit code."""
    from rfablate.api.file_keys import explain as explain_key

    print(explain_key(args.key, study=args.study))
    return 0
