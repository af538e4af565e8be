"""A run, from the case to its run directory.

    mesh  ->  problem  ->  steps: decide, solve, judge, commit  ->  lesion, structures, energy  ->  files

The time loop is in `solve/loop.py`. This module sets up, interrupts, resumes and writes a run.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from mpi4py import MPI

from rfablate.case.tables.schema import Case
from rfablate.errors import Interrupted, SolveError, StepError
from rfablate.lesion.observer import Observer
from rfablate.mesh.build import build_domain, write_distributed
from rfablate.mesh.gather import GatheredRows, mesh_rows, on_root_with
from rfablate.mesh.root_tasks import on_root
from rfablate.problem.extensions import Extensions
from rfablate.problem.problem import build_problem, describe, describe_mesh
from rfablate.report.picture_process import warm_up
from rfablate.results.card import lesion_card
from rfablate.results.checkpoint import Checkpoint
from rfablate.results.fields_file import FieldsFile, FieldsMesh
from rfablate.results.run_directory import RunDirectory
from rfablate.results.summary_models import RunSummary
from rfablate.signals import SignalListener
from rfablate.simulation.checkpointing import Checkpointer, find_checkpoint
from rfablate.simulation.discretisation_error import CoarseRun
from rfablate.simulation.machine_limits import refuse_before_meshing, refuse_before_solving
from rfablate.simulation.outcome import Outcome
from rfablate.simulation.prior_treatment import with_prior_treatment, with_volumes_at_start
from rfablate.simulation.recorder import Recorder, RunTimes
from rfablate.simulation.result_checks import with_error_bars
from rfablate.simulation.run_context import RunContext
from rfablate.simulation.run_options import DEFAULT_OPTIONS, RunOptions
from rfablate.simulation.side_process import SideProcess
from rfablate.simulation.stall_watchdog import StallWatchdog
from rfablate.simulation.width_accuracy import run_to_width
from rfablate.solve.loop import steps
from rfablate.solve.state import Frame, State
from rfablate.timing import Stopwatch

log = logging.getLogger("rfablate")

KEPT = "the last good state is in checkpoint.h5, the fields up to it in fields.vtkhdf"


@dataclass(frozen=True)
class _OpenRun:
    """A case and its open run directory, before the mesh exists."""

    case: Case
    comm: MPI.Comm
    files: RunDirectory | None
    """Run directory; None except on rank 0."""
    watch: Stopwatch
    extensions: Extensions
    side: SideProcess | None


def run(case: Case, directory: Path, comm: MPI.Comm, options: RunOptions = DEFAULT_OPTIONS) -> Outcome:
    """Run a case and write its run directory. Collective.

    Raises:
        CaseError: the directory already holds a run and `options.overwrite` is False.
        MeshError, SolveError, StepError: see there; after the last two the directory holds the last good state.
        Interrupted: a signal stopped it; the directory holds the checkpoint from which `resume` continues.
        StorageError: a file cannot be written; the directory holds the earlier checkpoints.
    """
    if case.mesh.width_percent is not None:
        return run_to_width(case, comm, options, lambda found, how: run(found, directory, comm, how))
    watch = Stopwatch(options.began)
    case = options.extensions.applied_to(case)
    side = options.side if comm.size == 1 else None
    files = on_root(comm, lambda: RunDirectory.prepare(directory, case, overwrite=options.overwrite))
    return _execute(_OpenRun(case, comm, files, watch, options.extensions, side))


def resume(case: Case, directory: Path, comm: MPI.Comm, options: RunOptions = DEFAULT_OPTIONS) -> Outcome:
    """Resume a run from its newest valid checkpoint, or from its start without one. Collective.

    Raises:
        CaseError: the checkpoint belongs to another case or version.
        MeshError: the mesh differs from the checkpoint's, or cannot be made.
        Interrupted, SolveError, StepError: as `run`.
    """
    watch = Stopwatch(options.began)
    case = options.extensions.applied_to(case)
    found = on_root(comm, lambda: find_checkpoint(case, directory, options.extensions))
    if not comm.bcast(found is not None):
        log.warning("no checkpoint in %s: the run starts again from t = 0", directory)
        return run(case, directory, comm, replace(options, overwrite=True))
    files = on_root(
        comm, lambda: RunDirectory.reopen(directory, found.memory["record"]["history_bytes"]) if found else None
    )
    if found is not None:
        log.info("resuming from %s", found.name)
    side = options.side if comm.size == 1 else None
    return _execute(_OpenRun(case, comm, files, watch, options.extensions, side), found, again=True)


def _execute(opened: _OpenRun, checkpoint: Checkpoint | None = None, *, again: bool = False) -> Outcome:
    """Run a case in an open run directory; `again` resumes it from the checkpoint, which rank 0 has. Collective."""
    files = opened.files
    try:
        with StallWatchdog(opened.comm, opened.watch):
            ended = _simulate(opened, checkpoint, again=again)
    finally:
        if files is not None:
            files.release()
    summary, card, fault = ended
    if fault is not None:
        raise type(fault)(f"{fault}; {KEPT}")
    exceeded = any(each.verdict == "limit exceeded" for each in summary.structures.values())
    return Outcome(summary, card, 5 if exceeded else 0)


def _simulate(
    opened: _OpenRun, checkpoint: Checkpoint | None, *, again: bool
) -> tuple[RunSummary, str, SolveError | StepError | None]:
    """Return summary, card and the error that ended the treatment, if any. Collective."""
    case, files, watch, extensions = opened.case, opened.files, opened.watch, opened.extensions
    started = datetime.now(timezone.utc).isoformat(timespec="seconds")
    if opened.side is not None and case.output.report:
        opened.side.submit(warm_up)
    with watch.stage("mesh"):
        domain = build_domain(case, opened.comm)
    coarse = CoarseRun(case, domain, extensions, opened.side)
    with watch.stage("setup"):
        refuse_before_solving(case, domain, files.path if files is not None else Path(), opened.comm)
        problem, state, prior = with_prior_treatment(case, build_problem(case, domain, extensions))
        observer = Observer(case, problem.domain, problem.tissue_cells)
        context = RunContext(case, problem, observer, files, watch, extensions, opened.side)
        if prior is not None:
            prior = with_volumes_at_start(prior, problem, state, observer)
        recorder = Recorder(context, prior)
    log.info("%s", describe(problem))
    checkpointer = Checkpointer(context, recorder, RunTimes(started))
    if again:
        state = checkpointer.restore(checkpoint)
    fault = _advance(context, state, recorder, checkpointer)
    checkpointer.raise_fault()
    checkpointer.write(state)
    summary = recorder.close(state, fault, checkpointer.times)
    summary, card = _finish(context, summary, None if fault is not None else coarse, recorder.frame)
    return summary, card, fault


def _finish(run: RunContext, summary: RunSummary, coarse: CoarseRun | None, frame: Frame) -> tuple[RunSummary, str]:
    """Add error bars and times to the summary and write it with the report; also return the card. Collective."""
    case, watch = run.case, run.watch
    if extensions := run.extensions.names():
        summary = summary.with_entries(provenance=summary.tree()["provenance"] | {"extensions": extensions})
    if case.output.error_bar and coarse is not None:
        with watch.stage("error bar"):
            bars, reason = coarse.error_bars(run.observer, frame)
        summary = with_error_bars(summary, bars, reason)
    summary = timed = _timed(summary, watch)
    files = run.files
    with watch.stage("write"):
        on_root(run.problem.domain.comm, lambda: files.finish(timed) if files is not None else None)
    if files is None:
        return summary, ""
    if case.output.report:
        with watch.stage("report"):
            _draw_report(files.path, run.side)
    summary = _timed(summary, watch)  # summary.json was written before the report
    return summary, lesion_card(summary, str(files.path), files.written())


def _timed(summary: RunSummary, watch: Stopwatch) -> RunSummary:
    """Return the summary with the wall times so far."""
    return summary.model_copy(update={"timing_s": {**watch.seconds, "total": watch.total}})


def _draw_report(directory: Path, side: SideProcess | None) -> None:
    """Write report.html; a failure is a warning, because the run itself is complete. Root only."""
    from rfablate.report import write_report

    log.info("drawing report.html")
    try:
        write_report(directory, side)
    except Exception as error:  # whatever a plotting library may raise
        log.warning("no report.html: %s; `rfablate report %s` writes it", error, directory)


def _advance(
    run: RunContext, state: State, recorder: Recorder, checkpointer: Checkpointer
) -> SolveError | StepError | None:
    """Advance the state to the end; return the error that stopped it before the end, if any. Collective.

    Raises:
        Interrupted: a signal stopped it; the checkpoint is written.
    """
    try:
        with SignalListener() as requests:
            for frame in steps(run.problem, state, recorder.stops, run.watch):
                recorder.observe(frame)
                if checkpointer.after_step(state, requests.take()):
                    where = f"interrupted at t = {state.t:.6g} of {run.problem.generator.end:g} s"
                    raise Interrupted(f"{where}; `rfablate resume {checkpointer.directory}` continues from there")
    except (SolveError, StepError) as error:
        return error
    return None


def mesh_only(case: Case, comm: MPI.Comm, path: Path) -> None:
    """Mesh a case and write the mesh with its region names to `path` as VTKHDF. Collective."""
    refuse_before_meshing(case, path.parent, comm)
    domain = build_domain(case, comm)
    log.info("%s", describe_mesh(domain))

    def write(mesh: dict[str, GatheredRows]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = FieldsMesh(mesh["points"], mesh["cells"], mesh["region"], domain.region_names, domain.axisymmetric)
        with FieldsFile(path, whole) as file:
            file.append(0.0, {}, {"region_tag": mesh["region"]})
        log.info("written to %s", path)

    on_root_with(comm, mesh_rows(domain), write)


def distributed_mesh(case: Case, comm: MPI.Comm, path: Path) -> None:
    """Write the mesh of a case to a file from which every rank reads its part. Collective."""
    on_root(comm, lambda: write_distributed(case, path))
    log.info("written to %s; use it with mesh.distributed_file", path)
