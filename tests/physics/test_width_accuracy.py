"""A wanted error bar of the width: the run finds its mesh and its tolerance, and its true error is within it."""

from __future__ import annotations

from pathlib import Path

import pytest

import rfablate as rfa
from rfablate.case.read.case_file import load_case
from tests.shipped import CASES

NEEDLE = CASES / "needle_benchmark"
QUICK = {"generator.hold_s": 5, "generator.ramp_s": 2, "output.report": False}
RULE = "isotherm_45C"


def _run(place: Path, **changes: object) -> rfa.RunResult:
    case = rfa.load_case(NEEDLE, {**QUICK, **{key.replace("__", "."): value for key, value in changes.items()}})
    return rfa.run(case, place, quiet=True)


@pytest.fixture(scope="module")
def fine(tmp_path_factory: pytest.TempPathFactory) -> float:
    """The width on a mesh three times as fine as that of standard accuracy."""
    result = _run(
        tmp_path_factory.mktemp("fine") / "run", mesh__scale=0.33, time__tolerance_K=0.02, output__error_bar=False
    )
    return float(result.lesion[RULE].width_mm)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[float, rfa.RunResult]:
    """Runs by their wanted error bar [%]."""
    folder = tmp_path_factory.mktemp("wanted")
    return {percent: _run(folder / str(percent), mesh__width_percent=percent) for percent in (4.0, 1.0)}


@pytest.mark.parametrize("percent", [4.0, 1.0])
def test_the_run_stops_at_the_wanted_error_bar(runs: dict[float, rfa.RunResult], fine: float, percent: float) -> None:
    result = runs[percent]
    lesion = result.lesion[RULE]
    bar = lesion.error_bar("width_mm")
    assert bar is not None and 0.0 < 100.0 * bar / lesion.width_mm <= percent
    assert abs(lesion.width_mm / fine - 1.0) <= percent / 100.0
    found = load_case(result.directory)
    assert found.mesh.width_percent is None and found.mesh.scale != 1.0
    assert found.time.tolerance == pytest.approx(0.1 * found.mesh.scale**2)
    log = (result.directory / "run.log").read_text(encoding="utf-8")
    assert "accuracy  the error bar of the width is" in log


def test_a_smaller_error_bar_takes_more_nodes(runs: dict[float, rfa.RunResult]) -> None:
    nodes = {percent: result.summary.numerics.nodes for percent, result in runs.items()}
    assert nodes[1.0] > 2 * nodes[4.0]


def test_a_table_is_another_way_to_write_it(tmp_path: Path) -> None:
    file = tmp_path / "case.toml"
    text = (NEEDLE / "case.toml").read_text(encoding="utf-8")
    file.write_text(text + "\n[mesh]\naccuracy = { width_percent = 1 }\n", encoding="utf-8")
    assert load_case(file).mesh.width_percent == 1.0 and load_case(file).mesh.accuracy == "standard"
    file.write_text(text + "\n[mesh]\naccuracy = { width_percent = 100 }\n", encoding="utf-8")
    with pytest.raises(rfa.CaseError, match=r"mesh\.width_percent"):
        load_case(file)


def test_without_a_lesion_there_is_one_run(tmp_path: Path) -> None:
    cold = {"generator.target_degC": 40, "lesion.rules": ["isotherm_50C"], **QUICK}
    result = rfa.run(rfa.load_case(NEEDLE, {**cold, "mesh.width_percent": 1}), tmp_path / "run", quiet=True)
    assert result.lesion["isotherm_50C"].volume_mm3 == 0.0
    log = (tmp_path / "run" / "run.log").read_text(encoding="utf-8")
    assert "there is nothing to refine for" in log
