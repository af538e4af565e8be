"""The length of the next step: adaptive or fixed, adjusted to end exactly at each stop. Pure.

The functions take the memory of the step control as an argument and return the new one.

The steps are BDF3 with variable length: backward Euler after each switch, which invalidates the history, then order 2
until the history suffices for order 3. The local error of a step of order k to t, after steps that ended at t_1, t_2,
..., is, with y[...] the divided difference of order k + 1 over the last k + 2 solutions,

    y[t, t_1, ..., t_k+1]  *  product of (t - t_j) / sum of 1 / (t - t_j),      j = 1 to k

(Hairer, Norsett, Wanner, Solving Ordinary Differential Equations I, chapter III.5).

Adaptive step lengths are preferred numbers (1, 1.12, 1.25, 1.4, ... times a power of ten). A length is kept until the
error clearly requires another. The error estimate is a high-order difference of solutions; it differs in the sixth
digit between rank counts and processors. A continuous step length would propagate these differences into all results.
A length from a fixed series is the same everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

SAFETY = 0.85
"""Safety factor on the step length that the error estimate allows."""
SHRINK, GROW = 0.25, 1.8
"""Smallest and largest ratio of a step length to the previous one."""
LADDER = (
    1.0, 1.12, 1.25, 1.4, 1.6, 1.8, 2.0, 2.24, 2.5, 2.8, 3.15, 3.55, 4.0, 4.5, 5.0, 5.6, 6.3, 7.1, 8.0, 9.0,
)  # fmt: skip
"""Step lengths of one decade: the R20 series of preferred numbers (ISO 3), 12 % apart."""
KEEP = 0.9
"""A length is kept while the error allows at least this fraction of it."""
CLEARLY = 1.06
"""A longer length is chosen only if the allowed length exceeds it by this factor, to ignore small error changes."""
TIE = 1.0 + 1e-6
"""Relative tolerance for equal step lengths, which are differences of two times and carry their rounding errors."""
ROUNDING = 1e-9
"""Relative tolerance for equal times, as a fraction of the treatment duration."""


@dataclass(frozen=True)
class StepMemory:
    """The state of the step control."""

    proposed: float
    """Proposed length of the next step [s]."""
    accepted: int = 0
    rejected: int = 0


@dataclass(frozen=True)
class Verdict:
    """The decision to accept or reject a step."""

    accepted: bool
    memory: StepMemory
    too_small: bool = False
    """Whether the step was rejected at the minimum length."""


@dataclass(frozen=True)
class StepControl:
    """Chooses step lengths so that the local error stays below `tolerance`; `fixed` disables the choice."""

    tolerance: float
    """Largest local error of a step over all nodes [K]."""
    first: float
    minimum: float
    maximum: float
    """Length of the first step after a switch, shortest and longest length [s]."""
    fixed: float | None = None
    order: int = 3
    """Highest order of a step; 1 for backward Euler throughout."""

    def start(self) -> StepMemory:
        """Return the memory before the first step."""
        return StepMemory(proposed=self.first if self.fixed is None else self.fixed)

    def restart(self, memory: StepMemory) -> StepMemory:
        """Return the memory after a switch, with a proposed length of at most `first`."""
        return memory if self.fixed is not None else replace(memory, proposed=min(memory.proposed, self.first))

    def next_time(self, t: float, stops: Sequence[float], memory: StepMemory) -> float:
        """Return the end time [s] of the step that starts at t: t plus the proposed length, or the next of `stops`.

        If a full step would leave a short remainder before the stop, two steps of equal length are used.
        """
        stop = min(s for s in stops if s > t)
        left = stop - t
        if left <= memory.proposed * 1.001:
            return stop
        if self.fixed is None and left < 2.0 * memory.proposed:
            return t + 0.5 * left
        return t + memory.proposed

    def refuse(self, memory: StepMemory) -> StepMemory:
        """Return the memory after a step that is repeated for a reason other than its error."""
        return replace(memory, rejected=memory.rejected + 1)

    def judge(self, dt: float, error: float | None, order: int, memory: StepMemory) -> Verdict:
        """Return whether a step of dt [s] is accepted, and the next proposed length.

        Args:
            dt: length of the step [s].
            error: local error [K]; None if it cannot be estimated yet, which accepts the step.
            order: order of the step.
            memory: state of the step control before the step.
        """
        if self.fixed is not None or error is None:
            return Verdict(accepted=True, memory=replace(memory, accepted=memory.accepted + 1))
        ratio = max(error / self.tolerance, 1e-8)
        factor = min(GROW, max(SHRINK, SAFETY * ratio ** (-1.0 / (order + 1))))
        if ratio <= 1.0:
            after = StepMemory(self._next_proposal(dt, factor, memory.proposed), memory.accepted + 1, memory.rejected)
            return Verdict(accepted=True, memory=after)
        shorter = max(self.minimum, round_to_series(dt * min(factor, 0.7)))
        after = StepMemory(shorter, memory.accepted, memory.rejected + 1)
        return Verdict(accepted=False, memory=after, too_small=dt <= self.minimum * TIE)

    def _next_proposal(self, dt: float, factor: float, proposed: float) -> float:
        """Return the next proposed length [s] after an accepted step of dt [s] whose error allows dt * `factor`."""
        # A step shortened to end at a stop gives no upper limit: it must not reduce the proposed length.
        possible = max(dt * factor, proposed if factor >= 1.0 and dt < proposed else 0.0)
        longer = min(self.maximum, round_to_series(possible / CLEARLY))
        if longer > proposed:
            return longer
        if possible * TIE >= KEEP * proposed:
            return min(self.maximum, proposed)
        return min(self.maximum, max(self.minimum, round_to_series(possible)))


def round_to_series(length: float) -> float:
    """Return the largest length of the series that is at most `length` [s]."""
    length *= TIE
    decade = math.floor(math.log10(length))
    scaled = length / 10.0**decade
    return max((each for each in LADDER if each <= scaled), default=1.0) * 10.0**decade


def distinct_times(stops: Sequence[float], times: Sequence[float], rounding: float) -> tuple[float, ...]:
    """Return those of `times` [s] that differ from all `stops` by more than `rounding` [s]."""
    return tuple(t for t in times if all(abs(t - stop) > rounding for stop in stops))


def bdf_weights(t: float, before: Sequence[float]) -> tuple[float, ...]:
    """Return (w0, w1, ...) of  y'(t) ~ w0 y(t) + w1 y(before[0]) + ...  [1/s], the times `before` newest first [s].

    The derivative at t of the interpolating polynomial: backward Euler for one earlier time, BDF2 for two.
    """
    times = (t, *before)
    weights = [sum(1.0 / (t - each) for each in before)]
    for i, own in enumerate(before, 1):
        above = math.prod(t - each for j, each in enumerate(times) if j not in (0, i))
        below = math.prod(own - each for j, each in enumerate(times) if j != i)
        weights.append(above / below)
    return tuple(weights)


def error_factor(t: float, before: Sequence[float]) -> float:
    """Return the factor between the divided difference of order k + 1 and the local error of a step to t [s]."""
    return math.prod(t - each for each in before) / sum(1.0 / (t - each) for each in before)
