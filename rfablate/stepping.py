"""How long the next step is: adaptive or fixed, cut to land exactly on every stop. Pure; memory is passed in and out.

The steps are BDF2 with variable step (backward Euler after every switch, when no history counts). The local error of a
step h after steps h1 and h2 is, with y[...] the third divided difference over the last four solutions,

    BDF2:  y''' / 6 * h^2 (h + h1)^2 / (2 h + h1)  =  y[n+1, n, n-1, n-2] * h^2 (h + h1)^2 / (2 h + h1)

(Hairer, Norsett, Wanner, Solving Ordinary Differential Equations I, chapter III.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

SAFETY = 0.85
"""Fraction of the step the error estimate would allow."""
SHRINK, GROW = 0.25, 1.8
"""Limits of the change from one step to the next; variable-step BDF2 is zero-stable up to 1 + sqrt(2)."""


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
    order: int = 2
    """1: backward Euler throughout; 2: BDF2 after the first step."""

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
            # a step cut short to land on a stop says little: it must not shrink the wish
            wish = max(dt * factor, memory.wish if factor >= 1.0 and dt < memory.wish else 0.0)
            return Verdict(True, StepMemory(min(self.maximum, wish), memory.accepted + 1, memory.rejected))
        shorter = max(self.minimum, dt * min(factor, 0.7))
        # a step is the difference of two times: the shortest one comes out longer by their rounding
        too_small = dt <= self.minimum * (1.0 + 1e-6)
        return Verdict(False, StepMemory(shorter, memory.accepted, memory.rejected + 1), too_small)


def far_from(stops: Sequence[float], times: Sequence[float], rounding: float) -> tuple[float, ...]:
    """Return those of `times` [s] that are none of `stops` but for `rounding` [s]."""
    return tuple(t for t in times if all(abs(t - stop) > rounding for stop in stops))


def bdf2_error_factor(h: float, h1: float) -> float:
    """Return what the third divided difference is multiplied by to give the local error of a BDF2 step h after h1."""
    return h**2 * (h + h1) ** 2 / (2.0 * h + h1)


def euler_error_factor(h: float) -> float:
    """Return what the second divided difference is multiplied by to give the local error of a backward Euler step h."""
    return h**2


def bdf_weights(h: float, h1: float | None) -> tuple[float, float, float]:
    """Return (w0, w1, w2) of  y'(n+1) ~ w0 y(n+1) + w1 y(n) + w2 y(n-1)  [1/s]; h1 None: backward Euler."""
    if h1 is None:
        return 1.0 / h, -1.0 / h, 0.0
    r = h / h1
    return (1.0 + 2.0 * r) / (1.0 + r) / h, -(1.0 + r) / h, r * r / (1.0 + r) / h
