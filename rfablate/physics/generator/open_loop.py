"""Generators without feedback from the sensor: off, constant voltage, current or power."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rfablate.physics.generator.interface import NOTHING, Command, Limits, RequiredInputs, StepPrediction


@dataclass(frozen=True)
class Timed:
    """Base of generators that are on for a fixed time and off after it."""

    limits: Limits
    on: float
    """Time the generator is on [s]."""
    cooldown: float
    """Time simulated after the generator is switched off [s]."""

    @property
    def end(self) -> float:
        """See `Generator.end`."""
        return self.on + self.cooldown

    @property
    def switch_times(self) -> tuple[float, ...]:
        """See `Generator.switch_times`."""
        return (self.on,)

    @property
    def turning_times(self) -> tuple[float, ...]:
        """See `Generator.turning_times`."""
        return ()

    def start(self) -> Any:
        """Return no state; see `Generator.start`."""
        return None

    def rest(self, state: Any) -> Any:
        """Return the state at the start; see `Generator.rest`."""
        return self.start()

    def planned(self, state: Any) -> tuple[float, ...]:
        """See `Generator.planned`."""
        return ()

    def needs(self, start: float, end: float, state: Any) -> RequiredInputs:
        """See `Generator.needs`."""
        return RequiredInputs() if end <= self.on else NOTHING


@dataclass(frozen=True)
class Off:
    """No voltage: the surface temperature of the tip is prescribed until `on` instead."""

    ramp: float
    on: float
    cooldown: float
    """Duration of the temperature ramp, end of the prescribed temperature, and free cooling after it [s]."""

    @property
    def end(self) -> float:
        """End of the treatment [s]."""
        return self.on + self.cooldown

    @property
    def switch_times(self) -> tuple[float, ...]:
        """Time at which the surface temperature is no longer prescribed [s]."""
        return (self.on,)

    @property
    def turning_times(self) -> tuple[float, ...]:
        """Time at which the ramp of the surface temperature ends [s]."""
        return (self.ramp,) if self.ramp > 0.0 else ()

    def start(self) -> Any:
        """Return no state; see `Generator.start`."""
        return None

    def rest(self, state: Any) -> Any:
        """Return the state at the start; see `Generator.rest`."""
        return self.start()

    def planned(self, state: Any) -> tuple[float, ...]:
        """Return no times."""
        return ()

    def needs(self, start: float, end: float, state: Any) -> RequiredInputs:
        """Return no needs."""
        return NOTHING

    def decide(self, offer: StepPrediction, state: Any) -> tuple[Command, Any]:
        """Return no voltage."""
        return Command(0.0), state


@dataclass(frozen=True)
class ConstantVoltageControl(Timed):
    """A constant RMS voltage within the limits."""

    voltage: float

    def decide(self, offer: StepPrediction, state: Any) -> tuple[Command, Any]:
        """Return the constant voltage; see `Generator.decide`."""
        wanted = self.voltage**2 if offer.t <= self.on else 0.0
        voltage, limit = self.limits.apply(wanted, offer.conductance, offer.ceiling)
        return Command(voltage, limited_by=limit), state


@dataclass(frozen=True)
class ConstantCurrentControl(Timed):
    """A constant RMS current within the limits."""

    current: float

    def decide(self, offer: StepPrediction, state: Any) -> tuple[Command, Any]:
        """Return the voltage for the constant current; see `Generator.decide`."""
        wanted = (self.current / offer.conductance) ** 2 if offer.t <= self.on else 0.0
        voltage, limit = self.limits.apply(wanted, offer.conductance, offer.ceiling)
        return Command(voltage, limited_by=limit), state


@dataclass(frozen=True)
class ConstantPowerControl(Timed):
    """A constant power within the limits."""

    power: float

    def decide(self, offer: StepPrediction, state: Any) -> tuple[Command, Any]:
        """Return the voltage for the constant power; see `Generator.decide`."""
        wanted = self.power / offer.conductance if offer.t <= self.on else 0.0
        voltage, limit = self.limits.apply(wanted, offer.conductance, offer.ceiling)
        return Command(voltage, limited_by=limit), state
