"""A study of real runs by the command line: its rows equal the results of `rfablate run` with the same changes."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from mpi4py import MPI

from rfablate.case.read.case_file import load_case
from rfablate.simulation.run import run
from tests.pure.test_cli import rfablate

CASE = Path(__file__).parents[2] / "cases" / "needle_benchmark"
COVERED = Path(__file__).parents[1] / "mpi" / "cases" / "axisymmetric.toml"
QUICK = ["mesh.accuracy=draft", "mesh.scale=2.0", "time.tolerance_K=1.0", "output.error_bar=false"]
STUDY = f"""base = "{CASE}"
set = {json.dumps(QUICK)}
[[axes]]
key = "applicators.0.active_tip_mm"
values = [5, 70]
[[axes]]
key = "generator.hold_s"
values = [20, 40]
from_history = true
"""


@pytest.mark.slow
def test_a_studys_rows_are_those_of_single_runs(tmp_path: Path) -> None:
    """A 5 mm tip gives two times from one run; a tip longer than the domain is rejected and reported separately."""
    (tmp_path / "tips.toml").write_text(STUDY)
    done = rfablate("study", tmp_path / "tips.toml", "-o", tmp_path / "out")
    with (tmp_path / "out" / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert done.returncode == 1, done.stderr
    assert [row["status"] for row in rows] == ["completed", "completed", "failed", "failed"]
    assert "applicators[0]" in rows[2]["reason"]
    assert (tmp_path / "out" / "study.html").is_file()
    for row in rows[:2]:
        changes = [
            *QUICK,
            "applicators.0.active_tip_mm=5",
            f"generator.hold_s={row['generator.hold_s']}",
            "output.report=false",
        ]
        summary = run(
            load_case(CASE, changes), tmp_path / f"own-{row['generator.hold_s']}", MPI.COMM_SELF
        ).summary.tree()
        close = 1e-6 if row["generator.hold_s"] == "40" else 0.02  # different frame times, hence different steps
        for rule, lesion in summary["lesion"].items():
            for name, value in lesion.items():
                assert float(row[f"lesion.{rule}.{name}"]) == pytest.approx(value, rel=close, abs=3.0 * close), name
        assert float(row["energy.joule_J"]) == pytest.approx(summary["energy"]["joule_J"], rel=close)
    again = rfablate("study", tmp_path / "tips.toml", "-o", tmp_path / "out")
    assert "from earlier runs: 1 completed, 1 failed; 0 to run" in again.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_search_runs_its_members_on_as_many_ranks_as_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest hold gives the largest lesion; two ranks per run. Started again, it runs nothing."""
    if shutil.which("mpirun") is None:
        pytest.skip("no mpirun on the path")
    for name in ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "OMPI_MCA_mpi_yield_when_idle"):
        monkeypatch.setenv(name, "1")
    volume = "lesion.isotherm_50C.volume_mm3"
    changes = [part for change in (*QUICK, "generator.ramp_s=2") for part in ("--set", change)]
    question = ["find", COVERED, "--maximise", volume, "--vary", "generator.hold_s=1:3", *changes]
    question += ["--ranks", "2", "-j", "1", "-o", tmp_path / "out"]
    done = rfablate(*question, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "out" / "answer.json").read_text())
    assert found["answer"] == {"generator.hold_s": 3.0} and "at the end of its range" in done.stdout
    summaries = [json.loads(each.read_text()) for each in (tmp_path / "out" / "members").glob("*/summary.json")]
    assert len(summaries) == found["runs"] == 5 and {each["numerics"]["ranks"] for each in summaries} == {2}
    longest = max(summaries, key=lambda summary: summary["simulated_s"])
    assert longest["lesion"]["isotherm_50C"]["volume_mm3"] == found["numbers"][volume]
    again = rfablate(*question)
    assert again.returncode == 0 and "\nrun " not in again.stdout
