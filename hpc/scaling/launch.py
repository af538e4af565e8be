"""Starts the probe on a number of ranks and returns its result."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from hpc.scaling import counter
from hpc.scaling.meshes import FOLDER, prepare

Result = dict[str, Any]


def probe(
    name: str,
    ranks: int,
    steps: int,
    *,
    counted: bool = False,
    launcher: Sequence[str] = (),
) -> Result:
    """Return the result of `hpc.scaling.probe` for a mesh; `launcher` replaces mpirun and its options.

    The name may end with changed keys of the case and `--petsc`: `small solver.coarse_levels=distributed`.
    """
    name, *more = name.split()
    changes = [each if each.startswith("--") else f"--set={each}" for each in more]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    start = [*launcher] if launcher else ["mpirun", "--oversubscribe", "-n", str(ranks)]
    if counted:
        start += ["-x", f"LD_PRELOAD={counter.library(FOLDER)}"]
    if ranks == 1 and not launcher and not counted:
        start = []
    if ranks > (os.cpu_count() or 1):  # waiting ranks yield their core
        environment["OMPI_MCA_mpi_yield_when_idle"] = "1"
    command = [*start, sys.executable, "-m", "mpi4py", "-m", "hpc.scaling.probe", str(prepare(name).resolve())]
    command += ["--steps", str(steps), *changes]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-2000:]}")
    answer: Result = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    return {"mesh": name, **answer}


def table(rows: Sequence[Sequence[object]]) -> str:
    """Return rows as a Markdown table; the first row holds the column headers."""
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])
