"""Report section for the clinician: coverage of targets, protected structures and their limits, uncertainty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rfablate.report.html_elements import VERDICTS
from rfablate.report.page_templates import render
from rfablate.results.run_reader import RunData
from rfablate.results.wording import duration, is_number, limit_degC, number, percent, rule_label

NEAR_LIMIT_K = 3.0
"""Distance to its limit below which a protected structure is near it [K]."""


@dataclass(frozen=True)
class ClinicalFinding:
    """One target or protected structure: verdict, the amount behind it, and whether the error bar could change it."""

    name: str
    role: str
    verdict: str
    kind: str
    amount: str
    certainty: str


def clinical_summary(run: RunData) -> str:
    """Return the list of findings, targets first; '' for a run without targets and protected structures."""
    found = findings(run)
    errors = run.table("numerics").get("error_bar") or {}
    return render("clinical.html", findings=found, has_error_bar=bool(errors)) if found else ""


def findings(run: RunData) -> list[ClinicalFinding]:
    """Return the findings of a run: targets, then protected structures, those nearest to their limit first."""
    errors = run.table("numerics").get("error_bar") or {}
    structures = run.table("structures")
    targets = [_target(run, name, s, errors) for name, s in structures.items() if s.get("role") == "target"]
    protected = {name: s for name, s in structures.items() if s.get("role") == "protect"}

    def room(name: str) -> float:
        hottest, limit = protected[name].get("max_degC"), limit_degC(protected[name])
        return limit - hottest if limit is not None and is_number(hottest) else float("inf")

    return targets + [_protected(name, protected[name], errors) for name in sorted(protected, key=room)]


def _target(run: RunData, name: str, s: Mapping[str, Any], errors: Mapping[str, Any]) -> ClinicalFinding:
    covered, needed = s.get("covered_fraction"), run.required_fraction(name)
    error = errors.get(f"{name}.covered_fraction")
    text = str(s.get("verdict") or "")
    if not is_number(covered):
        return ClinicalFinding(
            name, "target", text or "no verdict", VERDICTS.get(text, "none"), "no coverage was measured", ""
        )
    bar = f" ± {number(100 * error)} %" if is_number(error) else ""
    rule = rule_label(str(s.get("rule") or run.rules()[0])) if s.get("rule") or run.rules() else "lesion"
    amount = f"{percent(covered)}{bar} inside the {rule} lesion; {percent(needed)} required"
    difference = covered - needed
    if difference < 0:
        amount += f", {number(-100 * difference)} percentage points less than required"
    elif needed < 1:
        amount += f", {number(100 * difference)} percentage points more than required"
    if is_number(s.get("time_to_cover_s")):
        amount += f"; reached after {duration(s['time_to_cover_s'])}"
    kind = VERDICTS.get(text, "none")
    if s.get("within_error_bar"):
        text, kind = f"{text}, but within its error bar", "part"
    return ClinicalFinding(name, "target", text, kind, amount + ".", _certainty(difference, error))


def _protected(name: str, s: Mapping[str, Any], errors: Mapping[str, Any]) -> ClinicalFinding:
    hottest, limit, error = s.get("max_degC"), limit_degC(s), errors.get(f"{name}.max_degC")
    text = str(s.get("verdict") or "")
    kind = VERDICTS.get(text, "none")
    if not is_number(hottest):
        return ClinicalFinding(name, "protected", text or "no verdict", kind, "no temperature was measured", "")
    bar = f" ± {number(error)} K" if is_number(error) else ""
    amount = f"at most {number(hottest)} °C{bar}"
    if limit is None:
        return ClinicalFinding(
            name, "protected", text or "no verdict", kind, amount + ", no temperature limit given.", ""
        )
    room = limit - hottest
    amount += f", {number(abs(room))} K {'below' if room >= 0 else 'above'} its limit of {limit:g} °C"
    if is_number(s.get("limit_margin_mm")):
        distance = s["limit_margin_mm"]
        place = "away" if distance >= 0 else "inside it"
        amount += f"; the {limit:g} °C isotherm is {number(abs(distance))} mm {place}"
    if 0 <= room < NEAR_LIMIT_K and kind == "good":
        text, kind = f"{text}, near its limit", "part"
    if s.get("within_error_bar"):
        text, kind = f"{text.removesuffix(', near its limit')}, but within its error bar", "part"
    return ClinicalFinding(name, "protected", text, kind, amount + ".", _certainty(room, error))


def _certainty(difference: float, error: Any) -> str:
    """Return whether the numerical error bar could change the sign of a difference; '' without an error bar."""
    if not is_number(error):
        return ""
    if difference == 0 and error == 0:
        return "The same on the coarser mesh."
    if abs(difference) <= error:
        return "The difference lies within the numerical error bar: the verdict may change on a finer mesh."
    return "The difference exceeds the numerical error bar."
