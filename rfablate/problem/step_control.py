"""How long the next step is: adaptive or fixed, cut to land exactly on every stop. Pure; memory is passed in and out.

The steps are BDF3 with variable step: backward Euler after every switch, when no history counts, and the second order
until there is enough of it. The local error of a step to t of order k after steps that ended at t_1, t_2, ... is, with
y[...] the divided difference of order k + 1 over the last k + 2 solutions,

    y[t, t_1, ..., t_k+1]  *  product of (t - t_j) / sum of 1 / (t - t_j),      j = 1 to k

(Hairer, Norsett, Wanner, Solving Ordinary Differential Equations I, chapter III.5).

Adaptive step lengths are preferred numbers (1, 1.12, 1.25, 1.4, ... times a power of ten), and a length is kept until
the error clearly asks for another. The error estimate is a high difference of solutions, so it differs in its sixth
digit between rank counts and processors. A length that followed it continuously would carry these digits from step to
step into all results; a length from the ladder is the same number everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

SAFETY = 0.85
"""Fraction of the step the error estimate would allow."""
SHRINK, GROW = 0.25, 1.8
"""Limits of the change from one step to the next."""
LADDER = (
    1.0, 1.12, 1.25, 1.4, 1.6, 1.8, 2.0, 2.24, 2.5, 2.8, 3.15, 3.55, 4.0, 4.5, 5.0, 5.6, 6.3, 7.1, 8.0, 9.0,
)  # fmt: skip
"""Step lengths of one decade: the R20 series of preferred numbers (ISO 3), 12 % apart."""
KEEP = 0.9
"""A length is kept while the error asks for at least this part of it ..."""
CLEARLY = 1.06
"""... and for a longer one only where that is exceeded by this factor: a small change of the error changes nothing."""
TIE = 1.0 + 1e-6
"""Numbers closer than this are equal: a step is the difference of two times and carries their rounding."""
ROUNDING = 1e-9
"""Times closer than this fraction of the run are one and the same."""


@dataclass(frozen=True)
class StepMemory:
    """All the step control remembers."""

    wish: float
    """Length the next step would like to have [s]."""
    accepted: int = 0
    rejected: int = 0


@dataclass(frozen=True)
class Verdict:
    """What became of a step."""

    accepted: bool
    memory: StepMemory
    too_small: bool = False
    """The step was refused although it already was at the lower limit."""


@dataclass(frozen=True)
class StepControl:
    """Chooses step lengths so that the local error stays below `tolerance`; `fixed` switches the choice off."""

    tolerance: float
    """Largest local error of a step, any node [K]."""
    first: float
    minimum: float
    maximum: float
    """Step after a switch, shortest and longest step [s]."""
    fixed: float | None = None
    order: int = 3
    """Highest order of a step; 1: backward Euler throughout."""

    def start(self) -> StepMemory:
        """Return the memory before the first step."""
        return StepMemory(wish=self.first if self.fixed is None else self.fixed)

    def restart(self, memory: StepMemory) -> StepMemory:
        """Return the memory after a switch: the next step is short again."""
        return memory if self.fixed is not None else replace(memory, wish=min(memory.wish, self.first))

    def next_time(self, t: float, stops: Sequence[float], memory: StepMemory) -> float:
        """Return the time [s] at which the step that starts at t ends: t + wish, or exactly the next of `stops`.

        Two steps of equal length are made where one wish would leave a crumb before the stop.
        """
        stop = min(s for s in stops if s > t)
        left = stop - t
        if left <= memory.wish * 1.001:
            return stop
        if self.fixed is None and left < 2.0 * memory.wish:
            return t + 0.5 * left
        return t + memory.wish

    def refuse(self, memory: StepMemory) -> StepMemory:
        """Return the memory after a step that is made again for another reason than its error."""
        return replace(memory, rejected=memory.rejected + 1)

    def judge(self, dt: float, error: float | None, order: int, memory: StepMemory) -> Verdict:
        """Return whether a step of dt [s] with local `error` [K] (None: not known yet) is good, and the next wish."""
        if self.fixed is not None or error is None:
            return Verdict(True, replace(memory, accepted=memory.accepted + 1))
        ratio = max(error / self.tolerance, 1e-8)
        factor = min(GROW, max(SHRINK, SAFETY * ratio ** (-1.0 / (order + 1))))
        if ratio <= 1.0:
            return Verdict(
                True, StepMemory(self._next_wish(dt, factor, memory.wish), memory.accepted + 1, memory.rejected)
            )
        shorter = max(self.minimum, preferred(dt * min(factor, 0.7)))
        return Verdict(
            False, StepMemory(shorter, memory.accepted, memory.rejected + 1), too_small=dt <= self.minimum * TIE
        )

    def _next_wish(self, dt: float, factor: float, wish: float) -> float:
        """Return the next wish [s] after a good step of dt [s], whose error allows `factor` times its length."""
        # a step cut short to land on a stop says little: it must not shrink the wish
        possible = max(dt * factor, wish if factor >= 1.0 and dt < wish else 0.0)
        longer = min(self.maximum, preferred(possible / CLEARLY))
        if longer > wish:
            return longer
        return min(self.maximum, wish if possible * TIE >= KEEP * wish else max(self.minimum, preferred(possible)))


def preferred(length: float) -> float:
    """Return the largest length of the ladder that is at most `length` [s]."""
    length *= TIE
    decade = math.floor(math.log10(length))
    scaled = length / 10.0**decade
    return max((each for each in LADDER if each <= scaled), default=1.0) * 10.0**decade


def far_from(stops: Sequence[float], times: Sequence[float], rounding: float) -> tuple[float, ...]:
    """Return those of `times` [s] that are none of `stops` but for `rounding` [s]."""
    return tuple(t for t in times if all(abs(t - stop) > rounding for stop in stops))


def bdf_weights(t: float, before: Sequence[float]) -> tuple[float, ...]:
    """Return (w0, w1, ...) of  y'(t) ~ w0 y(t) + w1 y(before[0]) + ...  [1/s], the times `before` newest first [s].

    The slope at t of the polynomial through all of them: backward Euler after one time, BDF2 after two.
    """
    times = (t, *before)
    weights = [sum(1.0 / (t - each) for each in before)]
    for i, own in enumerate(before, 1):
        above = math.prod(t - each for j, each in enumerate(times) if j not in (0, i))
        below = math.prod(own - each for j, each in enumerate(times) if j != i)
        weights.append(above / below)
    return tuple(weights)


def error_factor(t: float, before: Sequence[float]) -> float:
    """Return what the divided difference over one more solution is multiplied by: the local error of a step to t."""
    return math.prod(t - each for each in before) / sum(1.0 / (t - each) for each in before)
