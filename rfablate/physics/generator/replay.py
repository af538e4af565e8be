"""Replay of a measured treatment from a device log.

One column of the log is prescribed: the output of the device, or the sensor temperature. It is interpolated linearly
between the rows, and time steps end at the rows. The device limits also apply here: values beyond them are clipped.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rfablate.physics.generator.interface import Command, StepPrediction
from rfablate.physics.generator.open_loop import Timed

Quantity = Literal["voltage", "current", "power", "temperature"]


@dataclass(frozen=True)
class MeasuredCurve:
    """A measured quantity over time, linear between its points and constant beyond them."""

    times: tuple[float, ...]
    """Increasing times [s]."""
    values: tuple[float, ...]

    @property
    def turns(self) -> tuple[float, ...]:
        """Times at which the slope may change [s]."""
        return self.times[1:-1]

    def at(self, t: float) -> float:
        """Return the value at time t [s]."""
        after = bisect_right(self.times, t)
        if after == 0:
            return self.values[0]
        if after == len(self.times):
            return self.values[-1]
        (t0, t1), (v0, v1) = self.times[after - 1 : after + 1], self.values[after - 1 : after + 1]
        return v0 + (v1 - v0) * (t - t0) / (t1 - t0)


@dataclass(frozen=True)
class ReplayControl(Timed):
    """A measured output: voltage or current (both RMS) or power. `IdealControl` replays a temperature."""

    quantity: Literal["voltage", "current", "power"]
    curve: MeasuredCurve

    @property
    def turning_times(self) -> tuple[float, ...]:
        """See `Generator.turning_times`."""
        return self.curve.turns

    def decide(self, offer: StepPrediction, state: Any) -> tuple[Command, Any]:
        """Return the voltage that gives the measured quantity at the end of the step; see `Generator.decide`."""
        if offer.t > self.on:
            return Command(0.0), state
        value, G = max(0.0, self.curve.at(offer.t)), offer.conductance
        wanted: Mapping[str, float] = {"voltage": value**2, "current": (value / G) ** 2, "power": value / G}
        voltage, limit = self.limits.apply(wanted[self.quantity], G, offer.ceiling)
        return Command(voltage, limited_by=limit), state
