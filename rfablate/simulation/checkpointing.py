"""Checkpoints of a run: when one is written, and how a run goes on from it.

A checkpoint holds the state, the last frame, and what solvers, observers and the run's files remember: on the same
number of ranks a resumed run finds every number of the unbroken one, on another those of rank independence. When one is
written has no bearing on the numbers: no step is cut for it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar

from mpi4py import MPI

from rfablate.case.tables.schema import Case
from rfablate.errors import CaseError, Fault, MeshError
from rfablate.mesh.domain import Domain
from rfablate.mesh.gather import gather_many, scatter_many
from rfablate.mesh.root_tasks import on_root
from rfablate.problem.extensions import NO_EXTENSIONS, Extensions
from rfablate.problem.problem import Problem, SolverMemory
from rfablate.results.checkpoint import Checkpoint, newest_checkpoint
from rfablate.results.run_directory import RunDirectory
from rfablate.results.state_tree import Arrays, put_together, take_apart
from rfablate.signals import Wish
from rfablate.simulation.recorder import Course, Record, RecordMemory, Resumption
from rfablate.simulation.summarise import case_hash
from rfablate.solve.state import Frame, State
from rfablate.timing import Stopwatch
from rfablate.version import __version__

log = logging.getLogger("rfablate")

SHARE = 0.01
"""Largest share of the wall time that checkpoints by the clock may take."""

Value = TypeVar("Value")


@dataclass(frozen=True)
class Snapshot:
    """All that a run goes on from."""

    rfablate: str
    case: str
    mesh: str
    """Version, hash of the case and hash of the mesh it belongs to."""
    course: Course
    record: RecordMemory
    solvers: SolverMemory
    state: State
    frame: Frame


def collect(domain: Domain, value: Any) -> tuple[Any, Arrays] | None:
    """Return a value's tree and its nodal arrays, whole and in the input mesh's order, on rank 0. Collective."""
    tree, arrays = take_apart(value)
    whole = gather_many(domain, arrays)
    return None if whole is None else (tree, whole)


def deal(domain: Domain, kind: type[Value], checkpoint: Checkpoint | None) -> Value:
    """Return on every rank its part of what `collect` collected; rank 0 has the checkpoint. Collective.

    Raises:
        CaseError: another version of rfablate wrote it, with other things in it.
    """
    tree = domain.comm.bcast(checkpoint.memory if checkpoint is not None else None)
    arrays = scatter_many(domain, checkpoint.arrays if checkpoint is not None else None)
    try:
        return put_together(kind, tree, arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise _of_another_version(tree, f"it lacks or misnames {error}") from None


def find_checkpoint(case: Case, directory: Path, extensions: Extensions = NO_EXTENSIONS) -> Checkpoint | None:
    """Return the newest good checkpoint of a run, None where there is none; a damaged one is told. Root only.

    Raises:
        CaseError: it is one of another case than the directory's.
    """
    found, told = newest_checkpoint(directory)
    for line in told:
        log.warning(line)
    if found is not None and found.memory.get("case") != case_hash(case, extensions):
        what = "its case is not the one in case.toml"
        if extensions.names():
            what += ", or the objects passed as extensions are others"
        raise _of_another_version(found.memory, what)
    return found


def _of_another_version(memory: Any, what: str) -> CaseError:
    version = memory.get("rfablate", "unknown") if isinstance(memory, dict) else "unknown"
    expected = f"one that rfablate {__version__} wrote for the case.toml beside it, as it is"
    hint = "put case.toml back as it was, take the version that began the run, or run the case anew"
    return CaseError([Fault("checkpoint", f"{what} (rfablate {version} wrote it)", expected, hint)], "resume")


class Keeper:
    """Writes checkpoints when they are due, and takes them up. Its methods are collective."""

    def __init__(  # noqa: PLR0913
        self,
        case: Case,
        problem: Problem,
        record: Record,
        files: RunDirectory | None,
        watch: Stopwatch,
        course: Course,
        extensions: Extensions = NO_EXTENSIONS,
    ) -> None:
        """Take the schedule of a case."""
        self.course = course
        self._case, self._hash = case, case_hash(case, extensions)
        self._problem, self._record, self._files, self._watch = problem, record, files, watch
        self._t = 0.0
        self._at, self._took = time.monotonic(), 0.0

    @property
    def place(self) -> str:
        """The run's directory; known on rank 0."""
        return str(self._files.path) if self._files is not None else "RUN"

    def see(self, state: State, wish: Wish) -> bool:
        """Write a checkpoint if one is due or any rank was asked for one; return whether the run is to stop."""
        mine = max(wish, Wish.CHECKPOINT if self._due(state.t) else Wish.NOTHING)
        if self._files is not None and self._files.fault is not None:
            mine = Wish.FAULT
        agreed = self._problem.domain.comm.allreduce(int(mine), op=MPI.MAX)
        if agreed == Wish.FAULT:
            self.raise_fault()
        if state.t > 0.0 and (agreed == Wish.STOP or (agreed and state.t < self._problem.generator.end)):
            self.write(state)
        if agreed == Wish.STOP:
            self.raise_fault()
        return bool(agreed == Wish.STOP)

    def raise_fault(self) -> None:
        """Raise on every rank the fault of a file that rank 0 could not write; does nothing without one."""
        fault = self._problem.domain.comm.bcast(self._files.fault if self._files is not None else None)
        if fault is not None:
            raise fault

    def _due(self, t: float) -> bool:
        """Return whether a checkpoint is due by either schedule; rank 0's clock counts."""
        every, wall = self._case.output.checkpoint_every, self._case.output.checkpoint_wall
        if every > 0.0 and t // every > self._t // every:
            return True
        waited = time.monotonic() - self._at
        return self._files is not None and wall > 0.0 and waited >= max(wall, self._took / SHARE)

    def write(self, state: State) -> None:
        """Write the state, with all that goes with it, as the newest checkpoint."""
        began, watch, record = time.monotonic(), self._watch, self._record
        with watch.stage("checkpoint"):
            course = replace(self.course, seconds=dict(watch.seconds), total=watch.total)
            snapshot = Snapshot(
                __version__, self._hash, record.mesh, course, record.memory(), self._problem.memory(),
                state, record.frame,
            )  # fmt: skip
            whole = collect(self._problem.domain, snapshot)
            written = self._files is not None and whole is not None and self._files.checkpoint(*whole)
        self._t, self._at = state.t, time.monotonic()
        self._took = self._at - began
        if written:
            log.info("checkpoint at t = %.6g s, written in %.2g s", state.t, self._took, extra={"file_only": True})

    def take_up(self, checkpoint: Checkpoint | None, output_times: Collection[float]) -> State:
        """Return the state to go on from and have everything as it was then; rank 0 has the checkpoint.

        Raises:
            MeshError: the mesh is not the checkpoint's.
            CaseError: another version of rfablate wrote it.
        """
        domain = self._problem.domain
        on_root(domain.comm, lambda: self._refuse_other_mesh(checkpoint))
        saved = deal(domain, Snapshot, checkpoint)
        if checkpoint is not None:
            checkpoint.arrays.clear()  # every rank has its part: rank 0 need not hold them all through the run
        self._problem.restore(saved.solvers)
        self._record.take_up(saved.record, saved.frame, [t for t in output_times if t <= saved.state.t])
        self._watch.add(saved.course.seconds, saved.course.total)
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        again = Resumption(now, saved.state.t, domain.comm.size)
        self.course = replace(saved.course, resumed=[*saved.course.resumed, again])
        self._t = saved.state.t
        ranks = f"{again.ranks} rank{'s' if again.ranks > 1 else ''}"
        log.info("resumed at t = %.6g of %g s, on %s", saved.state.t, self._problem.generator.end, ranks)
        return saved.state

    def _refuse_other_mesh(self, checkpoint: Checkpoint | None) -> None:
        if checkpoint is not None and checkpoint.memory.get("mesh") != self._record.mesh:
            raise MeshError(
                f"the mesh of the case is not the one of {checkpoint.name}: the mesh file was changed, or another "
                "version of Gmsh or rfablate made it; a run goes on on its own mesh only: run the case anew"
            )
