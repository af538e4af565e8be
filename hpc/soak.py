"""A long run on two ranks that shows whether memory, energy balance or log drift (`make soak`).

    python -m hpc.soak --minutes 60 --nodes 200000 --ranks 2

The case repeats ramp, hold and pause, writes checkpoints every 10 s, and is stopped by a signal at the end. The
resident memory of all ranks is read once a second. The last line has the figures and PASS or FAIL.
"""

from __future__ import annotations

import argparse
import csv
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rfablate.case.read.overrides import setting

CASES = Path(__file__).parents[1] / "tests" / "mpi" / "cases"
GROWTH, LOG_MIB, AFTER_S = 5.0, 5.0, 60.0
"""Largest growth of memory [%] after the first minute, and largest log [MiB]."""
YIELD = "OMPI_MCA_mpi_yield_when_idle"
"""Variable of Open MPI: waiting ranks yield their core, also on a busy machine."""
NODES_AT_SCALE_1 = 4000.0
"""Nodes of the case `structures` at scale 1, from which the scale of the mesh follows."""


def case_keys(nodes: int) -> list[str]:
    """Return the changes of the case: 200 cycles of ramp, hold and pause on a mesh of about `nodes` nodes."""
    cycle = [
        {"kind": "ramp", "target_degC": 70.0, "duration_s": 5.0},
        {"kind": "hold", "duration_s": 20.0},
        {"kind": "pause", "duration_s": 5.0},
    ]
    items = ", ".join(setting("", each)[1:] for each in cycle * 200)
    scale = max(0.2, (NODES_AT_SCALE_1 / nodes) ** (1.0 / 3.0))
    return [
        f'generator={{kind = "staged", stages = [{items}]}}', f"mesh.scale={scale:.3f}", "output.error_bar=false",
        "output.report=false", "output.checkpoint_wall_s=10", "output.fields_interval_s=600", "output.observe_at_s=[]",
    ]  # fmt: skip


def resident_MiB(parent: int) -> float:
    """Return the resident memory of all descendants of a process [MiB]."""
    children: dict[int, list[int]] = {}
    memory: dict[int, float] = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            facts = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        except OSError:
            continue
        number = int(status.parent.name)
        children.setdefault(int(facts["PPid"]), []).append(number)
        memory[number] = float(facts.get("VmRSS", "0 kB").split()[0]) / 1024.0
    todo, total = list(children.get(parent, ())), 0.0
    while todo:
        each = todo.pop()
        total += memory[each]
        todo += children.get(each, ())
    return total


def residuals(folder: Path) -> tuple[int, float]:
    """Return the number of steps of a run, and the energy residual of its last checkpoint [%]."""
    from rfablate.results.checkpoint import newest_checkpoint

    with (folder / "history.csv").open(newline="") as file:
        steps = sum(1 for _ in csv.reader(file)) - 2
    found, _ = newest_checkpoint(folder)
    assert found is not None
    ledger = found.memory["state"]["ledger"]
    terms = [ledger[key] for key in ("joule", "metabolic", "stored", "perfused", "boundary", "latent")]
    joule, metabolic, *out = terms
    return steps, 100.0 * abs(joule + metabolic - sum(out)) / max(map(abs, terms))


def main() -> int:
    """Run for the given time; return 0 if nothing drifts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--nodes", type=int, default=200_000)
    parser.add_argument("--ranks", type=int, default=2)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="rfablate-soak-")) / "run"
    sets = [part for key in case_keys(options.nodes) for part in ("--set", key)]
    command = [sys.executable, "-m", "rfablate", "run", str(CASES / "structures.toml"), "-o", str(folder), *sets]
    launcher = ["mpirun", "--oversubscribe", "-n", str(options.ranks)] if options.ranks > 1 else []
    process = subprocess.Popen([*launcher, *command], env={**os.environ, "OMP_NUM_THREADS": "1", YIELD: "1"})
    while process.poll() is None and not (folder / "checkpoint.h5").is_file():
        time.sleep(0.5)
    begin, seen = time.monotonic(), []
    while process.poll() is None and (now := time.monotonic() - begin) < 60.0 * options.minutes:
        parent = os.getpid()
        seen.append((now, resident_MiB(parent)))
        time.sleep(1.0)
    if process.poll() is None:
        process.send_signal(signal.SIGUSR2 if launcher else signal.SIGTERM)
    code = process.wait(timeout=600)
    early = [size for now, size in seen if AFTER_S <= now < 1.5 * AFTER_S] or [size for _, size in seen[:1]]
    late = [size for now, size in seen if now > seen[-1][0] - 0.5 * AFTER_S]
    growth = 100.0 * (max(late) / max(early) - 1.0)
    steps, residual = residuals(folder)
    log = (folder / "run.log").stat().st_size / 2**20
    good = code in (0, 6) and growth < GROWTH and log < LOG_MIB and residual < 1.0
    print(
        f"soak: exit {code}, {seen[-1][0] / 60:.1f} min, {steps} steps, memory {max(early):.0f} -> {max(late):.0f} MiB "
        f"({growth:+.2f} %), energy residual {residual:.3f} %, log {log:.3f} MiB: {'PASS' if good else 'FAIL'}"
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
