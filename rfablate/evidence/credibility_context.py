"""The first sections of a credibility document: question and context of use, and model risk."""

from __future__ import annotations

from rfablate.case.describe.applicator_text import describe_applicator
from rfablate.case.describe.generator_text import describe_generator
from rfablate.case.resolve.structure_flow import bodies_of
from rfablate.case.tables.credibility_table import CredibilityTable
from rfablate.case.tables.schema import Case
from rfablate.evidence.credibility_document import Part, PartBuilder
from rfablate.evidence.credibility_evidence import CaseEvidence
from rfablate.results.wording import rule_label

NOT_STATED = "not stated"


def stated(case: Case) -> CredibilityTable:
    """Return what the case states in its table [credibility]."""
    return case.credibility or CredibilityTable()


def context_part(evidence: CaseEvidence) -> Part:
    """Return the section on question and context of use."""
    case, own, part = evidence.case, stated(evidence.case), PartBuilder("Question of interest and context of use")
    if own.question:
        part.say(f"Question of interest: {own.question}")
    else:
        part.missing("The question of interest is not stated.", 'credibility.question = "..." in the case')
    if own.context_of_use:
        part.say(f"Context of use: {own.context_of_use}")
    else:
        part.missing("The context of use is not stated.", 'credibility.context_of_use = "..." in the case')
    part.say("The simulated treatment, as the case defines it:")
    rows = [("case", case.title)]
    rows += [("applicator", line) for each in case.applicators for line in describe_applicator(each)]
    rows += [("generator", line) for line in describe_generator(case.generator)]
    rule = case.lesion.verdict_rule or case.lesion.rules[0]
    rows.append(("lesion", f"{rule_label(rule)} decides; reported: {', '.join(case.lesion.rules)}"))
    part.table(("item", "definition"), rows, texts=2)
    return part.part()


def risk_part(evidence: CaseEvidence) -> Part:
    """Return the section on model risk: what the case contains, and what the user states."""
    case, own, part = evidence.case, stated(evidence.case), PartBuilder("Model risk")
    part.say(
        "Model risk is the possibility that the simulation leads to a wrong decision with harm. It combines the"
        " influence of the model on the decision with the consequence of a wrong decision (ASME V&V 40). Both are"
        " judgements of the user; the program does not derive them."
    )
    rows = []
    for name, level, reason in (
        ("influence", own.influence, own.influence_reason),
        ("consequence", own.consequence, own.consequence_reason),
    ):
        rows.append(
            (
                f"{name} of the {'model' if name == 'influence' else 'decision'}",
                level or NOT_STATED,
                reason or NOT_STATED,
            )
        )
        if level is None:
            part.gap("missing", f"The {name} is not stated.", f'credibility.{name} = "low", "medium" or "high"')
        elif not reason:
            part.gap("weak", f"The {name} is stated without a reason.", f'credibility.{name}_reason = "..."')
    part.table(("factor", "level", "reason"), rows, texts=3)
    if own.influence is not None and own.consequence is not None:
        part.say(f"Model risk: {own.influence} influence with {own.consequence} consequence.")
    else:
        part.missing("Without influence and consequence there is no model risk, and no scale for the evidence below.")
    judged = _judged(case)
    part.say(
        "What a wrong result could concern, from the case:"
        if judged
        else "The case has no target and no protected structure."
    )
    part.table(("structure", "role", "tissue", "requirement"), judged, texts=4)
    if not judged:
        part.gap("weak", "The case has no target and no protected structure: harm cannot be read from it.")
    goals = [(key, f"{value:g}") for key, value in own.goals.items()]
    part.table(("number that answers the question", "acceptable uncertainty"), goals, caption="Credibility goals")
    if not goals:
        part.missing("No credibility goals are stated.", "credibility.goals: numbers with their acceptable uncertainty")
    return part.part()


def _judged(case: Case) -> list[tuple[str, ...]]:
    """Return a row for each target and each protected structure."""
    rows: list[tuple[str, ...]] = []
    for each in bodies_of(case):
        if each.role == "target":
            rows.append((each.name, "target", each.tissue, f"{100 * each.required_fraction:g} % inside the lesion"))
        elif each.role == "protect":
            limit = "no limit" if each.limit is None else f"at most {each.limit:g} °C"
            rows.append((each.name, "protected", each.tissue, limit))
    return rows
