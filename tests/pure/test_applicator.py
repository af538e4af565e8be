"""Tines and tubes: geometry, materials, and faults of impossible ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rfablate.case.geometry.applicator_parts import device_materials, in_metal, tines_of
from rfablate.case.read.case_file import dump_case, load_case, parse_case
from rfablate.case.tables.geometry_tables import Applicator
from rfablate.errors import CaseError, Fault
from rfablate.toml import tomllib

FOUR_ARM = Path(__file__).parents[2] / "cases" / "liver_four_arm"
MM = 1e-3


def electrode(**tines: Any) -> Applicator:
    keys = {"count": 4, "diameter_mm": 0.5, "length_mm": 20.0, "offset_mm": 0.5, **tines}
    return Applicator.model_validate({"outer_diameter_mm": 1.8, "active_tip_mm": 10.0, "tines": keys})


def test_the_arms_of_the_deck_are_half_circles_around_8_mm() -> None:
    """Major radius 7.5 mm, centres 8 mm from the axis at the height of the tip, at quarter turns."""
    arms = tines_of(load_case(FOUR_ARM).applicators[0])
    centres = np.array([arm.centre for arm in arms]) / MM
    np.testing.assert_allclose(centres, [[8, 0, 60], [0, 8, 60], [-8, 0, 60], [0, -8, 60]], atol=1e-9)
    points = arms[0].at(np.linspace(0, arms[0].length, 3)) / MM
    np.testing.assert_allclose(points, [[0.5, 0, 60], [8, 0, 52.5], [15.5, 0, 60]], atol=1e-3)


@pytest.mark.parametrize("keys", [{}, {"bend_radius_mm": 7.5}, {"bend_radius_mm": 30.0, "exit_angle_deg": 25.0}])
def test_a_tine_fills_its_length_times_its_section(keys: dict[str, float]) -> None:
    """By counting points (Pappus: also when bent); half the deployment gives half the metal."""
    whole, half = (tines_of(electrode(deployment=part, **keys))[0] for part in (1.0, 0.5))
    rng = np.random.default_rng(0)
    line = whole.at(np.linspace(0, whole.length, 200))
    lower, upper = line.min(axis=0) - whole.radius, line.max(axis=0) + whole.radius
    points = rng.uniform(lower, upper, (2_000_000, 3))
    box = float(np.prod(upper - lower))
    exact = np.pi * whole.radius**2 * whole.length
    assert box * whole.contains(points).mean() == pytest.approx(exact, rel=0.05)
    assert box * half.contains(points).mean() == pytest.approx(0.5 * exact, rel=0.08)


def test_the_centre_line_starts_at_the_exit_angle_and_turns_outwards() -> None:
    tine = tines_of(electrode(exit_angle_deg=30.0, bend_radius_mm=10.0, exit_mm=2.0))[0]
    ahead = np.array([0.0, 0.0, -1.0])
    np.testing.assert_allclose(tine.direction(0.0) @ ahead, np.cos(np.radians(30.0)))
    heights, radii = tine.at(np.linspace(0, tine.length, 50))[:, 2], tine.at(np.linspace(0, tine.length, 50))[:, 0]
    assert heights[0] == pytest.approx(2 * MM) and radii[0] == pytest.approx(0.5 * MM)
    assert heights.argmin() not in (0, 49) and np.all(np.diff(radii[:20]) > 0)


def test_metal_is_cannula_and_tines() -> None:
    points = np.array([[0, 0, 1], [5.25, 0, -5], [0.5, 0, -10], [0, 0, -10]]) * MM
    assert in_metal(electrode(), points).tolist() == [True, False, True, False]


def test_parts_of_one_material_are_one_region() -> None:
    applicator = electrode()
    assert device_materials(applicator) == {"cannula": "stainless_steel"}
    assert device_materials(electrode(metal="nitinol")) == {
        "cannula_tines": "nitinol",
        "cannula": "stainless_steel",
    }


def faults_of(**keys: Any) -> list[Fault]:
    data: dict[str, Any] = {
        "domain": {"kind": "cylinder", "radius_mm": 50, "height_mm": 100, "tissue": "liver"},
        "applicators": [
            {
                "outer_diameter_mm": 1.8,
                "active_tip_mm": 10.0,
                "tines": {"count": 4, "diameter_mm": 0.5, "length_mm": 20.0, "offset_mm": 0.5, **keys},
            }
        ],
        "generator": {"kind": "power", "power_W": 10, "duration_s": 60},
    }
    try:
        case = parse_case(data)
    except CaseError as error:
        return error.faults
    assert parse_case(tomllib.loads(dump_case(case))) == case
    return []


def test_sound_tines_have_no_fault_and_come_back_from_the_file() -> None:
    assert faults_of() == []
    assert faults_of(bend_radius_mm=7.5, deployment=0.5, metal="nitinol") == []


@pytest.mark.parametrize(
    ("keys", "where", "words"),
    [
        ({"offset_mm": 0.8}, "offset_mm", "outside the cannula"),
        ({"diameter_mm": 2.0}, "offset_mm", "radius for a diameter"),
        ({"exit_angle_deg": 20.0}, "exit_mm", "only if the tip is blunt"),
        ({"exit_mm": 12.0, "exit_angle_deg": 30.0}, "exit_mm", "insulated shaft"),
        ({"bend_radius_mm": 2.0}, "length_mm", "forms a ring"),
        ({"bend_radius_mm": 0.2}, "bend_radius_mm", "above the tine radius"),
        ({"offset_mm": 0.2}, "count", "tines touch"),
        ({"length_mm": 60.0}, "length_mm", "from the domain surface"),
        ({"count": 0}, "count", "at least 1"),
        ({"metal": "liver"}, "metal", "not a metal"),
        ({"deploymnt": 0.5}, "deploymnt", "deployment"),
    ],
)
def test_impossible_tines_are_refused(keys: dict[str, Any], where: str, words: str) -> None:
    faults = [fault for fault in faults_of(**keys) if fault.where == f"applicators[0].tines.{where}"]
    assert len(faults) == 1
    assert words in str(faults[0])


@pytest.mark.parametrize(
    ("keys", "where", "words"),
    [
        ({"wall_mm": 0.9}, "wall_mm", "no lumen is left"),
        ({"coolant": {"temperature_degC": 10}}, "wall_mm", "requires a tube"),
        ({"wall_mm": 0.2, "coolant": {"temperature_degC": 10}}, "sensor_offset_mm", "in the coolant"),
        ({"wall_mm": 0.2, "tip_shape": "conical", "lumen_start_mm": 0.5}, "lumen_start_mm", "not closed"),
        ({"wall_mm": 0.2, "lumen_material": "muscle"}, "lumen_material", "which conducts"),
        ({"insulation_mm": 0.05}, "insulation_mm", "axisymmetric"),
        ({"wall_mm": 0.2, "coolant": {"h_W_per_m2K": 100}}, "coolant.temperature_degC", "missing key"),
    ],
)
def test_impossible_tubes_are_refused(keys: dict[str, Any], where: str, words: str) -> None:
    data = {
        "domain": {"kind": "cylinder", "radius_mm": 50, "height_mm": 100, "tissue": "liver"},
        "applicators": [{"outer_diameter_mm": 1.8, "active_tip_mm": 10.0, **keys}],
        "generator": {"kind": "power", "power_W": 10, "duration_s": 60},
    }
    with pytest.raises(CaseError) as caught:
        parse_case(data)
    faults = [fault for fault in caught.value.faults if fault.where == f"applicators[0].{where}"]
    assert len(faults) == 1
    assert words in str(faults[0])


def test_tines_need_a_3d_domain() -> None:
    data = {
        "domain": {"kind": "axisymmetric", "radius_mm": 50, "height_mm": 100, "tissue": "liver"},
        "applicators": [{"model": "four-arm-15mm"}],
        "generator": {"kind": "power", "power_W": 10, "duration_s": 60},
    }
    with pytest.raises(CaseError) as caught:
        parse_case(data)
    assert [fault.where for fault in caught.value.faults] == ["applicators[0].tines"]


def test_keys_of_a_models_tines_can_be_changed_one_by_one_and_its_coolant_as_a_whole() -> None:
    data: dict[str, Any] = {
        "domain": {"kind": "cylinder", "radius_mm": 50, "height_mm": 100, "tissue": "liver"},
        "applicators": [{"model": "four-arm-15mm", "tines": {"deployment": 0.5}}],
        "generator": {"kind": "power", "power_W": 10, "duration_s": 60},
    }
    tines = parse_case(data).applicators[0].tines
    assert tines is not None and (tines.count, tines.deployment) == (4, 0.5)
    data["applicators"] = [{"model": "cooled-17g-4mm", "coolant": {"temperature_degC": 5}}]
    coolant = parse_case(data).applicators[0].coolant
    assert coolant is not None and (coolant.temperature, coolant.h) == (5.0, None)
