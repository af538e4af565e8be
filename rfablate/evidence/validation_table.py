"""A validation as text and as Markdown. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rfablate.evidence.validation_results import (
    Agreement,
    ComparedNumber,
    ExperimentResult,
    Validation,
    verdict_counts,
)

HEADER = ("experiment", "number", "measured", "modelled", "E", "u_val", "limit", "unit", "verdict")
LEFT = ("experiment", "number", "measured", "unit", "verdict", "source", "field", "read", "full paper", "limits set")
"""Columns with text, aligned to the left."""
AGREEMENT = ("unit", "numbers", "bias", "RMSE", "limits of agreement", "relative bias")
SOURCES = ("experiment", "field", "read", "full paper", "limits set", "source")
EXPLANATION = (
    "E = modelled - measured; for a bound, the distance beyond it. u_val = sqrt(u_num^2 + u_input^2 + u_D^2), standard "
    "uncertainty of the comparison (ASME V&V 20).",
    "PASS: abs(E) <= limit. PASS (weak): 2 u_val is larger than the limit (for a bound: the limit plus the distance "
    "inside the bound), so that the comparison is too uncertain to show an error of that size.",
    "FAIL: abs(E) > limit. FAIL (unresolved): so it is, but abs(E) <= 2 u_val: experiment and inputs are too uncertain "
    "to attribute E to the model.",
)


def progress_line(each: ExperimentResult) -> str:
    """Return one line for a completed experiment."""
    if each.fault:
        first = each.fault.splitlines()[0]
        return f"{each.name:<24} not completed: {first}"
    counts = ", ".join(f"{count} {verdict}" for verdict, count in verdict_counts(each.numbers).items() if count)
    return f"{each.name:<24} {each.runs:>3} runs {each.seconds:7.1f} s  {counts}"


def validation_text(found: Validation) -> str:
    """Return the table of a validation with its statistics, as plain text."""
    rows = [row for each in found.experiments for row in number_rows(each)]
    statistics = [agreement_row(each) for each in found.agreement]
    parts = [*_columns(HEADER, rows), "", *_columns(AGREEMENT, statistics), "", *EXPLANATION, ""]
    return "\n".join([*parts, *reason_lines(found), "", summary_line(found)])


def summary_line(found: Validation) -> str:
    """Return the counts of verdicts in one line."""
    counts = ", ".join(f"{count} {verdict}" for verdict, count in verdict_counts(found.numbers).items() if count)
    ranks = "1 rank" if found.ranks == 1 else f"{found.ranks} ranks"
    scope = "all" if found.scope.everything else "subset"
    scope += "" if found.scope.vary_inputs else "; inputs not varied"
    text = f"{len(found.experiments)} experiments ({scope}), {len(found.numbers)} numbers: {counts or 'none'}; "
    text += f"{found.seconds:.0f} s on {ranks}, {found.cpu_s:.0f} s of processor time"
    return text + (f"; not completed: {', '.join(found.faults)}" if found.faults else "")


def validation_markdown(found: Validation) -> str:
    """Return the page of a validation in Markdown."""
    rows = [row for each in found.experiments for row in number_rows(each)]
    return "\n".join(
        [
            "# Validation",
            "",
            f"{summary_line(found)}. {found.date}",
            "",
            ", ".join(f"{name} {version}" for name, version in found.versions.items()),
            "",
            *_markdown(HEADER, rows),
            "",
            *(f"* {line}" for line in EXPLANATION),
            "",
            "## Agreement of all measured numbers",
            "",
            "Ranges count with their middle; bounds and other models do not count. Limits of agreement: bias +- 1.96 "
            "standard deviations (Bland and Altman 1986).",
            "",
            *_markdown(AGREEMENT, [agreement_row(each) for each in found.agreement]),
            "",
            "## Failures and their likely reasons",
            "",
            *(f"* {line}" for line in reason_lines(found)),
            "",
            "## Sources",
            "",
            *_markdown(SOURCES, [source_row(each) for each in found.experiments]),
            "",
        ]
    )


def number_rows(each: ExperimentResult) -> list[tuple[str, ...]]:
    """Return the rows of an experiment in the main table."""
    if each.fault:
        return [(each.name, "not completed", *["-"] * (len(HEADER) - 3), "NOT RUN")]
    return [
        (
            each.name,
            number.name,
            measured_text(number),
            digits(number.modelled),
            f"{number.error:+.2g}" if number.error else "0",
            f"{number.u_val:.2g}",
            f"{number.limit:.3g}",
            number.unit,
            number.verdict,
        )
        for number in each.numbers
    ]


def source_row(each: ExperimentResult) -> tuple[str, ...]:
    """Return the row of an experiment in the table of sources."""
    source = f"{each.citation} {each.address}".strip()
    return each.name, each.field, each.read_from, "yes" if each.full_text else "no", each.limits_set, source


def reason_lines(found: Validation) -> list[str]:
    """Return a line for each failed comparison with its likely reason, and for each experiment without result."""
    lines = [
        f"{each.name}, {number.name}: {number.likely_reason}"
        for each in found.experiments
        for number in each.numbers
        if not number.passed
    ]
    return [*lines, *(f"{name}: not completed: {fault.splitlines()[0]}" for name, fault in found.faults.items())] or [
        "none"
    ]


def measured_text(number: ComparedNumber) -> str:
    """Return the measured number with its uncertainty, the published range, or the bound."""
    if number.low is not None and number.high is not None:
        return f"{digits(number.low)} to {digits(number.high)}"
    if number.measured is not None:
        return f"{digits(number.measured)} ± {number.u_data:.2g}"
    if number.high is not None:
        return f"at most {digits(number.high)}"
    return f"at least {digits(number.low or 0.0)}"


def digits(value: float) -> str:
    """Return a number with three significant digits, integers above 1000 in full."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def agreement_row(each: Agreement) -> tuple[str, ...]:
    """Return the row of a group in the table of agreement."""
    relative = "-" if math.isnan(each.relative_bias) else f"{100 * each.relative_bias:+.0f} %"
    span = f"{each.lower:+.3g} to {each.upper:+.3g}"
    return each.group, str(each.count), f"{each.bias:+.3g}", f"{each.rmse:.3g}", span, relative


def _columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table in aligned columns."""
    widths = [max(len(row[n]) for row in (header, *rows)) for n in range(len(header))]

    def line(row: Sequence[str]) -> str:
        cells = zip(header, row, widths, strict=True)
        return "  ".join(t.ljust(width) if name in LEFT else t.rjust(width) for name, t, width in cells).rstrip()

    return [line(header), "  ".join("-" * width for width in widths), *(line(row) for row in rows)]


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table in Markdown."""
    rule = "|" + "|".join("---" if name in LEFT else "---:" for name in header) + "|"
    return [f"| {' | '.join(header)} |", rule, *(f"| {' | '.join(row)} |" for row in rows)]
