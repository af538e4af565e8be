"""Records a run: passes every accepted step to the monitors, writes history.csv and builds the summary."""

from __future__ import annotations

import resource
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from rfablate.case.resolve.channel_setup import outputs_of
from rfablate.errors import RfablateError
from rfablate.physics.generator import Channels
from rfablate.results.state_tree import Deferred
from rfablate.results.summary_models import SCHEMA_VERSION, RunSummary
from rfablate.simulation.monitors.case_monitors import case_monitors
from rfablate.simulation.monitors.fields_monitor import FieldsMonitor
from rfablate.simulation.monitors.monitor import Row
from rfablate.simulation.prior_treatment import Prior
from rfablate.simulation.run_context import RunContext
from rfablate.simulation.summarise import case_entries, events_entry, provenance, warnings_of
from rfablate.solve.state import Frame, State

FRAMES = 10
"""Frames in fields.vtkhdf where the case does not state their interval."""


@dataclass(frozen=True)
class Resumption:
    """When a run was resumed [UTC], at which simulated time [s], on how many ranks."""

    at: str
    from_s: float
    ranks: int


@dataclass(frozen=True)
class RunTimes:
    """Start and resumptions of a run, and its wall time so far."""

    started: str
    """[UTC]"""
    resumed: list[Resumption] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    """Wall time by stage [s], as of the checkpoint that holds it."""
    total: float = 0.0
    """Wall time [s], as of the checkpoint that holds it."""


@dataclass(frozen=True)
class RecorderMemory:
    """What a resumed run needs to continue its records."""

    history_bytes: int
    """Length of history.csv; correct on rank 0."""
    monitors: dict[str, Any]
    """Memory of each monitor that has one, by its name."""


class Recorder:
    """Observes a run. Its methods are collective; only rank 0 writes."""

    def __init__(self, run: RunContext, prior: Prior | None) -> None:
        """Make the monitors of the case and write the mesh into the fields file."""
        self._run = run
        case, generator = run.case, run.problem.generator
        end = generator.end
        self._channels = [each.name for each in outputs_of(case.applicators, case.channels, case.generator)]
        self.output_times = output_times(generator, case.output.fields_interval or end / FRAMES)
        observe_at = snapped(case.output.observe_at, (*own_times(generator), *self.output_times), end)
        self.stops = sorted({*self.output_times, *observe_at})
        """Times on which steps must land [s]."""
        with run.watch.stage("write"):
            self._monitors = case_monitors(run, prior, self.output_times, observe_at)
        self.mesh_hash = next(each.mesh for each in self._monitors if isinstance(each, FieldsMonitor))
        """Hash of the mesh, on rank 0."""
        self._frame: Frame | None = None

    @property
    def frame(self) -> Frame:
        """Last step observed."""
        assert self._frame is not None
        return self._frame

    def memory(self) -> RecorderMemory:
        """Return what `restore` needs."""
        size = self._run.files.history_size() if self._run.files is not None else 0
        return RecorderMemory(size, {each.name: each.memory for each in self._monitors if each.memory is not None})

    def typed(self, saved: Mapping[str, Deferred]) -> dict[str, Any]:
        """Return the memories of the monitors from those of a checkpoint.

        Raises:
            KeyError, TypeError, ValueError: a memory is missing or of another type.
        """
        kept = [each for each in self._monitors if each.memory is not None]
        return {each.name: saved[each.name].put_together(type(each.memory)) for each in kept}

    def restore(self, memories: Mapping[str, Any], frame: Frame) -> None:
        """Continue after `frame`, the last step before the checkpoint; `memories` as from `typed`."""
        self._frame = frame
        for monitor in self._monitors:
            with self._run.watch.stage(monitor.stage):
                monitor.restore(memories.get(monitor.name), frame)

    def observe(self, frame: Frame) -> None:
        """Pass an accepted step to the monitors and write its row of history.csv."""
        self._frame = frame
        row: Row = {}
        for monitor in self._monitors:
            with self._run.watch.stage(monitor.stage):
                row |= monitor.observe(frame)
        if self._run.files is not None:
            with self._run.watch.stage("write"):
                self._run.files.history_row(row)

    def close(self, state: State, fault: RfablateError | None, times: RunTimes) -> RunSummary:
        """Finish the monitors and return the summary, without error bars and wall times."""
        frame, problem, case = self.frame, self._run.problem, self._run.case
        for monitor in self._monitors:
            monitor.finish(frame, failed=fault is not None)
        entries: dict[str, Any] = {}
        with self._run.watch.stage("structures"):
            for monitor in self._monitors:
                entries |= monitor.entry(frame)
        devices = dict(zip(self._channels, state.channel_states, strict=True))
        sharing = {"sharing": case.sharing.mode, "dwell_s": case.sharing.dwell} if case.channels else {}
        entries["electric"] |= {**sharing, "events": events_entry(devices)}
        tree = {
            "schema_version": SCHEMA_VERSION,
            **case_entries(case, problem.tissue_of_region),
            "status": "completed" if fault is None else "failed",
            "reason": f"the end of the treatment at {state.t:g} s" if fault is None else str(fault),
            "simulated_s": state.t,
            **entries,
            "numerics": self._numerics(state),
            "warnings": [],
            "provenance": {
                **provenance(case, problem.domain.comm.size, times.started),
                "resumed": [asdict(each) for each in times.resumed],
                "peak_MiB": self._peak_memory(),
            },
        }
        return self._checked(RunSummary.model_validate(tree), warnings_of(problem.domain.notes, devices))

    def _checked(self, summary: RunSummary, notes: list[str]) -> RunSummary:
        """Return the summary with the checks of the monitors, and with all warnings."""
        checks = [each for monitor in self._monitors for each in monitor.checks(self.frame, summary.structures)]
        own = [text for monitor in self._monitors for text in monitor.warnings()]
        texts = [*(each.text for each in checks), *notes, *own]
        return summary.model_copy(update={"warnings": tuple(texts), "checks": tuple(checks)})

    def _peak_memory(self) -> float:
        """Return the peak resident memory, summed over ranks [MiB]."""
        return float(self._run.problem.domain.comm.allreduce(peak_memory()))

    def _numerics(self, state: State) -> dict[str, Any]:
        problem = self._run.problem
        domain, electric = problem.domain, problem.solvers.electric
        pattern, x = problem.solvers.pattern, domain.x
        edges = np.linalg.norm(x[pattern.near] - x[pattern.far], axis=1)
        smallest = domain.comm.allreduce(float(edges.min(initial=np.inf)), op=MPI.MIN)
        return {
            "nodes": domain.nodes.total,
            "cells": domain.n_cells,
            "smallest_edge_mm": smallest * 1e3,
            "interfaces": "conforming" if domain.conformity.shapes and domain.conformity.labels else "cells",
            "steps": state.step_memory.accepted,
            "rejects": state.step_memory.rejected,
            "heat_iterations": problem.solvers.heat.solver.iterations,
            "potential_iterations": electric.solver.iterations if electric is not None else 0,
            "potentials_extrapolated": electric.kept if electric is not None else 0,
            "ranks": domain.comm.size,
            "error_bar": {},
        }


def own_times(generator: Channels) -> tuple[float, ...]:
    """Return the times at which the generator requires a step to end [s]."""
    return (*generator.turning_times, *generator.switch_times, generator.end)


def snapped(times: Iterable[float], own: Collection[float], end: float) -> set[float]:
    """Return the times up to the end [s]; a time that equals one of `own` up to rounding is replaced by it.

    3 * 0.1 is not 0.3, and a step of 1e-17 s between the two would make the differences of the next one meaningless.
    """
    return {next((each for each in own if abs(each - t) < 1e-9 * end), t) for t in times if t <= end * (1 + 1e-9)}


def output_times(generator: Channels, interval: float) -> tuple[float, ...]:
    """Return the times of the frames [s]: every `interval` and the end."""
    end = generator.end
    times = [n * interval for n in range(1, int(np.ceil(end / interval)) + 1)]
    return (*sorted(t for t in snapped(times, own_times(generator), end) if t < end), end)


def peak_memory() -> float:
    """Return the peak resident memory of this process since its program began [MiB]."""
    try:  # ru_maxrss also counts the parent's memory before the program was started
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024
    except (OSError, ValueError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
