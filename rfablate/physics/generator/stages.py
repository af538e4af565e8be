"""Staged protocols: a sequence of ramps, holds, pauses and open-loop stages, each with its own generator."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate

from rfablate.physics.generator.interface import NOTHING, Command, Generator, Memory, Needs, Offer
from rfablate.physics.generator.setpoint import Ramp
from rfablate.physics.generator.tracking import IdealControl, PIControl, forgotten


@dataclass(frozen=True)
class Stage:
    """A part of a protocol."""

    duration: float
    """[s]"""
    generator: Generator | None
    """Generator of the stage, with its time counted from the start of the stage; None for a pause."""
    joins: bool = False
    """Whether the voltage is continuous with the previous stage, so that the time steps need not restart."""


@dataclass(frozen=True)
class Staged:
    """A sequence of stages.

    A controller keeps its integral from a ramp to the following hold and resets it in a pause. A ramp starts at the
    sensor temperature at the beginning of its stage, like a device that is switched on again.
    """

    stages: tuple[Stage, ...]
    cooldown: float
    """Time simulated after the last stage [s]."""

    @property
    def bounds(self) -> tuple[float, ...]:
        """Start and end times of the stages [s], from 0."""
        return tuple(accumulate((stage.duration for stage in self.stages), initial=0.0))

    @property
    def end(self) -> float:
        """See `Generator.end`."""
        return self.bounds[-1] + self.cooldown

    @property
    def switch_times(self) -> tuple[float, ...]:
        """See `Generator.switch_times`."""
        starts = zip(self.bounds[1:-1], self.stages[1:], strict=True)
        return (*(t for t, stage in starts if not stage.joins), self.bounds[-1])

    @property
    def turning_times(self) -> tuple[float, ...]:
        """See `Generator.turning_times`."""
        return tuple(t for t in self.bounds[1:] if t not in self.switch_times)

    def planned(self, memory: Memory) -> tuple[float, ...]:
        """See `Generator.planned`."""
        return ()

    def needs(self, start: float, end: float, memory: Memory) -> Needs:
        """See `Generator.needs`."""
        number = self._at(0.5 * (start + end))
        generator = self.stages[number].generator if number < len(self.stages) else None
        return NOTHING if generator is None else generator.needs(start, end, memory)

    def decide(self, offer: Offer, memory: Memory) -> tuple[Command, Memory]:
        """Return the decision of the current stage's generator; see `Generator.decide`."""
        number = self._at(offer.middle)
        if number != memory.stage:
            memory = replace(memory, stage=number, origin=offer.sensor)
        generator = self.stages[number].generator if number < len(self.stages) else None
        if generator is None:
            return Command(0.0), forgotten(memory)
        if isinstance(generator, IdealControl | PIControl) and isinstance(generator.ramp, Ramp):
            generator = replace(generator, ramp=replace(generator.ramp, start=memory.origin))
        start = self.bounds[number]
        return generator.decide(replace(offer, t=offer.t - start, reach=offer.reach - start), memory)

    def _at(self, t: float) -> int:
        """Return the index of the stage at t [s]; the number of stages after the last one."""
        return sum(bound <= t for bound in self.bounds[1:])
