"""Conservation of energy, heat flows compared with closed forms, and symmetry.

| law                                                              | allowed       |
|------------------------------------------------------------------|---------------|
| joule = stored + perfused + boundary in a run, every generator   | 1 %           |
| the residual decreases with the tolerance of the steps           | decreases     |
| nothing leaves: joule = stored at constant power                 | 1e-8          |
| steady: what goes in through a surface, with perfusion           | 0.5 %         |
| steady: Joule heat leaves through the boundary                   | 1e-8 of it    |
| mirrored and swapped geometry gives mirrored and swapped fields  | 1e-7 K        |
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from mpi4py import MPI

from rfablate.evidence import closed_forms as exact
from rfablate.evidence.closed_forms import OMEGA, R0, K
from rfablate.evidence.structured_meshes import box, geometric, shell_half_plane, shell_octant
from rfablate.evidence.verification_problems import (
    HEATED,
    IN_SPACE,
    UNLIMITED,
    MeshSource,
    constant_power,
    constant_voltage,
    fixed_step,
    frames,
    largest,
    last_frame,
    mesh_case,
    on_mesh,
    problem_on,
    steady,
)
from rfablate.mesh.domain import Domain
from rfablate.mesh.gather import gather_nodal

FloatArray = npt.NDArray[np.float64]

NONLINEAR = {"sigma_slope_per_K": 0.015, "k_slope_per_K": 0.002}
CONTROL = {"kind": "temperature", "target_degC": 70.0, "ramp_s": 5.0, "hold_s": 25.0, **UNLIMITED}
GENERATORS: dict[str, dict[str, Any]] = {
    "voltage": {**constant_voltage(8.0, 30.0), "cooldown_s": 10.0},
    "power": {**constant_power(0.3, 30.0), "cooldown_s": 10.0},
    "ideal": {**CONTROL, "cooldown_s": 10.0},
    "pi": {**CONTROL, "control": "pi", "proportional_W_per_K": 0.02, "integral_W_per_K_s": 0.01, "cooldown_s": 10.0},
    "surface, ramp": {"kind": "surface_temperature", "target_degC": 70.0, "ramp_s": 5.0, "hold_s": 25.0},
    "surface, step": {"kind": "surface_temperature", "target_degC": 70.0, "hold_s": 30.0, "cooldown_s": 10.0},
}


@pytest.fixture(scope="module")
def ball(comm: MPI.Comm) -> Domain:
    radii = geometric(R0, 20e-3, 40, 60.0)
    return on_mesh(
        comm, lambda: shell_half_plane(radii, 24), active="inner", returned="outer", body_temperature="outer"
    )


def _residual(ball: Domain, generator: dict[str, Any], tolerance: float) -> float:
    """Return the residual as a fraction of the largest energy, for a run with perfusion that stops in dead tissue."""
    case = mesh_case(
        generator,
        tissue={**NONLINEAR, "perfusion_per_s": 3.0 * OMEGA},
        damage={"perfusion_stops": True},
        time={"tolerance_K": tolerance},
    )
    frame = last_frame(problem_on(case, ball))
    ledger = frame.ledger
    print(f"{ledger.joule:.4f} J = {ledger.stored:.4f} + {ledger.perfused:.4f} + {ledger.boundary:.4f}", end="; ")
    print(f"residual {100 * ledger.residual_fraction:.3f} % at a tolerance of {tolerance} K")
    assert ledger.perfused > 0.0
    assert max(ledger.joule, -ledger.boundary) > 1.0
    return ledger.residual_fraction


@pytest.mark.mpi
@pytest.mark.parametrize("name", GENERATORS)
def test_the_ledger_closes_in_a_run(ball: Domain, name: str) -> None:
    assert _residual(ball, GENERATORS[name], 0.05) < 0.01


@pytest.mark.parametrize("name", GENERATORS)
def test_the_residual_falls_with_the_tolerance(ball: Domain, name: str) -> None:
    """The residual is an error of the time steps: a hundredth of the tolerance reduces it to about a twentieth."""
    assert _residual(ball, GENERATORS[name], 0.002) < max(0.3 * _residual(ball, GENERATORS[name], 0.2), 2e-5)


@pytest.mark.mpi
@pytest.mark.mpi3
@pytest.mark.parametrize("shape", ["half plane", "3-D"])
def test_in_an_adiabatic_domain_all_joule_heat_is_stored(comm: MPI.Comm, shape: str) -> None:
    radii = geometric(R0, 5e-3, 10, 10.0)
    flat = shape == "half plane"
    make = (lambda: shell_half_plane(radii, 8)) if flat else lambda: shell_octant(radii, 4)
    domain = on_mesh(comm, make, active="inner", returned="outer")
    case = mesh_case(constant_power(0.5, 20.0), tissue=NONLINEAR, mesh=MeshSource(axisymmetric=flat))
    problem = problem_on(case, domain)
    frame = last_frame(problem)
    assert frame.ledger.joule == pytest.approx(10.0, rel=1e-12)
    assert frame.ledger.stored == pytest.approx(10.0, rel=1e-8)
    assert frame.ledger.boundary == 0.0 and frame.ledger.perfused == 0.0
    volume = domain.nodes.total_of(float(domain.elements.volume.sum()))[0]
    capacity = domain.nodes.sum(problem.solvers.heat.mass.capacity)[0]
    assert capacity == pytest.approx(exact.RHO * exact.C * volume, rel=1e-12)


# --- steady flows ---------------------------------------------------------------------------------


@pytest.mark.mpi
def test_steady_joule_heat_leaves_through_the_boundary(ball: Domain) -> None:
    problem = problem_on(mesh_case(constant_voltage(1.0, 1.0)), ball)
    T, unit = steady(problem, voltage=6.0)
    assert unit is not None
    zero = np.zeros_like(T)
    flows = problem.solvers.heat.flows(T, zero, 36.0 * unit.load, problem.initial)
    assert flows.boundary == pytest.approx(36.0 * unit.conductance, rel=1e-8)
    assert flows.boundary == pytest.approx(36.0 / exact.resistance(20e-3), rel=0.005)


@pytest.mark.mpi
def test_a_held_sphere_gives_off_what_the_closed_form_says(ball: Domain) -> None:
    """Heat flow into perfused tissue, 4 pi k r0 theta (1 + m r0 coth(m (R - r0))), mostly removed by blood."""
    problem = problem_on(mesh_case(HEATED, tissue={"perfusion_per_s": OMEGA}), ball)
    active = ball.surface_nodes["active"]
    T, _ = steady(problem, fixed=problem.fixed | active, value=np.where(active, 80.0, 37.0))
    flows = problem.solvers.heat.flows(T, np.zeros_like(T), np.zeros_like(T), problem.initial)
    m, depth = exact.M, 20e-3 - R0
    into = 4.0 * np.pi * K * R0 * 43.0 * (1.0 + m * R0 / np.tanh(m * depth))
    out = 4.0 * np.pi * K * R0 * 43.0 * m * 20e-3 / np.sinh(m * depth)
    assert flows.boundary == pytest.approx(out - into, rel=0.005)
    assert flows.perfused == pytest.approx(into - out, rel=0.005)
    assert flows.perfused == pytest.approx(-flows.boundary, rel=1e-8)


@pytest.mark.mpi
def test_steady_conduction_between_spheres_passes_the_closed_forms_flux(ball: Domain) -> None:
    """4 pi k theta / (1/r0 - 1/R), in through the inner and out through the outer sphere."""
    problem = problem_on(mesh_case(HEATED), ball)
    active = ball.surface_nodes["active"]
    T, _ = steady(problem, fixed=problem.fixed | active, value=np.where(active, 80.0, 37.0))
    zero = np.zeros_like(T)
    assert problem.solvers.heat.flows(T, zero, zero, problem.initial).boundary == pytest.approx(0.0, abs=1e-9)
    flux = np.zeros_like(T)
    flux[: ball.nodes.owned] = problem.solvers.heat.stiffness.times(T)
    into, out = ball.nodes.sum(np.where(active, flux, 0.0), np.where(problem.fixed, -flux, 0.0))
    assert into == pytest.approx(4.0 * np.pi * K * 43.0 / (1.0 / R0 - 1.0 / 20e-3), rel=0.005)
    assert out == pytest.approx(into, rel=1e-8)


# --- symmetry -------------------------------------------------------------------------------------


def _image(domain: Domain, nodal: FloatArray, image: Any) -> FloatArray | None:
    """Return on rank 0 the difference of a field between each node and its image; None elsewhere. Collective."""
    field, x = gather_nodal(domain, nodal), gather_nodal(domain, domain.x)
    if field is None or x is None:
        return None
    points = np.round(x / 1e-9).astype(np.int64)
    number = {tuple(point): n for n, point in enumerate(points.tolist())}
    return field - field[[number[tuple(point)] for point in np.round(image(x) / 1e-9).astype(np.int64).tolist()]]


@pytest.mark.mpi
def test_a_mirrored_geometry_gives_a_mirrored_field(comm: MPI.Comm, ball: Domain) -> None:
    case = mesh_case(constant_voltage(8.0, 10.0), tissue={**NONLINEAR, "perfusion_per_s": OMEGA}, time=fixed_step(1.0))
    frame = last_frame(problem_on(case, ball))
    difference = _image(ball, frame.T, lambda x: x * [1.0, -1.0, 1.0])
    assert difference is None or np.abs(difference).max() < 1e-7
    assert largest(ball, frame.T - 37.0) > 5.0


@pytest.mark.mpi
def test_swapped_axes_give_a_swapped_field_in_3_d(comm: MPI.Comm) -> None:
    """A cube heated equally from the faces x = 0 and y = 0 and cooled through z is symmetric in x and y."""
    line = np.linspace(0.0, 5e-3, 7)
    domain = on_mesh(
        comm,
        lambda: box(line, line, line),
        active=("low_x", "low_y"),
        returned=("high_x", "high_y"),
        body_temperature="high_z",
    )
    case = mesh_case(
        constant_voltage(8.0, 10.0),
        tissue={**NONLINEAR, "perfusion_per_s": OMEGA},
        mesh=IN_SPACE,
        time=fixed_step(1.0),
    )
    frame = last_frame(problem_on(case, domain))
    difference = _image(domain, frame.T, lambda x: x[:, [1, 0, 2]])
    assert difference is None or np.abs(difference).max() < 1e-7
    assert largest(domain, frame.T - 37.0) > 5.0


def test_without_voltage_nothing_happens(ball: Domain) -> None:
    case = mesh_case(constant_voltage(0.0, 30.0), tissue={"perfusion_per_s": OMEGA})
    for frame in frames(problem_on(case, ball)):
        assert largest(ball, frame.T - 37.0) < 1e-9
        assert frame.ledger.residual_fraction == 0.0 or abs(frame.ledger.residual) < 1e-9
