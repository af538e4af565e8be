"""Compares the error bars of shipped cases with runs on a finer mesh with a smaller time tolerance.

    python -m hpc.bench.error_bars [CASE ...] [--finer 2] [--draft] [-o error_bars.json]

Elements are `--finer` times smaller, the tolerance of a step by the square of it. A bar is true where it contains the
difference from the finer run; 95 % are expected. The ratio of bar to difference shows whether bars are much too long.
With a factor of 2 the difference is half of the error of the run where it is of first order and three quarters of it
where it is of second order, with 4 three quarters and 15/16. Several times `--set KEY=VALUE` changes all cases. Prints
Markdown.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mpi4py import MPI

from rfablate.case.read.case_file import load_case
from rfablate.case.tables.schema import Case
from rfablate.evidence.converge_case import Level
from rfablate.results.flatten import flatten
from rfablate.results.summary_models import RunSummary, read_summary
from rfablate.simulation.run import run

CASES = Path(__file__).parents[2] / "cases"
AXISYMMETRIC = (
    "needle_benchmark",
    "ex_vivo_gauge",
    "cooled_genicular",
    "liver_cool_tip",
    "pulsed_drg",
    "bipolar_needle",
)
SMALLEST = 1e-9
"""Differences below this are rounding; they count as inside and have no ratio."""


@dataclass(frozen=True)
class Bars:
    """The error bars of one case against the finer run."""

    case: str
    accuracy: str
    nodes: int
    finer_nodes: int
    numbers: Mapping[str, tuple[float, float, float]]
    """Value, bar and difference by key, in the unit of the key."""

    @property
    def inside(self) -> int:
        """Number of bars that contain the difference."""
        return sum(bar >= difference for _, bar, difference in self.numbers.values())

    @property
    def ratios(self) -> list[float]:
        """Ratio of bar to difference of each number."""
        return [bar / difference for _, bar, difference in self.numbers.values() if difference > SMALLEST]


def compared(name: str, changes: Sequence[str], factor: float) -> Bars:
    """Run a case and its finer version and return the error bars of its lesion and structure numbers."""
    case = load_case(CASES / name, ["output.report=false", "output.fields_interval_s=1000000", *changes])
    with tempfile.TemporaryDirectory() as folder:
        own = _summary(case, Path(folder) / "own")
        finer_case = Level("finer", 1.0 / factor, 1.0 / factor**2).apply(case)
        without_bar = finer_case.output.model_copy(update={"error_bar": False})
        finer = _summary(finer_case.model_copy(update={"output": without_bar}), Path(folder) / "finer")
    flat, fine = flatten(own), flatten(finer)
    numbers = {
        key: (float(flat[key]), float(bar), abs(float(flat[key]) - float(fine[key])))
        for key, bar in ((k.removesuffix(".bar"), v) for k, v in flat.items() if k.endswith(".bar"))
        if isinstance(fine.get(key), int | float)
    }
    nodes = [each.numerics.nodes for each in (own, finer)]
    return Bars(name, case.mesh.accuracy, *nodes, numbers)


def _summary(case: Case, folder: Path) -> RunSummary:
    run(case, folder, MPI.COMM_SELF)
    return read_summary(folder)


def row(each: Bars) -> str:
    """Return the row of a case in the table."""
    outside = [key.removeprefix("lesion.") for key, (_, bar, difference) in each.numbers.items() if bar < difference]
    ratio = f"{statistics.median(each.ratios):.1f}" if each.ratios else "-"
    text = ", ".join(outside[:4]) + (f" and {len(outside) - 4} more" if len(outside) > 4 else "")
    return (
        f"| {each.case} | {each.accuracy} | {each.nodes} | {each.finer_nodes} | {each.inside} of {len(each.numbers)} "
        f"| {ratio} | {text} |"
    )


def total(found: Sequence[Bars]) -> str:
    """Return the totals in one line."""
    inside, judged = sum(each.inside for each in found), sum(len(each.numbers) for each in found)
    ratios = [ratio for each in found for ratio in each.ratios]
    return (
        f"{inside} of {judged} bars ({100 * inside / max(judged, 1):.0f} %) contain the difference; "
        f"median ratio {statistics.median(ratios):.1f}"
    )


def main(arguments: Sequence[str]) -> None:
    """Run the cases and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cases", nargs="*", default=list(AXISYMMETRIC), metavar="CASE")
    parser.add_argument("--finer", type=float, default=2.0, metavar="FACTOR", help="times smaller elements (default 2)")
    parser.add_argument("--draft", action="store_true", help="draft meshes")
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write all numbers as JSON")
    args = parser.parse_args(arguments)
    changes = [*args.changes, *(["mesh.accuracy=draft"] if args.draft else [])]
    print("| case | accuracy | nodes | nodes, finer | inside | median ratio | outside |")
    print("|---|---|---:|---:|---:|---:|---|")
    found = []
    for name in args.cases:
        found.append(compared(name, changes, args.finer))
        print(row(found[-1]), flush=True)
    print("", total(found), sep="\n")
    if args.output is not None:
        data = [{"case": each.case, "accuracy": each.accuracy, "numbers": dict(each.numbers)} for each in found]
        args.output.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
