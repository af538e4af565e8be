"""Measures whole commands, from their start to their end, beside those of another checkout.

    python -m hpc.bench.commands [--other FOLDER] [--repeats 3] [--only NAME ...] [-o commands.json]

A command runs alternately from this checkout and from the other, each with a cache folder of its own. The table holds
medians of wall time and of processor time (user and system, with all processes of the command), and the ratios. On a
machine with other work only the processor time can be compared; overlapping work shows in the wall time only.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Command:
    """A command to measure."""

    words: tuple[str, ...]
    """Arguments of `rfablate`; {cases} and {out} are folders."""
    cold: bool = False
    """Whether the mesh cache is emptied before each repetition."""
    once: bool = False
    """Whether it is run once, without a first run that is not measured: it takes minutes."""


@dataclass(frozen=True)
class Cost:
    """Time of one command [s]."""

    wall: float
    cpu: float


COMMANDS = {
    "help": Command(("--help",)),
    "check": Command(("check", "{cases}/trigeminal")),
    "needle, axisymmetric": Command(("run", "{cases}/needle_benchmark", "-o", "{out}", "--overwrite", "--quiet")),
    "trigeminal, mesh not cached": Command(
        ("run", "{cases}/trigeminal", "-o", "{out}", "--overwrite", "--quiet"), cold=True
    ),
    "trigeminal, another set point": Command(
        ("run", "{cases}/trigeminal", "-o", "{out}", "--overwrite", "--quiet", "--set", "generator.target_degC=72")
    ),
    "ex_vivo_factorial, 80 runs": Command(("study", "{cases}/ex_vivo_factorial/study.toml", "-o", "{out}"), once=True),
    "find in 3-D at draft": Command(
        ("find", "{cases}/medial_branch", "-o", "{out}", "--set", "mesh.accuracy=draft")
        + ("--vary", "generator.target_degC=60:90", "--goal", "structures.spinal_nerve.max_degC<=45")
        + ("--maximise", "lesion.isotherm_50C.volume_mm3"),
        cold=True,
        once=True,
    ),
}
"""The measured commands, in this order; a command that is not cold runs once before it is measured."""


def measured(checkout: Path, words: Sequence[str], cache: Path) -> Cost:
    """Run `rfablate` from a checkout to its end and return its cost."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "XDG_CACHE_HOME": str(cache), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "rfablate", *words]
    start, before = time.perf_counter(), os.times()
    # In the folder of the checkout: `python -m` looks for modules there before it looks in PYTHONPATH.
    done = subprocess.run(command, env=environment, cwd=checkout, capture_output=True, text=True, check=False)
    after, wall = os.times(), time.perf_counter() - start
    if done.returncode not in (0, 5):
        sys.exit(f"{' '.join(command)} in {checkout} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(wall, spent)


def compare(name: str, checkouts: Sequence[Path], repeats: int, folder: Path) -> list[list[Cost]]:
    """Return the costs of a command for each checkout; repetitions alternate between them."""
    command = COMMANDS[name]
    costs: list[list[Cost]] = [[] for _ in checkouts]
    warm_up = not (command.cold or command.once)
    for number in range(1 if command.once else repeats + warm_up):
        for row, (place, checkout) in zip(costs, enumerate(checkouts), strict=True):
            cache = folder / f"cache{place}"
            if command.cold:
                shutil.rmtree(cache / "rfablate" / "meshes", ignore_errors=True)
            shutil.rmtree(folder / f"run{place}", ignore_errors=True)
            words = [word.format(cases=checkout / "cases", out=folder / f"run{place}") for word in command.words]
            cost = measured(checkout, words, cache)
            if number > 0 or not warm_up:
                row.append(cost)
    return costs


def table_row(name: str, costs: Sequence[Sequence[Cost]]) -> str:
    """Return a row of the table: medians of wall and processor time, and the ratios of the other checkout's to them."""
    walls, cpus = ([statistics.median(getattr(c, key) for c in row) for row in costs] for key in ("wall", "cpu"))
    cells = [f"{wall:.1f}, {cpu:.1f}" for wall, cpu in zip(walls, cpus, strict=True)]
    ratios = [f"{walls[1] / walls[0]:.2f}, {cpus[1] / cpus[0]:.2f}"] if len(costs) > 1 else []
    return f"| {' | '.join([name, *cells, *ratios])} |"


def main() -> None:
    """Measure the commands and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--other", type=Path, help="another checkout, for example a git worktree of an earlier commit")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=list(COMMANDS), default=list(COMMANDS), metavar="NAME")
    parser.add_argument("-o", "--output", type=Path, help="JSON file for all measurements")
    args = parser.parse_args()
    checkouts = [HERE, *([args.other.resolve()] if args.other else [])]
    titles = ["command", "this checkout: wall, CPU [s]", "other: wall, CPU [s]", "ratios: wall, CPU"]
    titles = titles if args.other else titles[:2]
    print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}", flush=True)
    found = {}
    with tempfile.TemporaryDirectory(prefix="rfablate-commands-") as folder:
        for name in args.only:
            costs = compare(name, checkouts, args.repeats, Path(folder))
            print(table_row(name, costs), flush=True)
            found[name] = [[vars(cost) for cost in row] for row in costs]
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", file=sys.stderr)
    if args.output is not None:
        args.output.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
