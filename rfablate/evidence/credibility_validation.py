"""The section of a credibility document on validation: which experiments apply, their bias, what they leave out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rfablate.evidence.credibility_conditions import (
    KIND,
    Conditions,
    applies,
    conditions_of,
    coverage,
    experiment_conditions,
    package_conditions,
    shared,
)
from rfablate.evidence.credibility_context import stated
from rfablate.evidence.credibility_document import Part, PartBuilder
from rfablate.evidence.credibility_evidence import CaseEvidence, ValidationEvidence
from rfablate.evidence.validation_results import ExperimentResult, verdict_counts
from rfablate.evidence.validation_table import AGREEMENT, agreement_row, measured_text, summary_line
from rfablate.results.wording import short

Known = Mapping[str, tuple[Conditions, ...]]


def validation_part(evidence: CaseEvidence) -> Part:
    """Return the section on the validation that applies to the case."""
    part, here = PartBuilder("Validation that applies"), conditions_of(evidence.case)
    stored = evidence.validation
    known = package_conditions() if stored is None else stored_conditions(stored)
    part.say(
        "An experiment counts for this case if it has the same kind of applicator and of current path:"
        f" {here.applicator}; {here.electrodes}. Acceptance limits were set before the runs."
    )
    if stored is None:
        reason = evidence.reasons.get("validation", "")
        part.missing(f"There is no stored validation of this program ({reason}).", "rfablate validate --all")
        relevant = [name for name, runs in known.items() if applies(here, runs)]
        rows = [(name, *_likeness(here, known[name])) for name in relevant]
        part.table(
            ("experiment", "shared", "differs"), rows, texts=3, caption="Experiments of the package that would count"
        )
    else:
        relevant = _results(part, evidence, stored, known, here)
    if not relevant:
        part.gap(
            "missing",
            f"No experiment has this kind of applicator and current path: {here.applicator}, {here.electrodes}.",
        )
    return part.part()


def applicability_part(evidence: CaseEvidence) -> Part:
    """Return the section on what of the context of use lies outside the validated conditions."""
    part, here = PartBuilder("Applicability of the validation"), conditions_of(evidence.case)
    stored = evidence.validation
    known = package_conditions() if stored is None else stored_conditions(stored)
    runs = [run for name, each in known.items() if stored is None or _is_evidence(stored, name) for run in each]
    part.say(
        "Each condition of the case against those of the experiments with its kind of applicator, after Pathmanathan et"
        " al. 2017. “Inside” means between the smallest and the largest value, each condition taken alone; it does not"
        " mean that the combination was tested. What lies outside requires a reason why the model holds there."
    )
    if stored is None:
        part.say(
            "The experiments are those of the package; no stored validation shows how the model compares with them."
        )
    found = coverage(here, runs)
    rows = [(each.name, each.here, each.validated, "inside" if each.inside else "OUTSIDE") for each in found]
    part.table(("condition", "this case", "experiments", ""), rows, texts=4)
    for each in found:
        if not each.inside:
            part.gap("outside", f"{each.name}: {each.here}; experiments: {each.validated}.")
    return part.part()


def stored_conditions(stored: ValidationEvidence) -> Known:
    """Return the conditions of the experiments of a stored validation by name."""
    return {each.name: experiment_conditions(each.name, stored.directory) for each in stored.found.experiments}


def _is_evidence(stored: ValidationEvidence, name: str) -> bool:
    """Return whether an experiment, not another model, was compared."""
    found = [each for each in stored.found.experiments if each.name == name]
    return any(each.numbers and each.kind == "experiment" for each in found)


def _likeness(here: Conditions, runs: tuple[Conditions, ...]) -> tuple[str, str]:
    """Return what a case shares with the most similar run of an experiment, and in what it differs."""
    same = shared(here, runs)
    nearest = max(runs, key=lambda run: sum(here.kind(name) == run.kind(name) for name in KIND))
    differs = [f"{name}: {nearest.kind(name)}" for name in KIND if name not in same]
    return ", ".join(same) or "nothing", "; ".join(differs) or "nothing"


def _results(
    part: PartBuilder, evidence: CaseEvidence, stored: ValidationEvidence, known: Known, here: Conditions
) -> list[str]:
    """Add the results of the experiments that apply; return their names."""
    found = stored.found
    part.say(f"rfablate validate, {found.date}: {summary_line(found)}.")
    relevant = [each for each in found.experiments if known[each.name] and applies(here, known[each.name])]
    relevant.sort(key=lambda each: -len(shared(here, known[each.name])))
    rows = [
        (each.name, each.field, *_likeness(here, known[each.name]), _verdicts(each), _source(each)) for each in relevant
    ]
    part.table(("experiment", "field", "shared", "differs", "verdicts", "source"), rows, texts=6)
    agreement = replace(found, experiments=tuple(relevant)).agreement
    caption = "Bias of the experiments that apply (modelled minus measured); limits of agreement by Bland and Altman"
    part.table(AGREEMENT, [agreement_row(each) for each in agreement], caption=caption)
    numbers = [
        (each.name, number.name, f"{measured_text(number)} {number.unit}", short(number.modelled, 3),
         _signed(number.error), short(number.u_val, 2), number.verdict)
        for each in relevant
        for number in each.numbers
    ]  # fmt: skip
    head = ("experiment", "number", "measured", "modelled", "E", "u_val", "verdict")
    part.table(head, numbers, texts=3, caption="Compared numbers")
    others = len(found.experiments) - len(relevant)
    if others:
        part.say(f"{others} further experiments have another kind of applicator or current path and do not count here.")
    _gaps(part, evidence, stored, relevant)
    return [each.name for each in relevant]


def _gaps(
    part: PartBuilder, evidence: CaseEvidence, stored: ValidationEvidence, relevant: list[ExperimentResult]
) -> None:
    found, here = stored.found, evidence.versions
    changed = [name for name in ("rfablate", "code") if name in here and found.versions.get(name) != here[name]]
    if changed:
        part.gap(
            "weak",
            f"The validation was made by another state of the program (different {', '.join(changed)}).",
            "rfablate validate --all",
        )
    if not found.scope.everything:
        part.gap("weak", "Only a subset of the experiments was compared.", "rfablate validate --all")
    if not found.scope.vary_inputs:
        part.gap("weak", "The uncertain inputs of the experiments were not varied.", "rfablate validate --all")
    for each in relevant:
        if each.fault:
            part.gap("missing", f"{each.name} was not completed: {each.fault.splitlines()[0]}")
        failed = [number for number in each.numbers if not number.passed]
        if failed:
            names = "; ".join(f"{n.name}: {n.verdict}, E = {_signed(n.error)} {n.unit}" for n in failed)
            reasons = "; ".join(dict.fromkeys(n.likely_reason or "not known" for n in failed))
            count = f"{len(failed)} of {len(each.numbers)} comparisons fail"
            part.gap("weak", f"{each.name}: {count} ({names}). Likely reason: {reasons}.")
    partly = [each.name for each in relevant if not each.full_text]
    if partly:
        part.gap(
            "weak",
            f"The full paper was not at hand for {len(partly)} of {len(relevant)} experiments: {', '.join(partly)}.",
        )
    sizes = [number for each in relevant if each.kind == "experiment" for number in each.numbers if number.unit == "mm"]
    for key, accepted in stated(evidence.case).goals.items():
        measured = [abs(number.error) for number in sizes if number.measured is not None]
        if key.endswith("_mm") and measured and max(measured) > accepted:
            text = f"the largest comparison error of a length is {max(measured):.2g} mm, accepted is {accepted:g} mm"
            part.gap("weak", f"Credibility goal {key}: {text}.")


def _verdicts(each: ExperimentResult) -> str:
    if each.fault:
        return "not completed"
    return ", ".join(f"{count} {verdict}" for verdict, count in verdict_counts(each.numbers).items() if count)


def _signed(error: float) -> str:
    return f"+{short(error, 2)}" if error > 0.0 else short(error, 2)


def _source(each: ExperimentResult) -> str:
    kind = "" if each.kind == "experiment" else "; another model, no experiment"
    return f"{each.citation} (read: {each.read_from}{kind})"
