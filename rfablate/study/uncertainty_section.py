"""The section of the study page on uncertainty, and the files that go with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from markupsafe import Markup

from rfablate.report.field_maps import probability_figure
from rfablate.report.html_elements import note, section, table, together
from rfablate.report.page_templates import element
from rfablate.results.run_view import load_view
from rfablate.results.wording import rule_label, short
from rfablate.study.drivers import CORRELATION, EFFECT, TOTAL, Driver, Ranking
from rfablate.study.members import StudyDirectory
from rfablate.study.probability_field import ProbabilityField, probability_field, write_probability
from rfablate.study.results_table import StudyTable
from rfablate.study.sensitivity import bars
from rfablate.study.study_data import response_title, shown_responses
from rfablate.study.study_plan import Plan
from rfablate.study.uncertainty import (
    FEWEST,
    Band,
    VerdictProbability,
    as_lines,
    independent_rows,
    input_rows,
    uncertain_axes,
    uncertainty_of,
    write_uncertainty,
)

HOW = (
    "Percentiles and probabilities are over the draws of the inputs below; they contain neither the numerical error "
    "nor what the model leaves out. Intervals are those of the number of draws."
)
SHOWN_DRIVERS = 4
"""Largest number of drivers of a number on the page; uncertainty.json has all."""
MEASURES = {
    TOTAL: "Total Sobol index: the part of the variance that vanishes if this input is known, with its interactions; "
    "first order: the part by this input alone.",
    EFFECT: "Mean absolute elementary effect (Morris): change of the number over the input's range from 0.1 to 99.9 %, "
    "in the unit of the number.",
    CORRELATION: "Squared rank correlation (Spearman): strength of a monotonic influence, from 0 to 1.",
}
"""What each measure of the drivers means."""


def add_uncertainty(
    plan: Plan, data: StudyTable, directory: StudyDirectory, say: Callable[[str], None]
) -> tuple[Markup, list[str]]:
    """Write uncertainty.json and probability.vtkhdf of a study; return the section of its page and the file names."""
    found, indices = uncertainty_of(plan, data)
    for line in as_lines(found, shown_responses(plan, data) if data.responses() else ()):
        say(line)
    names = [write_uncertainty(found, directory.path).name]
    drawn: Sequence[str] = ()
    why = f"at least {FEWEST} draws with a result are required"
    if plan.study.design.kind == "morris":
        why = "the levels of a Morris design do not follow the distributions"
    try:
        field = probability_field(_draws(plan, data, directory, why))
        names.append(write_probability(field, directory.path).name)
        drawn = [_figure(field, rule) for rule in list(field.probability)[:1]]
    except (OSError, ValueError, KeyError) as error:
        say(f"no field of probabilities: {error}")
        drawn = [note(f"No field of probabilities: {error}.")]
    bands = _bands(found.bands) if found.bands else note(f"No bands: {why}.")
    inputs = table(("input", "distribution", "range", "source"), input_rows(uncertain_axes(plan)), texts=4)
    parts = [bands, _verdicts(found.verdicts), *drawn, element("small", HOW), *_drivers(found.rankings), inputs]
    if indices:
        parts.insert(
            -1,
            element(
                "figure",
                bars(indices),
                "Total and first-order index, or effect and its deviation, of the numbers in the figures.",
            ),
        )
    return section("Uncertainty", together(parts)), names


def _draws(plan: Plan, data: StudyTable, directory: StudyDirectory, why: str) -> list[Path]:
    """Return the run directories of the independent draws that have completed; raises ValueError with too few."""
    members = [plan.members[plan.rows[row]] for row in independent_rows(plan, data.length)]
    completed = [directory.members / each.name for each in members if directory.state(each.name) == "completed"]
    if len(completed) < FEWEST:
        raise ValueError(f"{len(completed)} completed draws, {why}")
    return completed


def _figure(field: ProbabilityField, rule: str) -> Markup:
    drawn = probability_figure(load_view(field.run), field.probability[rule], rule_label(rule))
    what = f"Probability that tissue is inside the lesion ({rule_label(rule)})"
    caption = f"{what} over {field.draws} draws; lines: 5, 50 and 95 %."
    return element("figure", drawn, caption, "narrow")


def _bands(bands: Sequence[Band]) -> Markup:
    head = ("number", "5 %", "median", "95 %", "mean", "deviation")
    rows = []
    for band in bands:
        ends = [
            f"{short(value, 4)} ({short(low, 4)} to {short(high, 4)})"
            for value, (low, high) in ((band.low, band.low_interval), (band.high, band.high_interval))
        ]
        middle = (short(band.median, 4), ends[1], short(band.mean, 4), short(band.deviation, 2))
        rows.append((response_title(band.column), ends[0], *middle))
    return table(head, rows)


def _drivers(rankings: Sequence[Ranking]) -> list[Markup]:
    """Return a table with the drivers of each number, the strongest first, and what the measures mean."""
    if not rankings:
        return []
    most = min(max(len(each.drivers) for each in rankings), SHOWN_DRIVERS)
    rows = []
    for ranking in rankings:
        cells = [_driver(ranking, each) for each in ranking.drivers[:most]]
        rows.append((response_title(ranking.column), *cells, *[""] * (most - len(cells)), ranking.measure))
    head = ("number", *(f"driver {place + 1}" for place in range(most)), "measure")
    used = dict.fromkeys(ranking.measure for ranking in rankings)
    notes = dict.fromkeys(f"{each.how}. {each.warning}".strip() for each in rankings if each.warning)
    fits = [f"{response_title(each.column)}: {each.how}." for each in rankings if not each.warning]
    return [
        table(head, rows, "", "Drivers of each number, the strongest first", texts=most + 2),
        *(element("small", MEASURES[each]) for each in used),
        element("small", "(+), (−): the number rises or falls with the input (sign of the rank correlation)."),
        *(element("small", each) for each in [*fits, *notes]),
    ]


def _driver(ranking: Ranking, each: Driver) -> str:
    """Return name, strength with its interval, and direction of a driver."""
    interval = "" if each.interval is None else f" ± {ranking.strength_text(each.interval)}"
    direction = " (+)" if each.correlation > 0.0 else " (−)" if each.correlation < 0.0 else ""
    return f"{each.key.rsplit('.', 1)[-1]} {ranking.strength_text(each.strength)}{interval}{direction}"


def _verdicts(verdicts: Sequence[VerdictProbability]) -> Markup:
    rows = [
        (
            each.structure,
            each.verdict,
            f"{100 * each.probability:.0f} %",
            f"{100 * each.interval[0]:.0f} to {100 * each.interval[1]:.0f} %",
            str(each.draws),
        )
        for each in verdicts
    ]
    return table(("structure", "verdict", "probability", "95 % interval", "draws"), rows, texts=2) if rows else Markup()
