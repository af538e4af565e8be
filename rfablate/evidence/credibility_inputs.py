"""The section of a credibility document on inputs: each value with its range and source, marked where it is assumed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rfablate.case.resolve.checkable_case import CheckableCase
from rfablate.case.resolve.tissues import case_tissues, library_base, perfusion_key
from rfablate.case.tables.schema import BodyTable, Case, TissueOverride
from rfablate.evidence.credibility_document import Part, PartBuilder
from rfablate.evidence.credibility_evidence import CaseEvidence, keys_text
from rfablate.physics.library import (
    TissueEntry,
    applicator_names,
    applicator_source,
    damage_set,
    range_note,
    slopes_note,
    tissue_entry,
    tissue_names,
)
from rfablate.physics.tissue import Tissue
from rfablate.results.wording import short

QUANTITIES = (
    ("sigma", "σ", "S/m"),
    ("k", "k", "W/(m K)"),
    ("density", "density", "kg/m³"),
    ("heat_capacity", "heat capacity", "J/(kg K)"),
    ("perfusion", "perfusion", "1/s"),
)
"""Fields of `Tissue`, label, unit."""
NO_SOURCE = "assumed: no source given"


@dataclass(frozen=True)
class InputRow:
    """An input of the model."""

    name: str
    value: str
    range: str
    """Plausible range; empty where none is known."""
    source: str
    status: str
    """`verified`, `not verified` or `assumed`."""


def inputs_part(evidence: CaseEvidence) -> Part:
    """Return the section on inputs and their provenance."""
    case, part = evidence.case, PartBuilder("Inputs and their provenance")
    rows = [*tissue_rows(case), *other_rows(case)]
    part.say(
        "Values at 37 °C. “Verified”: compared with the named source by the authors of the library; “not verified”: the"
        " source is named but the value was not compared with it; “assumed”: there is no source."
    )
    head = ("input", "value", "range", "source", "status")
    part.table(head, [(each.name, each.value, each.range or "–", each.source, each.status) for each in rows], texts=5)
    part.say(f"Ranges without a source: {range_note()}.")
    for status, text in (
        ("assumed", "have no source and are assumed"),
        ("not verified", "were not verified against their source"),
    ):
        names = tuple(each.name for each in rows if each.status == status)
        if names:
            remedy = "measured values with tissues.NAME.source, or a study with ranges" if status == "assumed" else ""
            part.gap("weak", f"{len(names)} of {len(rows)} inputs {text}: {keys_text(names)}.", remedy)
    return part.part()


def tissue_rows(case: Case) -> list[InputRow]:
    """Return the rows of all tissues of a case; metals and insulators have only thermal values."""
    parts = CheckableCase.of(case)
    rows = []
    for name, tissue in case_tissues(case).items():
        own = case.tissues.get(name)
        base = library_base(name, parts) if own is not None else name
        entry = tissue_entry(base) if base in tissue_names() else None
        rows += list(_tissue(tissue, own, entry))
    return rows


def _tissue(tissue: Tissue, own: TissueOverride | None, entry: TissueEntry | None) -> Iterator[InputRow]:
    for field, label, unit in QUANTITIES:
        value = float(getattr(tissue, field))
        if value == 0.0 and (entry is None or entry.kind != "tissue") and field in ("sigma", "perfusion"):
            continue  # a metal or an insulator
        changed = own is not None and _is_given(own, field)
        span, source = "", NO_SOURCE
        if changed or entry is None:
            source = (own.source if own is not None else None) or NO_SOURCE
        else:
            source = entry.sigma_source if field == "sigma" else entry.thermal_source
            found = entry.ranges.get(field)
            if found is not None:
                span = f"{short(found.low)} to {short(found.high)}{' (assumed)' if found.assumed else ''}"
        checked = not changed and entry is not None and entry.tissue.checked
        yield InputRow(
            f"{tissue.name}: {label}", f"{short(value, 4)} {unit}", span, source, _status(source, checked=checked)
        )
    if not tissue.is_metal and tissue.sigma > 0.0:
        given = own is not None and any(
            getattr(own, field) is not None for field in ("sigma_slope", "k_slope", "sigma_table", "k_table")
        )
        source = ((own.source if own is not None else None) or NO_SOURCE) if given else slopes_note()
        laws = f"σ {tissue.sigma_law}; k {tissue.k_law}"
        yield InputRow(f"{tissue.name}: temperature laws", laws, "", source, _status(source, checked=False))


def _is_given(own: TissueOverride, field: str) -> bool:
    """Return whether the case itself gives a quantity of a tissue."""
    if field == "perfusion":
        return perfusion_key(own) is not None
    return getattr(own, field) is not None or getattr(own, f"{field}_table", None) is not None


def _status(source: str, *, checked: bool) -> str:
    if source == NO_SOURCE or source.lower().startswith(("assumed", "slopes assumed")):
        return "assumed"
    if checked:
        return "verified"
    return "not verified"


def other_rows(case: Case) -> list[InputRow]:
    """Return the rows of damage kinetics, body, applicators and generator."""
    rows = [_damage(case)]
    body, usual = case.body, BodyTable()
    own = "stated in the case" if body.temperature != usual.temperature else "normal body temperature, default"
    rows.append(InputRow("body: start temperature", f"{body.temperature:g} °C", "", own, _status(own, checked=False)))
    for each in case.applicators:
        name = f"{each.name}: outer diameter, active tip"
        value = f"{each.outer_diameter * 1e3:.4g} mm, {each.active_tip * 1e3:.4g} mm"
        if each.model in applicator_names():
            source, checked = applicator_source(each.model or "")
            rows.append(InputRow(name, value, "", source, _status(source, checked=checked)))
        else:
            rows.append(InputRow(name, value, "", NO_SOURCE, "assumed"))
    text = "stated in the case; limits that are not stated are assumed by the program"
    rows.append(
        InputRow("generator: protocol and limits", case.generator.kind.replace("_", " "), "", text, "not verified")
    )
    return rows


def _damage(case: Case) -> InputRow:
    damage = case.damage
    if damage.A is not None and damage.Ea is not None:
        value = f"A = {short(damage.A)} 1/s, Ea = {short(damage.Ea, 4)} J/mol"
        return InputRow("damage kinetics", value, "", NO_SOURCE, "assumed")
    A, Ea, source = damage_set(damage.set)
    value = f"set {damage.set}: A = {short(A)} 1/s, Ea = {short(Ea, 4)} J/mol"
    return InputRow("damage kinetics", value, "", source, _status(source, checked=False))
