"""The solver against closed forms, on meshes a user would use and as they are refined.

| id  | problem                                               | here                                | allowed         |
|-----|-------------------------------------------------------|-------------------------------------|-----------------|
| A0  | resistance of a sphere                                | half plane, eighth in 3-D           | 0.5 %; order 2  |
| A1  | steady Joule heat, sphere takes no heat               | half plane, eighth in 3-D           | 0.5 %; order 2  |
| A1b | the same, sphere held at 80 degC                      | half plane                          | 0.5 %; order 2  |
| A2  | A1 with perfusion                                     | half plane                          | 0.5 %; order 2  |
| A3  | sphere's surface steps to 80 degC, perfusion          | half plane, run with adaptive steps | 0.5 %; order 2  |
| A4  | half space, surface steps to 80 degC, perfusion       | half plane, run with adaptive steps | 0.5 %; order 2  |
| A5  | steady, around a cylinder held at 80 degC, perfusion  | half plane                          | 0.5 %; order 2  |
| A6  | 1 W in a point from t = 0, perfusion                  | half plane, run with fixed steps    | 0.5 %; order 2  |

"0.5 %" is 0.5 % of the rise or 0.05 K, whichever is larger. Orders are in the cell size h; in A3, A4 and A6 h and dt
are halved together. Finite outer radii are in the closed forms, or tissue is cold long before them (A3 to A6).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from mpi4py import MPI

from meshes.sphere import Ball, write_sphere
from rfablate.evidence import closed_forms as exact
from rfablate.evidence.closed_form_checks import (
    PERFUSED,
    RADII,
    SHELLS,
    check_held_cylinder,
    check_held_sphere,
    check_joule_spheres,
    check_point_source,
    check_stepped_half_space,
    check_stepped_sphere,
    half_space,
    half_space_problem,
    held_cylinder,
    point_source,
)
from rfablate.evidence.closed_forms import R0, T_A
from rfablate.evidence.verification_problems import (
    HEATED,
    IN_SPACE,
    MeshSource,
    at_points,
    constant_voltage,
    fixed_step,
    frames,
    last_frame,
    mesh_case,
    on_rays,
    problem_on,
    steady,
)
from rfablate.evidence.verification_results import Measurement
from rfablate.mesh.build import build_domain
from rfablate.mesh.domain import Domain
from rfablate.problem.problem import Problem

FloatArray = npt.NDArray[np.float64]

MM = 1e-3
OUTER = 50.0 * MM


def _assert_close(ours: FloatArray, theirs: FloatArray) -> None:
    """Rises [K] within 0.5 % or 0.05 K."""
    error = np.abs(ours - theirs)
    print("errors", *(f"{e:.3f}" for e in error), "K of", *(f"{e:.3f}" for e in theirs))
    assert (error <= np.maximum(0.05, 0.005 * np.abs(theirs))).all(), f"errors {error} K of {theirs} K"


# --- the formulas ---------------------------------------------------------------------------------


def test_the_formulas_give_the_numbers_in_print() -> None:
    mm = np.array([0.5, 1.0, 2.0, 4.0, 8.0, 16.0]) * MM
    assert exact.resistance() == pytest.approx(482.288, abs=5e-4)
    a1 = [48.880, 45.910, 42.198, 39.784, 38.439]
    assert exact.joule_sphere(mm[:5]) + T_A == pytest.approx(a1, abs=6e-4)
    a2 = [46.6875, 43.7565, 40.1973, 38.1029, 37.2332, 37.0199]
    assert exact.joule_perfused_sphere(mm) + T_A == pytest.approx(a2, abs=6e-5)
    a3 = {10.0: [53.0431, 40.6762, 37.1559], 60.0: [55.6268, 43.8411, 38.6631]}
    for t, values in a3.items():
        assert exact.stepped_sphere(mm[1:4], t) + T_A == pytest.approx(values, abs=6e-5)
    a4 = [69.0508, 53.1651, 43.9532, 38.3731]
    assert exact.stepped_half_space(np.array([1.0, 3.0, 5.0, 8.0]) * MM, 60.0) + T_A == pytest.approx(a4, abs=6e-5)
    assert exact.held_cylinder(mm[1:5]) + T_A == pytest.approx([67.397, 55.628, 45.830, 39.580], abs=6e-4)
    a6 = [42.87991, 5.14716, 0.132421]
    assert exact.point_source(np.array([2.0, 5.0, 10.0]) * MM, 60.0) == pytest.approx(a6, rel=2e-6)


def test_finite_and_infinite_tissue_agree_where_the_outer_radius_is_large() -> None:
    far = 1e3
    assert exact.resistance(far) == pytest.approx(exact.resistance(), rel=1e-6)
    assert exact.joule_sphere(RADII, far) == pytest.approx(exact.joule_sphere(RADII), rel=1e-4)
    assert exact.joule_perfused_sphere(RADII, 0.3) == pytest.approx(exact.joule_perfused_sphere(RADII), rel=1e-4)
    assert exact.joule_held_sphere(RADII, 43.0, far) == pytest.approx(exact.joule_held_sphere(RADII, 43.0), rel=1e-4)


def test_a_held_electrode_has_its_hottest_tissue_where_the_formula_says() -> None:
    """Interior maximum of A1b at sigma V^2 r0^2 / (k B), for an electrode held at body temperature."""
    q = exact.SIGMA * exact.VOLTAGE**2
    B = R0 * q / (2.0 * exact.K)
    r = np.linspace(R0, 5e-3, 4001)
    assert r[np.argmax(exact.joule_held_sphere(r, 0.0))] == pytest.approx(q * R0**2 / (exact.K * B), abs=2e-6)


# --- meshes a user would use ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def ball(comm: MPI.Comm, shared_tmp: Path) -> Path:
    """Half plane around a spherical electrode, 0.025 mm cells on it, read like any user's mesh."""
    path = shared_tmp / "sphere.msh"
    if comm.rank == 0:
        write_sphere(path, Ball(electrode=0.5, outer=50.0, size=0.025, growth=0.05))
    comm.Barrier()
    return path


@pytest.fixture(scope="module")
def ball_domain(ball: Path, comm: MPI.Comm) -> Domain:
    return build_domain(mesh_case(HEATED, mesh=MeshSource(ball)), comm)


@pytest.fixture(scope="module")
def octant_domain(comm: MPI.Comm, shared_tmp: Path) -> Domain:
    path = shared_tmp / "octant.msh"
    if comm.rank == 0:
        write_sphere(path, Ball(electrode=0.5, outer=50.0, size=0.035, growth=0.08), octant=True)
    comm.Barrier()
    return build_domain(mesh_case(HEATED, mesh=MeshSource(path, axisymmetric=False)), comm)


@pytest.fixture(scope="module")
def joule(ball_domain: Domain) -> Problem:
    """6 V to infinity until nothing changes: one long step of backward Euler is the steady state."""
    case = mesh_case(constant_voltage(exact.applied(OUTER), 1e9), time=fixed_step(1e9, 1))
    return problem_on(case, ball_domain)


@pytest.mark.mpi
def test_A0_A1_resistance_and_steady_joule_heat_in_the_half_plane(joule: Problem) -> None:
    frame = last_frame(joule)
    assert 1.0 / frame.conductance == pytest.approx(exact.resistance(OUTER), rel=0.005)
    for ray in on_rays(joule.domain, frame.T, list(RADII)):
        _assert_close(ray - T_A, exact.joule_sphere(RADII, OUTER))


@pytest.mark.mpi
def test_A0_A1_resistance_and_steady_joule_heat_in_3_d(octant_domain: Domain) -> None:
    case = mesh_case(constant_voltage(exact.applied(OUTER), 1e9), mesh=IN_SPACE, time=fixed_step(1e9, 1))
    frame = last_frame(problem_on(case, octant_domain))
    assert 1.0 / (8.0 * frame.conductance) == pytest.approx(exact.resistance(OUTER), rel=0.005)
    for ray in on_rays(octant_domain, frame.T, list(RADII)):
        _assert_close(ray - T_A, exact.joule_sphere(RADII, OUTER))


@pytest.mark.mpi
def test_A1b_joule_heat_around_a_held_electrode(joule: Problem) -> None:
    active = joule.domain.surface_nodes["active"]
    value = np.where(active, 80.0, T_A)
    T, _ = steady(joule, voltage=exact.applied(OUTER), fixed=joule.fixed | active, value=value)
    for ray in on_rays(joule.domain, T, list(RADII)):
        _assert_close(ray - T_A, exact.joule_held_sphere(RADII, 43.0, OUTER))


@pytest.mark.mpi
@pytest.mark.mpi3
def test_A2_joule_heat_with_perfusion(ball_domain: Domain) -> None:
    case = mesh_case(constant_voltage(exact.applied(OUTER), 1e6), tissue=PERFUSED, time=fixed_step(1e6, 1))
    frame = last_frame(problem_on(case, ball_domain))
    for ray in on_rays(ball_domain, frame.T, list(RADII)):
        _assert_close(ray - T_A, exact.joule_perfused_sphere(RADII, OUTER))


@pytest.mark.mpi
def test_A3_surface_step_of_a_sphere(ball_domain: Domain) -> None:
    problem = problem_on(mesh_case(HEATED, tissue=PERFUSED), ball_domain)
    seen = {}
    for frame in frames(problem, stops=[10.0]):
        if frame.t in (10.0, 60.0):
            seen[frame.t] = on_rays(ball_domain, frame.T, list(RADII[1:4]))
    assert set(seen) == {10.0, 60.0}
    for t, rays in seen.items():
        for ray in rays:
            _assert_close(ray - T_A, exact.stepped_sphere(RADII[1:4], t))


@pytest.mark.mpi
def test_A4_surface_step_of_a_half_space(comm: MPI.Comm) -> None:
    domain = half_space(comm, 80)
    frame = last_frame(half_space_problem(domain))
    depth = np.array([1.0, 3.0, 5.0, 8.0]) * MM
    points = np.stack([np.full(4, 0.3 * MM), depth, np.zeros(4)], axis=1)
    _assert_close(at_points(domain, frame.T, points) - T_A, exact.stepped_half_space(depth, 60.0))


@pytest.mark.mpi
def test_A5_steady_heat_around_a_cylinder(comm: MPI.Comm) -> None:
    domain, rise = held_cylinder(comm, 60)
    points = np.stack([RADII[1:], np.full(4, 0.3 * MM), np.zeros(4)], axis=1)
    _assert_close(at_points(domain, rise, points), exact.held_cylinder(RADII[1:]))


@pytest.mark.mpi
def test_A6_point_source(comm: MPI.Comm) -> None:
    domain, rise = point_source(comm, 80, 0.5)
    radii = np.array([2.0, 5.0, 10.0]) * MM
    for ray in on_rays(domain, rise, list(radii)):
        _assert_close(ray, exact.point_source(radii, 60.0))


# --- orders: the checks of `rfablate verify` ------------------------------------------------------


def _assert_second_order(found: list[Measurement], slack: float) -> None:
    """The last measurement has order 2 within `slack`, and all are within 0.5 % of the rise or 0.05 K."""
    for each in found:
        print(each)
        assert each.error <= max(0.05, 0.005 * abs(each.exact - (T_A if each.unit == "degC" else 0.0))), each
        assert each.passed, each
    assert found[-1].order == pytest.approx(2.0, abs=slack), found[-1]


@pytest.mark.mpi
@pytest.mark.parametrize("shape", SHELLS)
@pytest.mark.parametrize("perfused", [False, True], ids=["A1", "A2"])
def test_A0_A1_A2_are_of_second_order_in_h(comm: MPI.Comm, shape: str, perfused: bool) -> None:
    found = check_joule_spheres(comm, shape, perfused=perfused)
    _assert_second_order(found, 0.15)
    if not perfused:
        assert found[0].quantity == "resistance" and found[0].order == pytest.approx(2.0, abs=0.15)


def test_A1b_is_of_second_order_in_h(comm: MPI.Comm) -> None:
    _assert_second_order(check_held_sphere(comm), 0.15)


def test_A3_is_of_second_order_in_h_and_dt_together(comm: MPI.Comm) -> None:
    _assert_second_order(check_stepped_sphere(comm), 0.2)


def test_A4_is_of_second_order_in_h_and_dt_together(comm: MPI.Comm) -> None:
    _assert_second_order(check_stepped_half_space(comm), 0.2)


def test_A5_is_of_second_order_in_h(comm: MPI.Comm) -> None:
    _assert_second_order(check_held_cylinder(comm), 0.15)


def test_A6_is_of_second_order_in_h_and_dt_together(comm: MPI.Comm) -> None:
    """At least 1 mm off the source, where the solution is smooth."""
    _assert_second_order(check_point_source(comm), 0.25)
