"""The section of the study page on uncertainty, and the files that go with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

from rfablate.report.field_maps import probability_figure
from rfablate.report.html_elements import note, section, table, together
from rfablate.report.page_templates import element
from rfablate.results.run_view import load_view
from rfablate.results.wording import rule_label, short
from rfablate.study.members import StudyDirectory
from rfablate.study.probability_field import ProbabilityField, probability_field, write_probability
from rfablate.study.results_table import StudyTable
from rfablate.study.study_data import response_title
from rfablate.study.study_plan import Plan
from rfablate.study.uncertainty import (
    FEWEST,
    Band,
    VerdictProbability,
    as_lines,
    input_rows,
    uncertain_axes,
    uncertainty_of,
    write_uncertainty,
)

HOW = (
    "Percentiles and probabilities are over the draws of the inputs below; they contain neither the numerical error "
    "nor what the model leaves out. Intervals are those of the number of draws. Drivers: squared rank correlation of "
    "the input with the number."
)


def add_uncertainty(
    plan: Plan, data: StudyTable, directory: StudyDirectory, say: Callable[[str], None]
) -> tuple[Markup, list[str]]:
    """Write uncertainty.json and probability.vtkhdf of a study; return the section of its page and the file names."""
    found = uncertainty_of(plan, data)
    for line in as_lines(found):
        say(line)
    names = [write_uncertainty(found, directory.path).name]
    drawn: Sequence[str] = ()
    try:
        completed = [
            directory.members / member.name for member in plan.members if directory.state(member.name) == "completed"
        ]
        if len(completed) < FEWEST:
            raise ValueError(f"{len(completed)} completed draws, at least {FEWEST} are required")
        field = probability_field(completed)
        names.append(write_probability(field, directory.path).name)
        drawn = [_figure(field, rule) for rule in list(field.probability)[:1]]
    except (OSError, ValueError, KeyError) as error:
        say(f"no field of probabilities: {error}")
        drawn = [note(f"No field of probabilities: {error}.")]
    bands = _bands(found.bands) if found.bands else note(f"Bands require at least {FEWEST} draws with a result.")
    inputs = table(("input", "distribution", "range", "source"), input_rows(uncertain_axes(plan)), texts=4)
    parts = [bands, _verdicts(found.verdicts), *drawn, element("small", HOW), inputs]
    return section("Uncertainty", together(parts)), names


def _figure(field: ProbabilityField, rule: str) -> Markup:
    drawn = probability_figure(load_view(field.run), field.probability[rule], rule_label(rule))
    what = f"Probability that tissue is inside the lesion ({rule_label(rule)})"
    caption = f"{what} over {field.draws} draws; lines: 5, 50 and 95 %."
    return element("figure", drawn, caption, "narrow")


def _bands(bands: Sequence[Band]) -> Markup:
    head = ("number", "5 %", "median", "95 %", "mean", "deviation", "drivers")
    rows = []
    for band in bands:
        ends = [
            f"{short(value, 4)} ({short(low, 4)} to {short(high, 4)})"
            for value, (low, high) in ((band.low, band.low_interval), (band.high, band.high_interval))
        ]
        drivers = ", ".join(f"{each.key.rsplit('.', 1)[-1]} {each.strength:.2f}" for each in band.drivers[:3])
        middle = (short(band.median, 4), ends[1], short(band.mean, 4), short(band.deviation, 2))
        rows.append((response_title(band.column), ends[0], *middle, drivers))
    return table(head, rows)


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
