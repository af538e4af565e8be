"""What each of several channels did: columns of history.csv, and what summary.json and the card say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rfablate.simulation.summarise import Delivered, delivered_after, electric_entry
from rfablate.solve.state import Frame


@dataclass(frozen=True)
class ChannelMemory:
    """What a channel delivered, for how long it had output [s], and what its sensor read then [degC]."""

    delivered: Delivered = Delivered()
    on: float = 0.0
    sensor: float = 0.0


class ChannelsRecord:
    """Watches the named channels of a case."""

    def __init__(self, names: Sequence[str]) -> None:
        """Start with nothing delivered."""
        self._names = list(names)
        self.memory = tuple(ChannelMemory() for _ in names)

    def see(self, frame: Frame) -> dict[str, float | None]:
        """Take note of a step and return its columns of history.csv."""
        columns: dict[str, float | None] = {}
        seen = []
        for name, memory, output in zip(self._names, self.memory, frame.outputs, strict=True):
            on = output.power > 0.0
            columns[f"channel_{name}_voltage_V"] = output.voltage
            columns[f"channel_{name}_current_A"] = output.voltage * output.conductance
            columns[f"channel_{name}_power_W"] = output.power
            columns[f"channel_{name}_impedance_ohm"] = 1.0 / output.conductance if on else None
            columns[f"channel_{name}_sensor_degC"] = output.sensor
            columns[f"channel_{name}_setpoint_degC"] = output.setpoint
            if on:
                memory = ChannelMemory(
                    delivered_after(memory.delivered, output, output.power, output.limited_by != "", frame.dt),
                    memory.on + frame.dt,
                    output.sensor,
                )
            seen.append(memory)
        self.memory = tuple(seen)
        return columns

    def entry(self, joule: Sequence[float]) -> dict[str, Any]:
        """Return what summary.json says of each channel; `joule`: the energy of each [J]."""
        return {
            name: {
                **electric_entry(memory.delivered),
                "sensor_degC": memory.sensor if memory.on else None,
                "on_s": memory.on,
                "energy_J": energy,
            }
            for name, memory, energy in zip(self._names, self.memory, joule or [0.0] * len(self._names), strict=True)
        }
