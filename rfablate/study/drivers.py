"""The inputs that drive an uncertain number, ranked.

Drivers are ranked by the total Sobol index: of the draws themselves in a Saltelli design, else of a surrogate of the
draws. Where that is not possible (correlated inputs, too few draws, a poor surrogate, SALib or scikit-learn not
installed) the squared rank correlation (Spearman) ranks them, a measure of monotonic influence. A Morris design gives
mean absolute elementary effects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.errors import CaseError
from rfablate.results.wording import number, short
from rfablate.study.results_table import StudyTable
from rfablate.study.sensitivity import SOBOL, Sensitivity, analyse
from rfablate.study.study_plan import Plan

TOTAL, EFFECT, CORRELATION = "total Sobol index", "mean absolute effect", "squared rank correlation"
"""Measures that rank drivers."""

FLAT = 1e-9
"""Relative range of a number below which it does not vary."""


@dataclass(frozen=True)
class Driver:
    """An uncertain input and its influence on a number."""

    key: str
    strength: float
    """The measure that ranks it: from 0 to 1; of a Morris design in the unit of the number, over the whole range."""
    interval: float | None = None
    """Half width of the 95 % interval of `strength`; None for a correlation."""
    first_order: float | None = None
    """First-order Sobol index: the part of the variance by this input alone; None without Sobol indices."""
    correlation: float = 0.0
    """Rank correlation with the number, from -1 to 1; its sign is the direction of the influence."""


@dataclass(frozen=True)
class Ranking:
    """The drivers of a number, the strongest first."""

    column: str
    """Column of table.csv."""
    measure: str
    """TOTAL, EFFECT or CORRELATION."""
    how: str
    """How the measure was computed."""
    warning: str
    """Why the ranking may be wrong, or why there are no Sobol indices; empty without a reason."""
    drivers: tuple[Driver, ...]

    def text(self, most: int = 3) -> str:
        """Return the first drivers with their strengths."""
        shown = self.drivers[:most]
        return ", ".join(f"{each.key.rsplit('.', 1)[-1]} {self.strength_text(each.strength)}" for each in shown)

    def strength_text(self, value: float | None) -> str:
        """Return a strength or its interval: two decimals for a fraction, two digits for an effect."""
        if value is None:
            return "–"
        return short(value, 2) if self.measure == EFFECT else number(value + 0.0, 2)


def ranking_of(plan: Plan, table: StudyTable, column: str) -> tuple[Ranking, Sensitivity | None]:
    """Return the drivers of a column, and the sensitivity indices where they rank the drivers."""
    inputs = {axis.key: table.numbers(axis.key) for axis in plan.run_axes if axis.distribution is not None}
    y = table.numbers(column)
    kept = np.isfinite(y)
    correlations = {key: rank_correlation(x[kept], y[kept]) for key, x in inputs.items()}
    if np.ptp(y[kept]) <= FLAT * np.abs(y[kept]).max():
        return by_correlation(column, correlations, "the number does not vary"), None
    if plan.study.correlations:
        why = "the inputs are correlated, and Sobol indices require independent ones"
        return by_correlation(column, correlations, why), None
    try:
        found = analyse(plan, table, column)
    except CaseError as error:
        why = "; ".join(f"{fault.where}: {fault.found}" for fault in error.faults)
        return by_correlation(column, correlations, f"no Sobol indices: {why}"), None
    if found.warning:
        return by_correlation(column, correlations, f"no Sobol indices: {found.warning.partition(': ')[0]}"), None
    return _by_indices(found, correlations), found


def by_correlation(column: str, correlations: Mapping[str, float], why: str) -> Ranking:
    """Return the ranking by the squared rank correlation, with the reason why there is no better one."""
    drivers = [Driver(key, value**2, correlation=value) for key, value in correlations.items()]
    return Ranking(column, CORRELATION, "Spearman, over the draws", why, _sorted(drivers))


def _by_indices(found: Sensitivity, correlations: Mapping[str, float]) -> Ranking:
    """Return the ranking by Sobol indices, or by the effects of a Morris design."""
    sobol = found.names == SOBOL
    drivers = []
    for place, key in enumerate(found.keys):
        if key not in correlations:
            continue  # an axis without a distribution is a choice, not an uncertain input
        strength = found.second[place] if sobol else found.first[place]
        first = float(found.first[place]) if sobol else None
        drivers.append(Driver(key, float(strength), float(found.interval[place]), first, correlations[key]))
    constant = [Driver(key, 0.0) for key in correlations if key not in found.keys]
    return Ranking(found.column, TOTAL if sobol else EFFECT, found.how, "", _sorted([*drivers, *constant]))


def rank_correlation(x: FloatArray, y: FloatArray) -> float:
    """Return Spearman's correlation of two arrays; 0 where one of them does not vary."""
    from scipy.stats import rankdata

    ranks = [rankdata(each) for each in (x, y)]
    if any(np.ptp(each) == 0.0 for each in ranks):
        return 0.0
    return float(np.corrcoef(ranks)[0, 1])


def _sorted(drivers: Sequence[Driver]) -> tuple[Driver, ...]:
    return tuple(sorted(drivers, key=lambda each: -each.strength))
