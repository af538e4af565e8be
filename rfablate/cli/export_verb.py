"""The verb `export` of the command line."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rfablate export` to the parser."""
    parser.add_argument("run", type=Path, metavar="RUN", help="run directory")
    image = "on the grid of the case's label image (.nii.gz, .nrrd, .seg.nrrd, .mha)"
    parser.add_argument("--labels", type=Path, metavar="FILE", help=f"lesions as labels {image}")
    parser.add_argument("--temperature", type=Path, metavar="FILE", help="maximum temperature in degC on the same grid")
    parser.add_argument("--stl", type=Path, metavar="DIR", help="lesion surfaces in mm")
    parser.add_argument("--npy", type=Path, metavar="DIR", help="mesh and fields as NumPy arrays")
    parser.add_argument(
        "--dose-volume", type=Path, metavar="FILE", help="dose-volume histograms of the structures as CSV"
    )
    parser.add_argument(
        "--rule", metavar="RULE", help="only the lesion of this rule, as label 1 (default: all rules of the case)"
    )
    parser.add_argument(
        "--at", type=float, metavar="SECONDS", help="with --temperature: values at the output time nearest to this time"
    )
    parser.add_argument("--like", type=Path, metavar="IMAGE", help="use the grid of another image")


def export(args: argparse.Namespace) -> int:
    """Write a run's results in the formats of other programs; return the exit code."""
    from rfablate.api.export_run import export as export_run

    written = export_run(
        args.run,
        labels=args.labels,
        temperature=args.temperature,
        stl=args.stl,
        npy=args.npy,
        dose_volume=args.dose_volume,
        rule=args.rule,
        at_s=args.at,
        like=args.like,
    )
    print(*(f"{file}: {what}" if what else file for file, what in written.items()), sep="\n")
    return 0
