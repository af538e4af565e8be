"""`rfablate check`: describe a case, and list all its faults."""

from __future__ import annotations

import argparse


def check(args: argparse.Namespace) -> int:
    """Print the description of a case and the warnings about it; return the exit code."""
    from rfablate.case.checks.all_checks import case_warnings
    from rfablate.case.describe.case_text import describe_case
    from rfablate.case.read.case_file import load_case

    case = load_case(args.case, args.overrides)
    print(describe_case(case))
    if case.domain.kind == "mesh":
        from rfablate.cli.user_mesh_text import checked_mesh_text

        print("", checked_mesh_text(case), sep="\n")
    warnings = case_warnings(case)
    print("", *(f"warning: {warning}" for warning in warnings), "no faults", sep="\n")
    return 0
