"""The credibility document of a case: its sections in the order of ASME V&V 40 and the FDA guidance of 2023."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from rfablate.errors import CaseError, Fault
from rfablate.evidence.credibility_conditions import applies, conditions_of
from rfablate.evidence.credibility_context import context_part, risk_part
from rfablate.evidence.credibility_document import CredibilityDocument, Part, PartBuilder
from rfablate.evidence.credibility_evidence import CaseEvidence
from rfablate.evidence.credibility_inputs import inputs_part
from rfablate.evidence.credibility_markdown import credibility_markdown
from rfablate.evidence.credibility_methods import methods_part, versions_part
from rfablate.evidence.credibility_numerics import calculation_part, code_part
from rfablate.evidence.credibility_page import credibility_page
from rfablate.evidence.credibility_uncertainty import uncertainty_part
from rfablate.evidence.credibility_validation import applicability_part, stored_conditions, validation_part
from rfablate.files import write_text

CATEGORIES = "Evidence by the eight categories of the FDA guidance of November 2023"
PAGE, TEXT = "credibility.html", "credibility.md"
SECTIONS = (
    context_part,
    risk_part,
    code_part,
    calculation_part,
    inputs_part,
    uncertainty_part,
    validation_part,
    applicability_part,
)
"""The sections before the gaps, in order."""


def credibility_document(evidence: CaseEvidence) -> CredibilityDocument:
    """Return the document of a case from its evidence."""
    parts = [make(evidence) for make in SECTIONS]
    versions = versions_part(evidence)
    date = datetime.now(timezone.utc).isoformat(timespec="seconds")
    gaps = _gaps_part(CredibilityDocument("", date, (*parts, versions)), evidence)
    parts += [gaps, versions, methods_part(evidence)]
    return CredibilityDocument(f"Credibility: {evidence.case.title}", date, tuple(parts))


def write_document(document: CredibilityDocument, directory: Path) -> Path:
    """Write credibility.html and credibility.md into a directory; return the path of the page.

    Raises:
        CaseError: the directory cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        write_text(directory / TEXT, credibility_markdown(document))
        write_text(directory / PAGE, credibility_page(document))
    except OSError as error:
        fault = Fault(str(directory), error.strerror or str(error), "a writable folder")
        raise CaseError([fault], "credibility") from None
    return directory / PAGE


def _gaps_part(document: CredibilityDocument, evidence: CaseEvidence) -> Part:
    """Return the section that lists all gaps."""
    part = PartBuilder("Gaps")
    part.say(
        "“Missing”: there is no such evidence. “Outside”: the validation has other conditions. “Weak”: the evidence"
        " shows less than it should. The list is generated; it contains only what a program can find. What the model"
        " leaves out (its limits) is part of the documentation."
    )
    rows = [(gap.kind, gap.part, gap.text, gap.remedy or "–") for gap in document.gaps]
    part.table(("kind", "section", "gap", "remedy"), rows, texts=4)
    if not rows:
        part.say("No gap was found.")
    part.table(("category", "evidence here"), categories(evidence), texts=2, caption=CATEGORIES)
    return part.part()


def categories(evidence: CaseEvidence) -> list[tuple[str, ...]]:
    """Return the eight categories of evidence of the FDA guidance, and what of each there is for a case."""
    known = {} if evidence.validation is None else stored_conditions(evidence.validation)
    here = conditions_of(evidence.case)
    measured = (
        {}
        if evidence.validation is None
        else {
            each.name: known[each.name] for each in evidence.validation.found.experiments if each.kind == "experiment"
        }
    )
    flows = [{run.blood_flow for run in runs} for runs in measured.values() if applies(here, runs)]
    bench, vivo = (sum(any(word in flow for flow in each) for each in flows) for word in ("ex vivo", "in vivo"))
    numerical = [
        text
        for text, found in (
            ("error bars of a run", evidence.run is not None and bool(evidence.run.summary.numerics.error_bar)),
            ("convergence study", evidence.convergence is not None),
            ("uncertain inputs propagated", evidence.study is not None),
        )
        if found
    ]
    return [
        ("1 code verification", "none" if evidence.verification is None else "rfablate verify"),
        ("2 model calibration", "none: the program adjusts no input to a measurement"),
        ("3 bench test validation", f"{bench} experiments that apply" if bench else "none"),
        ("4 in vivo validation", f"{vivo} experiments that apply" if vivo else "none"),
        ("5 population-based validation", "none"),
        ("6 emergent model behaviour", "none"),
        ("7 model plausibility", "equations, assumptions and limits are in the documentation of the program"),
        ("8 calculation verification and uncertainty", ", ".join(numerical) or "none"),
    ]
