"""Curved tips: centre line, metal, and faults of impossible ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rfablate.case.describe.case_text import describe_case
from rfablate.case.geometry.applicator_axes import applicator_frame
from rfablate.case.geometry.applicator_parts import active_line, in_cannula
from rfablate.case.read.case_file import dump_case, parse_case
from rfablate.case.tables.geometry_tables import Applicator
from rfablate.errors import CaseError, Fault
from rfablate.physics.library import applicator_model, applicator_names
from rfablate.toml import tomllib

MM = 1e-3
CYLINDER = {"kind": "cylinder", "radius_mm": 40, "height_mm": 80, "tissue": "muscle"}


def cannula(**keys: Any) -> Applicator:
    return Applicator.model_validate({"outer_diameter_mm": 1.0, "active_tip_mm": 10.0, **keys})


def quarter(**keys: Any) -> Applicator:
    """Bent by a right angle over 5 pi mm: a radius of 10 mm."""
    return cannula(bend={"angle_deg": 90.0, "length_mm": 5 * np.pi, **keys})


def test_a_quarter_circle_runs_from_below_the_shaft_to_its_side() -> None:
    """Tip at the origin, bent to +x: the shaft stands at x = -10, the bend begins at z = 10."""
    frame = applicator_frame(quarter())
    s = np.array([0.0, 2.5 * np.pi, 5 * np.pi, 5 * np.pi + 7]) * MM
    half = 10 * np.sqrt(0.5)
    wanted = [[0, 0, 0], [-half, 0, 10 - half], [-10, 0, 10], [-10, 0, 17]]
    np.testing.assert_allclose(frame.centre_line(s) / MM, wanted, atol=1e-9)
    np.testing.assert_allclose(frame.direction(0.0), [-1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(frame.direction(20 * MM), [0, 0, 1], atol=1e-12)


@pytest.mark.parametrize("azimuth", [0.0, 130.0])
def test_coordinates_undo_at(azimuth: float) -> None:
    applicator = cannula(bend={"angle_deg": 40.0, "length_mm": 12.0, "azimuth_deg": azimuth}, direction=[0.3, -1, 0.5])
    rng = np.random.default_rng(0)
    given = rng.uniform([-1, -1, -2], [1, 1, 25], (500, 3)) * MM
    frame = applicator_frame(applicator)
    np.testing.assert_allclose(frame.coordinates(frame.at(*given.T)), given, atol=1e-12)


def test_a_bent_rod_has_the_volume_of_a_straight_one() -> None:
    """Pappus: section times length of the centre line; by counting points."""
    applicator = cannula(bend={"angle_deg": 60.0}, shaft_length_mm=14.0)
    line = applicator_frame(applicator).centre_line(np.linspace(0.0, 14 * MM, 100))
    lower, upper = line.min(axis=0) - 0.6 * MM, line.max(axis=0) + 0.6 * MM
    points = np.random.default_rng(0).uniform(lower, upper, (400_000, 3))
    found = np.prod(upper - lower) * in_cannula(applicator, points).mean()
    assert found == pytest.approx(np.pi * (0.5 * MM) ** 2 * 14 * MM, rel=0.02)


def test_a_bevel_is_a_plane_across_the_end_of_the_bend() -> None:
    """At 30 degrees to the direction at the tip, as for a straight cannula."""
    bent, straight = (each.model_copy(update={"tip_shape": "bevel"}) for each in (quarter(), cannula()))
    local = np.random.default_rng(1).uniform([-0.3, -0.3, 0], [0.3, 0.3, 1.0], (2000, 3)) * MM
    end = applicator_frame(bent).at_tip()
    np.testing.assert_array_equal(in_cannula(bent, end.at(*local.T)), in_cannula(straight, local))


def test_extents_are_measured_along_the_chord() -> None:
    tip, direction, length = active_line(cannula(bend={"angle_deg": 90.0}))
    assert length == pytest.approx(10 * MM * np.sin(np.pi / 4) / (np.pi / 4))
    np.testing.assert_allclose(direction, [-np.sqrt(0.5), 0, np.sqrt(0.5)])
    assert tip.tolist() == [0, 0, 0]
    assert active_line(cannula())[2] == 10 * MM


def case_data(domain: dict[str, Any] = CYLINDER, **keys: Any) -> dict[str, Any]:
    return {
        "domain": domain,
        "applicators": [{"outer_diameter_mm": 1.0, "active_tip_mm": 10.0, **keys}],
        "generator": {"kind": "power", "power_W": 1, "duration_s": 60},
    }


def faults_of(domain: dict[str, Any] = CYLINDER, **keys: Any) -> list[Fault]:
    try:
        parse_case(case_data(domain, **keys))
    except CaseError as error:
        return error.faults
    return []


def test_a_sound_bend_is_described_and_comes_back_from_the_file() -> None:
    case = parse_case(case_data(bend={"angle_deg": 15.0, "azimuth_deg": 90.0}))
    assert parse_case(tomllib.loads(dump_case(case))) == case
    assert "tip bent by 15 degrees over 10 mm, a radius of 38.2 mm, towards (0, 1, 0)" in describe_case(case)


@pytest.mark.parametrize(
    ("keys", "where", "words"),
    [
        ({"bend": {"angle_deg": 0.0}}, "bend.angle_deg", "above 0"),
        ({"bend": {"angle_deg": 120.0}}, "bend.angle_deg", "at most 90"),
        ({"bend": {"angle_deg": 60.0, "length_mm": 1.0}}, "bend.angle_deg", "kink"),
        ({"bend": {"angle_deg": 20.0, "length_mm": 15.0}, "shaft_length_mm": 12.0}, "bend.length_mm", "metal length"),
        ({"bend": {"angle_deg": 20.0}, "tip_shape": "conical"}, "bend", "a bevelled or blunt end"),
        ({"bend": {"angel_deg": 20.0}}, "bend.angel_deg", "angle_deg"),
    ],
)
def test_impossible_bends_are_refused(keys: dict[str, Any], where: str, words: str) -> None:
    faults = [fault for fault in faults_of(**keys) if fault.where == f"applicators[0].{where}"]
    assert len(faults) == 1
    assert words in str(faults[0])


def test_a_curved_tip_has_no_tines() -> None:
    tines = {"count": 3, "diameter_mm": 0.3, "length_mm": 3.0, "offset_mm": 0.3}
    assert [fault.where for fault in faults_of(bend={"angle_deg": 20.0}, tines=tines)] == ["applicators[0].bend"]


def test_the_half_plane_has_no_curved_tip() -> None:
    flat = {**CYLINDER, "kind": "axisymmetric"}
    (fault,) = faults_of(flat, bend={"angle_deg": 15.0})
    assert fault.where == "applicators[0].bend"
    assert "not rotationally symmetric" in str(fault) and 'domain.kind="cylinder"' in str(fault)


def test_a_shaft_that_leaves_the_domain_by_its_bend_is_refused() -> None:
    """10 mm from the boundary suffice for a straight cannula; bent by 90 degrees over 18 mm the shaft is outside."""
    place = {"tip_mm": [-30.0, 0.0, 0.0], "active_tip_mm": 18.0}
    assert faults_of(**place) == []
    assert any("not far enough inside the domain" in str(each) for each in faults_of(**place, bend={"angle_deg": 90.0}))


def test_the_library_s_curved_cannulae_are_its_straight_ones_bent() -> None:
    curved = [name for name in applicator_names() if "-curved" in name]
    assert {"cannula-20g-10mm-curved", "cannula-18g-10mm-blunt-curved-tube"} <= set(curved)
    for name in curved:
        model = applicator_model(name)
        assert model.pop("bend")["angle_deg"] == 15.0
        assert model == applicator_model(name.replace("-curved", ""))


def test_a_case_may_change_one_number_of_a_model_s_bend() -> None:
    data = case_data()
    data["applicators"] = [{"model": "cannula-20g-10mm-curved", "bend": {"azimuth_deg": 180.0}}]
    bend = parse_case(data).applicators[0].bend
    assert bend is not None and (bend.angle, bend.azimuth) == (15.0, 180.0)
