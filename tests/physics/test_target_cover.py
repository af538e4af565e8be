"""Coverage with margins and dose-volume histograms compared with closed forms, in 3-D and in the half plane.

| case                                               | quantity                                   | allowed  |
|----------------------------------------------------|--------------------------------------------|----------|
| random linear functions on cells                   | volume of both signs of two functions      | exact    |
| sphere concentric with a spherical lesion          | covered fractions with margins             | 1 %      |
| box and a plane lesion                             | covered fraction with a margin of 5 mm     | 0.5 %    |
| temperature linear in space                        | histogram                                  | exact    |
| CEM43 of a spherical field in a sphere             | histogram: ((r / a)^3), in the half plane  | 1 %      |
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from mpi4py import MPI
from scipy.integrate import quad

from rfablate.evidence.structured_meshes import box, rectangle
from rfablate.evidence.verification_problems import with_roles
from rfablate.lesion.clipped_cells import clip, split, volumes, volumes_above
from rfablate.lesion.observer import FinalStructure, Observer
from rfablate.mesh.domain import Domain, distribute
from rfablate.mesh.mesh_data import MeshData
from rfablate.problem.problem import build_problem
from rfablate.solve.state import Frame, first_frame, initial_state
from tests.physics.test_lesion import BOXES, CORD, MM, TARGET, _case, _observer

pytestmark = pytest.mark.mpi
FloatArray = npt.NDArray[np.float64]


def _cells(corners: int) -> FloatArray:
    """Return random cells with two random functions, columns x, y, z, f, g; r >= 0 for triangles."""
    rng = np.random.default_rng(corners)
    cells = rng.normal(size=(500, corners, 5))
    if corners == 3:
        cells[:, :, 0] = np.abs(cells[:, :, 0])
        cells[:, :, 2] = 0.0
    return cells


@pytest.mark.parametrize("corners", [3, 4])
def test_the_four_sign_combinations_of_two_functions_fill_each_cell(corners: int) -> None:
    cells, flipped = _cells(corners), _cells(corners)
    flipped[:, :, 3] *= -1.0
    total = np.zeros(len(cells))
    for each in (cells, flipped):
        first, owner = clip(each, 3)
        for sign in (1.0, -1.0):
            second, part = clip(np.concatenate([first[:, :, :4], sign * first[:, :, 4:]], axis=2), 4)
            total += np.bincount(owner[part], volumes(second), len(cells))
    assert total == pytest.approx(volumes(cells), rel=1e-10, abs=1e-12)
    finer = volumes(split(cells)).reshape(-1, len(cells))
    assert finer.sum(axis=0) == pytest.approx(volumes(cells), rel=1e-10)


@pytest.mark.parametrize("corners", [4, 3])
def test_the_volume_above_zero_is_that_of_the_parts(corners: int) -> None:
    """For every number of positive corners, also with corners of value zero."""
    cells, rng = _cells(corners), np.random.default_rng(5)
    value = rng.normal(size=(len(cells), corners))
    value[::7, 1] = 0.0
    parts, owner = clip(np.concatenate([cells[:, :, :3], value[:, :, None]], axis=2), 3)
    expected = np.bincount(owner, volumes(parts), len(cells))
    found = volumes_above(cells[:, :, :3], volumes(cells), value)
    assert {int(n) for n in (value >= 0.0).sum(axis=1)} == set(range(corners + 1))
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12 * volumes(cells).max())


@pytest.mark.parametrize(("threshold", "fraction"), [(0.5, 0.125), (0.25, 0.421875), (0.9, 1e-3), (0.0, 1.0)])
def test_volume_where_a_barycentric_coordinate_exceeds_a_threshold(threshold: float, fraction: float) -> None:
    """It is (1 - threshold)^3 of the tetrahedron."""
    cell = np.array([[[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.3, 1.0, 0.0], [0.1, 0.2, 1.5]]])
    value = np.array([[1.0, 0.0, 0.0, 0.0]]) - threshold
    assert volumes_above(cell, volumes(cell), value) == pytest.approx(0.5 * fraction, rel=1e-12)


def test_part_of_a_tetrahedron_above_a_plane_has_the_known_volume() -> None:
    """x + y + z <= c of the unit tetrahedron is c^3 of it."""
    corner = np.array([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]])
    for c in (0.2, 0.7, 1.0):
        level = c - corner.sum(axis=2, keepdims=True)
        part, _ = clip(np.concatenate([corner, level], axis=2), 3)
        assert volumes(part).sum() == pytest.approx(c**3 / 6.0, rel=1e-12)


def _as_balls(mesh: MeshData) -> MeshData:
    """Return the mesh of a cube, or half a square, moved so that concentric cubes become concentric spheres."""
    norm = np.linalg.norm(mesh.points, axis=1)
    scale = np.abs(mesh.points).max(axis=1) / np.where(norm > 0.0, norm, 1.0)
    return dataclasses.replace(mesh, points=mesh.points * scale[:, None])


SPHERE = {"name": "target", "kind": "sphere", "centre_mm": [0, 0, 0], "radius_mm": 3, "role": "target"}


def _spheres(comm: MPI.Comm, *, axisymmetric: bool) -> tuple[Observer, Domain, Frame]:
    """Return an observer of a target of 3 mm radius in a ball of 12 mm."""
    line = np.linspace(-12.0, 12.0, 25) * MM
    case = _case([SPHERE], 12.0)
    if axisymmetric:
        half_plane = {"kind": "axisymmetric", "radius_mm": 12, "height_mm": 24, "tissue": "sample"}
        case = case.with_changes({"domain": half_plane, "applicators.0.tip_mm": [0, 0, 5]})
        z = np.linspace(-12.0, 12.0, 97) * MM
        mesh = rectangle(z[48:], z)
    else:
        mesh = box(line, line, line)
    region = 1 + (np.abs(mesh.points[mesh.cells].mean(axis=1)).max(axis=1) < 3.0 * MM).astype(np.int32)
    mesh = dataclasses.replace(_as_balls(mesh), region=region, region_names={1: "domain", 2: "target"})
    mesh = with_roles(mesh, active="low_z", returned="high_z", body_temperature="high_z")
    domain = distribute(mesh if comm.rank == 0 else None, comm)
    problem = build_problem(case, domain)
    return Observer(case, problem.domain, problem.tissue_cells), domain, first_frame(problem, initial_state(problem))


@pytest.mark.parametrize("axisymmetric", [False, True])
def test_a_spherical_lesion_covers_a_concentric_sphere_as_the_cube_of_the_radii(
    comm: MPI.Comm, axisymmetric: bool
) -> None:
    """Of the ball of 3 + 5 mm, (6 / 8)^3; of that of 3 + 10 mm, of which the domain holds 12 mm, (6 / 12)^3."""
    observer, domain, start = _spheres(comm, axisymmetric=axisymmetric)
    radius = np.linalg.norm(domain.x, axis=1)
    peak = 50.0 + 1e4 * (6.0 * MM - radius)
    cem43 = 240.0 * np.exp(1e4 * (2.0 * MM - radius))
    (target,) = observer.conclude(dataclasses.replace(start, t=1.0, T=peak, peak=peak, cem43=cem43))
    assert target.covered == pytest.approx(1.0, abs=1e-12)
    assert target.covered_margins == pytest.approx(((6.0 / 8.0) ** 3, (6.0 / 12.0) ** 3), rel=0.01)
    if comm.rank == 0:
        assert target.margin is not None and target.margin == pytest.approx(3.0 * MM, abs=0.05 * MM)
        assert target.margin_point is not None
        assert np.linalg.norm(target.margin_point) == pytest.approx(3.0 * MM, rel=0.01)
    dose = target.histograms["cem43"]
    share = dict(zip(dose.thresholds, dose.fractions, strict=True))
    for minutes in (240.0, 1000.0, 10000.0):
        exact = ((2.0 - 0.1 * np.log(minutes / 240.0)) / 3.0) ** 3
        assert share[minutes] == pytest.approx(exact, rel=0.01 if axisymmetric else 0.1)  # balls of 1 mm cells


def test_a_plane_lesion_covers_the_known_part_of_a_box_with_its_margin(comm: MPI.Comm) -> None:
    """The section of the box with its margin m at s beyond its face: 16 + 16 rho + pi rho^2, rho^2 = m^2 - s^2."""
    observer, domain, frame = _observer(comm, [TARGET, CORD], BOXES)

    def section(s: float) -> float:
        rho = np.sqrt(max(0.0, 25.0 - max(0.0, s) ** 2))
        return float(16.0 + 16.0 * rho + np.pi * rho**2)

    whole = 2.0 * (2.0 * section(0.0) + quad(section, 0.0, 5.0)[0])
    for edge in (-4.0, 0.0, 2.5, 5.0):
        target, cord = observer.conclude(frame(1.0 + edge, edge * MM - domain.x[:, 0]))
        part = quad(lambda x: section(abs(x) - 2.0), -7.0, edge, points=[-2.0, 2.0] if edge > 2.0 else [-2.0])[0]
        assert target.covered_margins[0] == pytest.approx(part / whole, abs=0.005)
        assert cord.covered_margins == ()


def test_the_temperature_histogram_of_a_linear_field_is_linear(comm: MPI.Comm) -> None:
    """From 40 to 80 degC over the 4 mm of the target: (80 - T) / 40 of the volume is above T."""
    observer, domain, frame = _observer(comm, [TARGET, CORD], BOXES)
    target, cord = observer.conclude(frame(1.0, 1.0 * MM - domain.x[:, 0]))

    def check(each: FinalStructure, low: float, high: float) -> None:
        found = each.histograms["isotherm"]
        exact = np.clip((high - np.array(found.thresholds)) / (high - low), 0.0, 1.0)
        assert np.array(found.fractions) == pytest.approx(exact, abs=1e-9)

    check(target, 40.0, 80.0)
    check(cord, -20.0, 0.0)
    assert set(target.histograms) == {"isotherm", "cem43"}


def test_the_histogram_and_the_covered_fraction_agree_at_the_threshold_of_the_rule(comm: MPI.Comm) -> None:
    observer, domain, frame = _observer(comm, [TARGET, CORD], BOXES)
    (target, _) = observer.conclude(frame(1.0, 3.0 * MM - np.linalg.norm(domain.x - 1.0 * MM, axis=1)))
    found: dict[str, Any] = dict(
        zip(target.histograms["isotherm"].thresholds, target.histograms["isotherm"].fractions, strict=True)
    )
    assert found[50.0] == pytest.approx(target.covered, rel=1e-12)
