"""Staged protocols: ramps, holds, pauses and open-loop stages in turn, each with a generator of its own."""

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
    """What is on meanwhile, its time counted from the stage's start; None: a pause."""
    joins: bool = False
    """Whether the voltage runs on from the stage before, so that steps need not start afresh."""


@dataclass(frozen=True)
class Staged:
    """Stages in turn.

    A controller keeps its integral from a ramp to the hold after it and loses it in a pause. A ramp starts at what the
    sensor reads when its stage begins, as a device does that is switched on again.
    """

    stages: tuple[Stage, ...]
    cooldown: float
    """Time simulated after the last stage [s]."""

    @property
    def bounds(self) -> tuple[float, ...]:
        """Times at which stages begin or end [s], from 0."""
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
        """Ask the stage's generator; see `Generator.decide`."""
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
        """Return the number of the stage at t [s]; that of none after the last."""
        return sum(bound <= t for bound in self.bounds[1:])
