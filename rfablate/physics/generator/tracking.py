"""Generators that control the sensor temperature: ideal control, PI control, sampled PI control."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

from rfablate.physics.generator.interface import NOTHING, Command, RequiredInputs, StepPrediction
from rfablate.physics.generator.open_loop import Timed


class SetPoint(Protocol):
    """A set point over time."""

    @property
    def turns(self) -> tuple[float, ...]:
        """Times at which the slope changes [s]."""

    def at(self, t: float) -> float:
        """Return the set point [degC] at time t [s]."""


@dataclass(frozen=True)
class _Tracking(Timed):
    ramp: SetPoint

    @property
    def turning_times(self) -> tuple[float, ...]:
        """See `Generator.turning_times`."""
        return self.ramp.turns

    def needs(self, start: float, end: float, state: Any) -> RequiredInputs:
        """See `Generator.needs`."""
        return RequiredInputs(sensor=True) if end <= self.on else NOTHING


@dataclass(frozen=True)
class IdealControl(_Tracking):
    """The voltage at which the sensor reaches its set point at the end of the step, within the limits.

    The sensor responds to the voltage with the delay of heat conduction from the tissue. A control target closer than
    this delay would make the voltage oscillate between zero and the limit. A short step therefore uses the voltage at
    which the sensor reaches its set point at `ahead` [s] after the start of the step.
    """

    ahead: float = 0.5

    def needs(self, start: float, end: float, state: Any) -> RequiredInputs:
        """See `Generator.needs`."""
        return RequiredInputs(sensor=True, horizon=self.ahead) if end <= self.on else NOTHING

    def decide(self, offer: StepPrediction, state: Any) -> tuple[Command, Any]:
        """Solve a + b V^2 = set point; see `Generator.decide`."""
        if offer.t > self.on:
            return Command(0.0), state
        wanted = (self.ramp.at(offer.reach) - offer.sensor_passive) / offer.sensor_gain
        voltage, limit = self.limits.apply(wanted, offer.conductance, offer.ceiling)
        return Command(voltage, self.ramp.at(offer.t), limit), state


@dataclass(frozen=True)
class PIState:
    """What a PI controller keeps between steps."""

    integral_power: float = 0.0
    """Integral term [W]."""
    error: float = 0.0
    """Set point minus sensor at the end of the last step [K]."""


@dataclass(frozen=True)
class PIControl(_Tracking):
    """Proportional-integral control of the power by the control error of the sensor.

        P = Kp e + I,   dI/dt = Ki e,   e = set point - sensor

    A device samples much faster than the time step, so the law is continuous in time: e is the error at the end of the
    step, and I follows from the trapezoidal rule, which is stable at any step length. While a limit restricts the
    voltage, the integral changes only away from that limit (anti-windup).
    """

    proportional: float
    """Kp [W/K]"""
    integral: float
    """Ki [W/(K s)]"""

    def start(self) -> PIState:
        """See `Generator.start`."""
        return PIState()

    def decide(self, offer: StepPrediction, state: PIState) -> tuple[Command, PIState]:
        """Solve the PI law for V^2 at the end of the step; see `Generator.decide`."""
        if offer.t > self.on:
            return Command(0.0), PIState()
        setpoint = self.ramp.at(offer.t)
        half = 0.5 * self.integral * offer.dt
        known = state.integral_power + half * state.error
        gain = self.proportional + half
        wanted = (gain * (setpoint - offer.sensor_passive) + known) / (offer.conductance + gain * offer.sensor_gain)
        voltage, limit = self.limits.apply(wanted, offer.conductance, offer.ceiling)
        error = setpoint - offer.sensor_passive - offer.sensor_gain * voltage**2
        integral = known + half * error
        pinned_high = limit != "" and integral > state.integral_power
        pinned_low = voltage == 0.0 and integral < state.integral_power
        if pinned_high or pinned_low:
            integral = state.integral_power
        return Command(voltage, setpoint, limit), replace(state, integral_power=integral, error=error)


@dataclass(frozen=True)
class SampledState:
    """What a sampled controller keeps between steps."""

    error: float = 0.0
    """Set point minus sensor at the last sample [K]."""
    sampled: float | None = None
    """V^2 of the next step [V2]; None before the first sample."""


@dataclass(frozen=True)
class SampledControl(_Tracking):
    """A digital PI controller on V^2 in velocity form, with one sensor sample per step.

        u <- max(0, u + Kp (e - e_last) + Ki dt e),   e = set point - sensor at the start of the step,   V^2 = u

    The computed output takes effect in the next step, as in a device that updates its output at the next sample.
    """

    proportional: float
    """Kp [V2/K]"""
    integral: float
    """Ki [V2/(K s)]"""
    first: float
    """u of the first step [V2]."""

    def start(self) -> SampledState:
        """See `Generator.start`."""
        return SampledState()

    def needs(self, start: float, end: float, state: SampledState) -> RequiredInputs:
        """Return the conductance only: every offer contains the current sensor temperature."""
        return RequiredInputs() if end <= self.on else NOTHING

    def decide(self, offer: StepPrediction, state: SampledState) -> tuple[Command, SampledState]:
        """Apply the output computed at the last sample, and sample the sensor; see `Generator.decide`."""
        if offer.t > self.on:
            return Command(0.0), SampledState()
        now = self.first if state.sampled is None else state.sampled
        setpoint = self.ramp.at(offer.t - offer.dt)
        error = setpoint - offer.sensor
        last = error if state.sampled is None else state.error
        following = max(0.0, now + self.proportional * (error - last) + self.integral * offer.dt * error)
        voltage, limit = self.limits.apply(now, offer.conductance, offer.ceiling)
        return Command(voltage, setpoint, limit), replace(state, error=error, sampled=following)
