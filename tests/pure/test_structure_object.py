"""A Python object as the shape of a structure: what is required of it, in the order of the checks; its samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rfablate.case.checks.all_checks import check_case
from rfablate.case.describe.case_text import describe_case
from rfablate.case.geometry.shapes import sample_points
from rfablate.case.read.case_file import load_case, parse_case
from rfablate.errors import CaseError
from rfablate.problem.extensions import Extensions


class Bar:
    """A box along z with its centre at `centre`; the tests replace single methods."""

    centre, half = np.array([0.0, 0.0, -0.01]), np.array([1e-3, 1e-3, 4e-3])

    def distance(self, points: np.ndarray) -> Any:
        beyond = np.abs(points - self.centre) - self.half
        return np.linalg.norm(np.maximum(beyond, 0.0), axis=1) + np.minimum(beyond.max(axis=1), 0.0)

    def bounds(self) -> Any:
        return np.array([self.centre - self.half, self.centre + self.half])

    def thinnest(self) -> float:
        return 2e-3


class Rod(Bar):
    """The same with a circular cross section."""

    def distance(self, points: np.ndarray) -> Any:
        across = np.hypot(*points[:, :2].T) - self.half[0]
        along = np.abs(points[:, 2] - self.centre[2]) - self.half[2]
        return np.hypot(np.maximum(across, 0.0), np.maximum(along, 0.0)) + np.minimum(np.maximum(across, along), 0.0)


def case_of(kind: str = "cylinder", **keys: Any) -> Any:
    return parse_case(
        {
            "domain": {"kind": kind, "radius_mm": 25, "height_mm": 60, "tissue": "liver"},
            "structures": [{"kind": "object", "name": "bar", "tissue": "muscle", "role": "target", **keys}],
            "applicators": [{"model": "cannula-18g-10mm-blunt"}],
            "generator": {"kind": "power", "power_W": 5, "duration_s": 60},
        }
    )


def faults_of(shape: Any) -> list[str]:
    with pytest.raises(CaseError) as caught:
        Extensions(structures={"bar": shape}).applied_to(case_of())
    assert all(each.where.startswith("extensions.structures.bar") for each in caught.value.faults)
    return [f"{each.where}: {each.found}" for each in caught.value.faults]


def test_a_case_file_with_an_object_can_be_read_checked_and_described(tmp_path: Any) -> None:
    case = load_case(case_of().save(tmp_path / "case.toml"))
    assert check_case(case) == [] and "Python object" in describe_case(case)
    placed = Extensions(structures={"bar": Bar()}).applied_to(case)
    assert check_case(placed) == [] and "Bar, (2, 2, 8) mm, at (0, 0, -10) mm" in describe_case(placed)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("bounds", lambda self: np.zeros(3), "bounds"),
        ("bounds", lambda self: Bar.bounds(self)[::-1], "bounds"),
        ("thinnest", lambda self: 2.0, "thinnest: found 2"),
        ("distance", lambda self, points: np.zeros((len(points), 1)), "distance: found values of shape"),
        ("distance", lambda self, points: np.full(len(points), np.nan), "distance: found inf or NaN"),
        ("distance", lambda self, points: 1e3 * Bar.distance(self, points), "distance: found a change of"),
        ("distance", lambda self, points: -Bar.distance(self, points), "outside the bounds"),
    ],
)
def test_an_unsuitable_object_is_refused(name: str, value: Any, said: str) -> None:
    assert said in "; ".join(faults_of(type("Wrong", (Bar,), {name: value})()))


def test_an_object_without_a_method_is_refused() -> None:
    assert "without the method distance" in faults_of(object())[0]


def test_objects_and_structures_must_match() -> None:
    with pytest.raises(CaseError) as caught:
        Extensions(structures={"rod": Bar()}).applied_to(case_of())
    assert [each.where for each in caught.value.faults] == ["extensions.structures.rod", "extensions.structures.bar"]


def test_objects_are_checked_where_they_lie() -> None:
    """The checks of all structures apply: outside the domain, off the axis, a flow without a meshed wall."""
    far = type("Far", (Bar,), {"centre": np.array([0.2, 0.0, 0.0])})()
    (fault,) = check_case(Extensions(structures={"bar": far}).applied_to(case_of()))
    assert "entirely outside the domain" in fault.found
    for shape, count in ((Rod(), 0), (Bar(), 1)):
        assert len(check_case(Extensions(structures={"bar": shape}).applied_to(case_of("axisymmetric")))) == count
    flow = {"velocity_m_per_s": 0.1, "diameter_mm": 2, "length_mm": 8}
    vessel = case_of("axisymmetric", tissue="blood", flow=flow)
    (fault,) = check_case(Extensions(structures={"bar": Rod()}).applied_to(vessel))
    assert "surface is not meshed" in fault.found


def test_samples_lie_in_the_object_and_half_of_them_near_its_surface() -> None:
    (structure,) = Extensions(structures={"bar": Bar()}).applied_to(case_of()).structures
    points = sample_points(structure, np.array([[-0.05] * 3, [0.05] * 3]))
    distance = Bar().distance(points)
    assert len(points) > 1000 and (distance <= 0.0).all()
    assert 0.4 < (distance > -1e-5).mean() < 0.8
    outline = structure.outline_points(0.5e-3, 5000)
    assert np.abs(Bar().distance(outline)).max() < 0.05e-3 and np.ptp(outline[:, 1]) == 0.0
    assert 0.5 < len(outline) / (2 * (2 + 8) / 0.5) < 3.0


def test_equal_shapes_share_a_fingerprint() -> None:
    prints = [
        Extensions(structures={"bar": shape}).applied_to(case_of()).structures[0].fingerprint()
        for shape in (Bar(), Bar(), Rod())
    ]
    assert prints[0] == prints[1] != prints[2]
