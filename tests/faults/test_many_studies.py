"""Eight studies at once in one folder: each completes, with its own results.

| law                                                        | allowed                                  |
|------------------------------------------------------------|------------------------------------------|
| eight studies with other names, started at the same moment | all exit 0, all members completed        |
| results of equal members of different studies              | equal                                    |
| processes and temporary folders left                       | none                                     |
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.faults.commands import CASE, begin

STUDIES = 8


@pytest.mark.faults
def test_eight_studies_at_once_in_one_folder(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "case.toml").write_bytes(CASE.read_bytes())
    text = 'base = "case.toml"\nset = ["output.observe_at_s=[]", "generator.ramp_s=0.5"]\n'
    text += '[[axes]]\nkey = "generator.hold_s"\nvalues = [0.5, 1.0]\n'
    for number in range(STUDIES):
        (tmp_path / f"study{number}.toml").write_text(text)
    env = {"TMPDIR": str(tmp_path / "tmp"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    live = [
        begin("study", tmp_path / f"study{n}.toml", "-o", tmp_path / f"out{n}", env=env, cwd=tmp_path)
        for n in range(STUDIES)
    ]
    said = [process.communicate(timeout=800) for process in live]
    assert [process.returncode for process in live] == [0] * STUDIES, said
    tables = []
    for number in range(STUDIES):
        with (tmp_path / f"out{number}" / "table.csv").open(newline="") as file:
            tables.append(list(csv.DictReader(file)))
    assert all(row["status"] == "completed" for table in tables for row in table)
    widths = [[row["lesion.isotherm_50C.width_mm"] for row in table] for table in tables]
    assert all(each == widths[0] for each in widths)
    assert not list((tmp_path / "tmp").iterdir())
