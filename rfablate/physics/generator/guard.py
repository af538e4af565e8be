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
from typing import Literal

from rfablate.physics.generator.interface import NOTHING, Command, Generator, Memory, Needs, Offer
from rfablate.physics.generator.tracking import forgotten

SLACK = 1e-9
"""Relative rounding tolerance for times and impedances."""
CLOSE = 1e-6
"""Overshoot of a threshold, relative to it, that is accepted without a repeated step."""


@dataclass(frozen=True)
class Window:
    """Impedance range in which the device operates [ohm]."""

    least: float
    most: float


@dataclass(frozen=True)
class RollOff:
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
class Guard:
    """A generator with its impedance window and an optional roll-off."""

    generator: Generator
    window: Window
    roll_off: RollOff | None
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

    def planned(self, memory: Memory) -> tuple[float, ...]:
        """Return the time at which a pause ends or the next step-down is possible [s], if there is one."""
        waits = math.isfinite(memory.wait) and not memory.off
        return (*((memory.wait,) if waits else ()), *self.generator.planned(memory))

    def needs(self, start: float, end: float, memory: Memory) -> Needs:
        """See `Generator.needs`."""
        if memory.off or self._paused(0.5 * (start + end), memory):
            return NOTHING
        return self.generator.needs(start, end, memory)

    def decide(self, offer: Offer, memory: Memory) -> tuple[Command, Memory]:
        """Return the generator's decision unless the output is off, after a check of Z; see `Generator.decide`."""
        if memory.off:
            return Command(0.0), memory
        if self._paused(offer.middle, memory):
            return Command(0.0, jumps=self._reached(offer.t, memory)), replace(forgotten(memory), impedance=None)
        command, after = self.generator.decide(replace(offer, ceiling=memory.ceiling), memory)
        if command.voltage == 0.0:
            return command, replace(after, impedance=None)
        Z = 1.0 / offer.conductance
        threshold = self._passed(Z, offer.t, memory)
        if threshold is None:
            return command, replace(after, impedance=Z, least=min(Z, memory.least))
        cut = self._cut(offer, Z, memory, threshold)
        if cut is not None:
            return replace(command, cut=cut), memory
        power = command.voltage**2 * offer.conductance
        return replace(command, jumps=True), self._switched(replace(after, impedance=Z), offer.t, Z, power)

    def _paused(self, t: float, memory: Memory) -> bool:
        return self.roll_off is not None and self.roll_off.action == "pause" and t < memory.wait

    def _reached(self, t: float, memory: Memory) -> bool:
        return t >= memory.wait - SLACK * self.end

    def _passed(self, Z: float, t: float, memory: Memory) -> float | None:
        """Return the threshold that the impedance Z [ohm] has exceeded at t [s]; None if there is none."""
        if not self._inside(Z):
            return self.window.most if Z > self.window.least * (1.0 + SLACK) else self.window.least
        if self.roll_off is None or not self._reached(t, memory):
            return None
        threshold = self.roll_off.threshold(memory.least)
        return threshold if Z >= threshold * (1.0 - SLACK) else None

    def _inside(self, Z: float) -> bool:
        return self.window.least * (1.0 + SLACK) < Z < self.window.most * (1.0 - SLACK)

    def _cut(self, offer: Offer, Z: float, memory: Memory, threshold: float) -> float | None:
        """Return the time at which a step with final impedance Z should end [s]; None if it may end at t.

        A step that starts beyond the threshold, or with unknown impedance, gets the minimum length. A step that ends
        together with a wait keeps its length: the device checks the impedance at its end.
        """
        if offer.middle < memory.wait:
            return None
        before = memory.impedance
        if offer.dt <= self.resolution * (1.0 + 1e-6) or abs(Z - threshold) <= CLOSE * threshold:
            return None
        beyond: Callable[[float], bool] = threshold.__le__ if Z >= threshold else threshold.__ge__
        part = 0.0 if before is None or beyond(before) else (threshold - before) / (Z - before)
        start = offer.t - offer.dt
        return start + max(self.resolution, part * offer.dt)

    def _switched(self, memory: Memory, t: float, Z: float, power: float) -> Memory:
        """Return the memory after the device has switched at t [s], with Z [ohm] and `power` [W] at that time."""
        if not self._inside(Z):
            reason = f"off: {Z:.4g} ohm is outside {self.window.least:g} to {self.window.most:g} ohm"
            return replace(forgotten(memory), off=True, events=(*memory.events, (t, reason)))
        assert self.roll_off is not None
        action, wait = self.roll_off.action, self.roll_off.wait
        if action == "stop":
            reason = f"off: roll-off at {Z:.4g} ohm"
            return replace(forgotten(memory), off=True, events=(*memory.events, (t, reason)))
        if action == "pause":
            reason = f"roll-off at {Z:.4g} ohm: paused for {wait:g} s"
            return replace(forgotten(memory), wait=t + wait, events=(*memory.events, (t, reason)))
        ceiling = self.roll_off.factor * power
        reason = f"roll-off at {Z:.4g} ohm: at most {ceiling:.3g} W"
        return replace(memory, wait=t + wait, ceiling=ceiling, events=(*memory.events, (t, reason)))
