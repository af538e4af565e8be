"""A study of real runs, by the command line: its rows are what `rfablate run` gives for the same changes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from mpi4py import MPI

from rfablate.case.load import load_case
from rfablate.run import run
from tests.pure.test_cli import rfablate

CASE = Path(__file__).parents[2] / "cases" / "needle_benchmark"
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
    """A 5 mm tip gives two times from one run; one longer than the domain is refused, apart."""
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
        summary = run(load_case(CASE, changes), tmp_path / f"own-{row['generator.hold_s']}", MPI.COMM_SELF).summary
        width = summary["lesion"]["isotherm_50C"]["width_mm"]
        between_steps = 1e-6 if row["generator.hold_s"] == "40" else 0.02
        assert float(row["lesion.isotherm_50C.width_mm"]) == pytest.approx(width, rel=between_steps)
    again = rfablate("study", tmp_path / "tips.toml", "-o", tmp_path / "out")
    assert "from before: 1 completed, 1 failed; 0 to run" in again.stdout
