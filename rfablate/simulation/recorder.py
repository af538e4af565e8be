"""What a run leaves behind: looks at every frame, writes rows, fields and, at the end, the summary."""

from __future__ import annotations

import json
import resource
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from mpi4py import MPI

from rfablate.case.geometry.applicator_parts import electrode_roles
from rfablate.case.resolve.channel_setup import outputs_of
from rfablate.case.tables.generator_tables import Replay, replay_driver, replay_log
from rfablate.case.tables.schema import Case
from rfablate.errors import RfablateError
from rfablate.lesion.observer import Observer, nodal_fields
from rfablate.log import Progress
from rfablate.mesh.gather import gather_cells, gather_mesh
from rfablate.physics.generator import Channels, Pulsed
from rfablate.problem.problem import Problem, unguarded
from rfablate.results.checkpoint import mesh_digest
from rfablate.results.run_directory import RunDirectory
from rfablate.results.summary_models import SCHEMA_VERSION
from rfablate.simulation.channel_monitor import ChannelMemory, ChannelsRecord
from rfablate.simulation.electrode_monitor import ElectrodesMemory, ElectrodesRecord
from rfablate.simulation.pulse_monitor import PulseMemory, PulseRecord
from rfablate.simulation.replay_misfit import Misfit, MisfitMemory
from rfablate.simulation.summarise import (
    Delivered,
    ElectricRecord,
    bridge_entry,
    case_entries,
    electric_entry,
    energy_entry,
    events_entry,
    history_row,
    hottest_unboiled,
    lesion_entry,
    provenance,
    structure_entry,
    warnings_of,
)
from rfablate.solve.state import Frame, State
from rfablate.timing import Stopwatch

FRAMES = 10
"""Frames in fields.vtkhdf when the case does not say how many."""


@dataclass(frozen=True)
class Resumption:
    """When a run was taken up again [UTC], from which simulated time [s], on how many ranks."""

    at: str
    from_s: float
    ranks: int


@dataclass(frozen=True)
class Course:
    """How a run went so far on the wall clock."""

    started: str
    resumed: list[Resumption] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    total: float = 0.0
    """Wall time by stage and in all [s], as of the checkpoint it stands in."""


@dataclass(frozen=True)
class RecordMemory:
    """What the onlookers remember between steps."""

    delivered: Delivered
    covered_at: dict[str, float]
    history_bytes: int
    """Length of history.csv."""
    pulses: PulseMemory | None = None
    misfit: MisfitMemory | None = None
    electrodes: ElectrodesMemory | None = None
    channels: tuple[ChannelMemory, ...] | None = None
    observed: tuple[str, ...] = ()
    """What was kept at the times of `output.observe_at_s`, each as JSON."""


class Record:
    """The onlookers of a run. Its methods are collective; only rank 0 holds `files` and writes."""

    def __init__(
        self, case: Case, problem: Problem, observer: Observer, files: RunDirectory | None, watch: Stopwatch
    ) -> None:
        """Write the mesh into the fields file and get ready. Collective."""
        self._case, self._problem, self._observer = case, problem, observer
        self._files, self._watch = files, watch
        self._electric = ElectricRecord()
        self._frame: Frame | None = None
        self.mesh = ""
        """Hash of the mesh, on rank 0."""
        self._channels = [each.name for each in outputs_of(case.applicators, case.channels, case.generator)]
        self._outputs = ChannelsRecord(self._channels) if case.channels else None
        generator = unguarded(problem)
        self._pulses = PulseRecord(problem, generator) if isinstance(generator, Pulsed) else None
        replay = case.generator if isinstance(case.generator, Replay) else None
        self._misfit = Misfit(replay_log(replay), replay_driver(replay)) if replay is not None else None
        self._electrodes = ElectrodesRecord(case, problem) if len(electrode_roles(case.applicators)) > 1 else None
        end = problem.generator.end
        self.output_times = output_times(problem.generator, case.output.fields_interval or end / FRAMES)
        self._observe_at = snapped(case.output.observe_at, (*own_times(problem.generator), *self.output_times), end)
        self._observed: list[dict[str, Any]] = []
        self.stops = sorted({*self.output_times, *self._observe_at})
        """Times on which steps must land [s]."""
        self._progress = Progress(end, enabled=files is not None)
        domain = problem.domain
        with watch.stage("write"):
            mesh, region = gather_mesh(domain), gather_cells(domain, domain.region)
            if files is not None and mesh is not None and region is not None:
                files.open_fields(*mesh, region, domain.region_names, domain.axisymmetric)
                self.mesh = mesh_digest(*mesh, region, domain.region_names)

    @property
    def frame(self) -> Frame:
        """The last step seen."""
        assert self._frame is not None
        return self._frame

    def memory(self) -> RecordMemory:
        """Return what `take_up` needs; the files' part is right on rank 0."""
        size = self._files.history_size() if self._files is not None else 0
        pulses = self._pulses.memory if self._pulses is not None else None
        misfit = self._misfit.memory if self._misfit is not None else None
        tips = self._electrodes.memory if self._electrodes is not None else None
        channels = self._outputs.memory if self._outputs is not None else None
        observed = tuple(json.dumps(each) for each in self._observed)
        covered_at = dict(self._observer.covered_at)
        delivered = self._electric.delivered
        return RecordMemory(delivered, covered_at, size, pulses, misfit, tips, channels, observed)

    def take_up(self, memory: RecordMemory, frame: Frame, times: Collection[float]) -> None:
        """Be as after `frame`, the last one of an earlier part of the run that wrote fields at `times`. Collective."""
        self._frame = frame
        self._electric.delivered = memory.delivered
        self._observer.covered_at.update(memory.covered_at)
        self._observed = [json.loads(text) for text in memory.observed]
        if self._pulses is not None and memory.pulses is not None:
            self._pulses.memory = memory.pulses
        if self._misfit is not None and memory.misfit is not None:
            self._misfit.memory = memory.misfit
        if self._electrodes is not None and memory.electrodes is not None:
            self._electrodes.memory = memory.electrodes
        if self._outputs is not None and memory.channels is not None:
            self._outputs.memory = memory.channels
        self._progress = Progress(self._problem.generator.end, enabled=self._files is not None, begun_s=frame.t)
        with self._watch.stage("measure"):
            self._observer.look(frame)
        with self._watch.stage("write"):
            if self._files is not None:
                self._files.take_up_frames({0.0, *times})

    def see(self, frame: Frame) -> None:
        """Measure, write and show one accepted step. Collective."""
        self._frame = frame
        self._electric.see(frame)
        with self._watch.stage("measure"):
            seen = self._observer.look(frame)
            if self._pulses is not None:
                self._pulses.see(frame)
            measured = self._misfit.see(frame) if self._misfit is not None else {}
            tips = self._electrodes.see(frame) if self._electrodes is not None else {}
            channels = self._outputs.see(frame) if self._outputs is not None else {}
        if frame.t in self._observe_at:
            with self._watch.stage("structures"):
                self._observed.append({"time_s": frame.t, **self._answers(frame)})
        with self._watch.stage("write"):
            if self._files is not None:
                pulse = {"pulse_V": frame.pulse} if self._pulses is not None else {}
                self._files.history_row({**history_row(frame, seen), **channels, **tips, **pulse, **measured})
            if frame.t == 0.0 or frame.t in self.output_times:
                self._write_fields(frame)
        impedance = 1.0 / frame.conductance if frame.conductance and frame.alone else float("nan")
        self._progress.update(frame.t, frame.sensor, frame.power, impedance, frame.dt)

    def _write_fields(self, frame: Frame) -> None:
        domain = self._problem.domain
        nodal = nodal_fields(self._problem, frame)
        joule = np.zeros(len(domain.region))
        for each in frame.outputs:
            if each.unit is not None and self._problem.electric is not None:
                heating = self._problem.electric.heating(each.unit.phi, self._problem.coefficients)
                joule += each.voltage**2 * heating / domain.elements.volume
        cells = gather_cells(domain, joule)
        if self._files is not None and nodal is not None and cells is not None:
            self._files.fields_frame(frame.t, nodal, {"joule_W_per_m3": cells})

    def _answers(self, frame: Frame) -> dict[str, Any]:
        """Return what the summary says of lesion, structures, energy and output at the last frame seen. Collective."""
        lesions, rule = self._observer.last.lesions, self._observer.deciding_rule
        structures = self._observer.conclude(frame)
        bridges = {name: bridge_entry(each) for name, each in self._observer.bridges(frame).items()}
        return {
            "lesion": {name: lesion_entry(each) | bridges.get(name, {}) for name, each in lesions.items()},
            "structures": {s.spec.name: structure_entry(s, rule) for s in structures},
            "energy": energy_entry(frame.ledger),
            "electric": electric_entry(self._electric.delivered, len(self._channels)),
        }

    def close(self, state: State, fault: RfablateError | None, course: Course) -> dict[str, Any]:
        """Return the summary. Collective."""
        self._progress.close()
        frame = self.frame
        if fault is not None and frame.t not in (0.0, *self.output_times):
            self._write_fields(frame)
        with self._watch.stage("structures"):
            self._observer.look(frame)
            answers = self._answers(frame)
        problem, case, electric = self._problem, self._case, answers.pop("electric")
        memories = dict(zip(self._channels, state.memories, strict=True))
        unboiled = hottest_unboiled(problem, state.peak)
        return {
            "schema_version": SCHEMA_VERSION,
            **case_entries(case, problem.tissue_of_region),
            "status": "completed" if fault is None else "failed",
            "reason": f"the end of the treatment at {state.t:g} s" if fault is None else str(fault),
            "simulated_s": state.t,
            **answers,
            "electric": {**electric, **self._sharing(), "events": events_entry(memories)},
            **({"observed": self._observed} if self._observed else {}),
            **({"replay": self._misfit.entry()} if self._misfit is not None else {}),
            **({"electrodes": self._electrodes.entry()} if self._electrodes is not None else {}),
            **({"channels": self._outputs.entry(state.ledger.channels)} if self._outputs is not None else {}),
            **({"pulses": self._pulses.entry()} if self._pulses is not None else {}),
            "numerics": self._numerics(state),
            "warnings": warnings_of(state.ledger, problem.domain.notes, electric.get("limited_s"), memories, unboiled),
            "provenance": {
                **provenance(case, problem.domain.comm.size, course.started),
                "resumed": [asdict(each) for each in course.resumed],
                "peak_MiB": self._peak_memory(),
            },
        }

    def _sharing(self) -> dict[str, Any]:
        """Return how named channels share the device."""
        sharing = self._case.sharing
        return {"sharing": sharing.mode, "dwell_s": sharing.dwell} if self._outputs is not None else {}

    def _peak_memory(self) -> float:
        """Return the largest resident memory so far, summed over ranks [MiB]. Collective."""
        mine = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return float(self._problem.domain.comm.allreduce(mine))

    def _numerics(self, state: State) -> dict[str, Any]:
        problem = self._problem
        domain, electric = problem.domain, problem.electric
        pattern, x = problem.pattern, domain.x
        edges = np.linalg.norm(x[pattern.near] - x[pattern.far], axis=1)
        smallest = domain.comm.allreduce(float(edges.min(initial=np.inf)), op=MPI.MIN)
        return {
            "nodes": domain.nodes.total,
            "cells": domain.n_cells,
            "smallest_edge_mm": smallest * 1e3,
            "interfaces": "cells"
            if any("follow the cells" in said for said in (*domain.notes, *domain.remarks))
            else "conforming",
            "steps": state.step_memory.accepted,
            "rejects": state.step_memory.rejected,
            "heat_iterations": problem.heat.solver.iterations,
            "potential_iterations": electric.solver.iterations if electric is not None else 0,
            "potentials_extrapolated": electric.kept if electric is not None else 0,
            "ranks": domain.comm.size,
            "error_bar": {},
        }


def own_times(generator: Channels) -> tuple[float, ...]:
    """Return the times on which steps land for the generator's sake [s]."""
    return (*generator.turning_times, *generator.switch_times, generator.end)


def snapped(times: Iterable[float], own: Collection[float], end: float) -> set[float]:
    """Return the times up to the end [s]; one that is one of `own` but for rounding (3 * 0.1 is not 0.3) is that one.

    A step of 1e-17 s between the two would ruin the differences of the next.
    """
    return {next((each for each in own if abs(each - t) < 1e-9 * end), t) for t in times if t <= end * (1 + 1e-9)}


def output_times(generator: Channels, interval: float) -> tuple[float, ...]:
    """Return the times of the frames [s]: every `interval` and the end."""
    end = generator.end
    times = [n * interval for n in range(1, int(np.ceil(end / interval)) + 1)]
    return (*sorted(t for t in snapped(times, own_times(generator), end) if t < end), end)
