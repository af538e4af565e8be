"""What several electrodes do: the current out of each, what its sensor reads, how they conduct among each other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from rfablate.case.geometry.applicator_parts import electrode_roles
from rfablate.case.resolve.channel_setup import role_in
from rfablate.case.tables.schema import Case
from rfablate.problem.problem import Problem
from rfablate.solve.state import Frame

PAD = "return"
"""Name of what returns the current beside the tips: the outer surface."""


def parts_of(case: Case) -> dict[str, str]:
    """Return what each electrode is: active or return, or which of them in which channel."""
    roles = electrode_roles(case.applicators)
    if not case.channels:
        return dict(roles)
    words = {"active": "active", "return": "return", "float": "floating"}
    return {name: ", ".join(f"{words[role_in(each, name)]} in {each.name}" for each in case.channels) for name in roles}


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
        self._parts = parts_of(case)
        self._sensors = [each.name for each in case.applicators]
        self._pad = case.boundary.electric == "return"
        self.memory = ElectrodesMemory()

    def see(self, frame: Frame) -> dict[str, float | None]:
        """Take note of a step and return its columns of history.csv. Collective."""
        readings = tuple(self._problem.sensors.read(frame.T)[0].tolist())
        currents = self._currents(frame)
        if frame.voltage > 0.0:
            self.memory = ElectrodesMemory(currents, readings)
        names = [*self._parts, *([PAD] if self._pad else [])]
        columns: dict[str, float | None] = {f"{name}_current_A": A for name, A in zip(names, currents, strict=False)}
        columns.update({f"{name}_sensor_degC": T for name, T in zip(self._sensors, readings, strict=True)})
        return columns

    def _currents(self, frame: Frame) -> tuple[float, ...]:
        """Return the current out of each electrode and the return's rest [A]; of channels in slices of time its RMS."""
        unit = frame.unit.currents if frame.unit is not None else (0.0,) * (len(self._parts) + 1)
        if frame.alone:
            return tuple(frame.voltage * each for each in unit)
        parts = [[out.voltage * each for each in out.unit.currents] for out in frame.outputs if out.unit is not None]
        return tuple(math.hypot(*each) for each in zip(*parts, strict=True))

    def entry(self) -> dict[str, Any]:
        """Return what summary.json says of the electrodes, as of the last step with voltage. Collective."""
        electric, memory = self._problem.electric, self.memory
        found: dict[str, Any] = {}
        for number, (name, part) in enumerate(self._parts.items()):
            current = memory.currents[number] if memory.currents else None
            found[name] = {"electrode": part, "current_A": current}
            if name in self._sensors:
                found[name]["sensor_degC"] = dict(zip(self._sensors, memory.readings, strict=False)).get(name)
        matrix = electric.conductances().tolist() if electric is not None else []
        pad = memory.currents[-1] if memory.currents and self._pad else None
        return {"tips": found, "return_current_A": pad, "conductance_S": matrix}
