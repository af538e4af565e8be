"""Pulsed radiofrequency: short pulses at a low rate, so that the field is high and the tissue stays cool.

With the duty cycle d = width x rate, a pulse of V volt heats on average like V sqrt(d) all the time. Either each pulse
is resolved, with steps that land on its edges, or a step sees its cycles' average. The voltage within the pulses is
held down where the sensor would otherwise exceed its cap: a device lowers its voltage, width or rate to that end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from rfablate.physics.generator.interface import NOTHING, Command, Memory, Needs, Offer
from rfablate.physics.generator.open_loop import Timed


@dataclass(frozen=True)
class Pulsed(Timed):
    """Pulses of `voltage` that last `width`, `rate` times a second; the limits hold within a pulse."""

    voltage: float
    """Within a pulse [V RMS]."""
    width: float
    """[s]"""
    rate: float
    """[1/s]"""
    cap: float | None
    """Temperature the sensor must not exceed, averaged over a cycle [degC]."""
    ahead: float = 0.5
    """Shortest time within which the sensor is looked at [s]; see `IdealControl`."""
    resolved: bool = False
    """Whether steps land on every pulse."""

    @property
    def duty(self) -> float:
        """Fraction of the time the output is on."""
        return self.width * self.rate

    @property
    def switch_times(self) -> tuple[float, ...]:
        """See `Generator.switch_times`."""
        if not self.resolved:
            return (self.on,)
        starts = [n / self.rate for n in range(math.ceil(self.on * self.rate))]
        edges = {edge for start in starts for edge in (start, start + self.width)}
        return (*sorted(edge for edge in edges if 0.0 < edge < self.on * (1.0 - 1e-9)), self.on)

    def needs(self, start: float, end: float, memory: Memory) -> Needs:
        """See `Generator.needs`."""
        if end > self.on or not self._delivers(0.5 * (start + end)):
            return NOTHING
        return Needs(sensor=self.cap is not None, horizon=max(self.ahead, 1.0 / self.rate))

    def decide(self, offer: Offer, memory: Memory) -> tuple[Command, Memory]:
        """Return the pulse's voltage or its average, lowered where the sensor reaches its cap."""
        if offer.t > self.on or not self._delivers(offer.middle):
            return Command(0.0), memory
        pulse, limit = self.limits.apply(self.voltage**2, offer.conductance, offer.ceiling)
        setpoint = None
        if self.cap is not None:
            allowed = max(0.0, (self.cap - offer.sensor_passive) / offer.sensor_gain / self.duty)
            if allowed < pulse**2:
                pulse, limit, setpoint = math.sqrt(allowed), "", self.cap
        voltage = pulse if self.resolved else pulse * math.sqrt(self.duty)
        return Command(voltage, setpoint, limit, pulse=pulse), memory

    def _delivers(self, t: float) -> bool:
        """Return whether there is output at t [s]."""
        return not self.resolved or (t * self.rate) % 1.0 < self.duty
