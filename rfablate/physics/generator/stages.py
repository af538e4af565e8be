"""Staged protocols: a sequence of ramps, holds, pauses and open-loop stages, each with its own generator."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

from rfablate.physics.generator.interface import NOTHING, Command, Generator, RequiredInputs, StepPrediction
from rfablate.physics.generator.setpoint import Ramp
from rfablate.physics.generator.tracking import IdealControl, PIControl


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
class StagedState:
    """What a staged protocol keeps between steps."""

    controller: Any = None
    """State of the controller that the stages share."""
    stage: int = -1
    """Index of the stage of the last step."""
    origin: float = 0.0
    """Sensor reading at the start of this stage [degC]."""


@dataclass(frozen=True)
class StagedControl:
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

    def start(self) -> StagedState:
        """See `Generator.start`."""
        states = (stage.generator.start() for stage in self.stages if stage.generator is not None)
        return StagedState(next((state for state in states if state is not None), None))

    def rest(self, state: StagedState) -> StagedState:
        """See `Generator.rest`."""
        return replace(state, controller=self.start().controller)

    def planned(self, state: StagedState) -> tuple[float, ...]:
        """See `Generator.planned`."""
        return ()

    def needs(self, start: float, end: float, state: StagedState) -> RequiredInputs:
        """See `Generator.needs`."""
        number = self._at(0.5 * (start + end))
        generator = self.stages[number].generator if number < len(self.stages) else None
        return NOTHING if generator is None else generator.needs(start, end, state.controller)

    def decide(self, offer: StepPrediction, state: StagedState) -> tuple[Command, StagedState]:
        """Return the decision of the current stage's generator; see `Generator.decide`."""
        number = self._at(offer.middle)
        if number != state.stage:
            state = replace(state, stage=number, origin=offer.sensor)
        generator = self.stages[number].generator if number < len(self.stages) else None
        if generator is None:
            return Command(0.0), self.rest(state)
        if isinstance(generator, IdealControl | PIControl) and isinstance(generator.ramp, Ramp):
            generator = replace(generator, ramp=replace(generator.ramp, start=state.origin))
        start = self.bounds[number]
        command, after = generator.decide(
            replace(offer, t=offer.t - start, reach=offer.reach - start), state.controller
        )
        return command, replace(state, controller=after)

    def _at(self, t: float) -> int:
        """Return the index of the stage at t [s]; the number of stages after the last one."""
        return sum(bound <= t for bound in self.bounds[1:])
