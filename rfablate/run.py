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

from rfablate.carry import begin, volumes_at_start
from rfablate.case.schema import Case
from rfablate.errorbar import error_bars
from rfablate.errors import Interrupted, SolveError, StepError
from rfablate.fem.gather import gather_cells, gather_mesh
from rfablate.fem.meshing import build_domain
from rfablate.fem.parallel import on_root
from rfablate.fem.vapour import HOT
from rfablate.keeper import Keeper, find_checkpoint
from rfablate.observe import Observer
from rfablate.output.card import lesion_card
from rfablate.output.checkpoint import Checkpoint
from rfablate.output.directory import RunDirectory
from rfablate.output.fields import FieldsFile
from rfablate.physics.damage import cem43_rate, integrate_rate
from rfablate.problem import Problem, build_problem, describe, describe_mesh
from rfablate.record import Course, Record
from rfablate.signals import Requests
from rfablate.state import Frame, State, Trial, accepted_frame, first_frame
from rfablate.step import solve_step
from rfablate.stepping import ROUNDING, far_from
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
        Interrupted: a signal asked it to stop; the directory holds what `resume` goes on from.
    """
    watch = Stopwatch()
    files = on_root(comm, lambda: RunDirectory.prepare(directory, case, overwrite=overwrite))
    return _carry_out(case, comm, files, watch, None, again=False)


def resume(case: Case, directory: Path, comm: MPI.Comm) -> Outcome:
    """Go on with a run from its newest good checkpoint; without one, from its start. Collective.

    Raises:
        CaseError: the checkpoint is one of another case or version.
        MeshError: the mesh is not the checkpoint's, or cannot be made.
        Interrupted, SolveError, StepError: as `run`.
    """
    watch = Stopwatch()
    found = on_root(comm, lambda: find_checkpoint(case, directory))
    if not comm.bcast(found is not None):
        log.warning("no checkpoint in %s: the run starts anew", directory)
        return run(case, directory, comm, overwrite=True)
    files = on_root(
        comm, lambda: RunDirectory.reopen(directory, found.memory["record"]["history_bytes"]) if found else None
    )
    if found is not None:
        log.info("going on from %s", found.name)
    return _carry_out(case, comm, files, watch, found, again=True)


def _carry_out(  # noqa: PLR0913
    case: Case, comm: MPI.Comm, files: RunDirectory | None, watch: Stopwatch, found: Checkpoint | None, *, again: bool
) -> Outcome:
    """Run a case in a directory that is open on rank 0, `again` from the checkpoint that rank 0 has. Collective."""
    started = datetime.now(timezone.utc).isoformat(timespec="seconds")
    try:
        with watch.stage("mesh"):
            domain = build_domain(case, comm)
        with watch.stage("setup"):
            problem = build_problem(case, domain)
            problem, state, earlier = begin(case, problem)
            observer = Observer(case, problem)
            before = volumes_at_start(problem, state, observer) if earlier is not None else {}
            record = Record(case, problem, observer, files, watch)
        log.info("%s", describe(problem))
        keeper = Keeper(case, problem, record, files, watch, Course(started))
        if again:
            state = keeper.take_up(found, record.output_times)
        fault = _advance(problem, state, record, keeper, watch)
        keeper.write(state)
        summary = record.close(state, fault, keeper.course)
        if earlier is not None:
            summary["repeat"] = earlier.entry(before, summary["lesion"])
            summary["warnings"] += earlier.warnings(summary["repeat"])
        if fault is None and case.output.error_bar:
            with watch.stage("error bar"):
                bars, reason = error_bars(case, comm, observer, record.frame)
            summary["numerics"]["error_bar"] = bars
            summary["warnings"] += [reason] if reason else []
        summary["timing_s"] = {**watch.seconds, "total": watch.total}
        card = ""
        if files is not None:
            with watch.stage("write"):
                files.finish(summary, with_report=case.output.report)
            card = lesion_card(summary, str(files.path), files.written())
    finally:
        if files is not None:
            files.release()
    if fault is not None:
        raise type(fault)(f"{fault}; {KEPT}")
    exceeded = any(s["verdict"] == "limit exceeded" for s in summary["structures"].values())
    return Outcome(summary, card, 5 if exceeded else 0)


def _advance(
    problem: Problem, state: State, record: Record, keeper: Keeper, watch: Stopwatch
) -> SolveError | StepError | None:
    """Advance the state to the end; return the fault that stopped it before, None if none did. Collective.

    Raises:
        Interrupted: a signal asked it to stop; the checkpoint is written.
    """
    try:
        with Requests() as requests:
            for frame in steps(problem, state, record.stops, watch):
                record.see(frame)
                if keeper.see(state, requests.take()):
                    where = f"interrupted at t = {state.t:.6g} of {problem.generator.end:g} s"
                    raise Interrupted(f"{where}; `rfablate resume {keeper.place}` goes on from there")
    except (SolveError, StepError) as error:
        return error
    return None


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
    """Advance `state` to the end of the treatment, yielding the start, if it is there, and every step. Collective.

    Steps land exactly on `stops` [s], on the generator's turning and switch times and on the end. A step within which
    the device switches by itself is made again, to end there.

    Raises:
        SolveError: a solve failed or the temperature went non-finite; `state` still holds the last good step.
        StepError: the shortest step allowed was refused.
    """
    control, generator = problem.control, problem.generator
    landings = sorted({*stops, *generator.turning_times, *generator.switch_times, generator.end})
    if state.t == 0.0:
        yield first_frame(problem, state)
    cut: float | None = None
    while state.t < generator.end:
        planned = far_from(landings, generator.planned(state.memories, state.turn), ROUNDING * generator.end)
        t = control.next_time(state.t, [*landings, *planned], state.step_memory) if cut is None else cut
        trial = solve_step(problem, state, t, watch)
        verdict = control.judge(trial.dt, trial.error, trial.order, state.step_memory)
        if verdict.too_small:
            raise StepError(
                f"the step at t = {state.t:.6g} s was refused at its lower limit of {control.minimum:g} s: local error "
                f"{trial.error:.3g} K, expected at most {control.tolerance:g} K; try a larger time.tolerance_K"
            )
        cut = trial.cut if verdict.accepted else None
        state.step_memory = verdict.memory if cut is None else control.refuse(state.step_memory)
        if verdict.accepted and cut is None:
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
    state.memories, state.turn, state.ledger = trial.memories, trial.turn, trial.ledger
    state.sensors = tuple(each.sensor for each in trial.outputs)
    state.heating = [(trial.t, tuple(each.voltage**2 for each in trial.outputs)), *state.heating[:1]]
    if trial.solved_at is not None:
        state.solved_at = trial.solved_at
        state.potentials = [(trial.t, trial.potentials), *state.potentials[:2]]
    state.past = [(trial.t, trial.T), *state.past[:3]]
    state.boiled = [(trial.t, trial.vapour), *state.boiled[:1]] if problem.vapour is not None else []
    state.after_switch = trial.jumps or trial.t in problem.generator.switch_times
    if state.after_switch:
        state.past, state.heating, state.potentials = state.past[:1], [], state.potentials[:1]
        state.boiled = state.boiled[:1]
        state.step_memory = problem.control.restart(state.step_memory)
