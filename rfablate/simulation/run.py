"""A run, from the case to its run directory.

    mesh  ->  problem  ->  steps: decide, solve, judge, commit  ->  lesion, structures, energy  ->  files

The time loop itself is in `solve/loop.py`. Here the run is set up, watched, interrupted, resumed and written.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from mpi4py import MPI

from rfablate.case.tables.schema import Case
from rfablate.errors import Interrupted, SolveError, StepError
from rfablate.lesion.observer import Observer
from rfablate.mesh.build import build_domain
from rfablate.mesh.gather import gather_cells, gather_mesh
from rfablate.mesh.root_tasks import on_root
from rfablate.problem.extensions import NO_EXTENSIONS, Extensions
from rfablate.problem.problem import Problem, build_problem, describe, describe_mesh
from rfablate.results.card import lesion_card
from rfablate.results.checkpoint import Checkpoint
from rfablate.results.fields_file import FieldsFile
from rfablate.results.run_directory import RunDirectory
from rfablate.signals import Requests
from rfablate.simulation.checkpointing import Keeper, find_checkpoint
from rfablate.simulation.discretisation_error import error_bars
from rfablate.simulation.prior_treatment import begin, volumes_at_start
from rfablate.simulation.recorder import Course, Record
from rfablate.solve.loop import steps
from rfablate.solve.state import State
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


def run(
    case: Case,
    directory: Path,
    comm: MPI.Comm,
    *,
    overwrite: bool = False,
    extensions: Extensions = NO_EXTENSIONS,
    began: float | None = None,
) -> Outcome:
    """Run a case and write its run directory; `began` is when the command did [s of time.perf_counter]. Collective.

    Raises:
        CaseError: the directory holds a run already and `overwrite` is False.
        MeshError, SolveError, StepError: see there; after the last two the directory holds the last good state.
        Interrupted: a signal asked it to stop; the directory holds what `resume` goes on from.
    """
    watch = Stopwatch(began)
    extensions.check(case)
    files = on_root(comm, lambda: RunDirectory.prepare(directory, case, overwrite=overwrite))
    return _carry_out(case, comm, files, watch, None, again=False, extensions=extensions)


def resume(case: Case, directory: Path, comm: MPI.Comm, *, extensions: Extensions = NO_EXTENSIONS) -> Outcome:
    """Go on with a run from its newest good checkpoint; without one, from its start. Collective.

    Raises:
        CaseError: the checkpoint is one of another case or version.
        MeshError: the mesh is not the checkpoint's, or cannot be made.
        Interrupted, SolveError, StepError: as `run`.
    """
    watch = Stopwatch()
    found = on_root(comm, lambda: find_checkpoint(case, directory, extensions))
    if not comm.bcast(found is not None):
        log.warning("no checkpoint in %s: the run starts anew", directory)
        return run(case, directory, comm, overwrite=True, extensions=extensions)
    files = on_root(
        comm, lambda: RunDirectory.reopen(directory, found.memory["record"]["history_bytes"]) if found else None
    )
    if found is not None:
        log.info("going on from %s", found.name)
    return _carry_out(case, comm, files, watch, found, again=True, extensions=extensions)


def _carry_out(  # noqa: PLR0913
    case: Case,
    comm: MPI.Comm,
    files: RunDirectory | None,
    watch: Stopwatch,
    found: Checkpoint | None,
    *,
    again: bool,
    extensions: Extensions,
) -> Outcome:
    """Run a case in a directory that is open on rank 0, `again` from the checkpoint that rank 0 has. Collective."""
    started = datetime.now(timezone.utc).isoformat(timespec="seconds")
    try:
        with watch.stage("mesh"):
            domain = build_domain(case, comm)
        with watch.stage("setup"):
            problem = build_problem(case, domain, extensions)
            problem, state, earlier = begin(case, problem)
            observer = Observer(case, problem)
            before = volumes_at_start(problem, state, observer) if earlier is not None else {}
            record = Record(case, problem, observer, files, watch)
        log.info("%s", describe(problem))
        keeper = Keeper(case, problem, record, files, watch, Course(started), extensions)
        if again:
            state = keeper.take_up(found, record.output_times)
        fault = _advance(problem, state, record, keeper, watch)
        keeper.write(state)
        summary = record.close(state, fault, keeper.course)
        if extensions.names():
            summary["provenance"]["extensions"] = extensions.names()
        if earlier is not None:
            summary["repeat"] = earlier.entry(before, summary["lesion"])
            summary["warnings"] += earlier.warnings(summary["repeat"])
        if fault is None and case.output.error_bar:
            with watch.stage("error bar"):
                bars, reason = error_bars(case, comm, observer, record.frame, extensions, len(domain.notes))
            summary["numerics"]["error_bar"] = bars
            summary["warnings"] += [reason] if reason else []
        summary["timing_s"] = {**watch.seconds, "total": watch.total}
        card = ""
        if files is not None:
            with watch.stage("write"):
                files.finish(summary)
            if case.output.report:
                with watch.stage("report"):
                    _draw_report(files.path)
            summary["timing_s"] = {**watch.seconds, "total": watch.total}  # the file was written before the report
            card = lesion_card(summary, str(files.path), files.written())
    finally:
        if files is not None:
            files.release()
    if fault is not None:
        raise type(fault)(f"{fault}; {KEPT}")
    exceeded = any(s["verdict"] == "limit exceeded" for s in summary["structures"].values())
    return Outcome(summary, card, 5 if exceeded else 0)


def _draw_report(directory: Path) -> None:
    """Write report.html; a page that cannot be drawn is a warning, because the run itself is complete. Root only."""
    from rfablate.report import write_report

    log.info("drawing report.html")
    try:
        write_report(directory)
    except Exception as error:  # whatever a plotting library may raise
        log.warning("no report.html: %s; `rfablate report %s` tries again", error, directory)


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
