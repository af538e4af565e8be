"""What passes between the time loop and a generator: needs, offer, command, memory; and the limits of a device."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Needs:
    """What a generator wants to know before it decides on a step."""

    conductance: bool = True
    """Whether the voltage may be other than zero, so that G is needed."""
    sensor: bool = False
    """Whether the decision needs the sensor's part of the offer."""
    horizon: float = 0.0
    """Time ahead, at least, at which it wants to know the sensor [s]; 0: the step's end."""


NOTHING = Needs(conductance=False)


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
    ceiling: float = math.inf
    """Power that a roll-off has left the device [W]."""

    @property
    def middle(self) -> float:
        """Time in the middle of the step [s]: tells on which side of a switch the step is, whatever the rounding."""
        return self.t - 0.5 * self.dt


@dataclass(frozen=True)
class Memory:
    """All a generator remembers between steps."""

    integral_power: float = 0.0
    """Integral term of the PI law [W]."""
    error: float = 0.0
    """Set point less sensor at the end of the last step, or at its sample [K]."""
    sampled: float | None = None
    """V^2 the sampled law has set for the next step [V2]; None before the first."""
    stage: int = -1
    """Stage of the protocol the last step was in."""
    origin: float = 0.0
    """What the sensor read when that stage began [degC]."""
    impedance: float | None = None
    """Impedance at the end of the last step [ohm]; None without voltage."""
    least: float = math.inf
    """Lowest impedance so far [ohm]."""
    wait: float = -math.inf
    """Time up to which a roll-off keeps the output off, or is not looked for again [s]."""
    ceiling: float = math.inf
    """Power that step-downs have left [W]."""
    off: bool = False
    """Switched off for good."""
    events: tuple[tuple[float, str], ...] = ()
    """Times [s] at which the device switched by itself, and why."""


@dataclass(frozen=True)
class Command:
    """The generator's decision for a step."""

    voltage: float
    """The root of the step's mean V^2 [V RMS]."""
    setpoint: float | None = None
    """Temperature asked of the sensor at the end of the step [degC]."""
    limited_by: str = ""
    """Which limit held the voltage down: power, voltage, current, step-down, or nothing."""
    pulse: float | None = None
    """Voltage within a pulse [V RMS]; None where the output is not pulsed."""
    cut: float | None = None
    """The device switches within the step: the step is to be made again and end at this time [s]."""
    jumps: bool = False
    """Whether the voltage may jump when the step ends; the next step starts afresh."""


@dataclass(frozen=True)
class Limits:
    """What the device can deliver; always on."""

    power: float
    """[W]"""
    voltage: float
    """[V RMS]"""
    current: float
    """[A RMS]"""

    def apply(self, voltage_squared: float, conductance: float, ceiling: float = math.inf) -> tuple[float, str]:
        """Return the voltage allowed [V] for the wanted V^2 [V2], and the name of the limit that bound.

        `ceiling`: power that step-downs have left [W].
        """
        if not voltage_squared > 0.0:
            return 0.0, ""
        bounds = {
            "power": self.power / conductance,
            "voltage": self.voltage**2,
            "current": (self.current / conductance) ** 2,
            "step-down": ceiling / conductance,
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

    def planned(self, memory: Memory) -> tuple[float, ...]:
        """Return the times [s] the device itself has set for a switch; steps land on them."""

    def needs(self, start: float, end: float, memory: Memory) -> Needs:
        """Return what the decision on a step from `start` to `end` [s] takes."""

    def decide(self, offer: Offer, memory: Memory) -> tuple[Command, Memory]:
        """Return the command for the step that `offer` describes, and the memory after it."""
