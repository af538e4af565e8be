"""Compares work and precision of the default time stepping with fixed steps on one mesh.

    python -m hpc.bench.steps cases/needle_benchmark --set domain.kind=cylinder [--fixed 1 0.5 0.25 0.1] [--repeats 3]
    python -m hpc.bench.steps hpc/bench/b1.toml --fixed 0.5 0.25 0.1 0.05 --set domain.file=$PWD/runs/bench/small.msh \\
        --set generator.control=ideal --set time.order=3 --set solver.heat_rtol=1e-11 --set solver.potential_rtol=1e-10

Runs the case with adaptive and with fixed steps, interleaved. For each it prints the loop time, the time of the whole
command without imports [s], and the largest deviation of the lesion numbers (widths, lengths, volumes) from those of
the last, shortest step. The shortest step is run once. Error bar and report are off.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hpc.bench.__main__ import LOOP

NUMBERS = ("width_mm", "length_mm", "volume_mm3")


def run(case: str, settings: list[str]) -> dict[str, Any]:
    """Run a case on one rank and return its summary."""
    quiet = ["output.error_bar=false", "output.report=false"]
    sets = [part for setting in [*quiet, *settings] for part in ("--set", setting)]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "rfablate", "run", case, *sets, "-o", folder, "--overwrite"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # its errors are shown
        summary: dict[str, Any] = json.loads((Path(folder) / "summary.json").read_text())
    return summary


def lesion_numbers(summary: dict[str, Any]) -> dict[tuple[str, str], float]:
    """Return the lesion's extents and volumes for every rule that has a lesion."""
    lesions = {rule: lesion for rule, lesion in summary["lesion"].items() if isinstance(lesion, dict)}
    return {(rule, name): lesion[name] for rule, lesion in lesions.items() for name in NUMBERS if lesion.get(name)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    parser.add_argument("--fixed", type=float, nargs="+", default=[1.0, 0.5, 0.25, 0.1], help="steps [s]")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    steps = sorted(arguments.fixed, reverse=True)
    ways = {"adaptive": ["time.stepping=adaptive"]} | {
        f"{step:g} s": ["time.stepping=fixed", f"time.step_s={step}"] for step in steps
    }
    *timed, exact = ways
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    for _ in range(arguments.repeats):
        for way in timed:
            runs[way].append(run(arguments.case, [*arguments.settings, *ways[way]]))
    runs[exact].append(run(arguments.case, [*arguments.settings, *ways[exact]]))
    right = lesion_numbers(runs[exact][0])
    print(f"{'steps':>9} {'number':>7} {'loop s':>8} {'whole s':>8} {'max. deviation':>15}")
    for way, summaries in runs.items():
        loop = statistics.median(sum(each["timing_s"].get(name, 0.0) for name in LOOP) for each in summaries)
        whole = statistics.median(each["timing_s"]["total"] for each in summaries)
        found = lesion_numbers(summaries[0])
        off, (rule, name) = max((abs(found.get(key, 0.0) / value - 1.0), key) for key, value in right.items())
        told = f"{100.0 * off:14.3f}%  {name} of {rule}" if way != exact else f"{'-':>15}"
        print(f"{way:>9} {summaries[0]['numerics']['steps']:7} {loop:8.2f} {whole:8.2f} {told}")


if __name__ == "__main__":
    main()
