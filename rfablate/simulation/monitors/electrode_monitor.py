"""Several electrodes: the current of each, its sensor reading, and the conductances between them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from rfablate.case.geometry.applicator_parts import electrode_roles
from rfablate.case.resolve.channel_setup import role_in
from rfablate.case.tables.schema import Case
from rfablate.problem.problem import Problem
from rfablate.simulation.monitors.monitor import Monitor, Row
from rfablate.solve.state import Frame

PAD = "return"
"""Name of the dispersive pad: the outer surface of the domain."""


def roles_by_name(case: Case) -> dict[str, str]:
    """Return the role of each electrode: active or return; with channels, its role in each of them."""
    roles = electrode_roles(case.applicators)
    if not case.channels:
        return dict(roles)
    words = {"active": "active", "return": "return", "float": "floating"}
    return {name: ", ".join(f"{words[role_in(each, name)]} in {each.name}" for each in case.channels) for name in roles}


@dataclass(frozen=True)
class ElectrodesMemory:
    """Last step with voltage: currents out of the electrodes and, last, of the dispersive pad [A]; readings [degC]."""

    currents: tuple[float, ...] = ()
    readings: tuple[float, ...] = ()


class ElectrodeMonitor(Monitor):
    """Keeps currents and sensor readings of a case with several electrodes."""

    name = "electrodes"

    def __init__(self, case: Case, problem: Problem) -> None:
        """Start with no current."""
        self._problem = problem
        self._roles = roles_by_name(case)
        self._sensors = [each.name for each in case.applicators]
        self._pad = case.boundary.electric == "return"
        self.memory = ElectrodesMemory()

    def observe(self, frame: Frame) -> Row:
        """Return the current and the sensor reading of each electrode."""
        readings = tuple(self._problem.sensors.read(frame.T)[0].tolist())
        currents = self._currents(frame)
        if frame.voltage > 0.0:
            self.memory = ElectrodesMemory(currents, readings)
        names = [*self._roles, *([PAD] if self._pad else [])]
        columns: Row = {f"{name}_current_A": A for name, A in zip(names, currents, strict=False)}
        columns.update({f"{name}_sensor_degC": T for name, T in zip(self._sensors, readings, strict=True)})
        return columns

    def _currents(self, frame: Frame) -> tuple[float, ...]:
        """Return the current out of each electrode and of the pad [A]; its RMS where channels take turns."""
        unit = frame.unit.currents if frame.unit is not None else (0.0,) * (len(self._roles) + 1)
        if frame.alone:
            return tuple(frame.voltage * each for each in unit)
        parts = [[out.voltage * each for each in out.unit.currents] for out in frame.outputs if out.unit is not None]
        return tuple(math.hypot(*each) for each in zip(*parts, strict=True))

    def entry(self, frame: Frame) -> dict[str, Any]:
        """Return currents and readings of the last step with voltage, and the matrix of conductances [S]."""
        electric, memory = self._problem.solvers.electric, self.memory
        found: dict[str, Any] = {}
        for number, (name, role) in enumerate(self._roles.items()):
            current = memory.currents[number] if memory.currents else None
            found[name] = {"electrode": role, "current_A": current}
            if name in self._sensors:
                found[name]["sensor_degC"] = dict(zip(self._sensors, memory.readings, strict=False)).get(name)
        matrix = electric.conductances().tolist() if electric is not None else []
        pad = memory.currents[-1] if memory.currents and self._pad else None
        return {"electrodes": {"tips": found, "return_current_A": pad, "conductance_S": matrix}}
