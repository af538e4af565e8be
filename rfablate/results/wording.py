"""Text forms of numbers, lesion rules and verdicts."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from rfablate.physics.damage import parse_rule
from rfablate.results.run_reader import RunData


def rule_label(name: str) -> str:
    """Return the label of a lesion rule, or its name where the form is unknown."""
    try:
        return parse_rule(name).label
    except ValueError:
        return name


def rule_short(name: str) -> str:
    """Return a short label of a lesion rule, for legends."""
    try:
        return parse_rule(name).short
    except ValueError:
        return name


def number(value: Any, digits: int = 1) -> str:
    """Return a number as text with `digits` decimals; a dash where there is no number."""
    if not is_number(value):
        return "–"
    text = f"{float(value):.{digits}f}"
    return text.replace("-", "−") if float(text) else text.lstrip("-")


def short(value: Any, digits: int = 3) -> str:
    """Return a number as text with `digits` significant digits; an integer in groups of three digits."""
    if not is_number(value):
        return "–"
    value = float(value)
    if value == int(value) and abs(value) < 1e9:
        return f"{int(value):,}".replace(",", "\u2009").replace("-", "−")
    if value and not 1e-3 <= abs(value) < 1e5:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa} × 10^{int(exponent)}".replace("-", "−")
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}".replace(",", "\u2009")
    return (text.rstrip("0").rstrip(".") if decimals else text).replace("-", "−")


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether `value` is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def limit_degC(structure: Mapping[str, Any]) -> float | None:
    """Return the temperature limit of a protected structure [degC]; None where it has none."""
    limit = structure.get("limit")
    value = limit.get("max_degC") if isinstance(limit, Mapping) else limit
    return float(value) if isinstance(value, int | float) else None


def answer(run: RunData) -> str:
    """Return the result in one sentence: the lesion size, and each target and protected structure."""
    parts = [
        _lesion_answer(run),
        _repeat_answer(run),
        *(_structure_answer(run, *item) for item in _judged(run.table("structures"))),
    ]
    clauses = [part for part in parts if part]
    return "; ".join(clauses) + "." if clauses else ""


def _lesion_answer(run: RunData) -> str:
    if not run.table("lesion"):
        return ""
    rule = run.rules()[0]
    card = run.table("lesion")[rule] or {}
    match = re.fullmatch(r"isotherm_([\d.]+)C", rule)
    name = f"{match[1]} °C lesion" if match else f"{rule_label(rule)} lesion"
    if not card.get("volume_mm3"):
        return f"No {name} forms"
    return f"The {name} is {number(card.get('width_mm'))} × {number(card.get('length_mm'))} mm (width × length)"


def _repeat_answer(run: RunData) -> str:
    volume = run.table("repeat").get("volume_mm3", {}).get(next(iter(run.rules()), ""), {})
    if not is_number(volume.get("added")):
        return ""
    return f"this treatment adds {number(volume['added'])} mm³ to the earlier {number(volume.get('before'))} mm³"


def _judged(structures: Mapping[str, Any]) -> Sequence[tuple[str, Mapping[str, Any]]]:
    order = {"target": 0, "protect": 1}
    kept = [(name, s) for name, s in structures.items() if s.get("role") in order]
    return sorted(kept, key=lambda item: order[item[1]["role"]])


def _structure_answer(run: RunData, name: str, structure: Mapping[str, Any]) -> str:
    if structure["role"] == "target":
        fraction = structure.get("covered_fraction")
        needed = run.required_fraction(name)
        requirement = f" ({percent(needed)} required)" if needed < 1 else ""
        return f"{name} {percent(fraction)} covered{requirement}" if is_number(fraction) else ""
    hottest, limit = structure.get("max_degC"), limit_degC(structure)
    if not is_number(hottest):
        return ""
    exceeded = structure.get("verdict") == "limit exceeded"
    verb = "reaches" if exceeded else "stays at"
    side = "above" if exceeded else "below"
    against = f", {side} its {limit:g} °C limit" if limit is not None else ""
    return f"{name} {verb} {number(hottest)} °C{against}"


def percent(fraction: Any) -> str:
    """Return a fraction in percent as text; 0 % and 100 % only where they are exact."""
    if not is_number(fraction):
        return "–"
    value = 100 * float(fraction)
    if 0 < value < 0.5 or 99.5 <= value < 100:
        return "< 1 %" if value < 0.5 else "> 99 %"
    return f"{value:.0f} %"


def duration(seconds: Any) -> str:
    """Return a time as text: seconds below two minutes, else minutes and seconds."""
    if not is_number(seconds):
        return "–"
    if seconds < 0.1:
        return f"{seconds:.1g} s"
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"
