"""Continuity of the lesion of several applicators, compared with closed forms.

| lesion                                | quantity                                        | allowed        |
|---------------------------------------|-------------------------------------------------|----------------|
| two balls, from one lesion to two     | margin of the line between: half neck, half gap | 0.2 of a cell  |
| a ball about one of two tips          | minus the distance of the other tip's surface   | 0.2 of a cell  |
| three tips                            | lines along the shortest tree only              | exact          |
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mpi4py import MPI

from rfablate.case.tables.geometry_tables import Applicator
from rfablate.evidence.structured_meshes import box
from rfablate.evidence.verification_problems import on_mesh
from rfablate.lesion.continuity import ContinuityLines, tip_connections
from rfablate.lesion.measure import LesionAxis, LesionMeter
from rfablate.mesh.domain import Domain

pytestmark = pytest.mark.mpi
MM = 1e-3
CELL = 0.5
RADIUS = 3.0


def _tips(*middles: tuple[float, float]) -> tuple[Applicator, ...]:
    """Return needles of 0.5 mm along z whose active tips of 2 mm have these centres [mm] in the plane z = 0."""
    own: dict[str, Any] = {"outer_diameter_mm": 0.5, "active_tip_mm": 2.0}
    return tuple(Applicator.model_validate({**own, "tip_mm": [x, y, -1.0]}) for x, y in middles)


def _margin(domain: Domain, middles: list[float], balls: list[float]) -> float | None:
    """Return the margin [mm] of the line between tips at these x, in balls centred at these x."""
    bridge = ContinuityLines(domain, tip_connections(_tips(*((x, 0.0) for x in middles))))
    off = [np.linalg.norm(domain.x - np.array([x, 0.0, 0.0]) * MM, axis=1) for x in balls]
    level = RADIUS * MM - np.min(off, axis=0) if balls else np.full(domain.nodes.local, -1.0)
    upright = LesionAxis(np.zeros(3), np.array([0.0, 0.0, 1.0]), 2.0 * MM)
    meter = LesionMeter(domain, np.ones(len(domain.region), dtype=bool), upright)
    found = bridge.across(level, meter.surface(level))
    assert found.margin is None or (found.margin >= 0.0) == (found.level >= 0.0)
    return None if found.margin is None else found.margin / MM


@pytest.fixture(scope="module")
def domain(comm: MPI.Comm) -> Domain:
    x, y = np.arange(-7.0, 7.0 + CELL, CELL) * MM, np.arange(-4.0, 4.0 + CELL, CELL) * MM
    return on_mesh(comm, lambda: box(x, y, y))


@pytest.mark.parametrize("apart", [3.0, 4.0, 5.0, 5.7, 6.3, 7.0])
def test_two_balls_are_half_a_neck_deep_or_half_a_gap_apart(domain: Domain, apart: float) -> None:
    neck = np.sqrt(RADIUS**2 - apart**2 / 4.0) if apart < 2.0 * RADIUS else RADIUS - apart / 2.0
    assert _margin(domain, [-apart / 2, apart / 2], [-apart / 2, apart / 2]) == pytest.approx(neck, abs=0.2 * CELL)


def test_the_margin_falls_without_a_jump_where_two_balls_part(domain: Domain) -> None:
    """Linear interpolation changes the radius by at most dR = 0.05 mm, and the neck by at most that of such balls."""
    apart = np.arange(5.5, 6.5, 0.05)
    found = np.array([_margin(domain, [-d / 2, d / 2], [-d / 2, d / 2]) for d in apart])
    assert (np.diff(found) < 0.0).all()
    assert found[0] > 0.8 and found[-1] < -0.2
    largest = np.sqrt(RADIUS**2 - (RADIUS - 0.025) ** 2)
    assert -np.diff(found).min() < 1.5 * largest, "the steepest step is that of a neck that closes"


def test_a_ball_about_one_tip_is_apart_from_the_other_by_the_rest_of_the_way(domain: Domain) -> None:
    """From the ball's edge at 1 mm to the other tip's surface at 3.75 mm."""
    farthest = 4.0 - 0.25 - (RADIUS - 2.0)
    assert _margin(domain, [-2.0, 4.0], [-2.0]) == pytest.approx(-farthest, abs=0.2 * CELL)
    assert _margin(domain, [-2.0, 4.0], []) is None


def test_the_level_is_the_least_on_the_line(domain: Domain) -> None:
    """A level with its maximum in the middle is lowest at the ends of the line, at 4 - 0.25 mm."""
    bridge = ContinuityLines(domain, tip_connections(_tips((-4.0, 0.0), (4.0, 0.0))))
    level = 5.0 - np.abs(domain.x[:, 0]) / MM
    assert bridge.across(level, np.zeros((0, 3, 3))).level == pytest.approx(5.0 - 3.75, abs=0.05)


def test_lines_leave_out_the_metal_and_follow_the_shortest_tree() -> None:
    x, y, z = (tip_connections(_tips((0.0, 0.0), (4.0, 0.0), (0.0, 5.0))) / MM).T
    assert np.abs(x * y).max() < 1e-9, "none along the longest side"
    assert np.hypot(x, y).min() == pytest.approx(0.25, abs=0.03)
    assert x.max() == pytest.approx(3.75, abs=0.03) and y.max() == pytest.approx(4.75, abs=0.03)
    assert np.abs(z).max() < 1e-9
