"""The response of a device to an impedance roll-off or to an impedance outside its window.

Desiccation around the tip increases the impedance Z = 1/G. When Z exceeds a threshold, the device pauses the output,
reduces its power, or ends the treatment. Outside its window (no contact, short circuit) it always ends the treatment.

A switch occurs at the end of the step in which the threshold is exceeded. A step that overshoots is repeated; it then
ends where the linear interpolation of Z over the step crosses the threshold, but is never shorter than `resolution`.
The switch time is exact if Z is linear in time, otherwise accurate to `resolution`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from rfablate.physics.generator.interface import NOTHING, Command, Generator, RequiredInputs, StepPrediction

SLACK = 1e-9
"""Relative rounding tolerance for times and impedances."""
CLOSE = 1e-6
"""Overshoot of a threshold, relative to it, that is accepted without a repeated step."""


@dataclass(frozen=True)
class ImpedanceWindow:
    """Impedance range in which the device operates [ohm]."""

    least: float
    most: float


@dataclass(frozen=True)
class RollOffResponse:
    """The action of the device when the impedance exceeds a threshold."""

    action: Literal["pause", "step_down", "stop"]
    above: float | None
    """Threshold [ohm]; None for a threshold relative to the lowest impedance so far."""
    rise: float = 0.0
    """Rise above the lowest impedance so far that defines the relative threshold [ohm]."""
    wait: float = 15.0
    """Duration of a pause, or shortest time between two step-downs [s]."""
    factor: float = 0.7
    """Power limit after a step-down, relative to the power at the roll-off."""

    def threshold(self, least: float) -> float:
        """Return the threshold [ohm] for the lowest impedance so far, `least` [ohm]."""
        return self.above if self.above is not None else least + self.rise


@dataclass(frozen=True)
class GuardState:
    """What a guarded device keeps between steps."""

    controller: Any = None
    """State of the generator behind the guard."""
    impedance: float | None = None
    """Impedance at the end of the last step [ohm]; None without voltage."""
    least: float = math.inf
    """Lowest impedance so far [ohm]."""
    wait: float = -math.inf
    """Time until which a roll-off pauses the output or its detection [s]."""
    ceiling: float = math.inf
    """Power limit after step-downs [W]."""
    off: bool = False
    """Whether the device has ended the treatment."""
    events: tuple[tuple[float, str], ...] = ()
    """Times [s] and reasons of the switches of the device."""


@dataclass(frozen=True)
class ImpedanceGuard:
    """A generator with its impedance window and an optional roll-off."""

    generator: Generator
    window: ImpedanceWindow
    roll_off: RollOffResponse | None
    resolution: float
    """Shortest step used to locate a switch in time [s]."""

    @property
    def end(self) -> float:
        """See `Generator.end`."""
        return self.generator.end

    @property
    def switch_times(self) -> tuple[float, ...]:
        """See `Generator.switch_times`."""
        return self.generator.switch_times

    @property
    def turning_times(self) -> tuple[float, ...]:
        """See `Generator.turning_times`."""
        return self.generator.turning_times

    def start(self) -> GuardState:
        """See `Generator.start`."""
        return GuardState(self.generator.start())

    def rest(self, state: GuardState) -> GuardState:
        """See `Generator.rest`."""
        return replace(state, controller=self.generator.rest(state.controller), impedance=None)

    def planned(self, state: GuardState) -> tuple[float, ...]:
        """Return the time at which a pause ends or the next step-down is possible [s], if there is one."""
        waits = math.isfinite(state.wait) and not state.off
        return (*((state.wait,) if waits else ()), *self.generator.planned(state.controller))

    def needs(self, start: float, end: float, state: GuardState) -> RequiredInputs:
        """See `Generator.needs`."""
        if state.off or self._paused(0.5 * (start + end), state):
            return NOTHING
        return self.generator.needs(start, end, state.controller)

    def decide(self, offer: StepPrediction, state: GuardState) -> tuple[Command, GuardState]:
        """Return the generator's decision unless the output is off, after a check of Z; see `Generator.decide`."""
        if state.off:
            return Command(0.0), state
        if self._paused(offer.middle, state):
            return Command(0.0, jumps=self._reached(offer.t, state)), self.rest(state)
        command, controller = self.generator.decide(replace(offer, ceiling=state.ceiling), state.controller)
        after = replace(state, controller=controller)
        if command.voltage == 0.0:
            return command, replace(after, impedance=None)
        Z = 1.0 / offer.conductance
        threshold = self._passed(Z, offer.t, state)
        if threshold is None:
            return command, replace(after, impedance=Z, least=min(Z, state.least))
        cut = self._cut(offer, Z, state, threshold)
        if cut is not None:
            return replace(command, cut=cut), state
        power = command.voltage**2 * offer.conductance
        return replace(command, jumps=True), self._switched(replace(after, impedance=Z), offer.t, Z, power)

    def _reset(self, state: GuardState) -> GuardState:
        return replace(state, controller=self.generator.rest(state.controller))

    def _paused(self, t: float, state: GuardState) -> bool:
        return self.roll_off is not None and self.roll_off.action == "pause" and t < state.wait

    def _reached(self, t: float, state: GuardState) -> bool:
        return t >= state.wait - SLACK * self.end

    def _passed(self, Z: float, t: float, state: GuardState) -> float | None:
        """Return the threshold that the impedance Z [ohm] has exceeded at t [s]; None if there is none."""
        if not self._inside(Z):
            return self.window.most if Z > self.window.least * (1.0 + SLACK) else self.window.least
        if self.roll_off is None or not self._reached(t, state):
            return None
        threshold = self.roll_off.threshold(state.least)
        return threshold if Z >= threshold * (1.0 - SLACK) else None

    def _inside(self, Z: float) -> bool:
        return self.window.least * (1.0 + SLACK) < Z < self.window.most * (1.0 - SLACK)

    def _cut(self, offer: StepPrediction, Z: float, state: GuardState, threshold: float) -> float | None:
        """Return the time at which a step with final impedance Z should end [s]; None if it may end at t.

        A step that starts beyond the threshold, or with unknown impedance, gets the minimum length. A step that ends
        together with a wait keeps its length: the device checks the impedance at its end.
        """
        if offer.middle < state.wait:
            return None
        before = state.impedance
        if offer.dt <= self.resolution * (1.0 + 1e-6) or abs(Z - threshold) <= CLOSE * threshold:
            return None
        beyond: Callable[[float], bool] = threshold.__le__ if Z >= threshold else threshold.__ge__
        part = 0.0 if before is None or beyond(before) else (threshold - before) / (Z - before)
        start = offer.t - offer.dt
        return start + max(self.resolution, part * offer.dt)

    def _switched(self, state: GuardState, t: float, Z: float, power: float) -> GuardState:
        """Return the state after the device has switched at t [s], with Z [ohm] and `power` [W] at that time."""
        if not self._inside(Z):
            reason = f"off: {Z:.4g} ohm is outside {self.window.least:g} to {self.window.most:g} ohm"
            return replace(self._reset(state), off=True, events=(*state.events, (t, reason)))
        assert self.roll_off is not None
        action, wait = self.roll_off.action, self.roll_off.wait
        if action == "stop":
            reason = f"off: roll-off at {Z:.4g} ohm"
            return replace(self._reset(state), off=True, events=(*state.events, (t, reason)))
        if action == "pause":
            reason = f"roll-off at {Z:.4g} ohm: paused for {wait:g} s"
            return replace(self._reset(state), wait=t + wait, events=(*state.events, (t, reason)))
        ceiling = self.roll_off.factor * power
        reason = f"roll-off at {Z:.4g} ohm: at most {ceiling:.3g} W"
        return replace(state, wait=t + wait, ceiling=ceiling, events=(*state.events, (t, reason)))
