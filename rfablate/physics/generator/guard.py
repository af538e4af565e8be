"""What a device does by itself when the impedance leaves its window or rolls off.

Tissue that dries out around the tip raises the impedance Z = 1/G. The device sees it pass a threshold and switches the
output off for a while, lowers its power, or ends. Outside its window - no contact, a short circuit - it always ends.

A switch comes at the end of the step in which the threshold is passed. A step that overshoots is made again to end
where the line between the impedances at its ends meets the threshold, but is never made shorter than `resolution`:
where Z runs straight the time is exact, elsewhere it is within `resolution`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from rfablate.physics.generator.interface import NOTHING, Command, Generator, Memory, Needs, Offer
from rfablate.physics.generator.tracking import forgotten

SLACK = 1e-9
"""Relative rounding allowed between a time or an impedance and where it should be."""
CLOSE = 1e-6
"""Overshoot of a threshold, as a fraction of it, that is not looked into any further."""


@dataclass(frozen=True)
class Window:
    """Impedances at which the device works [ohm]."""

    least: float
    most: float


@dataclass(frozen=True)
class RollOff:
    """What is done when the impedance passes a threshold."""

    action: Literal["pause", "step_down", "stop"]
    above: float | None
    """Threshold [ohm], or None for one relative to the lowest impedance so far:"""
    rise: float = 0.0
    """[ohm]"""
    wait: float = 15.0
    """Time without output, or after a step-down until the next one [s]."""
    factor: float = 0.7
    """Power allowed after a step-down, as a fraction of the power at the roll-off."""

    def threshold(self, least: float) -> float:
        """Return the threshold [ohm] where `least` is the lowest impedance so far [ohm]."""
        return self.above if self.above is not None else least + self.rise


@dataclass(frozen=True)
class Guard:
    """A generator with its impedance window and, if there is one, its roll-off."""

    generator: Generator
    window: Window
    roll_off: RollOff | None
    resolution: float
    """Shortest step that is made to find the time of a switch [s]."""

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
        """Return the time at which a pause ends or a step-down may follow [s], if one is set."""
        waits = math.isfinite(memory.wait) and not memory.off
        return (*((memory.wait,) if waits else ()), *self.generator.planned(memory))

    def needs(self, start: float, end: float, memory: Memory) -> Needs:
        """See `Generator.needs`."""
        if memory.off or self._paused(0.5 * (start + end), memory):
            return NOTHING
        return self.generator.needs(start, end, memory)

    def decide(self, offer: Offer, memory: Memory) -> tuple[Command, Memory]:
        """Let the generator decide unless the output is off, and look at the impedance; see `Generator.decide`."""
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
        """Return the threshold that the impedance Z [ohm] is beyond at t [s]."""
        if not self._inside(Z):
            return self.window.most if Z > self.window.least * (1.0 + SLACK) else self.window.least
        if self.roll_off is None or not self._reached(t, memory):
            return None
        threshold = self.roll_off.threshold(memory.least)
        return threshold if Z >= threshold * (1.0 - SLACK) else None

    def _inside(self, Z: float) -> bool:
        return self.window.least * (1.0 + SLACK) < Z < self.window.most * (1.0 - SLACK)

    def _cut(self, offer: Offer, Z: float, memory: Memory, threshold: float) -> float | None:
        """Return where a step with Z at its end should have ended [s], if not at t.

        A step that starts beyond the threshold, or with the impedance unknown, is made as short as may be; one that
        ends with a wait is left: the device looks at its end.
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
        """Return the memory after the device has switched at t [s], at Z [ohm] and `power` [W]."""
        if not self._inside(Z):
            said = f"off: {Z:.4g} ohm is outside {self.window.least:g} to {self.window.most:g} ohm"
            return replace(forgotten(memory), off=True, events=(*memory.events, (t, said)))
        assert self.roll_off is not None
        action, wait = self.roll_off.action, self.roll_off.wait
        if action == "stop":
            said = f"off: roll-off at {Z:.4g} ohm"
            return replace(forgotten(memory), off=True, events=(*memory.events, (t, said)))
        if action == "pause":
            said = f"roll-off at {Z:.4g} ohm: paused for {wait:g} s"
            return replace(forgotten(memory), wait=t + wait, events=(*memory.events, (t, said)))
        ceiling = self.roll_off.factor * power
        said = f"roll-off at {Z:.4g} ohm: at most {ceiling:.3g} W"
        return replace(memory, wait=t + wait, ceiling=ceiling, events=(*memory.events, (t, said)))
