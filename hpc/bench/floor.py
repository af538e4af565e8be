"""The bandwidth floor of a B1 step: the bytes the algorithm must move, over what memory gives.

    python -m hpc.bench.floor large [--steps 20]

Runs the case for some steps on one rank and counts, for its iterations, every array that a kernel reads or writes once
a call: matrices, vectors, element numbers. A vector that a product gathers from counts once. What stays in a cache from
one kernel to the next is not taken off, so small meshes come out below their floor. The lesion's measuring, damage and
the judging of a step are counted as passes over vectors. Memory gives what a triad gives in the same sitting.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from mpi4py import MPI

from hpc.bench.__main__ import CASE, LOOP
from hpc.bench.mesh import SIZES
from hpc.scaling.rates import triad
from rfablate.case.load import load_case
from rfablate.fem.meshing import build_domain
from rfablate.problem import Problem, build_problem
from rfablate.run import run

DOUBLE, SINGLE, SHORT, INDEX = 8, 4, 2, 4
PASSES = 24
"""Vectors read or written by guesses, damage, judging and the ledger in a step."""


def bytes_of_a_step(problem: Problem, heat_iterations: float, potential_iterations: float) -> dict[str, float]:
    """Return the bytes of each part of a step [B], by the sizes of this problem and its iterations."""
    pattern, domain, electric = problem.pattern, problem.domain, problem.electric
    assert electric is not None
    n, entries, edges = pattern.n, len(pattern.columns), len(pattern.near)
    cells, corners = domain.stencil.cells.shape
    pairs = len(pattern._edges[2])
    laws = len(problem.coefficients.factors)
    product = entries * DOUBLE + pattern.columns.nbytes
    free = electric.matrix.diagonal > 0.0
    cycle = electric.hierarchy.get(free)
    smoothing = entries * SHORT + pattern.columns.nbytes + 5 * n * SINGLE
    transfers = sum(layout[0].nbytes + layout[1].nbytes for layout in (cycle._transfer._up, cycle._transfer._down))
    below = 0.0
    for level in cycle._coarse[:-1]:
        below += 4 * level.nbytes  # type: ignore[union-attr]
    v_cycle = 4 * smoothing + transfers + 2 * n * SINGLE + below + 2 * n * (2 * DOUBLE + 2 * SINGLE)
    return {
        "coefficients": laws * 2 * n * DOUBLE + cells * (corners * INDEX + INDEX + 2 * DOUBLE) + laws * n * DOUBLE,
        "assembling": pairs * (DOUBLE + INDEX) + cells * 2 * DOUBLE + edges * 2 * INDEX + 4 * entries * DOUBLE,
        "heat matrix": 4 * entries * DOUBLE,
        "heat": (heat_iterations + 2.0) * product + heat_iterations * 16 * n * DOUBLE,
        "potential": (potential_iterations + 1.0) * (product + 12 * n * DOUBLE) + potential_iterations * v_cycle,
        "Joule": cells * (corners * INDEX + INDEX + domain.stencil.stiffness.shape[1] * DOUBLE) + 4 * n * DOUBLE,
        "rest": PASSES * n * DOUBLE,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("size", nargs="?", default="large", choices=SIZES)
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    hold = 0.5 * arguments.steps
    mesh = Path("runs/bench").resolve() / f"{arguments.size}.msh"
    case = load_case(CASE, [f"domain.file={mesh}", f"generator.hold_s={hold}", f"output.fields_interval_s={hold}"])
    before = triad(MPI.COMM_SELF)
    summary = run(case, Path("runs/bench/floor"), MPI.COMM_SELF, overwrite=True).summary
    bandwidth = 0.5 * (before + triad(MPI.COMM_SELF))
    numerics, stages = summary["numerics"], summary["timing_s"]
    problem = build_problem(case, build_domain(case, MPI.COMM_SELF))
    problem.assemble(np.full(problem.domain.nodes.local, 37.0))
    steps = numerics["steps"]
    moved = bytes_of_a_step(problem, numerics["heat_iterations"] / steps, numerics["potential_iterations"] / steps)
    floor = sum(moved.values()) / bandwidth
    measured = sum(stages.get(name, 0.0) for name in LOOP) / steps
    print(json.dumps({
        "nodes": numerics["nodes"],
        "steps": steps,
        "triad_GB_per_s": bandwidth / 1e9,
        "MB_a_step": {name: round(size / 1e6, 1) for name, size in moved.items()},
        "floor_s_a_step": floor,
        "measured_s_a_step": measured,
        "measured_over_floor": measured / floor,
        "setup_and_mesh_s": stages["mesh"] + stages["setup"],
    }, indent=1))  # fmt: skip


if __name__ == "__main__":
    main()
