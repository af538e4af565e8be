"""A comparison of two runs as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any

from rfablate.case.messages.schema_guide import show
from rfablate.comparison.case_diff import ABSENT
from rfablate.comparison.number_deltas import Pair
from rfablate.comparison.two_runs import Comparison, LesionPair, LesionPairs
from rfablate.results.summary_models import RunSummary

SHOWN = {
    "lesion": ("width_mm", "length_mm", "depth_distal_mm", "depth_proximal_mm", "volume_mm3", "bridge_margin_mm"),
    "structures": (
        "covered_fraction", "max_degC", "min_margin_mm", "time_to_cover_s", "coagulated_length_mm", "verdict",
    ),
    "electric": ("power_W", "peak_power_W", "voltage_V", "impedance_ohm"),
    "energy": ("joule_J", "stored_J", "perfused_J", "boundary_J", "latent_J", "metabolic_J"),
    "numerics": ("nodes", "steps", "rejects"),
    "timing_s": ("total",),
}  # fmt: skip
"""Keys that the text shows, for each section of a summary; `electric` includes the keys of the channels."""
DECIMALS = {"mm": 2, "mm3": 1, "degC": 1, "fraction": 3, "W": 2, "V": 1, "ohm": 1, "J": 1, "s": 1}
"""Decimals of a number, by the last word of its key."""


def as_text(found: Comparison) -> str:
    """Return the comparison as text."""
    first, second = found.results
    lines = [
        *_run_lines("A", found.a.directory, first),
        *_run_lines("B", found.b.directory, second),
        "",
        *_case_lines(found),
        "",
    ]
    rows: list[Sequence[str]] = [("", "A", "", "B", "", "B - A", "")]
    for table, pairs in found.numbers.items():
        shown = shown_pairs(table.partition(".")[0], pairs)
        if shown:
            rows += [(table, *[""] * 6), *(number_row(pair) for pair in shown)]
    return "\n".join([*lines, *_columns(rows), "", *_lesion_lines(found)])


def _run_lines(letter: str, directory: Path, run: RunSummary) -> list[str]:
    status = f"{run.status}: {run.reason}; rfablate {run.provenance.rfablate}; DOLFINx {run.provenance.dolfinx}"
    return [f"{letter}  {directory}: {run.title}", f"   {status}"]


def _case_lines(found: Comparison) -> list[str]:
    if not found.case:
        return ["the cases are identical"]
    rows: list[Sequence[str]] = [("the cases differ in", "A", "B")]
    rows += [(key, value_text(a), value_text(b)) for key, a, b in found.case]
    return _columns(rows, numbers=False)


def value_text(value: Any) -> str:
    """Return the value of a key of a case as text; "-" where the case does not have it."""
    return "-" if value is ABSENT else show(value)


def shown_pairs(section: str, pairs: Sequence[Pair]) -> list[Pair]:
    """Return the pairs of a table that the text shows: no anatomy without a verdict, and no pairs of zeros."""
    if section == "structures" and not any(pair.key == "verdict" and (pair.a or pair.b) for pair in pairs):
        return []
    keys = [pair.key.rpartition(".")[2] if section == "electric" else pair.key for pair in pairs]
    return [pair for key, pair in zip(keys, pairs, strict=True) if key in SHOWN[section] and (pair.a or pair.b)]


def number_row(pair: Pair) -> tuple[str, ...]:
    """Return label, A, its error bar, B, its error bar, difference and percentage of a pair as text."""
    decimals = DECIMALS.get(pair.key.rpartition("_")[2], 1)
    difference = "" if pair.difference is None else _signed(pair.difference, decimals)
    percent = "" if not pair.percent else f"{_signed(pair.percent, 1)} %"
    values = ((_number(value, decimals), _bar(bar)) for value, bar in ((pair.a, pair.bar_a), (pair.b, pair.bar_b)))
    return f"  {pair.key}", *(cell for value in values for cell in value), difference, percent


def _number(value: Any, decimals: int) -> str:
    if isinstance(value, float):
        return f"{value:.{decimals}f}"
    return "-" if value is None else str(value)


def _bar(bar: float | None) -> str:
    """Return an error bar as text with one significant digit."""
    return "" if bar is None else f"±{float(f'{bar:.1g}'):g}"


def _signed(value: float, decimals: int) -> str:
    """Return a signed difference with `decimals` decimals, or with one significant digit where it would round to 0."""
    if isinstance(value, int) or not value:
        return f"{value:+}" if value else "0"
    return f"{value:+.{decimals}f}" if abs(value) >= 0.5 * 10.0**-decimals else f"{value:+.1g}"


def _lesion_lines(found: Comparison) -> list[str]:
    if not found.lesions:
        return [f"lesions were not compared: {found.refused}"]
    first, *common = found.lesions
    if first.time_a_s == first.time_b_s:
        return _overlap_lines(f"at {first.time_a_s:g} s", first)
    lines = _overlap_lines(f"at the end of each run (A {first.time_a_s:g} s, B {first.time_b_s:g} s)", first)
    for pairs in common:
        lines += ["", *_overlap_lines(f"at {pairs.time_a_s:g} s, the last common output time", pairs)]
    return lines


def _overlap_lines(when: str, pairs: LesionPairs) -> list[str]:
    rows: list[Sequence[str]] = [
        ("", "Dice", "in both", "A only", "B only", "A from B", "", "", "B from A", "", ""),
        ("", "", "", "", "", *("mean", "95 %", "largest") * 2),
    ]
    rows += [(rule, *lesion_row(pair)) for rule, pair in pairs.rules.items()]
    lines = [f"overlap of the lesions {when}: volumes in mm3, distances between the surfaces in mm"]
    lines += _columns(rows)
    if pairs.mesh != "same":
        other = "A" if pairs.mesh == "B" else "B"
        change = (
            f"interpolation of the lesions of {other} changed their volumes by at most {pairs.carried_percent:.1f} %"
        )
        lines.append(f"  volumes are computed on the mesh of {pairs.mesh}; {change}")
    return lines


def lesion_row(pair: LesionPair) -> list[str]:
    """Return Dice coefficient, volumes [mm3] and distances [mm] of two lesions as text."""
    shared = pair.shared
    if shared.dice is None:
        return ["none", *[""] * 9]
    volumes = (f"{volume:.1f}" for volume in (shared.both, shared.only_a, shared.only_b))
    distances = [_length(v) for d in (pair.a_to_b, pair.b_to_a) for v in (astuple(d) if d is not None else (None,) * 3)]
    return [f"{shared.dice:.4f}", *volumes, *distances]


def _length(value: float | None) -> str:
    """Return a distance [mm] as text with two decimals, with one significant digit below 0.005 mm, "0" below 1 nm."""
    if value is None:
        return "-"
    return f"{value:.2f}" if value >= 0.005 else f"{value:.1g}" if value >= 1e-6 else "0"


def _columns(rows: Sequence[Sequence[str]], *, numbers: bool = True) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.rjust(w) if numbers else cell.ljust(w) for cell, w in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([f"  {row[0].ljust(widths[0])}", *cells]).rstrip())
    return lines


def as_json(found: Comparison) -> dict[str, Any]:
    """Return the comparison as JSON data: every number of the summaries, with the differences B - A."""
    return {
        "runs": {
            "a": _run_json(found.a.directory, found.results[0]),
            "b": _run_json(found.b.directory, found.results[1]),
        },
        "case": {key: {"a": _plain(a), "b": _plain(b)} for key, a, b in found.case},
        "numbers": {
            f"{table}.{pair.key}": {**asdict(pair), "difference": pair.difference, "percent": pair.percent}
            for table, pairs in found.numbers.items()
            for pair in pairs
        },
        "lesions": [_lesions_json(pairs) for pairs in found.lesions],
        "refused": found.refused,
    }


def _run_json(directory: Path, run: RunSummary) -> dict[str, Any]:
    values = run.model_dump(include={"title", "status", "reason", "simulated_s"})
    return {"directory": str(directory), **values, "rfablate": run.provenance.rfablate}


def _plain(value: Any) -> Any:
    return None if value is ABSENT else value


def _lesions_json(pairs: LesionPairs) -> dict[str, Any]:
    rules = {}
    for rule, pair in pairs.rules.items():
        shared = pair.shared
        rules[rule] = {
            "dice": shared.dice,
            "both_mm3": shared.both,
            "a_only_mm3": shared.only_a,
            "b_only_mm3": shared.only_b,
            "a_to_b_mm": asdict(pair.a_to_b) if pair.a_to_b is not None else None,
            "b_to_a_mm": asdict(pair.b_to_a) if pair.b_to_a is not None else None,
        }
    values = {key: getattr(pairs, key) for key in ("time_a_s", "time_b_s", "mesh", "carried_percent")}
    return {**values, "rules": rules}
