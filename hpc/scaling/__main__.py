"""Scaling of a time step: measured on this machine, counted, and predicted for up to 1,024 ranks.

    python -m hpc.scaling growth [tiny small medium large million] [--steps 24]
    python -m hpc.scaling count [MESH] [--ranks 1 2 3 4 8 16 32] [--steps 12] [--set KEY=VALUE ...]
    python -m hpc.scaling latency [MESH] [--ms 0 2 5 10]      two ranks over a delayed connection; needs root
    python -m hpc.scaling measure                              writes the input of the model to one file
    python -m hpc.scaling model runs/scaling/measured.json     tables and a JSON file of predictions

Results are stored in runs/scaling. `make scaling` runs all of these commands.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hpc.scaling import count, forecast, growth, latency
from hpc.scaling.launch import Result, probe
from hpc.scaling.meshes import FOLDER, prepare

MESHES = ["tiny", "small", "medium", "large", "million"]
WEAK_PARTS = 32
"""Rank counts whose shares of the largest mesh are used for weak scaling."""


def main() -> None:
    verb, given = _arguments()
    FOLDER.mkdir(parents=True, exist_ok=True)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", file=sys.stderr)
    if verb == "growth":
        print(growth.show(_collect("growth", growth.growth(given.meshes, given.steps))))
    elif verb == "count":
        print(count.show(_collect("count", count.count(given.mesh, given.ranks, given.steps, given.set))))
    elif verb == "latency":
        runs, text = latency.measure(given.mesh, tuple(1e-3 * ms for ms in given.ms))
        _keep("latency", runs)
        print(text)
    elif verb == "measure":
        _keep("measured", _measure(given.meshes, given.steps))
    else:
        text, data = forecast.report(json.loads(given.file.read_text()), given.memory_slowdown)
        _keep("forecast", data)
        print(text)


def _arguments() -> tuple[str, argparse.Namespace]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name in ("growth", "measure"):
        each = verbs.add_parser(name)
        each.add_argument("meshes", nargs="*", default=MESHES)
        each.add_argument("--steps", type=int, default=24)
    each = verbs.add_parser("count")
    each.add_argument("mesh", nargs="?", default="small")
    each.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 3, 4, 8, 16, 32])
    each.add_argument("--steps", type=int, default=12)
    each.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    each = verbs.add_parser("latency")
    each.add_argument("mesh", nargs="?", default="tiny")
    each.add_argument("--ms", type=float, nargs="+", default=[0, 2, 5, 10])
    each = verbs.add_parser("model")
    each.add_argument("file", type=Path)
    each.add_argument("--memory-slowdown", type=float, default=1.0, help="factor by which memory per rank is slower")
    given = parser.parse_args()
    return given.verb, given


def _measure(meshes: list[str], steps: int) -> Result:
    """Return the input of the model; results of `growth` and `count` are reused where they exist."""
    counted = _kept("count") or list(count.count("small", [1, 2, 3, 4, 8, 16, 32], 12))
    grown = _kept("growth") or list(growth.growth(meshes, steps))
    largest = max(grown, key=lambda run: run["nodes"])["mesh"]
    parts = [sys.executable, "-m", "hpc.scaling.parts", str(prepare(largest)), *map(str, forecast.RANKS)]
    rates = [sys.executable, "-m", "hpc.scaling.rates"]
    return {
        "distributed": [
            *(probe(f"{name} --petsc", 1, 6) for name in ("tiny", "small", "small+1")),
            probe("small+1", 8, 4, counted=True),
            probe("small+1 --petsc", 16, 4, counted=True),
        ],
        "count": counted,
        "growth": grown,
        "parts": _answer(parts),
        "rates": [_answer(rates), _answer(["mpirun", "--oversubscribe", "-n", "2", *rates])],
        "pairs": [probe(name, 2, steps) for name in ("small", "medium")],
        "weak_parts": WEAK_PARTS,
    }


def _collect(name: str, answers: Iterable[Result]) -> list[Result]:
    """Return all results; each is stored when it arrives, so that an interrupted series keeps them."""
    runs: list[Result] = []
    for answer in answers:
        runs.append(answer)
        _keep(name, runs)
    return runs


def _answer(command: list[str]) -> Result:
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    answer: Result = json.loads(done.stdout)
    return answer


def _kept(name: str) -> Any:
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text()) if path.is_file() else None


def _keep(name: str, data: Any) -> None:
    (FOLDER / f"{name}.json").write_text(json.dumps(data, indent=1))


if __name__ == "__main__":
    main()
