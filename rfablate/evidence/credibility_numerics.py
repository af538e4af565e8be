"""Sections of a credibility document on verification: of the code on this installation, and of the calculation."""

from __future__ import annotations

from collections.abc import Iterator

from rfablate.case.resolve.structure_flow import bodies_of
from rfablate.case.tables.schema import Case
from rfablate.evidence.convergence_table import covered_by_error_bar
from rfablate.evidence.credibility_context import stated
from rfablate.evidence.credibility_document import Part, PartBuilder
from rfablate.evidence.credibility_evidence import CaseEvidence, keys_text
from rfablate.evidence.verification_results import CheckResult, Verification
from rfablate.evidence.verification_table import verdict_line
from rfablate.results.flatten import flatten
from rfablate.results.quantities import JOINING, LESION, STRUCTURE, TERMS
from rfablate.results.summary_models import RunSummary
from rfablate.results.wording import short

REPORTED = ("lesion.", "structures.")
"""Sections of a summary whose numbers are reported."""
KNOWN = {each.key for each in (*LESION, *JOINING, *STRUCTURE)}
MOST_NUMBERS = 40
"""Largest number of rows of the table of numbers."""


def code_part(evidence: CaseEvidence) -> Part:
    """Return the section on code verification."""
    part = PartBuilder("Code verification of this installation")
    if evidence.verification is None:
        reason = evidence.reasons.get("verification", "")
        part.missing(f"This installation has no stored verification ({reason}).", "rfablate verify")
        return part.part()
    found = evidence.verification.found
    part.say(
        f"rfablate verify, {found.date}: {verdict_line(found)}.",
        "Expected values are closed forms, definitions, or the same case in another form.",
    )
    part.table(("component", "version"), [(name, str(value)) for name, value in found.versions.items()], texts=2)
    rows = [row for check in found.checks for row in _check_rows(check)]
    head = ("check", "problem", "largest error / allowed", "observed order (expected)", "verdict")
    part.table(head, rows, texts=2)
    _verification_gaps(part, found, evidence)
    return part.part()


def _check_rows(check: CheckResult) -> Iterator[tuple[str, ...]]:
    """Yield the row of a check: its largest error relative to what is allowed, and the orders it observed."""
    ratios = [each.error / each.limit if each.limit > 0.0 else 0.0 for each in check.measurements]
    worst = f"{max(ratios):.2f}" if ratios else "not measured"
    orders = [
        f"{each.order:.2f} ({each.expected_order:g})"
        for each in check.measurements
        if each.order is not None and each.expected_order is not None
    ]
    yield check.id, check.problem, worst, ", ".join(orders) or "–", "PASS" if check.passed else "FAIL"


def _verification_gaps(part: PartBuilder, found: Verification, evidence: CaseEvidence) -> None:
    failed = [check.id for check in found.checks if not check.passed]
    if failed:
        part.gap("weak", f"Checks of the code fail: {', '.join(failed)}.", "rfablate verify; rfablate doctor")
    if found.quick:
        part.gap("weak", "The code was verified with the quick subset.", "rfablate verify")
    here = evidence.versions
    names = [name for name in found.versions if name in here and str(found.versions[name]) != here[name]]
    absent = "code" not in found.versions
    if names or absent:
        changed = [f"{name} {found.versions[name]}, now {here[name]}" for name in names]
        changed += ["the hash of the code was not stored"] if absent else []
        part.gap("weak", f"The verification is of another installation: {'; '.join(changed)}.", "rfablate verify")
        part.say("The verified installation differs from this one; see the gaps.")
    else:
        part.say("Versions, machine and the hash of the code are those of this installation.")


def calculation_part(evidence: CaseEvidence) -> Part:
    """Return the section on calculation verification: numerical uncertainty of every reported number."""
    part = PartBuilder("Calculation verification")
    if evidence.run is None:
        reason = evidence.reasons.get("run", "")
        part.missing(f"There is no finished run of this case ({reason}).", "rfablate run CASE")
    else:
        _run(part, evidence)
    if evidence.convergence is None:
        reason = evidence.reasons.get("convergence", "")
        part.missing(f"There is no convergence study of this case ({reason}).", "rfablate converge CASE")
    else:
        _convergence(part, evidence)
    _goals(part, evidence)
    return part.part()


def _goals(part: PartBuilder, evidence: CaseEvidence) -> None:
    """Compare the credibility goals with the numerical uncertainties that are known."""
    flat = {} if evidence.run is None else flatten(evidence.run.summary)
    found = {} if evidence.convergence is None else {each.key: each for each in evidence.convergence.found.numbers}
    rows: list[tuple[str, ...]] = []
    for key, accepted in stated(evidence.case).goals.items():
        known = [(name, value) for name, value in (
            ("error bar", flat.get(f"{key}.bar")),
            ("uncertainty by convergence", found[key].uncertainty if key in found else None),
        ) if value is not None]  # fmt: skip
        shown = ", ".join(f"{name} {short(value, 2)}" for name, value in known) or "not known"
        met = bool(known) and all(value <= accepted for _, value in known)
        rows.append((key, f"{accepted:g}", shown, "met" if met else "not met" if known else "not assessed"))
        if flat and key not in flat:
            part.gap("missing", f"Credibility goal {key}: the run has no such number.")
        elif not known:
            part.gap(
                "missing", f"Credibility goal {key}: its numerical uncertainty is not known.", "rfablate converge CASE"
            )
        elif not met:
            part.gap("weak", f"Credibility goal {key}: {shown} exceeds the accepted {accepted:g}.")
    part.table(("goal", "accepted", "numerical uncertainty", ""), rows, texts=4, caption="Credibility goals")


def _run(part: PartBuilder, evidence: CaseEvidence) -> None:
    run = evidence.run
    assert run is not None
    summary, numerics = run.summary, run.summary.numerics
    part.say(
        f"Run {run.directory}, {summary.provenance.started}: {summary.status} ({summary.reason}).",
        f"{numerics.nodes} nodes, {numerics.steps} steps ({numerics.rejects} rejected); residual of the energy balance "
        f"{short(summary.energy.residual_percent, 2)} %.",
    )
    if run.differences:
        part.gap("weak", f"The run is of a case that differs in {keys_text(run.differences)}.", "rfablate run CASE")
        part.say(f"Its case differs from the one of this document in {keys_text(run.differences)}.")
    if summary.status != "completed":
        part.gap("weak", f"The run did not complete: {summary.reason}.")
    rows = number_rows(summary, evidence.case)
    part.table(("number", "value", "error bar"), rows[:MOST_NUMBERS])
    if not any(bar != "none" for _, _, bar in rows):
        part.missing("The numbers of the run have no error bars.", "output.error_bar = true")
    else:
        part.say(f"Error bar: {TERMS['error bar']}")
    for check in summary.checks:
        part.gap("weak", f"Check of the results, {check.check}: {check.text}")
    texts = {check.text for check in summary.checks}
    for warning in (each for each in summary.warnings if each not in texts):
        part.gap("weak", f"Warning of the run: {warning}")
    for name, each in summary.structures.items():
        if each.within_error_bar:
            part.gap(
                "weak",
                f"The verdict on {name} ({each.verdict}) could change within its error bar.",
                "rfablate converge CASE",
            )


def number_rows(summary: RunSummary, case: Case) -> list[tuple[str, str, str]]:
    """Return number, value and error bar of the reported numbers of a run."""
    flat = flatten(summary)
    rows = []
    for key, value in flat.items():
        if is_reported(key, case) and isinstance(value, int | float):
            bar = flat.get(f"{key}.bar")
            rows.append((key, short(value, 4), "none" if bar is None else f"± {short(bar, 2)}"))
    return rows


def is_reported(key: str, case: Case) -> bool:
    """Return whether a number is reported: of a lesion, or of a structure that is no mere anatomy."""
    anatomy = tuple(f"structures.{each.name}." for each in bodies_of(case) if each.role == "anatomy")
    return key.rsplit(".", 1)[-1] in KNOWN and key.startswith(REPORTED) and not key.startswith(anatomy)


def _convergence(part: PartBuilder, evidence: CaseEvidence) -> None:
    study = evidence.convergence
    assert study is not None
    found = study.found
    part.say(
        "Convergence study (rfablate converge): three meshes, three time tolerances and, where possible, two domain"
        " sizes; Richardson extrapolation and grid convergence index (Roache 1994; Celik et al. 2008)."
    )
    rows = []
    shown = [each for each in found.numbers if is_reported(each.key, evidence.case)]
    for each in shown[:MOST_NUMBERS]:
        rows.append(
            (
                each.key,
                f"{short(each.value, 4)} ± {short(each.uncertainty, 2)}",
                f"{short(each.mesh.uncertainty, 2)}{'' if each.mesh.asymptotic else ' *'}",
                "–" if each.mesh.order is None else f"{each.mesh.order:.1f}",
                f"{short(each.time.uncertainty, 2)}{'' if each.time.asymptotic else ' *'}",
                "–" if each.domain is None else short(each.domain, 2),
            )
        )
    part.table(("number", "value", "mesh", "observed order", "time", "domain"), rows)
    part.say("* not in the asymptotic range: three times the largest difference between the runs instead.")
    wild = [each.key for each in shown if not each.mesh.asymptotic]
    if wild:
        count = f"{len(wild)} of {len(shown)}"
        text = f"{count} numbers are not in the asymptotic range of the meshes: {keys_text(tuple(wild))}."
        part.gap("weak", text, "a finer mesh: mesh.accuracy")
    inside, judged = covered_by_error_bar(shown)
    if judged:
        part.say(f"The everyday error bar contains the mesh error by Richardson for {inside} of {judged} numbers.")
    if study.differences:
        part.gap("weak", f"The convergence study is of a case that differs in {keys_text(study.differences)}.")
    for name, verdicts in found.verdicts.items():
        part.gap("weak", f"The verdict on {name} differs between meshes or steps: {', '.join(verdicts)}.")
