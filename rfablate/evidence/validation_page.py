"""validation.html: a self-contained page with table, figures and sources of a validation. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from rfablate.evidence.validation_results import ComparedNumber, ExperimentResult, Validation
from rfablate.evidence.validation_table import (
    AGREEMENT,
    EXPLANATION,
    HEADER,
    SOURCES,
    agreement_row,
    number_rows,
    reason_lines,
    source_row,
    summary_line,
)
from rfablate.report import figure_style as style
from rfablate.report.html_elements import note, section, table, together
from rfablate.report.page_templates import element, render

SIZES = ("mm", "%")
"""Units of the figures."""
COLOURS = {"pain": style.DAMAGE_MAP[7], "tumour": style.TEMPERATURE_MAP[7], "other": style.MUTED}
MARKS = {"pain": "o", "tumour": "s", "other": "^"}


def validation_page(found: Validation) -> str:
    """Return the page of a validation."""
    rows = [row for each in found.experiments for row in number_rows(each)]
    failed = found.count("FAIL") + len(found.faults)
    facts = [f"{len(found.experiments)} experiments", f"{len(found.numbers)} numbers", found.date]
    sections = [
        section("Summary", together([note(summary_line(found)), *(note(line) for line in EXPLANATION)])),
        section("Modelled against measured", together([_figures(found)])),
        section("Agreement", table(AGREEMENT, [agreement_row(each) for each in found.agreement])),
        section("Numbers", table(HEADER, rows, texts=3)),
        section("Failures and their likely reasons", _lines(reason_lines(found))),
        section("Sources", table(SOURCES, [source_row(each) for each in found.experiments], texts=len(SOURCES))),
        section("Conditions and assumptions", together(_conditions(each) for each in found.experiments)),
        section("Versions", note(", ".join(f"{name} {version}" for name, version in found.versions.items()))),
    ]
    state = f"{failed} do not pass" if failed else "all pass"
    return str(
        render(
            "study.html",
            title="Validation against experiments",
            sections=sections,
            facts=facts,
            kind="part" if failed else "good",
            state=state,
        )
    )


def _lines(lines: Sequence[str]) -> Markup:
    return together(element("small", line) for line in lines)


def _conditions(each: ExperimentResult) -> Markup:
    """Return what the data file says about an experiment."""
    parts = (
        f"{each.name}: {each.title}",
        f"Read: {each.access}",
        f"Measured boundary: {each.boundary} Modelled boundary: {each.rule}.",
        f"Assumed: {each.assumptions}",
    )
    return together([element("strong", parts[0]), *(element("small", part) for part in parts[1:])])


def _figures(found: Validation) -> Markup:
    """Return the scatter and the Bland-Altman figure of each unit that has measured numbers."""
    parts = []
    for unit in SIZES:
        pairs = [
            (each, number)
            for each in found.experiments
            if each.kind == "experiment"
            for number in each.numbers
            if number.unit == unit and number.measured is not None and math.isfinite(number.modelled)
        ]
        if pairs:
            caption = (
                "Left: bars are the standard uncertainties of experiment (horizontal) and of model inputs and numerics "
                "(vertical). Right: bias and limits of agreement (Bland and Altman)."
            )
            parts.append(element("figure", _draw(unit, pairs), caption))
    return together(parts) if parts else note("No figures: no experiment gives a measured number.")


def _draw(unit: str, pairs: Sequence[tuple[ExperimentResult, ComparedNumber]]) -> Markup:
    """Return modelled against measured and the difference against the mean, as SVG."""
    fig = style.figure(style.WIDTH_IN, 3.4)
    left, right = fig.add_axes((0.07, 0.15, 0.39, 0.77)), fig.add_axes((0.58, 0.15, 0.39, 0.77))
    x = [float(number.measured or 0.0) for _, number in pairs]
    y = [number.modelled for _, number in pairs]
    for (each, number), a, b in zip(pairs, x, y, strict=True):
        own = math.hypot(number.u_num, number.u_input)
        colour = COLOURS[each.field]
        filled = colour if number.passed else "white"
        left.errorbar(a, b, yerr=own, xerr=number.u_data, color=colour, elinewidth=0.7, fmt="none")
        for ax, point in ((left, (a, b)), (right, (0.5 * (a + b), b - a))):
            ax.plot(*point, MARKS[each.field], color=colour, markerfacecolor=filled, markersize=4.5)
    ends = [min(*x, *y, 0.0), 1.08 * max(*x, *y)]
    left.plot(ends, ends, color=style.RULE_LINE, linewidth=1, zorder=0)
    left.set_xlabel(f"measured [{unit}]")
    left.set_ylabel(f"modelled [{unit}]")
    _legend(left, {each.field for each, _ in pairs})
    _limits_of_agreement(right, [b - a for a, b in zip(x, y, strict=True)])
    right.set_xlabel(f"mean of modelled and measured [{unit}]")
    right.set_ylabel(f"modelled - measured [{unit}]")
    for ax in (left, right):
        for spine in ("top", "right"):
            ax.spines[spine].set_visible(False)
    return style.svg(fig, f"Modelled against measured in {unit}")


def _legend(ax: Any, fields: set[str]) -> None:
    for field in sorted(fields):
        ax.plot([], [], MARKS[field], color=COLOURS[field], markersize=4.5, label=field)
    ax.plot([], [], "o", color=style.MUTED, markerfacecolor="white", markersize=4.5, label="open: limit exceeded")
    ax.legend(loc="upper left")


def _limits_of_agreement(ax: Any, errors: Sequence[float]) -> None:
    bias = sum(errors) / len(errors)
    spread = math.sqrt(sum((each - bias) ** 2 for each in errors) / max(len(errors) - 1, 1))
    ax.axhline(0.0, color=style.RULE_LINE, linewidth=1, zorder=0)
    ax.axhline(bias, color=style.INK, linewidth=1)
    for edge in (bias - 1.96 * spread, bias + 1.96 * spread):
        ax.axhline(edge, color=style.INK, linewidth=0.8, linestyle=(0, (4, 2)))
