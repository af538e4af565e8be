"""A run from Python gives the numbers of the command line, typed, with history and fields; also on several ranks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import rfablate as rfa
from rfablate.cli.main import main
from tests.mpi.launch import launch
from tests.shipped import CASES

QUICK = {"mesh.accuracy": "draft", "generator.hold_s": 5, "output.report": False, "output.fields_interval_s": 5}
CASE = Path(__file__).parents[1] / "mpi" / "cases" / "axisymmetric.toml"


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> rfa.RunResult:
    """A quick run with an error bar."""
    case = rfa.load_case(CASES / "needle_benchmark").with_changes(QUICK)
    return rfa.run(case, tmp_path_factory.mktemp("api") / "run", quiet=True)


def test_numbers_are_those_of_the_summary(result: rfa.RunResult) -> None:
    summary = json.loads((result.directory / "summary.json").read_text())
    measures = result.lesion["isotherm_50C"]
    assert measures.width_mm == summary["lesion"]["isotherm_50C"]["width_mm"] > 1.0
    assert measures.error_bar("width_mm") == summary["numerics"]["error_bar"]["isotherm_50C.width_mm"] > 0.0
    assert result.energy.joule_J == summary["energy"]["joule_J"]
    assert summary["schema_version"] == result.summary.schema_version == 1
    assert result.completed and result.exceeded == ()
    assert f"{measures.width_mm:.2f}" in result.card and f"{measures.width_mm:.2f}" in repr(result)


def test_the_command_line_gives_the_same_numbers(result: rfa.RunResult, tmp_path: Path) -> None:
    sets = [part for key, value in QUICK.items() for part in ("--set", f"{key}={json.dumps(value)}")]
    assert main(["run", str(CASES / "needle_benchmark"), "-o", str(tmp_path / "run"), "--quiet", *sets]) == 0
    assert rfa.open_run(tmp_path / "run").lesion == result.lesion
    assert rfa.compare(result, tmp_path / "run").case == []


def test_the_case_and_the_history_come_back(result: rfa.RunResult) -> None:
    assert result.case.generator.hold == 5.0
    times = np.asarray(result.history["time_s"])
    assert times[-1] == result.summary.simulated_s and (np.diff(times) > 0.0).all()


def test_fields_are_grids_with_names(result: rfa.RunResult) -> None:
    grid = result.fields.at(result.fields.times_s[-1])
    assert grid.point_data["temperature_degC"].max() > 60.0
    assert set(grid.cell_data["region_name"]) == set(result.fields.regions.values())
    with pytest.raises(rfa.CaseError, match="the nearest output time is"):
        result.fields.at(1.23456)


def test_a_directory_in_use_is_refused(result: rfa.RunResult) -> None:
    with pytest.raises(rfa.CaseError, match="overwrite"):
        rfa.run(result.case, result.directory, quiet=True)


def test_a_script_runs_on_several_ranks(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"import rfablate as rfa\nresult = rfa.run({str(CASE)!r}, {str(tmp_path / 'run')!r}, quiet=True)\n"
        "print(f'width {result.lesion[\"isotherm_50C\"].width_mm:.6f}')\n"
    )
    done = launch(2, [script])
    assert done.code == 0, done.text
    width = rfa.open_run(tmp_path / "run").lesion["isotherm_50C"].width_mm
    assert done.text.count(f"width {width:.6f}") == 2
    assert rfa.open_run(tmp_path / "run").summary.provenance.ranks == 2


def test_the_first_snippet_of_the_python_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Word for word, but for where it writes and that no window opens."""
    import re

    import pyvista

    shown = []
    monkeypatch.setattr(pyvista.DataSet, "plot", lambda mesh, **options: shown.append((mesh.n_points, options)))
    monkeypatch.chdir(CASES.parent)
    page = Path("docs/python.md").read_text(encoding="utf-8")
    code = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)[0]
    assert "runs/hotter" in code
    exec(code.replace("runs/hotter", str(tmp_path / "hotter")), {})
    assert shown[0][0] > 100 and shown[0][1]["scalars"] == "temperature_degC"
    assert rfa.open_run(tmp_path / "hotter").case.generator.target == 75.0
