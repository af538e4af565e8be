"""The data files of `rfablate validate`: what is read, and which faults are reported."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from rfablate.errors import CaseError
from rfablate.evidence.experiment_file import FOLDER, experiment_names, load_experiment

TOML = """
title = "Bench"
field = "pain"
citation = "own bench, 2026"
read_from = "own measurement"
full_text = true
access = "own notes"
conditions = "egg white"
boundary = "white"
assumptions = "none"
limits_set = 2026-11-30
limits_reason = "10 %"
[case]
file = "case.toml"
[[runs]]
name = "thin"
[[runs]]
name = "thick"
set = ["applicators.0.outer_diameter_mm=1.6"]
[[inputs]]
name = "boundary"
rules = ["isotherm_45C", "isotherm_55C"]
source = "assumed"
"""
CSV = """name,form,key,run,against,unit,measured,sd,n,u,low,high,limit
width,value,lesion.{rule}.width_mm,thin,,mm,6.0,0.4,4,0.1,,,0.6
gain,gain_percent,lesion.{rule}.width_mm,thick,thin,%,,,,,58,65,8
at most,value,lesion.{rule}.width_mm,thick,,mm,,,,0.2,,9,0.5
"""


def written(folder: Path, toml: str = TOML, csv: str = CSV) -> Path:
    """Write an experiment `bench` into a folder."""
    (folder / "bench.toml").write_text(toml, encoding="utf-8")
    (folder / "bench.csv").write_text(csv, encoding="utf-8")
    return folder


def test_an_experiment_is_read_with_its_rows(tmp_path: Path) -> None:
    found = load_experiment("bench", written(tmp_path))
    assert found.base_case == tmp_path / "case.toml"
    width, gain, bound = found.rows
    assert width.centre == 6.0 and width.uncertainty == pytest.approx(math.hypot(0.4 / 2, 0.1))
    assert gain.centre == 61.5 and gain.uncertainty == pytest.approx(7 / math.sqrt(12))
    assert bound.centre is None and bound.uncertainty == 0.2


@pytest.mark.parametrize(
    ("toml", "csv", "said"),
    [
        (TOML.replace('field = "pain"', 'field = "teeth"'), CSV, "field"),
        (TOML.replace("limits_set = 2026-11-30\n", ""), CSV, "limits_set"),
        (TOML + 'colour = "red"\n', CSV, "colour"),
        (TOML, CSV.replace("thick,thin", "thick,thinn"), "thinn"),
        (TOML, CSV.replace(",0.6", ","), "limit"),
        (TOML, CSV.replace(",0.6", ",about 1"), "limit"),
        (TOML, CSV.replace("6.0,0.4,4", ",0.4,4"), "either measured"),
        (TOML, CSV.replace("58,65", "65,58"), "low below high"),
        (TOML, CSV.replace("name,form", "name,shape"), "shape"),
        (TOML.replace('rules = ["isotherm_45C", "isotherm_55C"]', 'rules = ["isotherm_45C"]'), CSV, "two rules"),
        (TOML.replace('name = "thick"', 'name = "thin"'), CSV.replace("thick", "thin"), "more than once"),
        (TOML, CSV.splitlines()[0] + "\n", "at least one measured number"),
        (TOML + '[likely_reasons]\nheight = "no"\n', CSV, "likely_reasons.height"),
    ],
)
def test_faults_are_reported_with_their_place(tmp_path: Path, toml: str, csv: str, said: str) -> None:
    with pytest.raises(CaseError, match=said):
        load_experiment("bench", written(tmp_path, toml, csv))


def test_a_folder_without_experiments_is_refused(tmp_path: Path) -> None:
    (tmp_path / "alone.toml").write_text("title = 'no csv'", encoding="utf-8")
    with pytest.raises(CaseError, match="no experiment"):
        experiment_names(tmp_path)


@pytest.mark.parametrize("name", experiment_names())
def test_an_experiment_of_the_package_states_its_source(name: str) -> None:
    found = load_experiment(name)
    table = found.table
    assert table.citation and table.access and table.boundary and table.limits_reason
    assert table.address or "notes" in table.citation + table.access
    assert found.base_case.is_file()
    assert all(each.source for each in table.inputs)


def test_the_pack_has_pain_and_tumour_sources() -> None:
    tables = [load_experiment(name).table for name in experiment_names(FOLDER)]
    measured = [each for each in tables if each.kind == "experiment"]
    assert len(measured) >= 12
    assert {each.field for each in measured} >= {"pain", "tumour"}
