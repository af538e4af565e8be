"""Misfit of a replayed treatment: model against every measured column except the one that drives the run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from rfablate.case.tables.device_log import DRIVERS, DeviceLog
from rfablate.physics.generator.replay import MeasuredCurve, Quantity
from rfablate.simulation.monitors.monitor import Monitor, Row
from rfablate.solve.state import Frame


@dataclass
class MisfitMemory:
    """Sums so far, by column."""

    squares: dict[str, float]
    """Integral of the squared difference over time."""
    lengths: dict[str, float]
    """Time compared [s]."""
    worst: dict[str, tuple[float, float]]
    """Largest difference and its time [s]."""


class ReplayMonitor(Monitor):
    """Compares each accepted step with the device log at its time.

    The mean square is over time: a step counts by its length. Impedance is compared while there is output.
    """

    name = "replay"

    def __init__(self, log: DeviceLog, driver: Quantity) -> None:
        """Keep the log; `driver` is the quantity that drives the run: voltage, current, power or temperature."""
        self._curves = {name: MeasuredCurve(log.times, values) for name, values in log.columns.items()}
        self._driver, self._end = DRIVERS[driver], log.times[-1]
        names = list(self._curves)
        self.memory = MisfitMemory(
            dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0), dict.fromkeys(names, (0.0, 0.0))
        )

    def observe(self, frame: Frame) -> Row:
        """Return the measured values at the time of a step."""
        if frame.t > self._end:
            return {f"measured_{name}": None for name in self._curves}
        measured = {name: curve.at(frame.t) for name, curve in self._curves.items()}
        if frame.dt > 0.0:
            self._compare(frame, measured)
        return {f"measured_{name}": value for name, value in measured.items()}

    def _compare(self, frame: Frame, measured: dict[str, float]) -> None:
        on = frame.voltage > 0.0 and frame.conductance > 0.0
        modelled = {
            "voltage_V": frame.voltage,
            "current_A": frame.voltage * frame.conductance,
            "power_W": frame.power,
            "temperature_degC": frame.sensor,
            "impedance_ohm": 1.0 / frame.conductance if on else None,
        }
        for name, value in measured.items():
            model = modelled[name]
            if model is None:
                continue
            away = model - value
            self.memory.squares[name] += frame.dt * away**2
            self.memory.lengths[name] += frame.dt
            if abs(away) > abs(self.memory.worst[name][0]):
                self.memory.worst[name] = (away, frame.t)

    def entry(self, frame: Frame) -> dict[str, Any]:
        """Return the differences of model minus measurement, in each column's unit."""
        compared = {
            name: {
                "rms": math.sqrt(self.memory.squares[name] / self.memory.lengths[name]),
                "largest": self.memory.worst[name][0],
                "largest_at_s": self.memory.worst[name][1],
            }
            for name in self._curves
            if name != self._driver and self.memory.lengths[name] > 0.0
        }
        rows = len(next(iter(self._curves.values())).times)
        return {"replay": {"driven_by": self._driver, "rows": rows, "misfit": compared}}
