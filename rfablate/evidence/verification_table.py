"""A verification as text and as a Markdown page. Pure."""

from __future__ import annotations

from rfablate.evidence.verification_results import CheckResult, Measurement, Verification

HEADER = ("check", "quantity", "computed", "expected", "error", "allowed", "unit", "order", "verdict")
LEFT = ("check", "quantity", "unit", "verdict")
"""Columns with text, aligned to the left."""


def verification_text(found: Verification) -> str:
    """Return the table of a verification and its verdict, as plain text."""
    rows = _all_rows(found)
    widths = [max(len(row[column]) for row in (HEADER, *rows)) for column in range(len(HEADER))]
    lines = [_line(row, widths) for row in (HEADER, *rows)]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*lines, "", *_faults(found), verdict_line(found)])


def verdict_line(found: Verification) -> str:
    """Return the verdict in one line."""
    failed = sum(not each.passed for each in found.checks)
    ranks = "1 rank" if found.ranks == 1 else f"{found.ranks} ranks"
    how = f"{len(found.checks)} checks in {found.seconds:.0f} s on {ranks}{', quick' if found.quick else ''}"
    return f"FAIL: {failed} of {how}" if failed else f"PASS: {how}"


def progress_line(each: CheckResult) -> str:
    """Return one line for a completed check."""
    return f"{'PASS' if each.passed else 'FAIL'}  {each.id:<15} {each.seconds:6.1f} s  {each.problem}"


def verification_markdown(found: Verification) -> str:
    """Return the page of a verification."""
    problems = [f"| {each.id} | {each.problem} | {each.seconds:.1f} |" for each in found.checks]
    return "\n".join(
        [
            "# Verification of this installation",
            "",
            f"{verdict_line(found)}. {found.date}",
            "",
            ", ".join(f"{name} {version}" for name, version in found.versions.items()),
            "",
            "Expected values are closed forms, definitions, or for `rotation` and `dimension` the run compared with.",
            "Of several points or lesion numbers the worst is shown. `order` is the observed order of convergence",
            "(expected order, largest deviation allowed).",
            "",
            *_markdown_row(HEADER),
            "|" + "|".join("---" if name in LEFT else "---:" for name in HEADER) + "|",
            *(line for row in _all_rows(found) for line in _markdown_row(row)),
            "",
            *(f"* {line}" for line in _faults(found)),
            "| check | problem | time [s] |",
            "|---|---|---:|",
            *problems,
            "",
        ]
    )


def _all_rows(found: Verification) -> list[tuple[str, ...]]:
    rows = []
    for check in found.checks:
        rows += [_row(check, each) for each in check.measurements]
        if not check.measurements:
            rows.append((check.id, "not measured", *["-"] * 6, "FAIL"))
    return rows


def _row(check: CheckResult, each: Measurement) -> tuple[str, ...]:
    order = "-"
    if each.expected_order is not None:
        observed = "none" if each.order is None else f"{each.order:.2f}"
        order = f"{observed} ({each.expected_order:g}, {each.order_limit:g})"
    return (
        check.id,
        each.quantity,
        f"{each.computed:.6g}",
        f"{each.exact:.6g}",
        f"{each.error:.2g}",
        f"{each.limit:.2g}",
        each.unit,
        order,
        "PASS" if each.passed else "FAIL",
    )


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = zip(HEADER, row, widths, strict=True)
    return "  ".join(text.ljust(width) if name in LEFT else text.rjust(width) for name, text, width in cells).rstrip()


def _markdown_row(row: tuple[str, ...]) -> list[str]:
    return [f"| {' | '.join(row)} |"]


def _faults(found: Verification) -> list[str]:
    return [f"{each.id}: {each.fault}" for each in found.checks if each.fault]
