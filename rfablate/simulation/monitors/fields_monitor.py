"""Frames of fields.vtkhdf."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.mesh.gather import GatheredRows, InputOrder, LocalRows, mesh_rows, on_root_with
from rfablate.problem.problem import Problem
from rfablate.results.checkpoint import mesh_digest
from rfablate.results.fields_file import FieldsMesh
from rfablate.results.run_directory import RunDirectory
from rfablate.simulation.monitors.monitor import Monitor, Row
from rfablate.solve.state import Frame

JOULE = "joule_W_per_m3"
"""Name of the Joule heat of the cells."""


class FieldsMonitor(Monitor):
    """Writes the mesh once and the fields at the start and at the output times."""

    name = "fields"
    stage = "write"

    def __init__(self, problem: Problem, files: RunDirectory | None, times: Collection[float]) -> None:
        """Write the mesh; `times` [s] are those of the frames, on which steps must land; rank 0 has the files."""
        self._problem, self._files, self._times = problem, files, times
        domain = problem.domain

        def write(mesh: dict[str, GatheredRows]) -> str:
            if files is None:
                return ""
            files.open_fields(
                FieldsMesh(mesh["points"], mesh["cells"], mesh["region"], domain.region_names, domain.axisymmetric)
            )
            return mesh_digest(**mesh, names=domain.region_names)

        self.mesh = on_root_with(domain.comm, mesh_rows(domain), write) or ""
        """Hash of the mesh, on rank 0."""

    def restore(self, memory: Any, frame: Frame) -> None:
        """Keep the frames up to the checkpoint's time."""
        if self._files is not None:
            self._files.take_up_frames({0.0, *(t for t in self._times if t <= frame.t)})

    def observe(self, frame: Frame) -> Row:
        """Write a frame at the start and at the output times."""
        if frame.t == 0.0 or frame.t in self._times:
            self._write(frame)
        return {}

    def finish(self, frame: Frame, *, failed: bool) -> None:
        """Write the last good step of a run that failed."""
        if failed and frame.t not in (0.0, *self._times):
            self._write(frame)

    def _write(self, frame: Frame) -> None:
        domain, electric = self._problem.domain, self._problem.solvers.electric
        fields = nodal_fields(self._problem, frame)
        joule = np.zeros(len(domain.region))
        for each in frame.outputs:
            if each.unit is not None and electric is not None:
                heating = electric.heating(each.unit.phi, self._problem.solvers.coefficients)
                joule += each.voltage**2 * heating / domain.elements.volume
        nodes = InputOrder.of_nodes(domain)
        local = {name: LocalRows(nodes, values) for name, values in fields.items()}
        local[JOULE] = LocalRows(InputOrder.of_cells(domain), joule)

        def write(rows: dict[str, GatheredRows]) -> None:
            if self._files is not None:
                cells = {JOULE: rows.pop(JOULE)}
                self._files.fields_frame(frame.t, rows, cells)

        on_root_with(domain.comm, local, write)


def nodal_fields(problem: Problem, frame: Frame) -> dict[str, FloatArray]:
    """Return the nodal fields of a step at the local nodes, with the names in fields.vtkhdf."""
    domain = problem.domain
    phi = frame.unit.phi * frame.voltage if frame.unit is not None else np.zeros(domain.nodes.local)
    if not frame.alone:  # RMS over the time slices of the channels
        phi = np.sqrt(sum((each.voltage * each.unit.phi) ** 2 for each in frame.outputs if each.unit is not None))
    fields = {
        "temperature_degC": frame.T,
        "peak_temperature_degC": frame.peak,
        "omega": frame.omega,
        "cem43_min": frame.cem43,
        "potential_V": phi,
    }
    if problem.cell_death is not None:
        fields["dead_fraction"] = frame.dead
    if problem.solvers.vapour is not None:
        fields["vapour_fraction"] = frame.vapour
    return fields
