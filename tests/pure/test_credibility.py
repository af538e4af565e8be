"""The credibility document: it states what is missing, judges what applies, and shows every string as text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from rfablate.api.credibility import write_credibility
from rfablate.case.read.case_file import load_case
from rfablate.case.tables.credibility_table import CredibilityTable
from rfablate.case.tables.schema import TissueOverride
from rfablate.errors import CaseError
from rfablate.evidence.converge_case import ConvergedNumber, Convergence
from rfablate.evidence.credibility_conditions import (
    Conditions,
    applies,
    conditions_of,
    coverage,
    package_conditions,
    shared,
)
from rfablate.evidence.credibility_document import CredibilityDocument, Grid, Missing, Paragraph
from rfablate.evidence.credibility_evidence import EvidencePlaces, case_differences, collect_evidence
from rfablate.evidence.credibility_inputs import NO_SOURCE, tissue_rows
from rfablate.evidence.credibility_markdown import credibility_markdown, escaped
from rfablate.evidence.credibility_page import credibility_page
from rfablate.evidence.credibility_report import credibility_document
from rfablate.evidence.grid_convergence import Estimate
from rfablate.evidence.library_versions import versions_without_solver
from rfablate.evidence.verification_results import CheckResult, Measurement, Verification
from rfablate.study.drivers import by_correlation
from rfablate.study.uncertainty import Band, Uncertainty, VerdictProbability, write_uncertainty
from tests.browser import Browser, find_browser
from tests.pure.test_page_policy import EVIL
from tests.pure.test_validation_results import experiment, number, validation
from tests.summaries import complete_run

CASE = Path(__file__).parent / "data" / "trigeminal.toml"
NAMED = ("run", "convergence", "verification", "validation", "study")


@pytest.fixture(autouse=True)
def empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in a folder without stored evidence."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def cells(document: CredibilityDocument) -> list[tuple[str, ...]]:
    """Return the rows of all tables."""
    return [row for part in document.parts for block in part.blocks if isinstance(block, Grid) for row in block.rows]


def texts(document: CredibilityDocument) -> str:
    """Return all paragraphs."""
    found = (block.text for part in document.parts for block in part.blocks if isinstance(block, Paragraph | Missing))
    return "\n".join(found)


def document_of(case_changes: list[str] | None = None, **places: Path) -> CredibilityDocument:
    case = load_case(CASE, case_changes or [])
    return credibility_document(collect_evidence(case, "case", EvidencePlaces(**places), versions_without_solver()))


def stored_run(folder: Path, summary: dict[str, Any], changes: list[str] | None = None) -> Path:
    folder.mkdir(parents=True)
    (folder / "case.toml").write_text(load_case(CASE, changes or []).to_toml())
    (folder / "summary.json").write_text(json.dumps(complete_run(summary)))
    return folder


def verification(versions: dict[str, str], *, error: float = 0.1) -> Verification:
    check = CheckResult("A0", "a sphere", (Measurement("resistance", "ohm", 1.0 + error, 1.0, 0.2, 2.02, 2.0, 0.2),))
    return Verification(
        (check,), quick=False, ranks=1, seconds=1.0, versions=versions, date="2026-01-01T00:00:00+00:00"
    )


def store(place: Path, name: str, found: Any) -> Path:
    place.mkdir(parents=True)
    (place / f"{name}.json").write_text(json.dumps(found.to_dict()))
    return place


# --- what is missing ------------------------------------------------------------------------------


def test_without_evidence_every_part_is_stated_as_missing() -> None:
    document = document_of()
    missing = {gap.part for gap in document.gaps if gap.kind == "missing"}
    assert missing >= {
        "Question of interest and context of use",
        "Model risk",
        "Code verification of this installation",
        "Calculation verification",
        "Sensitivity and uncertainty",
        "Validation that applies",
    }
    remedies = " ".join(gap.remedy for gap in document.gaps)
    for command in ("rfablate run", "rfablate verify", "rfablate converge", "rfablate validate", "rfablate study"):
        assert command in remedies
    rows = cells(document)
    assert ("influence of the model", "not stated", "not stated") in rows
    assert ("consequence of the decision", "not stated", "not stated") in rows


def test_the_sections_stand_in_the_order_of_the_standard() -> None:
    assert [part.title for part in document_of().parts] == [
        "Question of interest and context of use",
        "Model risk",
        "Code verification of this installation",
        "Calculation verification",
        "Inputs and their provenance",
        "Sensitivity and uncertainty",
        "Validation that applies",
        "Applicability of the validation",
        "Gaps",
        "Versions and hashes",
        "Methods, for a paper",
    ]


def test_what_the_case_states_is_shown_and_is_no_gap() -> None:
    said = ["credibility.question=Does it cover the ganglion?", "credibility.context_of_use=teaching only"]
    said += ["credibility.influence=low", "credibility.influence_reason=a phantom decides"]
    said += ["credibility.consequence=high", "credibility.consequence_reason=a nerve"]
    document = document_of(said)
    assert "Question of interest: Does it cover the ganglion?" in texts(document)
    assert "Model risk: low influence with high consequence." in texts(document)
    assert not [gap for gap in document.gaps if gap.part == "Question of interest and context of use"]
    assert "influence" not in " ".join(gap.text for gap in document.gaps)


def test_credibility_changes_no_number_of_a_run() -> None:
    plain, stated = load_case(CASE), load_case(CASE, ["credibility.influence=low", "title=Another"])
    assert case_differences(plain, stated) == ()
    assert "[credibility]" not in plain.to_toml() and "[credibility]" in stated.to_toml()


def test_a_named_directory_without_evidence_is_refused(tmp_path: Path) -> None:
    for name in NAMED:
        with pytest.raises(CaseError):
            document_of(**{name: tmp_path / "nowhere"})


# --- run and verification -------------------------------------------------------------------------


def test_numbers_of_the_run_have_their_error_bars(tmp_path: Path) -> None:
    summary = {
        "lesion": {"isotherm_50C": {"width_mm": 6.25, "volume_mm3": 90.0}},
        "numerics": {"error_bar": {"isotherm_50C.width_mm": 0.4}},
        "warnings": ["the device switched off"],
    }
    goals = ['credibility.goals={ "lesion.isotherm_50C.width_mm" = 0.3, "lesion.isotherm_50C.none_mm" = 1 }']
    document = document_of(goals, run=stored_run(tmp_path / "run", summary))
    rows = cells(document)
    assert ("lesion.isotherm_50C.width_mm", "6.25", "± 0.4") in rows
    assert ("lesion.isotherm_50C.volume_mm3", "90", "none") in rows
    said = [gap.text for gap in document.gaps]
    assert any("width_mm: error bar 0.4 exceeds the accepted 0.3" in each for each in said)
    assert ("lesion.isotherm_50C.width_mm", "0.3", "error bar 0.4", "not met") in rows
    assert any("none_mm: the run has no such number" in each for each in said)
    assert "Warning of the run: the device switched off" in said


def test_a_run_of_another_case_is_not_taken_unless_it_is_named(tmp_path: Path) -> None:
    other = stored_run(tmp_path / "runs" / "case", {}, ["generator.target_degC=80"])
    document = document_of()
    assert any("holds another case: different generator.target_degC" in gap.text for gap in document.gaps)
    named = document_of(run=other)
    assert any(gap.kind == "weak" and "generator.target_degC" in gap.text for gap in named.gaps)


def test_a_verification_of_other_code_is_a_weakness(tmp_path: Path) -> None:
    here = versions_without_solver()
    same = document_of(verification=store(tmp_path / "same", "verification", verification(here)))
    assert not [gap for gap in same.gaps if gap.part.startswith("Code verification")]
    assert "2.02 (2)" in str(cells(same))
    other = {**here, "code": "0" * 16}
    changed = document_of(verification=store(tmp_path / "other", "verification", verification(other)))
    (gap,) = (gap for gap in changed.gaps if gap.part.startswith("Code verification"))
    assert gap.kind == "weak" and "another installation" in gap.text and here["code"] in gap.text
    wrong = verification(here, error=0.3)
    failed = document_of(verification=store(tmp_path / "failed", "verification", wrong))
    assert any("A0" in gap.text for gap in failed.gaps)
    assert any(row[:1] == ("A0",) and row[-1] == "FAIL" for row in cells(failed))


def test_a_convergence_study_replaces_run_and_error_bar(tmp_path: Path) -> None:
    """Uncertainty: 0.1 (mesh) + 0.02 (time) + 0.03 (domain); a number that does not converge is a weakness."""
    key, wild = "lesion.isotherm_50C.width_mm", "lesion.isotherm_50C.length_mm"
    time, mesh, none = Estimate(0.02, 1.0, 3.0), Estimate(0.1, 6.2, 2.0), Estimate(0.5, None, None)
    numbers = (ConvergedNumber(key, 6.25, mesh, time, 0.03, 0.4), ConvergedNumber(wild, 9.0, none, time, None, None))
    place = tmp_path / "converge"
    stored_run(place / "base", {"lesion": {"isotherm_50C": {"width_mm": 6.25}}})
    found = Convergence("case", {}, numbers, {})
    (place / "convergence.json").write_text(json.dumps(asdict(found)))
    document = document_of([f'credibility.goals={{ "{key}" = 0.2 }}'], convergence=place)
    rows = cells(document)
    assert (key, "6.25 ± 0.15", "0.1", "2.0", "0.02", "0.03") in rows
    assert (wild, "9 ± 0.52", "0.5 *", "–", "0.02", "–") in rows
    assert (key, "0.2", "uncertainty by convergence 0.15", "met") in rows
    assert any(
        f"1 of 2 numbers are not in the asymptotic range of the meshes: {wild}" in gap.text for gap in document.gaps
    )
    assert not [gap for gap in document.gaps if gap.part == "Calculation verification" and gap.kind == "missing"
                and "run" in gap.text and "no finished" in gap.text]  # fmt: skip


# --- inputs ---------------------------------------------------------------------------------------


def test_inputs_without_a_source_are_marked_as_assumed() -> None:
    changes = ["tissues.nerve.sigma_S_per_m=0.2", "tissues.csf.k_W_per_mK=0.6", "tissues.csf.source=measured, 2026"]
    rows = {row.name: row for row in tissue_rows(load_case(CASE, changes))}
    assert (rows["nerve: σ"].source, rows["nerve: σ"].status) == (NO_SOURCE, "assumed")
    assert (rows["csf: k"].source, rows["csf: k"].status) == ("measured, 2026", "not verified")
    assert "IT'IS" in rows["nerve: k"].source
    assert any(
        gap.part == "Inputs and their provenance" and "nerve: σ" in gap.text for gap in document_of(changes).gaps
    )


# --- uncertainty ----------------------------------------------------------------------------------

KEY = "generator.target_degC"
NEW_TABLE = "tissues.white_matter.k_W_per_mK"


def stored_study(place: Path, changes: list[str]) -> Path:
    """Store a study of set point and a tissue, with one member, whose case has the changes as well."""
    axes = "".join(
        f'[[axes]]\nkey = "{key}"\nlow = {low}\nhigh = {high}\ndistribution = "uniform"\nsource = "assumed"\n'
        for key, low, high in ((KEY, 60, 80), (NEW_TABLE, 0.4, 0.5))
    )
    stored_run(place / "members" / "one", {}, [f"{KEY}=71", f"{NEW_TABLE}=0.45", *changes])
    (place / "study.toml").write_text(f'base = "{CASE}"\n[design]\nkind = "sobol"\nsamples = 8\n{axes}')
    ranking = by_correlation("lesion.isotherm_50C.width_mm", {KEY: -0.9}, "a test")
    band = Band(ranking.column, 8, 6.0, 0.5, 5.5, 6.1, 6.9, (5.4, 5.6), (6.8, 7.0), ranking.drivers)
    verdict = VerdictProbability("motor_root", "safe", 8, 0.75, (0.4, 0.93))
    write_uncertainty(Uncertainty((band,), (verdict,), (ranking,)), place)
    return place


def test_the_study_of_this_case_is_found_with_its_bands_and_drivers(tmp_path: Path) -> None:
    stored_study(tmp_path / "studies" / "other", ["tissues.nerve.k_W_per_mK=0.4"])
    assert any("studies/other holds another case: different tissues.nerve" in gap.text for gap in document_of().gaps)
    stored_study(tmp_path / "studies" / "mine", [])
    document = document_of(['credibility.goals={ "lesion.isotherm_50C.width_mm" = 0.5 }'])
    rows = cells(document)
    assert ("lesion.isotherm_50C.width_mm", "6.1", "5.5 to 6.9", "target_degC 0.81") in rows
    assert ("lesion.isotherm_50C.width_mm", "1", KEY, "0.81", "squared rank correlation") in rows
    assert ("motor_root", "safe", "75 %", "40 to 93 %") in rows
    said = [gap.text for gap in document.gaps if gap.part == "Sensitivity and uncertainty"]
    assert any("half of the 5 to 95 % band is 0.7, accepted is 0.5" in each for each in said)
    assert any("8 draws, fewer than 64" in each for each in said)


def test_a_named_study_of_another_case_is_a_weakness(tmp_path: Path) -> None:
    place = stored_study(tmp_path / "elsewhere", ["tissues.nerve.k_W_per_mK=0.4"])
    gaps = [gap.text for gap in document_of(study=place).gaps if gap.kind == "weak"]
    assert any("differs in tissues.nerve" in each for each in gaps)


# --- validation and applicability -----------------------------------------------------------------

HERE = Conditions(
    applicator="uncooled cannula", electrodes="monopolar, one applicator", tissue="muscle",
    blood_flow="not perfused (ex vivo)", generator="temperature", rule="isotherm_50C", diameter_mm=0.7,
    active_tip_mm=5.0, start_degC=22.0, duration_s=60.0, set_point=80.0, set_point_unit="degC", features=frozenset(),
)  # fmt: skip


def test_an_experiment_applies_by_applicator_and_current_path() -> None:
    cooled = replace(HERE, applicator="internally cooled electrode")
    bipolar = replace(HERE, electrodes="bipolar, several applicators")
    assert applies(HERE, [cooled, HERE]) and not applies(HERE, [cooled, bipolar])
    mixed = [replace(HERE, tissue="liver"), replace(cooled, generator="current")]
    assert shared(HERE, mixed) == ("applicator", "electrodes", "blood flow", "generator")


def test_a_number_is_covered_between_the_smallest_and_the_largest() -> None:
    runs = [replace(HERE, diameter_mm=d, set_point=t) for d, t in ((0.5, 70.0), (1.6, 90.0))]
    runs.append(replace(HERE, applicator="internally cooled electrode", diameter_mm=2.0, active_tip_mm=30.0))
    runs.append(replace(HERE, generator="power", set_point=14.0, set_point_unit="W"))
    found = {each.name: each for each in coverage(replace(HERE, features=frozenset({"boiling"})), runs)}
    assert found["diameter"].inside and found["diameter"].validated == "0.5 to 1.6 mm"
    assert found["active tip"].validated == "5 mm"
    assert found["set point"].inside and found["set point"].validated == "70 to 90 degC"
    assert not found["model part"].inside and found["combination"].inside
    outside = {each.name: each for each in coverage(replace(HERE, diameter_mm=1.8, tissue="bone"), runs)}
    assert not outside["diameter"].inside and not outside["tissue"].inside
    apart = coverage(HERE, [replace(HERE, tissue="liver"), replace(HERE, generator="power")])
    assert all(each.inside for each in apart if each.name in ("tissue", "generator"))
    assert [each.name for each in apart if not each.inside] == ["combination"]  # each alone, but never in one run
    alone = {each.name: each for each in coverage(replace(HERE, applicator="ring needle"), runs)}
    assert not alone["applicator"].inside and alone["diameter"].validated == "none" and not alone["diameter"].inside


def test_conditions_follow_from_the_case() -> None:
    found = conditions_of(load_case(CASE))
    assert found.applicator == "uncooled cannula" and found.electrodes == "monopolar, one applicator"
    assert found.generator == "temperature" and found.set_point_unit == "degC"
    assert found.blood_flow == "perfused (in vivo)"
    assert "structures of other tissues" in found.features and "boiling" not in found.features
    boiling = conditions_of(load_case(CASE, ["tissues.white_matter.water_fraction=0.7", "generator.target_degC=75"]))
    assert "boiling" in boiling.features and boiling.set_point == 75.0


def test_the_conditions_of_the_package_are_known() -> None:
    known = package_conditions()
    assert all(known.values()) and "needle_model" not in known  # another model
    assert {run.applicator for run in known["goldberg_1998"]} == {"internally cooled electrode"}
    assert {run.tissue for run in known["cosman_2014"]} == {"muscle"}
    assert len({run.diameter_mm for run in known["cosman_2014"]}) >= 2


def test_failed_comparisons_are_gaps_with_their_reason(tmp_path: Path) -> None:
    bad = number(14.0, likely_reason="wrong tissue")
    found = validation(replace(experiment(number(10.5), bad), name="cosman_2014"))
    document = document_of(validation=store(tmp_path / "validation", "validation", found))
    assert any("FAIL" in gap.text and "wrong tissue" in gap.text for gap in document.gaps)
    assert any(row[:2] == ("cosman_2014", "pain") for row in cells(document))
    assert any("not perfused (ex vivo)" in gap.text for gap in document.gaps if gap.kind == "outside")
    assert "+2.25" in credibility_markdown(document).replace("\\", "")


# --- text -----------------------------------------------------------------------------------------


def test_markdown_shows_every_string_as_it_is() -> None:
    assert escaped("a|b\n# c <script>*d*`") == "a\\|b \\# c \\<script\\>\\*d\\*\\`"
    assert escaped("- x") == "\\- x" and escaped("1. x") == "1\\. x" and escaped("-1.5 mm") == "-1.5 mm"


def hostile() -> CredibilityDocument:
    """The document of a case whose free texts and names are markup."""
    own = CredibilityTable(question=EVIL, context_of_use=EVIL, influence_reason=EVIL, goals={EVIL: 1.0})
    nerve = TissueOverride.model_validate({"sigma_S_per_m": 0.2, "source": EVIL})
    changes = {"title": EVIL, "credibility": own, "tissues": {"nerve": nerve}}
    case = load_case(CASE).model_copy(update=changes)
    return credibility_document(collect_evidence(case, EVIL, EvidencePlaces(), {"rfablate": EVIL}))


def test_hostile_strings_are_escaped() -> None:
    document = hostile()
    page, text = credibility_page(document), credibility_markdown(document)
    assert "<script>window" not in page and "&lt;script&gt;window.hit=1" in page
    assert 'onerror="window' not in page and "<img src=x" not in page
    assert "<script>" not in text.replace("\\<", "") and "window.hit" in text
    assert "Research tool, not a medical device" in page and "Research tool, not a medical device" in text
    assert "Content-Security-Policy" in page


@pytest.mark.skipif(find_browser() is None, reason="neither Chromium nor Chrome is installed")
def test_the_page_runs_and_requests_nothing(tmp_path: Path) -> None:
    page = tmp_path / "credibility.html"
    page.write_text(credibility_page(hostile()), encoding="utf-8")
    with Browser(page) as browser:
        assert browser.run("window.hit === undefined && document.title.includes('window.hit=1')")
        assert browser.run("document.querySelectorAll('img, script').length") == 0
        assert browser.requests == [] and browser.errors == []


def test_both_files_are_written_and_returned_gaps_are_those_of_the_page(tmp_path: Path) -> None:
    document = write_credibility(CASE, tmp_path / "out")
    page, text = (tmp_path / "out" / f"credibility.{end}" for end in ("html", "md"))
    assert document.gaps and all(escaped(gap.text) in text.read_text() for gap in document.gaps)
    assert f"{len(document.gaps)} gaps" in page.read_text()
    with pytest.raises(CaseError, match="verify"):
        write_credibility(CASE, tmp_path / "out", make=["verif"])
