"""Shapes: inclusion agrees with geometry, distances are lower bounds, samples lie inside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from rfablate.case.geometry.applicator_axes import applicator_frame
from rfablate.case.geometry.applicator_parts import in_metal
from rfablate.case.geometry.shapes import axis_at, bounding_box, contains, sample_points, signed_distance
from rfablate.case.tables.geometry_tables import Applicator, CylinderDomain, Structure
from rfablate.case.tables.structure_kinds import KINDS

ADAPTER: TypeAdapter[Any] = TypeAdapter(Structure)
BENT = [[0, 0, 0], [10, 0, 0], [10, 10, 0]]
SHAPES = {
    "sphere": {"centre_mm": [1, 2, 3], "radius_mm": 4},
    "ellipsoid": {"centre_mm": [1, 2, 3], "semi_axes_mm": [2, 8, 4]},
    "box": {"centre_mm": [1, 2, 3], "size_mm": [2, 8, 4]},
    "tube": {"path_mm": BENT, "diameter_mm": 2},
    "cylinder": {"start_mm": [0, 0, 0], "end_mm": [3, 4, 12], "diameter_mm": 5},
    "slab": {"point_mm": [0, 0, 5], "normal": [0, 1, 1], "thickness_mm": 3},
    "half_space": {"point_mm": [0, 0, 5], "normal": [0, 0, -2]},
}
WINDOW = np.array([[-20e-3] * 3, [20e-3] * 3])
VOLUMES_MM3 = {
    "sphere": 4 / 3 * np.pi * 64,
    "ellipsoid": 4 / 3 * np.pi * 64,
    "box": 64,
    # two cylinders that overlap at the bend, plus the part of the ball outside both
    "tube": None,
    "cylinder": np.pi * 6.25 * 13,
}


def shape(kind: str, **keys: Any) -> Any:
    return ADAPTER.validate_python({"name": "s", "tissue": "nerve", "kind": kind, **SHAPES[kind], **keys})


def cannula(**keys: Any) -> Applicator:
    return Applicator.model_validate({"outer_diameter_mm": 1.0, "active_tip_mm": 5.0, **keys})


def cloud(count: int = 60000) -> np.ndarray:
    return np.random.default_rng(1).uniform(WINDOW[0], WINDOW[1], (count, 3))


def test_every_kind_is_tested_here() -> None:
    """Labels and surfaces have no formula: test_label_image.py, test_surfaces.py and tests/physics test them.

    The shapes of objects are the user's: test_structure_object.py and tests/physics/test_extensions.py.
    """
    assert set(SHAPES) == set(KINDS) - {"label", "surface", "object"}


@pytest.mark.parametrize("kind", SHAPES)
def test_samples_lie_in_the_shape_and_in_its_bounding_box(kind: str) -> None:
    points = sample_points(shape(kind), WINDOW)
    lower, upper = bounding_box(shape(kind))
    assert len(points) > 100
    assert contains(shape(kind), points).all()
    assert (points >= lower - 1e-12).all() and (points <= upper + 1e-12).all()
    assert np.array_equal(points, sample_points(shape(kind), WINDOW))


@pytest.mark.parametrize("kind", SHAPES)
def test_nothing_of_a_shape_is_outside_its_bounding_box(kind: str) -> None:
    points = cloud()
    inside = points[contains(shape(kind), points)]
    lower, upper = bounding_box(shape(kind))
    assert (inside >= lower - 1e-12).all() and (inside <= upper + 1e-12).all()


@pytest.mark.parametrize("kind", SHAPES)
def test_no_surface_is_nearer_than_the_signed_distance(kind: str) -> None:
    """Moving a point by less than the distance never crosses the surface."""
    points = cloud(4000)
    distance = signed_distance(shape(kind), points)
    steps = np.random.default_rng(2).normal(size=points.shape)
    steps *= (0.999 * np.abs(distance) / np.linalg.norm(steps, axis=1))[:, None]
    assert np.array_equal(contains(shape(kind), points + steps), distance <= 0)


@pytest.mark.parametrize("kind", [kind for kind, volume in VOLUMES_MM3.items() if volume])
def test_volumes_by_counting_points_match_the_formula(kind: str) -> None:
    share = contains(shape(kind), cloud(400000)).mean()
    assert share * 40.0**3 == pytest.approx(VOLUMES_MM3[kind], rel=0.1)


def test_a_tube_has_flat_ends_and_a_round_bend() -> None:
    points = 1e-3 * np.array([[-0.5, 0, 0], [0.5, 0, 0], [10.6, -0.6, 0], [10.9, -0.9, 0], [10, 10.5, 0]])
    assert contains(shape("tube"), points).tolist() == [False, True, True, False, False]


def test_a_half_space_is_where_its_normal_points() -> None:
    points = 1e-3 * np.array([[0, 0, 4], [9, 9, 6]])
    assert contains(shape("half_space"), points).tolist() == [True, False]
    assert signed_distance(shape("half_space"), points) == pytest.approx([-1e-3, 1e-3])


def test_distances_to_a_domain_are_exact() -> None:
    domain = CylinderDomain.model_validate({"kind": "cylinder", "radius_mm": 40, "height_mm": 80, "tissue": "fat"})
    points = 1e-3 * np.array([[0, 0, 0], [39, 0, 0], [0, 0, 38], [43, 0, 44]])
    assert signed_distance(domain, points) == pytest.approx([-40e-3, -1e-3, -2e-3, 5e-3])


@pytest.mark.parametrize("direction", [[0, 0, 1], [1, 0, 0], [1, 2, 3], [-0.3, 0, 0.1]])
def test_an_applicator_frame_is_right_handed_and_orthonormal(direction: list[float]) -> None:
    frame = applicator_frame(cannula(direction=direction))
    axes = np.stack([frame.u, frame.v, frame.axis])
    assert axes @ axes.T == pytest.approx(np.eye(3), abs=1e-14)
    assert np.linalg.det(axes) == pytest.approx(1.0)
    points = frame.at(np.array([1e-3]), np.array([2e-3]), np.array([3e-3]))
    assert frame.coordinates(points) == pytest.approx(np.array([[1e-3, 2e-3, 3e-3]]))


def test_metal_of_each_tip_shape() -> None:
    low_rim, far_rim, axis = [-0.49, 0, 0.1], [0.49, 0, 0.1], [0, 0, 0.1]
    points = 1e-3 * np.array([low_rim, far_rim, axis, [0.3, 0, 3], [0.6, 0, 3], [0, 0, -0.1]])
    assert in_metal(cannula(), points).tolist() == [True, True, True, True, False, False]
    assert in_metal(cannula(tip_shape="bevel"), points).tolist() == [True, False, False, True, False, False]
    turned = cannula(tip_shape="bevel", bevel_azimuth_deg=180.0)
    assert in_metal(turned, points).tolist() == [False, True, False, True, False, False]
    assert in_metal(cannula(tip_shape="conical"), points).tolist() == [False, False, True, True, False, False]
    assert in_metal(cannula(shaft_length_mm=2.0), points).tolist() == [True, True, True, False, False, False]


def test_the_axis_of_a_bent_tube_is_that_of_its_nearest_part() -> None:
    points = 1e-3 * np.array([[2.0, 0.5, 0.3], [10.4, 6.0, 0.0], [-1.0, 0.2, 0.0], [10.0, 12.0, 0.0]])
    assert axis_at(shape("tube"), points) == pytest.approx(np.array([[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 1, 0]]))
