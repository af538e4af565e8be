"""Checkpoints of a run: when one is written, and how a run resumes from it.

A checkpoint holds the state, the last frame, and the memory of solvers and monitors. On the same number of ranks a
resumed run gives every number of an uninterrupted one; on another number of ranks they agree to rounding. The time of
writing does not affect the numbers: no step is shortened for it.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from mpi4py import MPI

from rfablate.case.tables.schema import Case
from rfablate.errors import CaseError, Fault, MeshError
from rfablate.mesh.domain import Domain
from rfablate.mesh.gather import GatheredRows, InputOrder, LocalRows, on_root_with, scatter_many
from rfablate.mesh.root_tasks import on_root
from rfablate.problem.extensions import NO_EXTENSIONS, Extensions
from rfablate.problem.problem import SolverMemory
from rfablate.results.checkpoint import Checkpoint, newest_checkpoint
from rfablate.results.state_tree import from_tree, to_tree
from rfablate.signals import SignalRequest
from rfablate.simulation.recorder import Recorder, RecorderMemory, Resumption, RunTimes
from rfablate.simulation.run_context import RunContext
from rfablate.simulation.summarise import case_hash
from rfablate.solve.state import Frame, State
from rfablate.version import __version__

log = logging.getLogger("rfablate")

SHARE = 0.01
"""Largest fraction of the wall time that checkpoints by wall time may take."""

Value = TypeVar("Value")


@dataclass(frozen=True)
class Snapshot:
    """Everything from which a run resumes."""

    rfablate: str
    case: str
    mesh: str
    """Version, hash of the case and hash of the mesh it belongs to."""
    times: RunTimes
    record: RecorderMemory
    solvers: SolverMemory
    state: State
    frame: Frame


def scatter_value(domain: Domain, kind: type[Value], checkpoint: Checkpoint | None) -> Value:
    """Return each rank's part of a value in a checkpoint, which rank 0 has. Collective.

    Raises:
        CaseError: another version of rfablate wrote it, with other contents.
    """
    tree = domain.comm.bcast(checkpoint.memory if checkpoint is not None else None)
    arrays = scatter_many(domain, checkpoint.arrays if checkpoint is not None else None)
    try:
        return from_tree(kind, tree, arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise _of_another_version(tree, f"found no valid {error}") from None


def find_checkpoint(case: Case, directory: Path, extensions: Extensions = NO_EXTENSIONS) -> Checkpoint | None:
    """Return the newest valid checkpoint of a run, None without one; a damaged one is logged. Root only.

    Raises:
        CaseError: it is one of another case than the directory's.
    """
    found, problems = newest_checkpoint(directory)
    for line in problems:
        log.warning(line)
    if found is not None and found.memory.get("case") != case_hash(case, extensions):
        what = "its case differs from case.toml"
        if extensions.names():
            what += ", or the extension objects differ"
        raise _of_another_version(found.memory, what)
    return found


def _of_another_version(memory: Any, what: str) -> CaseError:
    version = memory.get("rfablate", "unknown") if isinstance(memory, dict) else "unknown"
    expected = f"a checkpoint of rfablate {__version__} for the unchanged case.toml beside it"
    hint = "restore case.toml, use the version that started the run, or run the case again with --overwrite"
    return CaseError([Fault("checkpoint", f"{what} (rfablate {version} wrote it)", expected, hint)], "resume")


class Checkpointer:
    """Writes checkpoints when they are due and resumes from them. Its methods are collective."""

    def __init__(self, run: RunContext, recorder: Recorder, times: RunTimes) -> None:
        """Take the schedule of a case."""
        self.times = times
        self._run, self._recorder = run, recorder
        self._hash = case_hash(run.case, run.extensions)
        self._last_t = 0.0
        """Simulated time of the last checkpoint [s]."""
        self._last_at, self._took = time.monotonic(), 0.0
        """Clock reading after the last checkpoint, and the time that writing took [s]."""

    @property
    def directory(self) -> str:
        """Run directory; known on rank 0."""
        return str(self._run.files.path) if self._run.files is not None else "RUN"

    def after_step(self, state: State, request: SignalRequest) -> bool:
        """Write a checkpoint if one is due or any rank received a request; return whether the run has to stop.

        Raises:
            StorageError: rank 0 could not write a file.
        """
        mine = max(request, SignalRequest.CHECKPOINT if self._due(state.t) else SignalRequest.NOTHING)
        if self._run.files is not None and self._run.files.fault is not None:
            mine = SignalRequest.FAULT
        agreed = self._run.problem.domain.comm.allreduce(int(mine), op=MPI.MAX)
        if agreed == SignalRequest.FAULT:
            self.raise_fault()
        unfinished = state.t < self._run.problem.generator.end
        if state.t > 0.0 and (agreed == SignalRequest.STOP or (agreed and unfinished)):
            self.write(state)
        if agreed == SignalRequest.STOP:
            self.raise_fault()
        return bool(agreed == SignalRequest.STOP)

    def raise_fault(self) -> None:
        """Raise on every rank the error of a file that rank 0 could not write; does nothing without one."""
        files = self._run.files
        fault = self._run.problem.domain.comm.bcast(files.fault if files is not None else None)
        if fault is not None:
            raise fault

    def _due(self, t: float) -> bool:
        """Return whether a checkpoint is due by simulated time, or by the clock of rank 0."""
        output = self._run.case.output
        every, wall = output.checkpoint_every, output.checkpoint_wall
        if every > 0.0 and t // every > self._last_t // every:
            return True
        waited = time.monotonic() - self._last_at
        return self._run.files is not None and wall > 0.0 and waited >= max(wall, self._took / SHARE)

    def write(self, state: State) -> None:
        """Write the newest checkpoint."""
        began, run, recorder = time.monotonic(), self._run, self._recorder
        with run.watch.stage("checkpoint"):
            times = replace(self.times, seconds=dict(run.watch.seconds), total=run.watch.total)
            snapshot = Snapshot(
                __version__, self._hash, recorder.mesh_hash, times, recorder.memory(), run.problem.solvers.memory(),
                state, recorder.frame,
            )  # fmt: skip
            tree, arrays = to_tree(snapshot)
            domain = run.problem.domain
            nodes = InputOrder.of_nodes(domain)
            local = {name: LocalRows(nodes, values) for name, values in arrays.items()}
            finite = bool(np.isfinite(state.T[: domain.nodes.owned]).all())

            def save(whole: dict[str, GatheredRows]) -> bool:
                return run.files is not None and run.files.checkpoint(tree, whole)

            written = None
            if domain.nodes.max_of(float(not finite))[0]:
                log.warning(
                    "no checkpoint at t = %.6g s: a temperature is not finite; the earlier one is kept", state.t
                )
            else:
                written = on_root_with(domain.comm, local, save)
        self._last_t, self._last_at = state.t, time.monotonic()
        self._took = self._last_at - began
        if written:
            log.info("checkpoint at t = %.6g s, written in %.2g s", state.t, self._took, extra={"file_only": True})

    def restore(self, checkpoint: Checkpoint | None) -> State:
        """Return the state of a checkpoint, which rank 0 has, and restore solvers and monitors from it.

        Raises:
            MeshError: the mesh differs from the checkpoint's.
            CaseError: another version of rfablate wrote it.
        """
        run, domain = self._run, self._run.problem.domain
        on_root(domain.comm, lambda: self._refuse_other_mesh(checkpoint))
        saved = scatter_value(domain, Snapshot, checkpoint)
        if checkpoint is not None:
            checkpoint.arrays.clear()  # every rank has its part: rank 0 need not hold the whole arrays
        try:
            memories = self._recorder.typed(saved.record.monitors)
            starts = [generator.start() for generator in run.problem.generator.generators]
            pairs = zip(saved.state.channel_states, starts, strict=True)
            saved.state.channel_states = tuple(state.like(start) for state, start in pairs)
        except (KeyError, TypeError, ValueError) as error:
            raise _of_another_version({"rfablate": saved.rfablate}, f"found no valid {error}") from None
        run.problem.solvers.restore(saved.solvers)
        self._recorder.restore(memories, saved.frame)
        run.watch.add(saved.times.seconds, saved.times.total)
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        again = Resumption(now, saved.state.t, domain.comm.size)
        self.times = replace(saved.times, resumed=[*saved.times.resumed, again])
        self._last_t = saved.state.t
        ranks = f"{again.ranks} rank{'s' if again.ranks > 1 else ''}"
        log.info("resumed at t = %.6g of %g s, on %s", saved.state.t, run.problem.generator.end, ranks)
        return saved.state

    def _refuse_other_mesh(self, checkpoint: Checkpoint | None) -> None:
        if checkpoint is not None and checkpoint.memory.get("mesh") != self._recorder.mesh_hash:
            raise MeshError(
                f"the mesh of the case differs from the mesh of {checkpoint.name}: the mesh file has changed, or "
                "another version of Gmsh or rfablate made it; a run resumes on its own mesh only: run the case again"
            )
