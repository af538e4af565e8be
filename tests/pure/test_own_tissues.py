"""User-defined tissues, in the case or in a file: laws, units of perfusion, and faults."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rfablate.case.describe.case_text import describe_case
from rfablate.case.read.case_file import dump_case, load_case, parse_case
from rfablate.case.resolve.tissues import case_tissues
from rfablate.errors import CaseError
from rfablate.physics.library import tissue
from rfablate.toml import tomllib

BASE: dict[str, Any] = {
    "domain": {"kind": "axisymmetric", "radius_mm": 30, "height_mm": 60, "tissue": "muscle"},
    "applicators": [{"model": "cannula-22g-5mm-blunt"}],
    "generator": {"kind": "temperature", "target_degC": 80, "hold_s": 60},
}


def with_muscle(**keys: Any) -> dict[str, Any]:
    return {**copy.deepcopy(BASE), "tissues": {"muscle": keys}}


def muscle(**keys: Any) -> Any:
    return case_tissues(parse_case(with_muscle(**keys)))["muscle"]


def faults(**keys: Any) -> list[str]:
    with pytest.raises(CaseError) as caught:
        parse_case(with_muscle(**keys))
    return [str(fault) for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        # 0.0064 1/s in muscle of 1090 kg/m3 with blood of 1050 kg/m3, by hand
        ("perfusion_per_s", 0.0064),
        ("perfusion_mL_per_min_per_kg", 0.0064 * 60e6 / 1090),
        ("perfusion_mL_per_min_per_100g", 0.0064 * 6e6 / 1090),
        ("perfusion_kg_per_m3_s", 6.72),
    ],
)
def test_perfusion_is_taken_in_four_units_and_shown_in_all(key: str, value: float) -> None:
    assert muscle(**{key: value}).perfusion == pytest.approx(0.0064, rel=1e-9)
    said = describe_case(parse_case(with_muscle(**{key: value})))
    assert "0.0064 1/s = 352.3 mL/min/kg = 35.23 mL/min/100 g = 6.72 kg/m3/s" in said


def test_the_density_of_the_case_converts_its_perfusion() -> None:
    assert muscle(density_kg_per_m3=1000, perfusion_mL_per_min_per_kg=600).perfusion == pytest.approx(0.01)


def test_perfusion_in_two_units_is_refused() -> None:
    assert ["perfusion in one unit" in text for text in faults(perfusion_per_s=0.01, perfusion_kg_per_m3_s=10)] == [
        True
    ]


@pytest.mark.parametrize(
    ("key", "value", "hint"),
    [
        ("perfusion_per_s", 0.384, "per minute for per second? 0.0064 1/s"),
        ("perfusion_mL_per_min_per_100g", 860, "per kg for per 100 g? 86 mL/min/100 g"),
        ("perfusion_kg_per_m3_s", 384, "per minute for per second? 6.4 kg/m3/s"),
    ],
)
def test_a_perfusion_no_tissue_has_is_refused(key: str, value: float, hint: str) -> None:
    assert [hint in text for text in faults(**{key: value})] == [True]


def test_laws_are_linear_exponential_or_tables() -> None:
    T = np.array([60.0])
    assert muscle(sigma_slope_per_K=0.02).sigma_law(T)[0] == pytest.approx(1.46)
    assert muscle(sigma_law="exponential").sigma_law(T)[0] == pytest.approx(np.exp(0.015 * 23.0)), "the library's slope"
    made = muscle(sigma_table_degC=[20, 60, 100], sigma_table_S_per_m=[0.3, 0.7, 1.1])
    assert made.sigma == pytest.approx(0.47)
    assert made.sigma * made.sigma_law(T)[0] == pytest.approx(0.7)
    dry = muscle(sigma_dry_fraction=1e-3).sigma_law
    assert dry(np.array([105.0]))[0] == pytest.approx(1.945e-3)
    assert muscle(k_table_degC=[37, 90], k_table_W_per_mK=[0.5, 0.6]).k_law(np.array([90.0]))[0] == pytest.approx(1.2)


def test_a_table_alone_makes_a_tissue_complete() -> None:
    keys = {"density_kg_per_m3": 1000, "heat_capacity_J_per_kgK": 4000, "k_W_per_mK": 0.5, "perfusion_per_s": 0.0}
    case = {
        **copy.deepcopy(BASE),
        "tissues": {"gel": {**keys, "sigma_table_degC": [20, 100], "sigma_table_S_per_m": [1, 2]}},
    }
    case["domain"]["tissue"] = "gel"
    assert case_tissues(parse_case(case))["gel"].sigma == pytest.approx(1.2125)


@pytest.mark.parametrize(
    ("keys", "word"),
    [
        ({"sigma_table_degC": [20, 60]}, "sigma_table_S_per_m: missing key, although sigma_table_degC is given"),
        ({"sigma_table_degC": [20, 60], "sigma_table_S_per_m": [1, 2, 3]}, "found 3 values"),
        ({"sigma_table_degC": [60, 20], "sigma_table_S_per_m": [1, 2]}, "temperatures that do not increase"),
        ({"sigma_table_degC": [20, 60], "sigma_table_S_per_m": [0, 2]}, "values above 0"),
        ({"sigma_S_per_m": 1, "sigma_table_degC": [20, 60], "sigma_table_S_per_m": [1, 2]}, "only the table"),
        ({"sigma_law": "exponental"}, 'did you mean "exponential"?'),
        ({"damage_set": "livr"}, 'did you mean "liver"?'),
    ],
)
def test_a_law_that_cannot_be_meant_is_refused(keys: dict[str, Any], word: str) -> None:
    assert [word in text for text in faults(**keys)] == [True]


# --- tissues in a file ----------------------------------------------------------------------------

FILE = """
[tissues.muscle]
sigma_S_per_m = 0.6
k_W_per_mK = 0.5
[tissues.patient]
base = "fat"
source = "biopsy"
"""


def _case_with_file(folder: Path, case: str, file: str = FILE) -> Path:
    (folder / "mine.toml").write_text(file)
    path = folder / "case.toml"
    path.write_text(f'tissue_file = "mine.toml"\n{case}')
    return path


CASE = """
[domain]
kind = "axisymmetric"
radius_mm = 30
height_mm = 60
tissue = "muscle"
[tissues.muscle]
k_W_per_mK = 0.45
[[applicators]]
model = "cannula-22g-5mm-blunt"
[generator]
kind = "temperature"
target_degC = 80
hold_s = 60
"""


def test_tissues_come_from_a_file_and_the_case_overrides_them(tmp_path: Path) -> None:
    case = load_case(_case_with_file(tmp_path, CASE))
    made = case_tissues(case)["muscle"]
    assert (made.sigma, made.k, made.density) == (0.6, 0.45, tissue("muscle").density)
    assert made.source.startswith("case file: k, sigma; other values: sigma: Gabriel") and not made.checked
    assert "patient" not in case.tissues, "not used in the case"
    assert parse_case(tomllib.loads(dump_case(case)), "/elsewhere") == case, "the run's own case needs no file"


@pytest.mark.parametrize(
    ("file", "word"),
    [
        ("[tisues.muscle]\nk_W_per_mK = 1", 'found "tisues" in mine.toml'),
        ("[tissues.muscle]\nk_W_per_m = 1", "tissues.muscle.k_W_per_m: unknown key"),
        ("[tissues.muscle", "mine.toml"),
    ],
)
def test_faults_of_the_file_are_told(tmp_path: Path, file: str, word: str) -> None:
    with pytest.raises(CaseError, match=word):
        load_case(_case_with_file(tmp_path, CASE, file))


def test_a_missing_file_is_told_with_its_neighbour(tmp_path: Path) -> None:
    path = _case_with_file(tmp_path, CASE)
    path.write_text(path.read_text().replace("mine.toml", "mien.toml"))
    with pytest.raises(CaseError, match='did you mean "mine.toml"'):
        load_case(path)
