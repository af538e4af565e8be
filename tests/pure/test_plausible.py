"""Implausible values are reported before the solve, with the probable intention."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from rfablate.case.checks.all_checks import case_warnings
from rfablate.case.read.case_file import parse_case
from rfablate.errors import CaseError

BASE: dict[str, Any] = {
    "domain": {"kind": "cylinder", "radius_mm": 40, "height_mm": 80, "tissue": "liver"},
    "applicators": [{"model": "cannula-20g-10mm-blunt"}],
    "generator": {"kind": "temperature", "target_degC": 80, "hold_s": 60},
}


def case(**keys: Any) -> dict[str, Any]:
    return {**copy.deepcopy(BASE), "tissues": {"liver": keys}}


@pytest.mark.parametrize(
    ("key", "value", "hint"),
    [
        ("density_kg_per_m3", 1.06, "g/cm3 for kg/m3? 1060"),
        ("heat_capacity_J_per_kgK", 3.54, "kJ for J? 3540"),
        ("heat_capacity_J_per_kgK", 3.8e6, "J/(m3 K) for J/(kg K)? 3800"),
        ("k_W_per_mK", 0.0052, "W/(cm K) for W/(m K)? 0.52"),
        ("k_W_per_mK", 520.0, "mW for W? 0.52"),
        ("sigma_S_per_m", 0.00148, "S/cm for S/m? 0.148"),
        ("sigma_S_per_m", 148.0, "mS/m for S/m? 0.148"),
        ("sigma_S_per_m", 6.76, "a resistivity for a conductivity? 0.1479"),
        ("perfusion_per_s", 0.000107, "per second for per minute? 0.00642"),
    ],
)
def test_a_slip_of_unit_is_refused_or_warned_of(key: str, value: float, hint: str) -> None:
    """Rejected if no tissue has the value; a warning if another tissue has it."""
    try:
        said = case_warnings(parse_case(case(**{key: value})))
    except CaseError as error:
        said = [str(fault) for fault in error.faults]
    assert [hint in text and f"tissues.liver.{key}" in text for text in said] == [True]


def test_what_no_tissue_has_is_refused() -> None:
    for key, value in (("k_W_per_mK", 520.0), ("density_kg_per_m3", 1.06), ("sigma_S_per_m", 148.0)):
        with pytest.raises(CaseError, match=key):
            parse_case(case(**{key: value}))


def test_a_value_outside_its_tissue_s_range_is_a_warning() -> None:
    warnings = case_warnings(parse_case(case(sigma_S_per_m=0.6)))
    assert any("0.6 is outside the range of liver, 0.148 to 0.333" in warning for warning in warnings)
    assert case_warnings(parse_case(case(sigma_S_per_m=0.333, perfusion_per_s=0.0064, k_W_per_mK=0.5))) == []


def test_the_whole_range_of_the_literature_and_bloodless_tissue_pass() -> None:
    for keys in ({"sigma_S_per_m": 0.148}, {"perfusion_mL_per_min_per_kg": 356.0}, {"perfusion_per_s": 0.0}):
        assert case_warnings(parse_case(case(**keys))) == []


def test_a_perfusion_is_judged_in_its_own_unit() -> None:
    warnings = case_warnings(parse_case(case(perfusion_mL_per_min_per_100g=3.0)))
    assert [warning.startswith("tissues.liver.perfusion_mL_per_min_per_100g: 0.0005395") for warning in warnings] == [
        True
    ]


@pytest.mark.parametrize(
    ("diameter", "hint"),
    [(0.454, "a radius for a diameter? 20G has 0.908 mm"), (2.54, "twice the diameter? 18G has 1.27 mm")],
)
def test_a_radius_for_a_diameter_is_a_warning(diameter: float, hint: str) -> None:
    data = copy.deepcopy(BASE)
    data["applicators"][0]["outer_diameter_mm"] = diameter
    assert any(hint in warning for warning in case_warnings(parse_case(data)))


@pytest.mark.parametrize("diameter", [0.642, 0.7, 0.9081, 1.0, 1.651])
def test_a_gauge_s_own_diameter_is_none(diameter: float) -> None:
    data = copy.deepcopy(BASE)
    data["applicators"][0]["outer_diameter_mm"] = diameter
    assert case_warnings(parse_case(data)) == []


def test_metres_for_millimetres_are_refused() -> None:
    data = copy.deepcopy(BASE)
    sphere = {"name": "it", "kind": "sphere", "centre_mm": [0, 0, -5], "radius_mm": 0.003, "tissue": "fat"}
    with pytest.raises(CaseError, match="m for mm\\? 3 mm"):
        parse_case({**data, "structures": [sphere]})
    data["applicators"][0]["active_tip_mm"] = 0.01
    with pytest.raises(CaseError, match="m for mm\\? 10 mm"):
        parse_case(data)
