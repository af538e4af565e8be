"""Several channels of one device: each has its own generator and electrodes; they share it in one of three ways.

simultaneous   One oscillator serves the channels in slices of time far shorter than any of tissue's own, so that tissue
               sees the mean of V^2 of each, and their heat adds up:  T = T_a + sum_k V_k^2 T_b,k.
sequential     Each channel's whole protocol follows the one before: `Delayed` generators.
switching      One channel has the output for a dwell time, then the next, in a cycle. One that pauses because its
               impedance rolled off, or is off for good, hands over at once and is left out while it rests.

A single channel is the plain device: it always has its turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rfablate.physics.generator.interface import NOTHING, Command, Generator, Memory, Needs, Offer
from rfablate.physics.generator.tracking import forgotten

SLACK = 1e-9
"""Relative rounding allowed between a time and the end of a turn."""
SETTLED = 1e-12
"""Change of V^2 between two sweeps over the channels, as a fraction of the largest, at which they are agreed."""
SWEEPS = 1000

Decide = Callable[[int, Sequence[float]], tuple[Command, Memory]]


@dataclass(frozen=True)
class Turn:
    """Which channel has the output; all that the schedule remembers between steps."""

    channel: int | None = None
    """None: all that want it."""
    since: float = 0.0
    """[s]"""


@dataclass(frozen=True)
class Channels:
    """The generators of a device's channels and how they take turns."""

    generators: tuple[Generator, ...]
    dwell: float | None = None
    """Time a channel has the output before the next one gets it [s]; None: they take no turns."""

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

    def start(self) -> Turn:
        """Return the turn at t = 0."""
        return Turn(None if self.dwell is None else 0)

    def planned(self, memories: Sequence[Memory], turn: Turn) -> tuple[float, ...]:
        """Return the times [s] the device itself has set for a switch; steps land on them."""
        pairs = zip(self.generators, memories, strict=True)
        own = tuple(t for generator, memory in pairs for t in generator.planned(memory))
        return own if self.dwell is None else (*own, turn.since + self.dwell)

    def served(self, turn: Turn) -> tuple[int, ...]:
        """Return the channels that are asked what they want."""
        return tuple(range(len(self.generators))) if turn.channel is None else (turn.channel,)

    def needs(self, start: float, end: float, memories: Sequence[Memory], turn: Turn) -> tuple[Needs, ...]:
        """Return what each channel's decision on a step takes; see `Generator.needs`."""
        asked = self.served(turn)
        return tuple(
            each.needs(start, end, memory) if number in asked else NOTHING
            for number, (each, memory) in enumerate(zip(self.generators, memories, strict=True))
        )

    def pass_on(self, t: float, memories: Sequence[Memory], turn: Turn) -> tuple[Turn, tuple[Memory, ...]]:
        """Return whose turn it is after a step that ended at t [s], and the memories then.

        Whoever hands over forgets what its controller has learnt, as in a pause.
        """
        now = turn.channel
        if self.dwell is None or now is None:
            return turn, tuple(memories)
        late = SLACK * self.end
        pairs = zip(self.generators, memories, strict=True)
        ready = [each.needs(t + late, t + late, memory).conductance for each, memory in pairs]
        if ready[now] and t < turn.since + self.dwell - late:
            return turn, tuple(memories)
        count = len(memories)
        following = next((n % count for n in range(now + 1, now + count + 1) if ready[n % count]), None)
        if following is None:  # all rest: no output until one is ready
            return turn, tuple(memories)
        if following == now:
            return Turn(now, t), tuple(memories)
        left = replace(forgotten(memories[now]), impedance=None)
        return Turn(following, t), tuple(left if n == now else memory for n, memory in enumerate(memories))


def settle(served: Sequence[int], heating: Sequence[float], decide: Decide) -> dict[int, tuple[Command, Memory]] | None:
    """Return the decisions of the channels `served` on which they agree, None if they never do.

    Each decides on its V^2 given that of the others, in turn, until none changes (Gauss-Seidel).

    Args:
        served: numbers of the channels.
        heating: V^2 of every channel to begin with [V2].
        decide: a channel's decision, from its number and the V^2 of every channel.
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
    """A generator whose time begins later."""

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

    def planned(self, memory: Memory) -> tuple[float, ...]:
        """See `Generator.planned`."""
        return tuple(self.delay + t for t in self.generator.planned(memory))

    def needs(self, start: float, end: float, memory: Memory) -> Needs:
        """See `Generator.needs`."""
        if 0.5 * (start + end) < self.delay:
            return NOTHING
        return self.generator.needs(start - self.delay, end - self.delay, memory)

    def decide(self, offer: Offer, memory: Memory) -> tuple[Command, Memory]:
        """Return no voltage before its time; see `Generator.decide`."""
        if offer.middle < self.delay:
            return Command(0.0), memory
        return self.generator.decide(replace(offer, t=offer.t - self.delay, reach=offer.reach - self.delay), memory)
