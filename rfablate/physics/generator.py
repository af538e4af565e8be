"""Generators: what voltage the device applies in the next step. Pure device logic, testable without a mesh.

With the potential solved for 1 V the electrode is known to the generator by three numbers at the end of a step: its
conductance G, the sensor's temperature without voltage, a, and the sensor's gain b for 1 V RMS:

    I = V G,   P = V^2 G,   T_sensor = a + b V^2

so every control law is arithmetic in V^2. A generator is a frozen value; its memory is passed in and returned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Offer:
    """What the electrode would do in the step that ends at `t` [s] and lasts `dt` [s]."""

    t: float
    dt: float
    conductance: float
    """G [S]"""
    sensor_passive: float
    """a, sensor temperature at `reach` with no voltage from the step's start on [degC]."""
    sensor_gain: float
    """b, rise of the sensor at `reach` for 1 V RMS from the step's start on [K/V2]."""
    reach: float
    """Time the sensor's numbers hold at: the step's end, or the generator's horizon if that is later [s]."""
    sensor: float = math.nan
    """What the sensor reads at the step's start [degC]."""


@dataclass(frozen=True)
class Memory:
    """All a generator remembers between steps."""

    integral_power: float = 0.0
    """Integral term of the PI law [W]."""
    error: float = 0.0
    """Set point less sensor at the end of the last step, or at its sample [K]."""
    sampled: float | None = None
    """V^2 the sampled law has set for the next step [V2]; None before the first."""


@dataclass(frozen=True)
class Command:
    """The generator's decision for a step."""

    voltage: float
    """[V RMS]"""
    setpoint: float | None = None
    """Temperature asked of the sensor at the end of the step [degC]."""
    limited_by: str = ""
    """Which limit held the voltage down: power, voltage, current, or nothing."""


@dataclass(frozen=True)
class Limits:
    """What the device can deliver; always on."""

    power: float
    """[W]"""
    voltage: float
    """[V RMS]"""
    current: float
    """[A RMS]"""

    def apply(self, voltage_squared: float, conductance: float) -> tuple[float, str]:
        """Return the voltage allowed [V] for the wanted V^2 [V2], and the name of the limit that bound."""
        if not voltage_squared > 0.0:
            return 0.0, ""
        bounds = {
            "power": self.power / conductance,
            "voltage": self.voltage**2,
            "current": (self.current / conductance) ** 2,
        }
        name = min(bounds, key=lambda key: bounds[key])
        if voltage_squared > bounds[name]:
            return math.sqrt(bounds[name]), name
        return math.sqrt(voltage_squared), ""


class Generator(Protocol):
    """What the time loop asks of a generator."""

    @property
    def end(self) -> float:
        """Time the treatment ends, cool-down included [s]."""

    @property
    def switch_times(self) -> tuple[float, ...]:
        """Times at which the voltage may jump [s]; steps land on them and start afresh."""

    @property
    def turning_times(self) -> tuple[float, ...]:
        """Times at which the set point turns [s]; steps land on them."""

    @property
    def horizon(self) -> float:
        """Time ahead, at least, at which the generator wants to know the sensor [s]; 0: the step's end."""

    @property
    def reads_sensor(self) -> bool:
        """Whether the decision needs the sensor's part of the offer."""

    def decide(self, offer: Offer, memory: Memory) -> tuple[Command, Memory]:
        """Return the command for the step that `offer` describes, and the memory after it."""


@dataclass(frozen=True)
class Ramp:
    """Linear rise from `start` to `target` [degC] in `duration` [s], then hold."""

    start: float
    target: float
    duration: float

    def at(self, t: float) -> float:
        """Return the set point [degC] at time t [s]."""
        if t >= self.duration:
            return self.target
        return self.start + (self.target - self.start) * t / self.duration


@dataclass(frozen=True)
class _Timed:
    limits: Limits
    on: float
    """Time the generator is on [s]."""
    cooldown: float
    """Time simulated after it is switched off [s]."""

    @property
    def end(self) -> float:
        return self.on + self.cooldown

    @property
    def switch_times(self) -> tuple[float, ...]:
        return (self.on,)

    @property
    def turning_times(self) -> tuple[float, ...]:
        return ()

    @property
    def horizon(self) -> float:
        return 0.0

    @property
    def reads_sensor(self) -> bool:
        return False


@dataclass(frozen=True)
class Off:
    """No voltage: the tip's surface temperature is prescribed instead, up to `on`."""

    ramp: float
    on: float
    cooldown: float
    """Times the surface rises, is held until, and is free after that [s]."""
    reads_sensor: bool = False
    horizon: float = 0.0

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

    def decide(self, offer: Offer, memory: Memory) -> tuple[Command, Memory]:
        """Return no voltage."""
        return Command(0.0), memory


@dataclass(frozen=True)
class ConstantVoltage(_Timed):
    """The same RMS voltage as long as the limits allow it."""

    voltage: float

    def decide(self, offer: Offer, memory: Memory) -> tuple[Command, Memory]:
        """Return the constant voltage; see `Generator.decide`."""
        wanted = self.voltage**2 if offer.t <= self.on else 0.0
        voltage, limit = self.limits.apply(wanted, offer.conductance)
        return Command(voltage, limited_by=limit), memory


@dataclass(frozen=True)
class ConstantPower(_Timed):
    """The same power as long as the limits allow it."""

    power: float

    def decide(self, offer: Offer, memory: Memory) -> tuple[Command, Memory]:
        """Return the voltage that gives the power; see `Generator.decide`."""
        wanted = self.power / offer.conductance if offer.t <= self.on else 0.0
        voltage, limit = self.limits.apply(wanted, offer.conductance)
        return Command(voltage, limited_by=limit), memory


@dataclass(frozen=True)
class _Tracking(_Timed):
    ramp: Ramp

    @property
    def turning_times(self) -> tuple[float, ...]:
        return (self.ramp.duration,) if self.ramp.duration > 0.0 else ()

    @property
    def reads_sensor(self) -> bool:
        return True


@dataclass(frozen=True)
class IdealControl(_Tracking):
    """The voltage that puts the sensor on its set point at the end of the step, within the limits.

    The sensor feels the voltage only after heat has come to it from the tissue: asked to be on its set point within
    less than that time, the voltage would swing from nothing to the limit. So a short step uses the voltage that
    brings the sensor to its set point at `ahead` [s] from the step's start.
    """

    ahead: float = 0.5

    @property
    def horizon(self) -> float:
        """See `Generator.horizon`."""
        return self.ahead

    def decide(self, offer: Offer, memory: Memory) -> tuple[Command, Memory]:
        """Solve a + b V^2 = set point; see `Generator.decide`."""
        if offer.t > self.on:
            return Command(0.0), memory
        wanted = (self.ramp.at(offer.reach) - offer.sensor_passive) / offer.sensor_gain
        voltage, limit = self.limits.apply(wanted, offer.conductance)
        return Command(voltage, self.ramp.at(offer.t), limit), memory


@dataclass(frozen=True)
class PIControl(_Tracking):
    """Proportional-integral control of the power on the sensor's error.

        P = Kp e + I,   dI/dt = Ki e,   e = set point - sensor

    A device samples far faster than a time step, so the law is taken in continuous time: e is the error at the end of
    the step and I follows by the trapezoid, which keeps the loop stable at any step size. While a limit holds the
    voltage the integral only moves away from that limit (anti-windup).
    """

    proportional: float
    """Kp [W/K]"""
    integral: float
    """Ki [W/(K s)]"""

    def decide(self, offer: Offer, memory: Memory) -> tuple[Command, Memory]:
        """Solve the PI law for V^2 at the end of the step; see `Generator.decide`."""
        if offer.t > self.on:
            return Command(0.0), Memory()
        setpoint = self.ramp.at(offer.t)
        half = 0.5 * self.integral * offer.dt
        known = memory.integral_power + half * memory.error
        gain = self.proportional + half
        wanted = (gain * (setpoint - offer.sensor_passive) + known) / (offer.conductance + gain * offer.sensor_gain)
        voltage, limit = self.limits.apply(wanted, offer.conductance)
        error = setpoint - offer.sensor_passive - offer.sensor_gain * voltage**2
        integral = known + half * error
        pinned_high = limit != "" and integral > memory.integral_power
        pinned_low = voltage == 0.0 and integral < memory.integral_power
        if pinned_high or pinned_low:
            integral = memory.integral_power
        return Command(voltage, setpoint, limit), Memory(integral, error)


@dataclass(frozen=True)
class SampledControl(_Timed):
    """A digital PI controller on V^2 in velocity form, which samples the sensor once a step.

        u <- max(0, u + Kp (e - e_last) + Ki dt e),   e = set point - sensor at the start of the step,   V^2 = u

    What it computes takes effect in the step after, as in a device that acts at its next sample.
    """

    ramp: Ramp
    proportional: float
    """Kp [V2/K]"""
    integral: float
    """Ki [V2/(K s)]"""
    start: float
    """u of the first step [V2]."""

    @property
    def turning_times(self) -> tuple[float, ...]:
        """See `Generator.turning_times`."""
        return (self.ramp.duration,) if self.ramp.duration > 0.0 else ()

    def decide(self, offer: Offer, memory: Memory) -> tuple[Command, Memory]:
        """Apply what was computed at the last sample and sample again; see `Generator.decide`."""
        if offer.t > self.on:
            return Command(0.0), Memory()
        now = self.start if memory.sampled is None else memory.sampled
        setpoint = self.ramp.at(offer.t - offer.dt)
        error = setpoint - offer.sensor
        last = error if memory.sampled is None else memory.error
        following = max(0.0, now + self.proportional * (error - last) + self.integral * offer.dt * error)
        voltage, limit = self.limits.apply(now, offer.conductance)
        return Command(voltage, setpoint, limit), Memory(error=error, sampled=following)
