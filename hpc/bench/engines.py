"""The native solver compared with PETSc: CPU time of set-up and all steps of a case, in one process.

    [mpirun -n 2] python -m hpc.bench.engines [CASE] [--set KEY=VALUE ...] [--repeats 3]

The engines run alternately, so that other load on the machine affects all of them. Output: medians over the repeats of
the CPU time of all ranks for set-up and steps, wall time of the stages potential and heat, and iterations.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from mpi4py import MPI

from rfablate.case.read.case_file import load_case
from rfablate.case.tables.schema import Case
from rfablate.mesh.build import build_domain
from rfablate.mesh.domain import Domain
from rfablate.problem.problem import build_problem
from rfablate.solve.loop import steps
from rfablate.solve.state import initial_state
from rfablate.timing import Stopwatch

CASE = Path(__file__).parents[2] / "cases" / "needle_benchmark" / "case.toml"
DRAFT = ("domain.kind=cylinder", "mesh.accuracy=draft")
ENGINES: dict[str, dict[str, str] | None] = {
    "native": None,
    "petsc, gamg (the default)": {},
    "petsc, hypre": {"pc_type": "hypre"},
    "petsc, hypre as tuned for 3-D": {
        "pc_type": "hypre",
        "pc_hypre_boomeramg_strong_threshold": "0.5",
        "pc_hypre_boomeramg_coarsen_type": "HMIS",
        "pc_hypre_boomeramg_interp_type": "ext+i",
        "pc_hypre_boomeramg_agg_nl": "1",
        "pc_hypre_boomeramg_P_max": "4",
    },
    "petsc, jacobi": {"pc_type": "jacobi"},
}


@dataclass(frozen=True)
class Seen:
    """Times and iterations of one run."""

    cpu: float
    """CPU time of all ranks [s]."""
    potential: float
    heat: float
    """Wall time [s]."""
    potential_iterations: int
    heat_iterations: int
    hottest: float
    """Largest temperature at the end [degC]."""


def measure(case: Case, domain: Domain) -> Seen:
    """Return the times of one run without output. Collective."""
    domain.comm.barrier()
    start, watch = time.process_time(), Stopwatch()
    problem = build_problem(case, domain)
    for frame in steps(problem, initial_state(problem), (), watch):
        hottest = frame.max_T
    cpu = domain.comm.allreduce(time.process_time() - start)
    assert problem.solvers.electric is not None
    solvers = problem.solvers.electric.solver, problem.solvers.heat.solver
    return Seen(cpu, watch.seconds["potential"], watch.seconds["heat"], *(each.iterations for each in solvers), hottest)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", type=Path, nargs="?", default=CASE)
    parser.add_argument("--set", action="append", metavar="KEY=VALUE")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--options", action="append", default=[], metavar="A=B,C=D", help="further options of PETSc")
    given = parser.parse_args()
    comm, changes = MPI.COMM_WORLD, list(given.set if given.set is not None else DRAFT)
    engines = ENGINES | {f"petsc, {each}": dict(pair.split("=") for pair in each.split(",")) for each in given.options}
    case = load_case(given.case, changes)
    domain = build_domain(case, comm)
    cases = {
        name: case.with_changes({"solver.engine": "petsc", "solver.petsc_options": options})
        if options is not None
        else case
        for name, options in engines.items()
    }
    seen: dict[str, list[Seen]] = {name: [] for name in engines}
    for _ in range(given.repeats):
        for name, each in cases.items():
            seen[name].append(measure(each, domain))
    if comm.rank == 0:
        print(f"{domain.nodes.total} nodes, {comm.size} ranks, median of {given.repeats}")
        print("| engine | CPU | potential | heat | potential iterations | heat iterations | maximum |")
        print("|---|---|---|---|---|---|---|")
        for name, runs in seen.items():
            cpu, potential, heat = (median(getattr(run, key) for run in runs) for key in ("cpu", "potential", "heat"))
            last = runs[-1]
            print(
                f"| {name} | {cpu:.2f} s | {potential:.2f} s | {heat:.2f} s | {last.potential_iterations} "
                f"| {last.heat_iterations} | {last.hottest:.6f} degC |"
            )


if __name__ == "__main__":
    main()
