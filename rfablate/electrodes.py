"""What several electrodes do: the current out of each, what its sensor reads, how they conduct among each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rfablate.case.device import electrode_roles
from rfablate.case.schema import Case
from rfablate.problem import Problem
from rfablate.state import Frame

PAD = "return"
"""Name of what returns the current beside the tips: the outer surface."""


@dataclass(frozen=True)
class ElectrodesMemory:
    """The last step with voltage: currents out of the electrodes and out of the return's rest [A], readings [degC]."""

    currents: tuple[float, ...] = ()
    readings: tuple[float, ...] = ()


class ElectrodesRecord:
    """Watches the electrodes of a case that has several."""

    def __init__(self, case: Case, problem: Problem) -> None:
        """Start with no current."""
        self._problem = problem
        self._roles = electrode_roles(case.applicators)
        self._sensors = [each.name for each in case.applicators]
        self._pad = case.boundary.electric == "return"
        self.memory = ElectrodesMemory()

    def see(self, frame: Frame) -> dict[str, float | None]:
        """Take note of a step and return its columns of history.csv. Collective."""
        readings = tuple(self._problem.sensors.read(frame.T)[0].tolist())
        unit = frame.unit.currents if frame.unit is not None else (0.0,) * (len(self._roles) + 1)
        currents = tuple(frame.voltage * each for each in unit)
        if frame.voltage > 0.0:
            self.memory = ElectrodesMemory(currents, readings)
        names = [*self._roles, *([PAD] if self._pad else [])]
        columns: dict[str, float | None] = {f"{name}_current_A": A for name, A in zip(names, currents, strict=False)}
        columns.update({f"{name}_sensor_degC": T for name, T in zip(self._sensors, readings, strict=True)})
        return columns

    def entry(self) -> dict[str, Any]:
        """Return what summary.json says of the electrodes, as of the last step with voltage. Collective."""
        electric, memory = self._problem.electric, self.memory
        found: dict[str, Any] = {}
        for number, (name, role) in enumerate(self._roles.items()):
            current = memory.currents[number] if memory.currents else None
            found[name] = {"electrode": role, "current_A": current}
            if name in self._sensors:
                found[name]["sensor_degC"] = dict(zip(self._sensors, memory.readings, strict=False)).get(name)
        matrix = electric.conductances().tolist() if electric is not None else []
        pad = memory.currents[-1] if memory.currents and self._pad else None
        return {"tips": found, "return_current_A": pad, "conductance_S": matrix}
