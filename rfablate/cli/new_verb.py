"""`rfablate new`: writes a commented case file, also from a label image, a mesh or surfaces."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_new_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what the case starts from."""
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--3d", dest="in_3d", action="store_true", help="a general example in 3-D, not axisymmetric")
    start.add_argument("--from-labels", type=Path, metavar="IMAGE", help="all labels of a label image")
    start.add_argument("--from-mesh", type=Path, metavar="MESH", help="regions, surfaces and electrode of a mesh")
    start.add_argument(
        "--from-surface", type=Path, nargs="+", metavar="FILE", help="closed surfaces (.stl, .ply, .obj, .vtp)"
    )
    start.add_argument("--like", type=Path, metavar="CASE", help="a copy of a case file, or of a folder's case.toml")


def new_file(args: argparse.Namespace) -> int:
    """Write the case file; return the exit code."""
    from rfablate.api.new_case import Start, new_case

    given: dict[Start, list[Path]] = {
        "labels": [args.from_labels] if args.from_labels else [],
        "mesh": [args.from_mesh] if args.from_mesh else [],
        "surfaces": args.from_surface or [],
        "like": [args.like] if args.like else [],
    }
    start: Start = next((each for each in given if given[each]), "3-D" if args.in_3d else "axisymmetric")
    made = new_case(args.name, start, given.get(start, []))
    if made.missing:
        print(f"{made.file} written; rfablate check finds in it:")
        print(*(f"  {fault}" for fault in made.missing), f"next: change these lines of {made.file}", sep="\n")
    else:
        print(f"{made.file} written; next: rfablate check {made.file}")
    return 0
