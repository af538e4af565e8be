"""Output and sensor of each of several channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rfablate.simulation.monitors.electric_monitor import Delivered, electric_entry
from rfablate.simulation.monitors.monitor import Monitor, Row
from rfablate.solve.state import Frame


@dataclass(frozen=True)
class ChannelMemory:
    """Output of a channel so far, time with output [s], and sensor reading at the last step with output [degC]."""

    delivered: Delivered = Delivered()
    on: float = 0.0
    sensor: float = 0.0


@dataclass(frozen=True)
class ChannelsMemory:
    """Memory of each channel."""

    channels: tuple[ChannelMemory, ...]


class ChannelMonitor(Monitor):
    """Keeps the output of each named channel."""

    name = "channels"

    def __init__(self, names: Sequence[str]) -> None:
        """Start with no output from the channels of these names."""
        self._names = list(names)
        self.memory = ChannelsMemory(tuple(ChannelMemory() for _ in names))

    def observe(self, frame: Frame) -> Row:
        """Return voltage, current, power, impedance, sensor and set point of each channel."""
        columns: Row = {}
        after = []
        for name, memory, output in zip(self._names, self.memory.channels, frame.outputs, strict=True):
            on = output.power > 0.0
            columns[f"channel_{name}_voltage_V"] = output.voltage
            columns[f"channel_{name}_current_A"] = output.voltage * output.conductance
            columns[f"channel_{name}_power_W"] = output.power
            columns[f"channel_{name}_impedance_ohm"] = 1.0 / output.conductance if on else None
            columns[f"channel_{name}_sensor_degC"] = output.sensor
            columns[f"channel_{name}_setpoint_degC"] = output.setpoint
            if on:
                delivered = memory.delivered.after(output, output.power, limited=output.limited_by != "", dt=frame.dt)
                memory = ChannelMemory(delivered, memory.on + frame.dt, output.sensor)
            after.append(memory)
        self.memory = ChannelsMemory(tuple(after))
        return columns

    def entry(self, frame: Frame) -> dict[str, Any]:
        """Return the electrical values, sensor reading, time with output and energy of each channel."""
        energies = frame.ledger.channels or [0.0] * len(self._names)
        channels = {
            name: {
                **electric_entry(memory.delivered),
                "sensor_degC": memory.sensor if memory.on else None,
                "on_s": memory.on,
                "energy_J": energy,
            }
            for name, memory, energy in zip(self._names, self.memory.channels, energies, strict=True)
        }
        return {"channels": channels}
