"""Pulsed radiofrequency: short pulses at a low rate, for a high electric field at a low tissue temperature.

With the duty cycle d = width x rate, pulses of V volt heat on average like a continuous V sqrt(d). Either each pulse is
resolved, with steps that end at its edges, or the steps use the average over a cycle. The pulse voltage is reduced so
that the sensor does not exceed its cap; a device reduces its voltage, width or rate for that purpose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from rfablate.physics.generator.interface import NOTHING, Command, RequiredInputs, StepPrediction
from rfablate.physics.generator.open_loop import Timed


@dataclass(frozen=True)
class PulsedControl(Timed):
    """Pulses of `voltage` and `width` at `rate`; the device limits apply within a pulse."""

    voltage: float
    """Voltage within a pulse [V RMS]."""
    width: float
    """[s]"""
    rate: float
    """[1/s]"""
    cap: float | None
    """Highest sensor temperature, averaged over a cycle [degC]; None without a cap."""
    ahead: float = 0.5
    """Shortest prediction horizon of the sensor [s]; see `IdealControl`."""
    resolved: bool = False
    """Whether steps resolve each pulse."""

    @property
    def duty(self) -> float:
        """Fraction of the time for which the output is on."""
        return self.width * self.rate

    @property
    def switch_times(self) -> tuple[float, ...]:
        """See `Generator.switch_times`."""
        if not self.resolved:
            return (self.on,)
        starts = [n / self.rate for n in range(math.ceil(self.on * self.rate))]
        edges = {edge for start in starts for edge in (start, start + self.width)}
        return (*sorted(edge for edge in edges if 0.0 < edge < self.on * (1.0 - 1e-9)), self.on)

    def needs(self, start: float, end: float, state: Any) -> RequiredInputs:
        """See `Generator.needs`."""
        if end > self.on or not self._delivers(0.5 * (start + end)):
            return NOTHING
        return RequiredInputs(sensor=self.cap is not None, horizon=max(self.ahead, 1.0 / self.rate))

    def decide(self, offer: StepPrediction, state: Any) -> tuple[Command, Any]:
        """Return the pulse voltage or its average, reduced if the sensor would exceed its cap."""
        if offer.t > self.on or not self._delivers(offer.middle):
            return Command(0.0), state
        pulse, limit = self.limits.apply(self.voltage**2, offer.conductance, offer.ceiling)
        setpoint = None
        if self.cap is not None:
            allowed = max(0.0, (self.cap - offer.sensor_passive) / offer.sensor_gain / self.duty)
            if allowed < pulse**2:
                pulse, limit, setpoint = math.sqrt(allowed), "", self.cap
        voltage = pulse if self.resolved else pulse * math.sqrt(self.duty)
        return Command(voltage, setpoint, limit, pulse=pulse), state

    def _delivers(self, t: float) -> bool:
        """Return whether there is output at t [s]."""
        return not self.resolved or (t * self.rate) % 1.0 < self.duty
