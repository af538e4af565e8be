"""A run, from the case to the lesion. Read this file first.

    mesh  ->  problem  ->  steps: decide, solve, judge, commit  ->  lesion, structures, energy  ->  files

`steps` is the time loop and the only place where the state of a run changes. Everything else looks on.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from rfablate.case.schema import Case
from rfablate.errorbar import error_bars
from rfablate.errors import RfablateError, SolveError, StepError
from rfablate.fem.gather import gather_cells, gather_mesh
from rfablate.fem.meshing import build_domain
from rfablate.fem.parallel import on_root
from rfablate.fem.vapour import HOT
from rfablate.observe import Observer
from rfablate.output.card import lesion_card
from rfablate.output.directory import RunDirectory
from rfablate.output.fields import FieldsFile
from rfablate.physics.damage import cem43_rate, integrate_rate
from rfablate.problem import Problem, build_problem, describe, describe_mesh
from rfablate.record import Record
from rfablate.state import Frame, State, Trial, accepted_frame, first_frame, initial_state
from rfablate.step import solve_step
from rfablate.timing import Stopwatch

log = logging.getLogger("rfablate")

KEPT = "the last good state is in checkpoint.h5, the fields up to it in fields.vtkhdf"


@dataclass(frozen=True)
class Outcome:
    """What a run came to; the same on every rank, but for the card, which is empty off rank 0."""

    summary: dict[str, Any]
    card: str
    exit_code: int
    """0, or 5 where a protected structure exceeded its limit."""


def run(case: Case, directory: Path, comm: MPI.Comm, *, overwrite: bool = False) -> Outcome:
    """Run a case and write its run directory. Collective.

    Raises:
        CaseError: the directory holds a run already and `overwrite` is False.
        MeshError, SolveError, StepError: see there; after the last two the directory holds the last good state.
    """
    watch, started = Stopwatch(), datetime.now(timezone.utc).isoformat(timespec="seconds")
    files = on_root(comm, lambda: RunDirectory.prepare(directory, case, overwrite=overwrite))
    with watch.stage("mesh"):
        domain = build_domain(case, comm)
    with watch.stage("setup"):
        problem = build_problem(case, domain)
        state = initial_state(problem)
        observer = Observer(case, problem)
        record = Record(case, problem, observer, files, watch)
    log.info("%s", describe(problem))
    fault: RfablateError | None = None
    try:
        for frame in steps(problem, state, record.output_times, watch):
            record.see(frame)
    except (SolveError, StepError) as error:
        fault = error
    summary = record.close(state, fault, started)
    if fault is None and case.output.error_bar:
        with watch.stage("error bar"):
            bars, reason = error_bars(case, comm, observer.last)
        summary["numerics"]["error_bar"] = bars
        summary["warnings"] += [reason] if reason else []
    summary["timing_s"] = {**watch.seconds, "total": watch.total}
    card = ""
    if files is not None:
        with watch.stage("write"):
            files.finish(summary, with_report=case.output.report)
        card = lesion_card(summary, str(directory), files.written())
    if fault is not None:
        raise type(fault)(f"{fault}; {KEPT}")
    exceeded = any(s["verdict"] == "limit exceeded" for s in summary["structures"].values())
    return Outcome(summary, card, 5 if exceeded else 0)


def mesh_only(case: Case, comm: MPI.Comm, path: Path) -> None:
    """Mesh a case and write the mesh with its region names to `path` as VTKHDF. Collective."""
    domain = build_domain(case, comm)
    mesh, region = gather_mesh(domain), gather_cells(domain, domain.region)
    log.info("%s", describe_mesh(domain))
    if mesh is not None and region is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FieldsFile(path, *mesh, region, domain.region_names, domain.axisymmetric) as file:
            file.append(0.0, {}, {"region_tag": region})
        log.info("written to %s", path)


def steps(problem: Problem, state: State, stops: Sequence[float], watch: Stopwatch) -> Iterator[Frame]:
    """Advance `state` to the end of the treatment, yielding the start and every accepted step. Collective.

    Steps land exactly on `stops` [s], on the generator's turning and switch times and on the end.

    Raises:
        SolveError: a solve failed or the temperature went non-finite; `state` still holds the last good step.
        StepError: the shortest step allowed was refused.
    """
    control, generator = problem.control, problem.generator
    landings = sorted({*stops, *generator.turning_times, *generator.switch_times, generator.end})
    yield first_frame(problem, state)
    while state.t < generator.end:
        t = control.next_time(state.t, landings, state.step_memory)
        trial = solve_step(problem, state, t, watch)
        verdict = control.judge(trial.dt, trial.error, trial.order, state.step_memory)
        if verdict.too_small:
            raise StepError(
                f"the step at t = {state.t:.6g} s was refused at its lower limit of {control.minimum:g} s: local error "
                f"{trial.error:.3g} K, expected at most {control.tolerance:g} K; try a larger time.tolerance_K"
            )
        state.step_memory = verdict.memory
        if verdict.accepted:
            with watch.stage("damage"):
                commit(problem, state, trial)
            yield accepted_frame(state, trial)


def commit(problem: Problem, state: State, trial: Trial) -> None:
    """Make the trial the state: the only place where a state changes."""
    before = state.rates or (problem.arrhenius.rate(state.T), cem43_rate(state.T))
    state.rates = (problem.arrhenius.rate(trial.T), cem43_rate(trial.T))
    if problem.control.order == 1:  # backward Euler, as for the temperature
        gained = tuple(rate * trial.dt for rate in state.rates)
    else:
        gained = tuple(integrate_rate(old, new, trial.dt) for old, new in zip(before, state.rates, strict=True))
    state.omega, state.cem43 = state.omega + gained[0], state.cem43 + gained[1]
    if problem.cell_death is not None:
        state.alive, state.dead = problem.cell_death.advance(state.alive, state.dead, (state.T, trial.T), trial.dt)
    state.peak = np.maximum(state.peak, trial.T)
    state.t, state.T, state.vapour = trial.t, trial.T, trial.vapour
    state.hot = problem.vapour is not None and trial.max_T >= HOT
    state.memory, state.ledger, state.sensor = trial.memory, trial.ledger, trial.sensor
    state.response = trial.response
    state.heating = [(trial.t, trial.command.voltage**2), *state.heating[:1]]
    if trial.unit is not None:
        state.units = [(trial.t, trial.unit), *state.units[:2]]
    state.past = [(trial.t, trial.T), *state.past[:2]]
    state.after_switch = trial.t in problem.generator.switch_times
    if state.after_switch:
        state.past, state.heating = state.past[:1], []
        state.step_memory = problem.control.restart(state.step_memory)
