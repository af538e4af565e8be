"""Electrical output of the generator: values at the end of heating, peak power, time at a limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rfablate.results.summary_models import ResultCheck, StructureResult
from rfablate.simulation.monitors.monitor import Monitor, Row
from rfablate.solve.state import ChannelOutput, Frame


@dataclass(frozen=True)
class Delivered:
    """Output so far, as of the last step with output."""

    voltage: float = 0.0
    """[V RMS]"""
    conductance: float = 0.0
    """[S]"""
    power: float = 0.0
    """[W]"""
    peak_power: float = 0.0
    """[W]"""
    limited: float = 0.0
    """Time at a limit of the generator [s]."""
    hold: float = 0.0
    """Time with output and a constant set point, or none [s]."""
    hold_limited: float = 0.0
    """Part of `hold` at a limit of the generator [s]."""
    setpoint: float | None = None
    """Set point at the end of the last step [degC]."""

    def after(self, output: ChannelOutput, power: float, *, limited: bool, dt: float) -> Delivered:
        """Return the values after a step of dt [s] with an output of `power` [W]."""
        at_limit = dt if limited else 0.0
        holds = output.setpoint == self.setpoint
        return Delivered(
            output.voltage,
            output.conductance,
            power,
            max(self.peak_power, power),
            self.limited + at_limit,
            self.hold + (dt if holds else 0.0),
            self.hold_limited + (at_limit if holds else 0.0),
            output.setpoint,
        )


def electric_entry(last: Delivered, channels: int = 1) -> dict[str, float | None]:
    """Return the electrical entry of summary.json.

    Several channels have a common power but no common voltage, current or impedance.
    """
    if last.voltage == 0.0:
        return dict.fromkeys(("voltage_V", "current_A", "power_W", "impedance_ohm", "peak_power_W"), None)
    alone = channels == 1
    current = last.voltage * last.conductance
    return {
        "voltage_V": last.voltage if alone else None,
        "current_A": current if alone else None,
        "power_W": last.power,
        "impedance_ohm": 1.0 / last.conductance if alone and last.conductance else None,
        "peak_power_W": last.peak_power,
        "limited_s": last.limited,
    }


class ElectricMonitor(Monitor):
    """Keeps the output of all channels together."""

    name = "electric"

    def __init__(self, channels: int) -> None:
        """Start with no output from a number of channels."""
        self._channels = channels
        self.memory: Delivered = Delivered()

    def observe(self, frame: Frame) -> Row:
        """Add a step to the output so far."""
        if frame.voltage > 0.0:
            limited = any(each.limited_by for each in frame.outputs)
            self.memory = self.memory.after(frame.main, frame.power, limited=limited, dt=frame.dt)
        return {}

    def entry(self, frame: Frame) -> dict[str, Any]:
        """Return the electrical values."""
        return {"electric": electric_entry(self.memory, self._channels)}

    def warnings(self) -> list[str]:
        """Return a warning if the generator was at a limit for a part of its time on."""
        if self.memory.limited <= 0.0 or self._whole_hold():
            return []
        return [
            f"the generator was at one of its limits for {self.memory.limited:.3g} s: "
            "the set point was not held during this time"
        ]

    def checks(self, frame: Frame, structures: Mapping[str, StructureResult]) -> list[ResultCheck]:
        """Return the check of a generator that was at a limit for the whole hold."""
        if not self._whole_hold():
            return []
        held = self.memory.hold
        text = (
            f"the generator was at one of its limits for its whole hold of {held:.3g} s: the set point was never "
            "reached, and the lesion is that of the limit; raise max_power_W, max_voltage_V or max_current_A, or "
            "choose a lower set point"
        )
        return [ResultCheck(check="generator_limit", value=held, limit=held, unit="s", text=text)]

    def _whole_hold(self) -> bool:
        hold, limited = self.memory.hold, self.memory.hold_limited
        return 0.0 < hold <= limited * (1.0 + 1e-9)
