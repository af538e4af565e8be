"""The credibility document of a real run, convergence study, validation, verification and uncertainty study."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mpi4py import MPI

import rfablate as rfa
from rfablate.cli.main import main
from rfablate.evidence.credibility_document import Grid
from tests.shipped import CASES

CHANGES = {
    "mesh.accuracy": "draft",
    "generator.hold_s": 5,
    "output.report": False,
    "output.fields_interval_s": 5,
    "credibility.question": "How wide is the lesion?",
    "credibility.goals": {"lesion.isotherm_50C.width_mm": 0.001},
}
STUDY = """base = "case.toml"
set = ["output.error_bar=false", "mesh.accuracy=draft"]
design = { kind = "sobol", samples = 8 }
[collect]
responses = ["lesion.isotherm_50C.width_mm"]
[[axes]]
key = "tissues.benchmark_tissue.k_W_per_mK"
low = 0.45
high = 0.55
distribution = "uniform"
source = "assumed: 10 %"
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a case and the study of its k."""
    folder = tmp_path_factory.mktemp("credibility")
    rfa.load_case(CASES / "needle_benchmark").with_changes(CHANGES).save(folder / "case.toml")
    (folder / "study.toml").write_text(STUDY)
    return folder


def cells(document: rfa.CredibilityDocument) -> list[tuple[str, ...]]:
    return [row for part in document.parts for block in part.blocks if isinstance(block, Grid) for row in block.rows]


def test_a_missing_run_is_made_and_its_numbers_are_shown(place: Path, comm: MPI.Comm) -> None:
    document = rfa.write_credibility(place / "case.toml", place / "out", make=["run"], comm=comm, quiet=True)
    summary = json.loads((place / "out" / "run" / "summary.json").read_text())
    width, bar = (
        summary["lesion"]["isotherm_50C"]["width_mm"],
        summary["numerics"]["error_bar"]["isotherm_50C.width_mm"],
    )
    (row,) = (row for row in cells(document) if row[0] == "lesion.isotherm_50C.width_mm" and "±" in row[-1])
    assert float(row[1]) == pytest.approx(width, rel=1e-3)
    assert float(row[2].removeprefix("± ")) == pytest.approx(bar, rel=0.1)
    assert any("exceeds the accepted 0.001" in gap.text for gap in document.gaps)
    assert ("run", "case_sha256", summary["provenance"]["case_sha256"]) in cells(document)
    methods = (place / "out" / "credibility.md").read_text().split("Methods, for a paper")[1]
    assert f"{summary['numerics']['nodes']} nodes" in methods and "Pennes" in methods
    again = rfa.write_credibility(place / "case.toml", place / "out")  # finds the run beside the document
    assert not [gap for gap in again.gaps if "no finished run" in gap.text]


def test_the_command_takes_a_study_and_lists_the_gaps(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = rfa.run_study(place / "study.toml", place / "studied", jobs=1)
    assert study.complete
    assert (
        main(["credibility", str(place / "case.toml"), "--study", str(study.directory), "-o", str(place / "page")]) == 0
    )
    printed = capsys.readouterr().out
    assert (
        "rfablate verify" in printed
        and "rfablate converge" in printed
        and "The ranges of 1 uncertain inputs" in printed
    )
    page = (place / "page" / "credibility.html").read_text()
    found = study.uncertainty
    assert found is not None and f"{found.bands[0].draws} draws" in page and found.rankings[0].measure in page
    assert "uniform" in page and "How wide is the lesion?" in page


def test_a_verification_of_this_installation_is_recognised(comm: MPI.Comm, tmp_path: Path, place: Path) -> None:
    from rfablate.evidence.verification import CHECKS, Setting, verify_installation

    checks = tuple(each for each in CHECKS if each.id in ("damage", "step splitting"))
    verify_installation(Setting(comm, tmp_path, lambda case, directory: {}), checks)
    document = rfa.write_credibility(place / "case.toml", tmp_path / "out", verification=tmp_path)
    assert not [gap for gap in document.gaps if gap.part.startswith("Code verification")]
    assert any(row[0] == "damage" and row[-1] == "PASS" for row in cells(document))
