"""Compares the run time of benchmark B1 with a FEniCSx baseline and prints a table and JSON.

    python -m hpc.bench [small medium large] [--ranks 1 2] [--repeats 3] [--baseline-steps 10] [-o bench.json]

The baseline follows the FEniCSx tutorials. Runs of both codes are interleaved. Missing meshes are generated in
`runs/bench`. rfablate runs all 120 steps; the baseline runs the given number of steps, and its loop time is scaled to
120. The loop time of rfablate excludes mesh, set-up and output files and includes lesion measurement at every step.
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

from hpc.bench.mesh import SIZES

CASE = Path(__file__).with_name("b1.toml")
STEPS = 120
LOOP = ("assemble", "potential", "heat", "judge", "damage", "measure")
Result = dict[str, Any]


def _command(ranks: int, *arguments: str) -> list[str]:
    start = [] if ranks == 1 else ["mpirun", "--oversubscribe", "-n", str(ranks)]
    return [*start, sys.executable, *arguments]


def told(command: list[str]) -> str:
    """Return what a command prints; where it fails, end with what it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip() or "nothing"
        sys.exit(f"{' '.join(command)}\nended with {done.returncode} and said:\n{said[-4000:]}")
    return done.stdout


def product(mesh: Path, ranks: int) -> Result:
    """Run the case and return its times, iteration counts and results."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["-m", "rfablate", "run", str(CASE), "-o", folder, "--overwrite", "--set", f"domain.file={mesh}"]
        told(_command(ranks, *arguments))
        summary = json.loads((Path(folder) / "summary.json").read_text())
        last = (Path(folder) / "history.csv").read_text().splitlines()
    row = dict(zip(last[0].split(","), (float(x) if x else 0.0 for x in last[-1].split(",")), strict=False))
    stages = summary["timing_s"]
    return {
        "loop_s": sum(stages.get(name, 0.0) for name in LOOP),
        "stages_ms_a_step": {name: 1e3 * stages.get(name, 0.0) / STEPS for name in LOOP},
        "mesh_s": stages["mesh"],
        "setup_s": stages["setup"],
        "write_s": stages["write"],
        "nodes": summary["numerics"]["nodes"],
        "heat_iterations_a_step": summary["numerics"]["heat_iterations"] / STEPS,
        "potential_iterations_a_step": summary["numerics"]["potential_iterations"] / STEPS,
        "peak_MiB": summary["provenance"]["peak_MiB"],
        "T_tip": row["sensor_degC"],
        "V0": row["voltage_V"],
        "impedance": row["impedance_ohm"],
        "width_mm": summary["lesion"]["isotherm_50C"]["width_mm"],
    }


def baseline(mesh: Path, ranks: int, steps: int) -> Result:
    """Run the baseline for some steps; scale its loop time to all steps."""
    command = _command(ranks, "-m", "hpc.bench.baseline", str(mesh), "--steps", str(steps))
    result: Result = json.loads(told(command).strip().splitlines()[-1])
    return {**result, "loop_s": result["loop_s"] * STEPS / steps}


def _median(runs: list[Result]) -> Result:
    middle = sorted(runs, key=lambda run: run["loop_s"])[len(runs) // 2]
    return {**middle, "loop_s": statistics.median(run["loop_s"] for run in runs), "runs": [r["loop_s"] for r in runs]}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="*", default=["small"], choices=SIZES)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--baseline-steps", type=int, default=10, help="steps of the baseline; 0: no baseline")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/bench/b1.json"))
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    results: dict[str, Result] = {}
    for size in arguments.sizes:
        mesh = Path("runs/bench").resolve() / f"{size}.msh"
        if not mesh.is_file():
            subprocess.run([sys.executable, "-m", "hpc.bench.mesh", size, str(mesh)], check=True)
        runs: dict[str, list[Result]] = {}
        for _ in range(arguments.repeats):
            for ranks in arguments.ranks:
                runs.setdefault(f"{size} rfablate {ranks}", []).append(product(mesh, ranks))
                if arguments.baseline_steps:
                    timed = baseline(mesh, ranks, arguments.baseline_steps)
                    runs.setdefault(f"{size} baseline {ranks}", []).append(timed)
        results.update({name: _median(each) for name, each in runs.items()})
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(results, indent=1))
    print(f"{'mesh, code, ranks':28} {'nodes':>8} {'loop s':>8} {'ms/step':>8} {'peak MiB':>9}  answers")
    for name, r in results.items():
        answers = f"{r['T_tip']:.6f} degC  {r['V0']:.6f} V  {r['impedance']:.5f} ohm"
        step = 1e3 * r["loop_s"] / STEPS
        print(f"{name:28} {r['nodes']:8} {r['loop_s']:8.2f} {step:8.1f} {r['peak_MiB']:9.0f}  {answers}")


if __name__ == "__main__":
    main()
