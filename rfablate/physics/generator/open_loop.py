"""Generators that do not look at the sensor: nothing, constant voltage, current or power."""

from __future__ import annotations

from dataclasses import dataclass

from rfablate.physics.generator.interface import NOTHING, Command, Limits, Memory, Needs, Offer


@dataclass(frozen=True)
class Timed:
    """What generators have in common that are on for a time and off after it."""

    limits: Limits
    on: float
    """Time the generator is on [s]."""
    cooldown: float
    """Time simulated after it is switched off [s]."""

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

    def planned(self, memory: Memory) -> tuple[float, ...]:
        """See `Generator.planned`."""
        return ()

    def needs(self, start: float, end: float, memory: Memory) -> Needs:
        """See `Generator.needs`."""
        return Needs() if end <= self.on else NOTHING


@dataclass(frozen=True)
class Off:
    """No voltage: the tip's surface temperature is prescribed instead, up to `on`."""

    ramp: float
    on: float
    cooldown: float
    """Times the surface rises, is held until, and is free after that [s]."""

    @property
    def end(self) -> float:
        """Time the treatment ends [s]."""
        return self.on + self.cooldown

    @property
    def switch_times(self) -> tuple[float, ...]:
        """Time at which the surface temperature is let go [s]."""
        return (self.on,)

    @property
    def turning_times(self) -> tuple[float, ...]:
        """Time at which the surface temperature stops rising [s]."""
        return (self.ramp,) if self.ramp > 0.0 else ()

    def planned(self, memory: Memory) -> tuple[float, ...]:
        """Return none."""
        return ()

    def needs(self, start: float, end: float, memory: Memory) -> Needs:
        """Return nothing."""
        return NOTHING

    def decide(self, offer: Offer, memory: Memory) -> tuple[Command, Memory]:
        """Return no voltage."""
        return Command(0.0), memory


@dataclass(frozen=True)
class ConstantVoltage(Timed):
    """The same RMS voltage as long as the limits allow it."""

    voltage: float

    def decide(self, offer: Offer, memory: Memory) -> tuple[Command, Memory]:
        """Return the constant voltage; see `Generator.decide`."""
        wanted = self.voltage**2 if offer.t <= self.on else 0.0
        voltage, limit = self.limits.apply(wanted, offer.conductance, offer.ceiling)
        return Command(voltage, limited_by=limit), memory


@dataclass(frozen=True)
class ConstantCurrent(Timed):
    """The same RMS current as long as the limits allow it."""

    current: float

    def decide(self, offer: Offer, memory: Memory) -> tuple[Command, Memory]:
        """Return the voltage that drives the current; see `Generator.decide`."""
        wanted = (self.current / offer.conductance) ** 2 if offer.t <= self.on else 0.0
        voltage, limit = self.limits.apply(wanted, offer.conductance, offer.ceiling)
        return Command(voltage, limited_by=limit), memory


@dataclass(frozen=True)
class ConstantPower(Timed):
    """The same power as long as the limits allow it."""

    power: float

    def decide(self, offer: Offer, memory: Memory) -> tuple[Command, Memory]:
        """Return the voltage that gives the power; see `Generator.decide`."""
        wanted = self.power / offer.conductance if offer.t <= self.on else 0.0
        voltage, limit = self.limits.apply(wanted, offer.conductance, offer.ceiling)
        return Command(voltage, limited_by=limit), memory
