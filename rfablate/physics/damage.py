"""Thermal damage models and lesion rules.

    Arrhenius:  dOmega/dt = A exp(-Ea / (R (T + 273.15)))
    CEM43:      dC/dt = R^(43 - T) minutes per minute, R = 0.5 from 43 degC, 0.25 from 39 degC, no effect below

T in degC. Sources: Henriques (1947) for the first; Sapareto and Dewey (1984), Int J Radiat Oncol 10:787, for the
second.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.physics.cell_death import LETHAL

GAS_CONSTANT = 8.314
"""R [J/(mol K)] with the digits used for published (A, Ea); the CODATA value 8.31446 gives an Omega 0.5 % larger."""
ZERO_CELSIUS = 273.15
"""[K]"""


class Kinetics(Protocol):
    """Damage kinetics; hashable, so that tissues with equal kinetics share one evaluation."""

    def rate(self, T: FloatArray) -> FloatArray:
        """Return dOmega/dt [1/s] at temperature T [degC], with the shape of T."""


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
    """Kinetics of several tissues: at a node shared by tissues, the mean of their rates weighted by their fractions."""

    models: tuple[Kinetics, ...]
    shares: FloatArray
    """Shape (len(models), n_nodes); columns sum to 1."""

    def rate(self, T: FloatArray) -> FloatArray:
        """Return dOmega/dt [1/s] at the nodal temperature T [degC]."""
        total = np.zeros_like(T)
        for model, share in zip(self.models, self.shares, strict=True):
            total += share * model.rate(T)
        return total


def cem43_rate(T: FloatArray) -> FloatArray:
    """Return the rate of the cumulative equivalent minutes at 43 degC [min/s] at temperature T [degC]."""
    above = T - 43.0
    doublings = np.where(above >= 0.0, above, 2.0 * above)  # 0.25^(43 - T) = 2^(2 (T - 43))
    return np.where(T < 39.0, 0.0, np.exp(np.log(2.0) * doublings) / 60.0)


def integrate_rate(rate_0: FloatArray, rate_1: FloatArray, dt: float) -> FloatArray:
    """Return the integral over dt [s] of a rate that changes from rate_0 to rate_1.

    Damage rates are exponential in temperature, so the logarithm is taken as linear in time. The mean is then
    (r1 - r0) / ln(r1 / r0), second-order accurate and exact for a linear logarithm. Trapezoidal rule if a rate is 0.
    """
    low, high = np.minimum(rate_0, rate_1), np.maximum(rate_0, rate_1)
    apart = (low > 0.0) & (high > low * (1.0 + 1e-6))
    ratio = np.where(apart, high / np.where(apart, low, 1.0), np.e)
    mean = np.where(apart, (high - low) / np.log(ratio), 0.5 * (low + high))
    return np.asarray(mean * dt)


def logit(fraction: FloatArray | np.float64) -> FloatArray:
    """Return ln(f / (1 - f)), clipped to +-27.6; it is nearly linear across a sigmoid transition from 0 to 1."""
    f = np.clip(fraction, 1e-12, 1.0 - 1e-12)
    return np.asarray(np.log(f / (1.0 - f)))


def _log_ratio(damage: FloatArray, threshold: float) -> FloatArray:
    """Return ln(damage / threshold): damage varies exponentially inside a cell, its logarithm nearly linearly."""
    return np.asarray(np.log(np.maximum(damage, 1e-12 * threshold) / threshold))


Level = Callable[[FloatArray, FloatArray, FloatArray, FloatArray, float], FloatArray]
"""Nodal level from highest temperature [degC], Omega, CEM43 [min], fraction of dead cells, and the threshold."""


@dataclass(frozen=True)
class RuleKind:
    """A kind of lesion rule: its names, its level and its labels."""

    pattern: re.Pattern[str]
    """Form of its names; the group is the threshold."""
    usage: str
    """The names as messages show them."""
    level: Level
    """Positive inside the lesion and zero on its surface; nearly linear inside a cell."""
    label: Callable[[float], str]
    """Label for a threshold."""
    short: Callable[[float], str]
    """Short label for a threshold, for legends."""
    usual: float = 1.0
    """Threshold of a name that gives none."""


RULE_KINDS = {
    "isotherm": RuleKind(
        re.compile(r"isotherm_(\d+(?:\.\d+)?)C"),
        "isotherm_<T>C",
        lambda peak_T, omega, cem43, dead, threshold: peak_T - threshold,
        lambda threshold: f"{threshold:g} °C isotherm",
        lambda threshold: f"{threshold:g} °C",
    ),
    "arrhenius": RuleKind(
        re.compile(r"arrhenius(?:_(\d+(?:\.\d+)?))?"),
        "arrhenius, arrhenius_<Omega>",
        lambda peak_T, omega, cem43, dead, threshold: _log_ratio(omega, threshold),
        lambda threshold: f"Arrhenius Ω ≥ {threshold:g}",
        lambda threshold: f"Ω ≥ {threshold:g}",
    ),
    "cem43": RuleKind(
        re.compile(r"cem43_(\d+(?:\.\d+)?)"),
        "cem43_<minutes>",
        lambda peak_T, omega, cem43, dead, threshold: _log_ratio(cem43, threshold),
        lambda threshold: f"CEM43 ≥ {threshold:g} min",
        lambda threshold: f"CEM43 ≥ {threshold:g}",
    ),
    "cell_death": RuleKind(
        re.compile(r"cell_death(?:_(0\.\d+))?"),
        "cell_death or cell_death_<fraction>",
        lambda peak_T, omega, cem43, dead, threshold: logit(dead) - logit(np.float64(threshold)),
        lambda threshold: f"{100 * threshold:g} % of cells dead",
        lambda threshold: f"dead ≥ {threshold:g}",
        usual=LETHAL,
    ),
}
"""Every kind of lesion rule by its name."""
RULE_NAMES = ", ".join(each.usage for each in RULE_KINDS.values())


@dataclass(frozen=True)
class Rule:
    """A lesion rule: tissue belongs to the lesion where the quantity of its kind reaches `threshold`."""

    name: str
    kind: str
    """A key of `RULE_KINDS`."""
    threshold: float
    """Peak temperature [degC], Omega [1], equivalent minutes at 43 degC [min], or fraction of dead cells [1]."""

    def level(self, peak_T: FloatArray, omega: FloatArray, cem43: FloatArray, dead: FloatArray) -> FloatArray:
        """Return a nodal field that is positive inside the lesion and zero on its surface.

        The level is nearly linear inside a cell, so that linear interpolation locates the surface to much less than
        the size of the cell.
        """
        return RULE_KINDS[self.kind].level(peak_T, omega, cem43, dead, self.threshold)

    @property
    def label(self) -> str:
        """Label in texts and tables."""
        return RULE_KINDS[self.kind].label(self.threshold)

    @property
    def short(self) -> str:
        """Short label in legends."""
        return RULE_KINDS[self.kind].short(self.threshold)


def parse_rule(name: str) -> Rule:
    """Return the rule named `name`.

    Names: isotherm_<T>C, arrhenius (Omega >= 1), arrhenius_<Omega>, cem43_<minutes>, cell_death (80 % dead) and
    cell_death_<fraction>.

    Raises:
        ValueError: no rule has this name.
    """
    for kind, each in RULE_KINDS.items():
        match = each.pattern.fullmatch(name)
        if match:
            threshold = float(match.group(1)) if match.group(1) is not None else each.usual
            if threshold > 0.0:
                return Rule(name, kind, threshold)
    raise ValueError(f"found lesion rule '{name}'; expected {RULE_NAMES}")
