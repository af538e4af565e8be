"""Distances between points and a lesion surface."""

from __future__ import annotations

import numpy as np
import pytest

from rfablate.arrays import FloatArray
from rfablate.lesion.surface_distance import distances, extreme_distance

TETRAHEDRON = np.array([[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]])
FACES: FloatArray = TETRAHEDRON[[[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]]]


@pytest.mark.parametrize(
    ("point", "distance"),
    [
        ((0.0, 0.0, 0.0), 1 / np.sqrt(3.0)),  # the centre: to every face
        ((3.0, 3.0, 3.0), 2 * np.sqrt(3.0)),  # beyond a corner
        ((-3.0, -3.0, -3.0), 8 / np.sqrt(3.0)),  # beyond a face, whose plane is x + y + z = -1
        ((0.0, 0.0, 4.0), 3.0),  # beyond the edge at z = 1
        ((1.0, 1.0, 1.0), 0.0),
    ],
)
def test_distance_from_a_tetrahedron(point: tuple[float, float, float], distance: float) -> None:
    assert distances(np.array([point]), FACES) == pytest.approx(distance, abs=1e-14)


def test_distance_from_segments() -> None:
    """Beside a segment, beyond its end, and to the nearer of two."""
    segments = np.array([[[0.0, 0.0, 0.0], [2.0, 0.0, 0.0]], [[0.0, 5.0, 0.0], [2.0, 5.0, 0.0]]])
    points = np.array([[1.0, 2.0, 0.0], [5.0, 4.0, 0.0], [1.0, 4.0, 0.0]])
    assert distances(points, segments) == pytest.approx([2.0, np.sqrt(10.0), 1.0], abs=1e-14)


@pytest.mark.parametrize("largest", [True, False])
def test_the_extreme_distance_is_that_of_all_points(largest: bool) -> None:
    """More points than one batch, on an uneven surface."""
    rng = np.random.default_rng(3)
    points = 3.0 * rng.normal(size=(500, 3))
    surface = np.concatenate([FACES, 0.1 * rng.normal(size=(50, 3, 3)) + [2.0, 0.0, 0.0]])
    every = distances(points, surface)
    found = extreme_distance(points, surface, largest=largest)
    assert found is not None
    assert found[0] == pytest.approx(every.max() if largest else every.min(), rel=1e-12)
    assert every[found[1]] == pytest.approx(found[0], rel=1e-12)
