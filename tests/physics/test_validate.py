"""Validation runs: the package's benchmark, a user's folder, uncertain inputs, failing comparisons and failing runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mpi4py import MPI

from rfablate.api.evidence import validate
from rfablate.cli.main import main
from rfablate.evidence.experiment_file import FOLDER

TOML = """
title = "Bench"
field = "pain"
citation = "independent finite-volume solution"
read_from = "table"
full_text = true
access = "complete"
conditions = "short"
boundary = "isotherms"
assumptions = "none"
limits_set = 2026-11-30
limits_reason = "2 %"
[case]
file = "CASE"
set = ["mesh.accuracy=draft", "output.error_bar=false", CHANGES]
[[runs]]
name = "needle"
[[inputs]]
name = "boundary"
rules = ["isotherm_49C", "isotherm_51C"]
source = "assumed"
[[inputs]]
name = "k"
low = ["tissues.benchmark_tissue.k_W_per_mK=0.45"]
high = ["tissues.benchmark_tissue.k_W_per_mK=0.55"]
source = "assumed"
[likely_reasons]
all = "other tissue"
"""
CSV = """name,form,key,run,unit,measured,u,limit
width,value,lesion.{rule}.width_mm,needle,mm,10.36,0.01,0.21
"""


def bench(folder: Path, changes: str = "") -> Path:
    """Write a user's experiment on the needle benchmark (width 10.36 mm by the independent method)."""
    folder.mkdir()
    text = TOML.replace("CASE", str(FOLDER / "needle_model_case.toml")).replace("CHANGES", changes)
    (folder / "bench.toml").write_text(text, encoding="utf-8")
    (folder / "bench.csv").write_text(CSV, encoding="utf-8")
    return folder


def test_a_users_experiment_is_compared_and_its_inputs_are_varied(comm: MPI.Comm, tmp_path: Path) -> None:
    folder = comm.bcast(bench(tmp_path / "data") if comm.rank == 0 else None)
    place = comm.bcast(tmp_path / "out")
    found = validate(place, ["bench"], data=[folder], comm=comm, quiet=True)
    (width,) = found.numbers
    assert found.experiments[0].runs == 3
    assert abs(width.error) < 0.21 and width.verdict.startswith("PASS")
    # One kelvin of the boundary moves the width by about (10.36 - 8.01) / 5 mm.
    assert width.inputs["boundary"] == pytest.approx(2 * (10.36 - 8.01) / 5 / (2 * 3**0.5), rel=0.3)
    assert width.u_input > width.inputs["k"] > 0.0
    nominal = validate(place, "bench", data=[folder], vary_inputs=False, comm=comm, quiet=True)
    assert nominal.experiments[0].runs == 1 and not nominal.scope.vary_inputs
    assert nominal.numbers[0].u_input == pytest.approx(width.inputs["boundary"])
    if comm.rank == 0:
        kept = json.loads((place / "validation.json").read_text(encoding="utf-8"))
        assert kept["verdicts"]["FAIL"] == 0
        assert (place / "validation.html").is_file() and (place / "validation.md").is_file()


def test_another_tissue_fails_and_the_exit_code_stays_zero(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = bench(tmp_path / "data", '"tissues.benchmark_tissue.k_W_per_mK=0.8"')
    place = tmp_path / "out"
    assert main(["validate", "bench", "--data", str(folder), "-o", str(place)]) == 0
    printed = capsys.readouterr().out
    assert "FAIL" in printed and "other tissue" in printed
    before = (place / "runs" / "bench" / "needle" / "summary.json").stat().st_mtime_ns
    assert main(["validate", "bench", "--data", str(folder), "-o", str(place)]) == 0
    assert (place / "runs" / "bench" / "needle" / "summary.json").stat().st_mtime_ns == before, "a run was repeated"


def test_a_run_that_fails_is_reported_and_sets_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = bench(tmp_path / "data", '"solver.max_iterations=1"')
    assert main(["validate", "bench", "--data", str(folder), "-o", str(tmp_path / "out")]) == 1
    assert "NOT RUN" in capsys.readouterr().out


def test_a_fault_in_a_users_case_stops_before_the_first_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = bench(tmp_path / "data", '"tissues.benchmark_tissue.k_W_per_mKK=0.8"')
    assert main(["validate", "--data", str(folder), "-o", str(tmp_path / "out")]) == 2
    assert "k_W_per_mKK" in capsys.readouterr().err
    assert not (tmp_path / "out" / "runs").exists()
