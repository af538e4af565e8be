"""Computes the bandwidth limit of a B1 step: the bytes the algorithm must move, divided by the memory bandwidth.

    python -m hpc.bench.floor large [--steps 20]

Runs the case for some steps on one rank. For the iterations of these steps it counts every array that a kernel reads or
writes, once per call: matrices, vectors, element numbers. A vector gathered by a matrix product counts once. Reuse of
cached data between kernels is not subtracted, so that small meshes can be faster than their limit. Lesion measurement,
damage and the step error are counted as passes over vectors. The bandwidth is that of a triad in the same session.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from mpi4py import MPI

from hpc.bench.__main__ import CASE, LOOP
from hpc.bench.mesh import SIZES
from hpc.scaling.rates import triad
from rfablate.case.read.case_file import load_case
from rfablate.lesion.observer import Observer
from rfablate.linalg.conjugate_gradients import ConjugateGradients
from rfablate.linalg.replicated_levels import ReplicatedLevels
from rfablate.mesh.build import build_domain
from rfablate.problem.extensions import NO_EXTENSIONS
from rfablate.problem.problem import Problem, build_problem
from rfablate.simulation.prior_treatment import with_prior_treatment
from rfablate.simulation.recorder import Recorder
from rfablate.simulation.run_context import RunContext
from rfablate.solve.loop import steps
from rfablate.timing import Stopwatch

DOUBLE, SINGLE, SHORT, INDEX = 8, 4, 2, 4
PASSES = 24
"""Vectors read or written by initial guesses, damage, step error and energy balance in a step."""


@dataclass(frozen=True)
class Solves:
    """Mean iteration counts of a solver per step."""

    solves: float
    iterations: float
    cycles: float
    """Iterations with a V-cycle; the other iterations use the inverse diagonal."""


def bytes_of_a_step(problem: Problem, heat: Solves, potential: Solves) -> dict[str, float]:
    """Return the bytes of each part of a step [B] from the sizes of this problem and its solves."""
    pattern, domain, electric = problem.solvers.pattern, problem.domain, problem.solvers.electric
    assert electric is not None
    n, entries, edges = pattern.n, len(pattern.columns), len(pattern.near)
    cells, corners = domain.stencil.cells.shape
    pairs = len(pattern._edges[2])
    laws = len(problem.solvers.coefficients.factors)
    product = entries * DOUBLE + pattern.columns.nbytes
    free = electric.matrix.diagonal > 0.0
    cycle = electric.hierarchy.get(free)
    smoothing = entries * SHORT + pattern.columns.nbytes + 5 * n * SINGLE
    transfers = sum(layout[0].nbytes + layout[1].nbytes for layout in (cycle._transfer._up, cycle._transfer._down))
    below = 0.0
    assert isinstance(cycle.coarse, ReplicatedLevels)  # on one rank
    for level in cycle.coarse.levels[:-1]:
        below += 4 * level.nbytes  # type: ignore[union-attr]
    v_cycle = 4 * smoothing + transfers + 2 * n * SINGLE + below + 2 * n * (2 * DOUBLE + 2 * SINGLE)

    def solving(solves: Solves) -> float:
        plain = solves.iterations - solves.cycles
        products = solves.iterations + solves.solves + (solves.solves if plain else 0.0)
        vectors = 4 * products + 10 * solves.cycles + 12 * plain
        return products * product + solves.cycles * v_cycle + vectors * n * DOUBLE

    return {
        "coefficients": laws * 2 * n * DOUBLE + cells * (corners * INDEX + INDEX + 2 * DOUBLE) + laws * n * DOUBLE,
        "assembling": pairs * (DOUBLE + INDEX) + cells * 2 * DOUBLE + edges * 2 * INDEX + 4 * entries * DOUBLE,
        "heat matrix": 4 * entries * DOUBLE,
        "heat": solving(heat),
        "potential": solving(potential),
        "Joule": cells * (corners * INDEX + INDEX + domain.stencil.stiffness.shape[1] * DOUBLE) + 4 * n * DOUBLE,
        "rest": PASSES * n * DOUBLE,
    }


def _solves(solver: ConjugateGradients, steps: int) -> Solves:
    return Solves(solver.solves / steps, solver.iterations / steps, solver.cycles / steps)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("size", nargs="?", default="large", choices=SIZES)
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    mesh = Path("runs/bench").resolve() / f"{arguments.size}.msh"
    case = load_case(CASE, [f"domain.file={mesh}", f"generator.hold_s={0.5 * arguments.steps}"])
    watch = Stopwatch()
    with watch.stage("mesh"):
        domain = build_domain(case, MPI.COMM_SELF)
    with watch.stage("setup"):
        problem, state, _ = with_prior_treatment(case, build_problem(case, domain))
        observer = Observer(case, problem.domain, problem.tissue_cells)
        context = RunContext(case, problem, observer, None, watch, NO_EXTENSIONS)
        recorder = Recorder(context, prior=None)
    before = triad(MPI.COMM_SELF)
    count = 0
    for count, frame in enumerate(steps(problem, state, recorder.output_times, watch)):  # noqa: B007, the start is frame 0
        recorder.observe(frame)
    bandwidth = 0.5 * (before + triad(MPI.COMM_SELF))
    assert problem.solvers.electric is not None
    moved = bytes_of_a_step(
        problem, _solves(problem.solvers.heat.solver, count), _solves(problem.solvers.electric.solver, count)
    )
    floor = sum(moved.values()) / bandwidth
    measured = {name: watch.seconds.get(name, 0.0) / count for name in LOOP}
    total = sum(measured.values())
    print(json.dumps({
        "nodes": domain.nodes.total,
        "steps": count,
        "triad_GB_per_s": bandwidth / 1e9,
        "MB_a_step": {name: round(size / 1e6, 1) for name, size in moved.items()},
        "ms_a_step": {name: round(1e3 * seconds, 1) for name, seconds in measured.items()},
        "floor_s_a_step": floor,
        "measured_s_a_step": total,
        "measured_over_floor": total / floor,
        "mesh_s": watch.seconds["mesh"],
        "setup_s": watch.seconds["setup"],
        "mesh_and_setup_over_loop_of_120": (watch.seconds["mesh"] + watch.seconds["setup"]) / (120 * total),
    }, indent=1))  # fmt: skip


if __name__ == "__main__":
    main()
