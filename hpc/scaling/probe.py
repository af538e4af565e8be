"""Runs some steps of benchmark B1, measures their parts, and prints one line of JSON.

    [mpirun -n 2] python -m hpc.scaling.probe runs/scaling/small.h5 [--steps 20] [--set KEY=VALUE ...] [--petsc]

rfablate runs unchanged: this module wraps solves, V-cycles and their coarse levels to time them. MPI calls are
counted if counts.c is preloaded. Numbers per step are those of the second half of the steps.

On one rank times are processor times, which other programs do not lengthen; on an idle machine they equal wall times,
and `busy` is the ratio of the two. On several ranks they are wall times, because waiting is part of a step.
"""

from __future__ import annotations

import argparse
import functools
import json
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from hpc.scaling import counter
from hpc.scaling.meshes import CASE
from rfablate.case.read.case_file import load_case
from rfablate.lesion.observer import Observer
from rfablate.linalg import coarse_limits, distributed_level, multigrid, replicated_levels, smoother
from rfablate.linalg import conjugate_gradients as linear
from rfablate.mesh.domain import distribute
from rfablate.mesh.mesh_file import MeshFile
from rfablate.problem.problem import Problem, build_problem
from rfablate.solve.loop import steps
from rfablate.solve.state import initial_state

FloatArray = npt.NDArray[np.float64]
MIB = 1024.0


class Tally(defaultdict[str, float]):
    """Times (`..._s`) and counts of the parts of a step, accumulated from the start of the run; also a stopwatch."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(float)
        self._clock = clock
        self._depth: defaultdict[str, int] = defaultdict(int)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time inside the `with` block to a stage, like `Stopwatch`."""
        start = self._clock()
        try:
            yield
        finally:
            self[f"{name}_s"] += self._clock() - start

    def watch(self) -> None:
        """Wrap the solver's parts: solves by kind, V-cycles, and the work of a V-cycle that every rank repeats."""
        linear.ConjugateGradients.solve = self._solve(linear.ConjugateGradients.solve)  # type: ignore[method-assign]
        multigrid.VCycle.apply = self._timed("cycle", multigrid.VCycle.apply)  # type: ignore[method-assign]
        for solver in coarse_solvers():
            if solver.__name__ == "PetscLevels":
                solver.solve = self._timed("petsc", solver.solve)
            solver.solve = self._timed("coarse", solver.solve)
        for name in ("smooth_down", "residual", "smooth_up"):
            setattr(smoother.Smoother, name, self._timed("dealt", getattr(smoother.Smoother, name), below=True))

    def _timed(self, name: str, function: Callable[..., Any], *, below: bool = False) -> Callable[..., Any]:
        """Wrap a function; of nested calls of one name the outermost; `below`: only calls for a replicated level."""

        @functools.wraps(function)
        def timed(*arguments: Any) -> Any:
            if below and arguments[0]._rows is None:
                return function(*arguments)
            self._depth[name] += 1
            start = self._clock()
            try:
                return function(*arguments)
            finally:
                self._depth[name] -= 1
                if self._depth[name] == 0:
                    self[f"{name}_s"] += self._clock() - start
                    self[f"{name}s"] += 1

        return timed

    def _solve(self, function: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(function)
        def solve(solver: Any, x: FloatArray, system: Any, cycle: Any = None) -> int:
            start = self._clock()
            used = function(solver, x, system, cycle)
            kind = "diagonal" if cycle is None else "cycled"
            self[f"{kind}_s"] += self._clock() - start
            self[f"{kind}_iterations"] += used
            self[f"{kind}_solves"] += 1
            return used

        return solve


def coarse_solvers() -> list[Any]:
    """Return the classes of coarse levels; that of PETSc only where it can be imported."""
    found = [replicated_levels.ReplicatedLevels, distributed_level.DistributedLevel]
    try:
        from rfablate.linalg.petsc_levels import PetscLevels
    except ImportError:
        return found
    return [*found, PetscLevels]


def run(path: Path, comm: MPI.Comm, n_steps: int, changes: Sequence[str] = ()) -> dict[str, Any]:
    """Run on a mesh made by `meshes.prepare`, with changed keys; return the costs of a step. Collective."""
    case = load_case(CASE, [f"domain.file={path.resolve()}", *changes])
    clock = time.process_time if comm.size == 1 else time.perf_counter
    tally = Tally(clock)
    tally.watch()
    with tally.stage("mesh"):
        domain = distribute(MeshFile(path) if comm.rank == 0 else None, comm)
    with tally.stage("setup"):
        problem = build_problem(case, domain)
        state, observer = initial_state(problem), Observer(case, problem.domain, problem.tissue_cells)
    after_setup = _peak_MiB()
    rows: list[dict[str, float]] = []
    counts: list[FloatArray] = []
    for number, frame in enumerate(steps(problem, state, [case.output.fields_interval or 60.0], tally)):
        with tally.stage("measure"):
            observer.look(frame)
        rows.append({**tally, "step_s": clock(), "wall_s": time.perf_counter()})
        now = counter.read()
        counts += [now] if now is not None else []
        if number == n_steps:
            break
    late = len(rows) // 2
    return {
        "ranks": comm.size,
        "nodes": domain.nodes.total,
        "cells": domain.n_cells,
        "steps": len(rows) - 1,
        "mesh_s": tally["mesh_s"],
        "setup_s": tally["setup_s"],
        "first_step_s": rows[1]["step_s"] - rows[0]["step_s"],
        "busy": (rows[-1]["step_s"] - rows[0]["step_s"]) / (rows[-1]["wall_s"] - rows[0]["wall_s"]),
        **_a_step(rows[late:]),
        "potential_levels": _levels(problem.solvers.electric.hierarchy if problem.solvers.electric else None),
        "heat_levels": _levels(problem.solvers.heat._hierarchy),
        "storage": _storage(problem.solvers.electric.hierarchy if problem.solvers.electric else None),
        "level_1_entries": _entries(problem.solvers.electric.hierarchy if problem.solvers.electric else None),
        "looked_at": comm.allreduce(len(observer._meter._cells)),
        "looked_at_most": comm.allreduce(len(observer._meter._cells), op=MPI.MAX),
        "share": _shares(problem, after_setup),
        "counts": _counts(counts[late:], comm),
    }


def _a_step(rows: list[dict[str, float]]) -> dict[str, Any]:
    """Return means of counts and medians of times over the steps between these rows."""
    names = sorted({name for row in rows for name in row} - {"mesh_s", "setup_s"})
    table = np.array([[row.get(name, 0.0) for name in names] for row in rows])
    change = np.diff(table, axis=0)
    middle = {name: float(np.median(column)) for name, column in zip(names, change.T, strict=True)}
    mean = {name: float(np.mean(column)) for name, column in zip(names, change.T, strict=True)}
    return {name: (middle if name.endswith("_s") else mean)[name] for name in names}


def _levels(hierarchy: Any) -> list[int]:
    cycle = hierarchy._cycle if hierarchy is not None else None
    return [int(n) for n in cycle.sizes] if cycle is not None else []


def _storage(hierarchy: Any) -> list[str]:
    """Return how the coarse levels are stored."""
    cycle = hierarchy._cycle if hierarchy is not None else None
    return list(cycle.coarse.storage) if cycle is not None else []


def _entries(hierarchy: Any) -> int:
    """Return the off-diagonal entries of the first replicated level; 0 if there is none."""
    cycle = hierarchy._cycle if hierarchy is not None else None
    levels = getattr(cycle.coarse, "levels", ()) if cycle is not None else ()
    return int(levels[0].entries) if levels else 0


def _shares(problem: Problem, after_setup: float) -> dict[str, list[float]]:
    """Return each rank's share of the work and its memory [MiB]. Collective."""
    domain = problem.domain
    nodes = domain.nodes
    owner = np.searchsorted(np.cumsum(domain.comm.allgather(nodes.owned)), nodes.global_index[nodes.owned :], "right")
    mine = {
        "rows": nodes.owned,
        "ghosts": nodes.local - nodes.owned,
        "neighbours": len(np.unique(owner)),
        "cells": len(domain.stencil.cells),
        "setup_MiB": after_setup,
        "peak_MiB": _peak_MiB(),
        "step_MiB": _resident_MiB(),
    }
    gathered = domain.comm.allgather(mine)
    return {name: [each[name] for each in gathered] for name in mine}


def _counts(rows: list[FloatArray], comm: MPI.Comm) -> dict[str, dict[str, float]]:
    """Return calls, messages and bytes per step by kind, each of the rank with the most. Collective."""
    if not rows:
        return {}
    mine = (rows[-1] - rows[0]) / (len(rows) - 1)
    comm.Allreduce(MPI.IN_PLACE, mine, op=MPI.MAX)
    return {
        kind: dict(zip(counter.PARTS, map(float, row), strict=True))
        for kind, row in zip(counter.KINDS, mine, strict=True)
    }


def _peak_MiB() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB


def _resident_MiB() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / MIB**2


def main() -> None:
    """Run and print on rank 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mesh", type=Path)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--petsc", action="store_true", help="let PETSc solve the first coarse level")
    arguments = parser.parse_args()
    if arguments.petsc:
        coarse_limits.ROWS = 10**9
        arguments.set.append("solver.coarse_levels=distributed")
    comm = MPI.COMM_WORLD
    answer = run(arguments.mesh, comm, arguments.steps, arguments.set)
    if comm.rank == 0:
        print(json.dumps(answer))


if __name__ == "__main__":
    main()
