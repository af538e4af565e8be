"""Data of a study for its figures: axes as numbers with labels, responses, and means over the other axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.case.messages.schema_guide import split_unit
from rfablate.results.wording import rule_short
from rfablate.study.axis_labels import axis_title, axis_unit, gauge_labels, value_labels
from rfablate.study.results_table import StudyTable, column_of
from rfablate.study.study_plan import Plan
from rfablate.study.study_tables import StudyAxis

MANY = 12
"""Largest number of values of an axis that is drawn as levels; with more values it is drawn as a range with points."""


@dataclass(frozen=True)
class Varied:
    """An axis for drawing: its value in each row as a number, its levels and their labels.

    Levels that are not numbers, or that have labels, are evenly spaced; `x` is then the index of the level from 0.
    """

    name: str
    unit: str
    x: FloatArray
    levels: FloatArray
    labels: tuple[str, ...]
    named: bool
    log: bool

    @property
    def title(self) -> str:
        """Name of the axis with its unit."""
        return f"{self.name} ({self.unit})" if self.unit and not self.named else self.name

    @property
    def ranged(self) -> bool:
        """Whether the axis has too many values to show each as a level."""
        return len(self.levels) > MANY


def varied_axes(plan: Plan, table: StudyTable) -> list[Varied]:
    """Return the axes with more than one value, in the order of the study."""
    found = [_varied(axis, axis_title(axis, plan.axes), table.columns[axis.key]) for axis in plan.axes]
    return [each for each in found if len(each.levels) > 1]


def _varied(axis: StudyAxis, name: str, column: Sequence[Any]) -> Varied:
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in column)
    if numeric and axis.labels is None:
        x = np.array(column, dtype=float)
        levels = np.unique(x)
        gauges = gauge_labels(axis, levels.tolist())
        labels = gauges or tuple(f"{level:g}" for level in levels)
        unit = "" if gauges else axis_unit(axis)
        return Varied(name, unit, x, levels, labels, named=False, log=axis.scale == "log")
    values = list(axis.values) if axis.values is not None else sorted(set(column), key=str)
    values = [value for n, value in enumerate(values) if value not in values[:n]]
    x = np.array([values.index(value) for value in column], dtype=float)
    labels = value_labels(axis, values)
    return Varied(name, axis_unit(axis), x, np.arange(len(values), dtype=float), labels, named=True, log=False)


def shown_responses(plan: Plan, table: StudyTable) -> list[str]:
    """Return the columns that the figures show.

    These are the columns in `collect.responses`; by default the lesion sizes of the first rule and up to three numbers
    of structures that vary, first those of targets and protected structures.

    Raises:
        CaseError: `collect.responses` names a column that does not exist.
    """
    available = table.responses()
    if plan.study.collect.responses:
        if available:
            for name in plan.study.collect.responses:
                column_of(table, name, "collect.responses")
        return [name for name in plan.study.collect.responses if name in table.columns]
    rules = [name for name in available if name.startswith("lesion.")]
    first = rules[0].rsplit(".", 1)[0] if rules else ""
    sizes = [f"{first}.{size}" for size in ("width_mm", "length_mm", "volume_mm3") if f"{first}.{size}" in available]
    judged = [
        name for name in available if name.startswith("structures.") and name.endswith((".max_degC", "_fraction"))
    ]
    judged.sort(key=lambda name: not is_judged(table, name))
    varying = [name for name in judged if np.ptp(finite(table.numbers(name)) or [0.0]) > 1e-9]
    return [*sizes, *varying[:3]] or available[:3]


def is_judged(table: StudyTable, column: str) -> bool:
    """Return whether a column is of a structure with a verdict: a target or a protected structure."""
    return any(table.columns.get(f"{column.rpartition('.')[0]}.verdict", ()))


def finite(values: FloatArray) -> list[float]:
    """Return the finite values of an array."""
    return [float(value) for value in values[np.isfinite(values)]]


def level_means(axis: Varied, y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return mean, minimum and maximum of `y` at each level of an axis; NaN where no row has a number."""
    found = [y[(axis.x == level) & np.isfinite(y)] for level in axis.levels]
    means = np.array([part.mean() if len(part) else np.nan for part in found])
    lows = np.array([part.min() if len(part) else np.nan for part in found])
    return means, lows, np.array([part.max() if len(part) else np.nan for part in found])


def running_mean(axis: Varied, y: FloatArray, bins: int = 8) -> tuple[FloatArray, FloatArray]:
    """Return the means of the axis and of `y` in bins with equal numbers of rows."""
    kept = np.isfinite(y)
    order = np.argsort(axis.x[kept], kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    x, y = axis.x[kept], y[kept]
    return np.array([x[part].mean() for part in parts]), np.array([y[part].mean() for part in parts])


def effect(axis: Varied, y: FloatArray) -> float:
    """Return the effect of an axis on `y`: largest minus smallest mean over its levels or bins."""
    means = running_mean(axis, y)[1] if axis.ranged else level_means(axis, y)[0]
    values = finite(np.asarray(means))
    return max(values) - min(values) if values else 0.0


def pareto_front(x: FloatArray, y: FloatArray) -> list[int]:
    """Return the rows of the Pareto front of two numbers to minimise, in ascending order of `x`."""
    order = [n for n in np.lexsort((y, x)) if np.isfinite(x[n]) and np.isfinite(y[n])]
    front: list[int] = []
    for n in order:
        if not front or y[n] < y[front[-1]]:
            front.append(int(n))
    return front


def response_title(name: str) -> str:
    """Return the title of a column with its unit, such as `50 °C width (mm)`."""
    parts = name.split(".")
    stem, unit = split_unit(parts[-1])
    for ending in ("_mm3", "_ohm", "_MiB"):
        if parts[-1].endswith(ending):
            stem, unit = parts[-1].removesuffix(ending), ending[1:].replace("mm3", "mm³")
    middle = [rule_short(part) if parts[0] == "lesion" else part for part in parts[1:-1]]
    what = " ".join([*middle, stem.replace("_", " ")])
    return f"{what} ({unit.replace('degC', '°C')})" if unit else what
