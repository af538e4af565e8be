"""Several channels of one device, each with its own generator and electrodes. Three modes of sharing:

simultaneous   One oscillator drives the channels in time slices much shorter than the thermal response, so tissue
               responds to the mean of V^2 of each channel, and the heat adds up:  T = T_a + sum_k V_k^2 T_b,k.
sequential     The complete protocol of each channel follows that of the previous one: `Delayed` generators.
switching      The channels are driven in a cycle, each for a dwell time. A channel that pauses after a roll-off or has
               switched off passes its turn on at once and is skipped while it is off.

A device with a single channel always drives it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rfablate.physics.generator.interface import NOTHING, Command, Generator, RequiredInputs, StepPrediction

SLACK = 1e-9
"""Relative rounding tolerance between a time and the end of a turn."""
SETTLED = 1e-12
"""Change of V^2 between two iterations over the channels, relative to the largest V^2, at convergence."""
SWEEPS = 1000

Decide = Callable[[int, Sequence[float]], tuple[Command, Any]]


@dataclass(frozen=True)
class ActiveChannel:
    """The channel that is driven: the complete state of the channel schedule between steps."""

    channel: int | None = None
    """Index of the channel; None if all channels are driven."""
    since: float = 0.0
    """[s]"""


@dataclass(frozen=True)
class Channels:
    """The generators of the channels of a device and their schedule."""

    generators: tuple[Generator, ...]
    dwell: float | None = None
    """Time for which a channel is driven before the next one [s]; None without switching."""

    @property
    def end(self) -> float:
        """See `Generator.end`."""
        return max(each.end for each in self.generators)

    @property
    def switch_times(self) -> tuple[float, ...]:
        """See `Generator.switch_times`."""
        return tuple(sorted({t for each in self.generators for t in each.switch_times}))

    @property
    def turning_times(self) -> tuple[float, ...]:
        """See `Generator.turning_times`."""
        return tuple(sorted({t for each in self.generators for t in each.turning_times}))

    def start(self) -> ActiveChannel:
        """Return the turn at t = 0 s."""
        return ActiveChannel(None if self.dwell is None else 0)

    def planned(self, states: Sequence[Any], turn: ActiveChannel) -> tuple[float, ...]:
        """Return the times [s] at which the device will switch; steps end at them."""
        pairs = zip(self.generators, states, strict=True)
        own = tuple(t for generator, state in pairs for t in generator.planned(state))
        return own if self.dwell is None else (*own, turn.since + self.dwell)

    def served(self, turn: ActiveChannel) -> tuple[int, ...]:
        """Return the indices of the channels that are driven."""
        return tuple(range(len(self.generators))) if turn.channel is None else (turn.channel,)

    def needs(self, start: float, end: float, states: Sequence[Any], turn: ActiveChannel) -> tuple[RequiredInputs, ...]:
        """Return the inputs that each channel's decision on a step requires; see `Generator.needs`."""
        served = self.served(turn)
        return tuple(
            each.needs(start, end, state) if number in served else NOTHING
            for number, (each, state) in enumerate(zip(self.generators, states, strict=True))
        )

    def pass_on(self, t: float, states: Sequence[Any], turn: ActiveChannel) -> tuple[ActiveChannel, tuple[Any, ...]]:
        """Return the turn after a step that ended at t [s], and the states at that time.

        A channel that passes its turn on resets its controller, as in a pause.
        """
        now = turn.channel
        if self.dwell is None or now is None:
            return turn, tuple(states)
        late = SLACK * self.end
        pairs = zip(self.generators, states, strict=True)
        ready = [each.needs(t + late, t + late, state).conductance for each, state in pairs]
        if ready[now] and t < turn.since + self.dwell - late:
            return turn, tuple(states)
        count = len(states)
        following = next((n % count for n in range(now + 1, now + count + 1) if ready[n % count]), None)
        if following is None:  # no channel is ready: no output until one is
            return turn, tuple(states)
        if following == now:
            return ActiveChannel(now, t), tuple(states)
        left = self.generators[now].rest(states[now])
        return ActiveChannel(following, t), tuple(left if n == now else state for n, state in enumerate(states))


def settle(served: Sequence[int], heating: Sequence[float], decide: Decide) -> dict[int, tuple[Command, Any]] | None:
    """Return the consistent decisions of the channels `served`; None if the iteration does not converge.

    Each channel decides on its V^2 for given V^2 of the others, in turn, until none changes (Gauss-Seidel).

    Args:
        served: indices of the channels.
        heating: initial V^2 of every channel [V2].
        decide: decision of a channel, from its index and the V^2 of every channel.
    """
    now = list(heating)
    for _ in range(SWEEPS):
        decisions = {}
        before = list(now)
        for number in served:
            decisions[number] = decide(number, now)
            now[number] = decisions[number][0].voltage ** 2
        change = max((abs(new - old) for new, old in zip(now, before, strict=True)), default=0.0)
        if len(served) < 2 or change <= SETTLED * max(now):
            return decisions
    return None


@dataclass(frozen=True)
class Delayed:
    """A generator that starts after a delay."""

    generator: Generator
    delay: float
    """[s]"""

    @property
    def end(self) -> float:
        """See `Generator.end`."""
        return self.delay + self.generator.end

    @property
    def switch_times(self) -> tuple[float, ...]:
        """See `Generator.switch_times`."""
        return (self.delay, *(self.delay + t for t in self.generator.switch_times))

    @property
    def turning_times(self) -> tuple[float, ...]:
        """See `Generator.turning_times`."""
        return tuple(self.delay + t for t in self.generator.turning_times)

    def start(self) -> Any:
        """See `Generator.start`."""
        return self.generator.start()

    def rest(self, state: Any) -> Any:
        """See `Generator.rest`."""
        return self.generator.rest(state)

    def planned(self, state: Any) -> tuple[float, ...]:
        """See `Generator.planned`."""
        return tuple(self.delay + t for t in self.generator.planned(state))

    def needs(self, start: float, end: float, state: Any) -> RequiredInputs:
        """See `Generator.needs`."""
        if 0.5 * (start + end) < self.delay:
            return NOTHING
        return self.generator.needs(start - self.delay, end - self.delay, state)

    def decide(self, offer: StepPrediction, state: Any) -> tuple[Command, Any]:
        """Return no voltage before the start; see `Generator.decide`."""
        if offer.middle < self.delay:
            return Command(0.0), state
        return self.generator.decide(replace(offer, t=offer.t - self.delay, reach=offer.reach - self.delay), state)
