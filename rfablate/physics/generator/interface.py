"""The interface between the time loop and a generator (needs, offer, command, state), and the device limits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class RequiredInputs:
    """The inputs that a generator requires for its decision on a step."""

    conductance: bool = True
    """Whether the voltage may be nonzero, so that G is required."""
    sensor: bool = False
    """Whether the decision requires the sensor prediction of the offer."""
    horizon: float = 0.0
    """Shortest time from the start of the step to the sensor prediction [s]; 0 for the end of the step."""


NOTHING = RequiredInputs(conductance=False)


@dataclass(frozen=True)
class StepPrediction:
    """The predicted response of the electrode in the step that ends at `t` [s] and has the length `dt` [s]."""

    t: float
    dt: float
    conductance: float
    """G [S]"""
    sensor_passive: float
    """a, sensor temperature at `reach` without voltage from the start of the step [degC]."""
    sensor_gain: float
    """b, sensor gain at `reach` for 1 V RMS from the start of the step [K/V2]."""
    reach: float
    """Time of the sensor prediction: the end of the step, or the generator's horizon if later [s]."""
    sensor: float = math.nan
    """Sensor temperature at the start of the step [degC]."""
    ceiling: float = math.inf
    """Power limit after step-downs by a roll-off [W]."""

    @property
    def middle(self) -> float:
        """Midpoint of the step [s]; it shows robustly against rounding on which side of a switch the step is."""
        return self.t - 0.5 * self.dt


@dataclass(frozen=True)
class Command:
    """The decision of a generator for a step."""

    voltage: float
    """Root of the mean V^2 over the step [V RMS]."""
    setpoint: float | None = None
    """Set point of the sensor temperature at the end of the step [degC]."""
    limited_by: str = ""
    """Limit that restricts the voltage: power, voltage, current or step-down; empty if none does."""
    pulse: float | None = None
    """Voltage within a pulse [V RMS]; None if the output is not pulsed."""
    cut: float | None = None
    """Time of a switch within the step [s]; the step must be repeated and end there. None without a switch."""
    jumps: bool = False
    """Whether the voltage may change discontinuously at the end of the step; the next step then restarts."""


@dataclass(frozen=True)
class Limits:
    """The output limits of the device, which always apply."""

    power: float
    """[W]"""
    voltage: float
    """[V RMS]"""
    current: float
    """[A RMS]"""

    def apply(self, voltage_squared: float, conductance: float, ceiling: float = math.inf) -> tuple[float, str]:
        """Return the allowed voltage [V] for the required V^2 [V2], and the name of the active limit.

        `ceiling` is the power limit after step-downs [W].
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
    """The interface of a generator for the time loop.

    A generator is a frozen value. What it keeps between steps is its state, a frozen dataclass of a type of its own, or
    None: it is passed in and returned, so that a rejected step leaves it unchanged and a checkpoint contains it.
    """

    @property
    def end(self) -> float:
        """End of the treatment including cooldown [s]."""

    @property
    def switch_times(self) -> tuple[float, ...]:
        """Times at which the voltage may change discontinuously [s]; steps end at them and restart."""

    @property
    def turning_times(self) -> tuple[float, ...]:
        """Times at which the slope of the set point changes [s]; steps end at them."""

    def start(self) -> Any:
        """Return the state at t = 0."""

    def rest(self, state: Any) -> Any:
        """Return the state after a time without output, during which a controller is reset."""

    def planned(self, state: Any) -> tuple[float, ...]:
        """Return the times [s] at which the device will switch; steps end at them."""

    def needs(self, start: float, end: float, state: Any) -> RequiredInputs:
        """Return the inputs that the decision on a step from `start` to `end` [s] requires."""

    def decide(self, offer: StepPrediction, state: Any) -> tuple[Command, Any]:
        """Return the command for the step described by `offer`, and the state after it."""
