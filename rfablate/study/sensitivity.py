"""Sensitivity of a response to each axis: Morris and Sobol indices, computed by SALib.

A study with the design `morris` or `saltelli` is analysed directly. Any other study gives the Sobol indices of its
surrogate, for independent axes with their distributions, or uniform ones over the ranges of the rows; the
cross-validation error of the surrogate is reported with them.
"""

from __future__ import annotations

import csv
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from rfablate.arrays import FloatArray
from rfablate.errors import CaseError, Fault
from rfablate.report import figure_style as style
from rfablate.report.html_elements import section, table, together
from rfablate.report.page_templates import element
from rfablate.results.wording import short
from rfablate.study.design import salib_problem, unit_cube
from rfablate.study.distributions import quantile
from rfablate.study.results_table import StudyTable, column_of
from rfablate.study.study_data import response_title
from rfablate.study.study_plan import Plan
from rfablate.study.surrogate import FAR, Surrogate, fit

BASE = 1024
"""Base samples of the Sobol indices of a surrogate."""
POOR = 0.9
"""Q2 below which a surrogate is called poor: the fraction of the variance that it explains."""
SEED = 1


SOBOL = ("first order", "total")
"""Names of the two measures of Sobol indices."""


@dataclass(frozen=True)
class Sensitivity:
    """The indices of one response: two for each axis, the half width of the 95 % interval of the main one, the method.

    Sobol: first-order and total index, fractions of the variance. Morris: mean absolute value and standard deviation of
    the elementary effect, in the unit of the response over the full range of an axis.
    """

    column: str
    keys: tuple[str, ...]
    names: tuple[str, str]
    first: FloatArray
    second: FloatArray
    interval: FloatArray
    how: str
    warning: str = ""


def analyse(plan: Plan, data: StudyTable, column: str) -> Sensitivity:
    """Return the indices of a column.

    Raises:
        CaseError: no such column, SALib or scikit-learn is missing, or a sampled design has rows without a number.
    """
    try:
        from SALib.analyze import morris, sobol
    except ModuleNotFoundError:
        fault = Fault("sensitivity", "SALib is not installed", "SALib", 'pip install "rfablate[study]"')
        raise CaseError([fault], "study") from None
    design = plan.study.design
    if design.kind not in ("morris", "saltelli"):
        return _of_surrogate(sobol, plan, data, column)
    keys = tuple(axis.key for axis in plan.run_axes)
    y, problem = column_of(data, column, "sensitivity"), salib_problem(len(keys))
    missing = int((~np.isfinite(y)).sum())
    if missing:
        expected = f"a number in all {len(y)} rows of a {design.kind} design"
        hint = "repeat failed members with --retry-failed"
        raise CaseError([Fault(column, f"{missing} rows have no number", expected, hint)], "sensitivity")
    if design.kind == "morris":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # SALib's, about pandas
            found = morris.analyze(problem, unit_cube(design, len(keys)), y, num_levels=4, seed=SEED)
        names = ("mean absolute effect", "standard deviation")
        how = f"Morris, {design.samples} trajectories"
        effect, deviation, interval = (np.asarray(found[n], dtype=float) for n in ("mu_star", "sigma", "mu_star_conf"))
        return Sensitivity(column, keys, names, effect, deviation, interval, how)
    return Sensitivity(column, keys, SOBOL, *_sobol(sobol, problem, y), f"Sobol, {design.samples} base samples")


def _of_surrogate(sobol: Any, plan: Plan, data: StudyTable, column: str) -> Sensitivity:
    from SALib.sample import sobol as sampling

    model = fit(data, column)
    problem = salib_problem(len(model.keys))
    cube = sampling.sample(problem, BASE, calc_second_order=False, seed=SEED)
    answers, deviations = model.evaluate(_points(plan, model, cube))
    far = float((deviations > FAR * model.scale).mean())
    error = f"cross-validation error {model.rmse:.3g}, Q2 {model.q2:.4f}"
    how = f"Sobol indices of a Gaussian process fitted to {model.rows} rows; {error}"
    warning = f"the surrogate is poor (Q2 below {POOR:g}): these indices may be wrong" if model.q2 < POOR else ""
    if not warning and far > 0.01:
        warning = f"{100 * far:.0f} % of the parameter space is far from every row: these indices may be wrong"
    return Sensitivity(column, tuple(model.keys), SOBOL, *_sobol(sobol, problem, answers), how, warning)


def _points(plan: Plan, model: Surrogate, cube: FloatArray) -> FloatArray:
    """Return the points of the unit cube in the units of the axes, within the ranges of the rows of a surrogate."""
    axes = {axis.key: axis for axis in plan.run_axes}
    points = model.low + cube * (model.high - model.low)
    for number, key in enumerate(model.keys):
        axis = axes.get(key)
        if axis is not None and axis.distribution is not None:
            points[:, number] = [quantile(axis, float(u)) for u in cube[:, number]]
    return np.clip(points, model.low, model.high)


def _sobol(sobol: Any, problem: Any, y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the indices of first order, the total indices and the 95 % interval of the latter, for each axis."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # SALib's, about pandas
        found = sobol.analyze(problem, y, calc_second_order=False, seed=SEED)
    first, total, interval = (np.asarray(found[name], dtype=float) for name in ("S1", "ST", "ST_conf"))
    return first, total, interval


def write_csv(found: Sequence[Sensitivity], file: Path) -> None:
    """Write the indices to a CSV file, one row for each response and axis."""
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("column", "axis", "measure_1", "value_1", "measure_2", "value_2", "interval_95", "how"))
        for each in found:
            for key, a, b, c in zip(each.keys, each.first, each.second, each.interval, strict=True):
                numbers = (each.names[0], f"{a:.6g}", each.names[1], f"{b:.6g}", f"{c:.3g}")
                writer.writerow((each.column, key, *numbers, each.how))


def as_text(found: Sensitivity) -> str:
    """Return the indices as text lines."""
    lines = [f"{found.column}: {found.how}"] + ([f"  warning: {found.warning}"] if found.warning else [])
    order = np.argsort(-np.maximum(found.first, found.second))
    wide = max(len(key) for key in found.keys)
    for n in order:
        values = (
            f"{found.names[0]} {found.first[n]:.3g}, {found.names[1]} {found.second[n]:.3g} ±{found.interval[n]:.1g}"
        )
        lines.append(f"  {found.keys[n]:{wide}}  {values}")
    return "\n".join(lines)


def as_section(found: Sequence[Sensitivity]) -> str:
    """Return the indices as a section of the page, with a bar chart and tables."""
    parts = [element("figure", bars(found))] if found else []
    for each in found:
        rows = [
            (element("code", key), short(a), short(b), f"±{short(c, 1)}")
            for key, a, b, c in zip(each.keys, each.first, each.second, each.interval, strict=True)
        ]
        parts.append(table(("axis", *each.names, "95 %"), rows, caption=response_title(each.column)))
        warning = [Markup(" "), element("span", "warn", each.warning)] if each.warning else []
        parts.append(element("small", together([f"{each.how}.", *warning])))
    return section("Sensitivity", together(parts))


def bars(found: Sequence[Sensitivity]) -> str:
    """Return a bar chart of the indices of each response, as SVG."""
    tall = 0.27 * max(len(each.keys) for each in found) + 0.95
    fig = style.figure(style.WIDTH_IN, tall)
    width = 0.83 / len(found)
    for n, each in enumerate(found):
        ax = fig.add_axes((0.165 + n * width, 0.55 / tall, 0.85 * width, (tall - 0.9) / tall))
        place = np.arange(len(each.keys), dtype=float)
        ax.barh(place - 0.18, each.second, 0.34, color=style.DAMAGE_MAP[4], label=each.names[1], xerr=each.interval)
        ax.barh(place + 0.18, each.first, 0.34, color=style.DAMAGE_MAP[8], label=each.names[0])
        ax.set_yticks(place, [key.rsplit(".", 1)[-1] for key in each.keys] if n == 0 else [""] * len(each.keys))
        ax.invert_yaxis()
        ax.set_title(response_title(each.column), loc="left", color=style.INK)
        for spine in ("top", "right"):
            ax.spines[spine].set_visible(False)
        if n == 0:
            ax.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.2), ncols=2, fontsize=7.5)
    return style.svg(fig, "Sensitivity")
