"""Electrical output of the generator: values at the end of heating, peak power, time at a limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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

    def after(self, output: ChannelOutput, power: float, *, limited: bool, dt: float) -> Delivered:
        """Return the values after a step of dt [s] with an output of `power` [W]."""
        peak, at_limit = max(self.peak_power, power), self.limited + (dt if limited else 0.0)
        return Delivered(output.voltage, output.conductance, power, peak, at_limit)


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
        self.memory = Delivered()

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
        """Return a warning if the generator was at a limit."""
        if self.memory.limited <= 0.0:
            return []
        return [
            f"the generator was at one of its limits for {self.memory.limited:.3g} s: "
            "the set point was not held during this time"
        ]
