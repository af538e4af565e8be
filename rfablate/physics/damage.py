"""Thermal damage and the rules that call tissue a lesion.

    Arrhenius:  dOmega/dt = A exp(-Ea / (R (T + 273.15)))
    CEM43:      dC/dt = R^(43 - T) minutes a minute, R = 0.5 from 43 degC, 0.25 from 39 degC, no effect below

T in degC. Sources: Henriques (1947) for the first; Sapareto and Dewey (1984), Int J Radiat Oncol 10:787, for the
second.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from rfablate.physics.cell_death import LETHAL

FloatArray = npt.NDArray[np.float64]

GAS_CONSTANT = 8.314
"""R [J/(mol K)] to the digits the published (A, Ea) are used with; CODATA's 8.31446 makes Omega 0.5 % larger."""
ZERO_CELSIUS = 273.15
"""[K]"""


class Kinetics(Protocol):
    """Damage kinetics; hashable, so that tissues with the same kinetics share them."""

    def rate(self, T: FloatArray) -> FloatArray:
        """Return dOmega/dt [1/s] at temperature T [degC]; the same shape."""


@dataclass(frozen=True)
class Arrhenius:
    """First-order damage kinetics with frequency factor `A` [1/s] and activation energy `Ea` [J/mol]."""

    A: float
    Ea: float

    def rate(self, T: FloatArray) -> FloatArray:
        """Return dOmega/dt [1/s] at temperature T [degC]."""
        return np.asarray(np.exp(np.log(self.A) - self.Ea / (GAS_CONSTANT * (T + ZERO_CELSIUS))))


@dataclass(frozen=True)
class Mixed:
    """Several tissues' kinetics: at a node where tissues meet, the mean of their rates by their shares of it."""

    models: tuple[Kinetics, ...]
    shares: FloatArray
    """Shape (len(models), n_nodes); columns sum to 1."""

    def rate(self, T: FloatArray) -> FloatArray:
        """Return dOmega/dt [1/s] at the nodes' temperature T [degC]."""
        total = np.zeros_like(T)
        for model, share in zip(self.models, self.shares, strict=True):
            total += share * model.rate(T)
        return total


def cem43_rate(T: FloatArray) -> FloatArray:
    """Return the cumulative equivalent minutes at 43 degC gained a second at temperature T [degC]."""
    above = T - 43.0
    doublings = np.where(above >= 0.0, above, 2.0 * above)  # 0.25^(43 - T) = 2^(2 (T - 43))
    return np.where(T < 39.0, 0.0, np.exp(np.log(2.0) * doublings) / 60.0)


def integrate_rate(rate_0: FloatArray, rate_1: FloatArray, dt: float) -> FloatArray:
    """Return the integral over dt [s] of a rate that runs from rate_0 to rate_1.

    The rates of thermal damage are exponential in temperature, so the logarithm is taken as linear in time: the mean is
    (r1 - r0) / ln(r1 / r0), of second order and exact for a linear temperature. Where a rate is zero: the trapezoid.
    """
    low, high = np.minimum(rate_0, rate_1), np.maximum(rate_0, rate_1)
    apart = (low > 0.0) & (high > low * (1.0 + 1e-6))
    ratio = np.where(apart, high / np.where(apart, low, 1.0), np.e)
    mean = np.where(apart, (high - low) / np.log(ratio), 0.5 * (low + high))
    return np.asarray(mean * dt)


Kind = Literal["isotherm", "arrhenius", "cem43", "cell_death"]


def logit(fraction: FloatArray | np.float64) -> FloatArray:
    """Return ln(f / (1 - f)), at most 27.6 in size: linear where a fraction runs in an S from 0 to 1."""
    f = np.clip(fraction, 1e-12, 1.0 - 1e-12)
    return np.asarray(np.log(f / (1.0 - f)))


@dataclass(frozen=True)
class Rule:
    """Says where tissue is lesion: where its quantity reaches `threshold`."""

    name: str
    kind: Kind
    threshold: float
    """Highest temperature reached [degC], Omega [1], equivalent minutes at 43 degC [min], or fraction of dead cells."""

    def level(self, peak_T: FloatArray, omega: FloatArray, cem43: FloatArray, dead: FloatArray) -> FloatArray:
        """Return a nodal field that is positive inside the lesion and zero on its surface.

        Damage varies exponentially over a cell, its logarithm nearly linearly: the level is the logarithm's, so that
        linear interpolation inside cells places the surface well below the cell's size.
        """
        if self.kind == "isotherm":
            return peak_T - self.threshold
        if self.kind == "cell_death":
            return logit(dead) - logit(np.float64(self.threshold))
        damage = omega if self.kind == "arrhenius" else cem43
        return np.asarray(np.log(np.maximum(damage, 1e-12 * self.threshold) / self.threshold))


_PATTERNS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("isotherm", re.compile(r"isotherm_(\d+(?:\.\d+)?)C")),
    ("arrhenius", re.compile(r"arrhenius(?:_(\d+(?:\.\d+)?))?")),
    ("cem43", re.compile(r"cem43_(\d+(?:\.\d+)?)")),
    ("cell_death", re.compile(r"cell_death(?:_(0\.\d+))?")),
)
RULE_NAMES = "isotherm_<T>C, arrhenius, arrhenius_<Omega>, cem43_<minutes>, cell_death or cell_death_<fraction>"


def parse_rule(name: str) -> Rule:
    """Return the rule called `name`.

    isotherm_<T>C, arrhenius (Omega >= 1), arrhenius_<Omega>, cem43_<minutes>, cell_death (80 % dead) or
    cell_death_<fraction>.

    Raises:
        ValueError: no rule has this name.
    """
    for kind, pattern in _PATTERNS:
        match = pattern.fullmatch(name)
        if match:
            usual = LETHAL if kind == "cell_death" else 1.0
            threshold = float(match.group(1)) if match.group(1) is not None else usual
            if threshold > 0.0:
                return Rule(name, kind, threshold)
    raise ValueError(f"no lesion rule '{name}'; rules are {RULE_NAMES}")
