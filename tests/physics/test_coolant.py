"""Coolant: convection at a wall, and internally cooled electrodes.

| law                                                      | mesh                         | allowed       |
|----------------------------------------------------------|------------------------------|---------------|
| A1b with a coefficient h: theta(r) in closed form        | half plane, eighth in 3-D    | order 2 in h  |
| area of a wall from its nodes                            | half plane, 3-D              | 1 %           |
| heat drawn = Joule - stored - perfused                   | cooled electrode             | 0.1 %         |
| maximum tissue temperature lies away from the metal      | cooled electrode             |               |
| convection and fixed wall: the difference decays         | cooled electrode             |               |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from mpi4py import MPI

from rfablate.case.read.case_file import parse_case
from rfablate.evidence import closed_forms as exact
from rfablate.evidence.closed_forms import R0, T_A
from rfablate.evidence.structured_meshes import geometric, shell_half_plane, shell_octant
from rfablate.evidence.verification_problems import (
    MeshSource,
    constant_voltage,
    frames,
    mesh_case,
    norm_L2,
    on_mesh,
    problem_on,
    steady,
)
from rfablate.fem.heat_problem import HeatSinks
from rfablate.fem.mass_matrix import LumpedMass
from rfablate.fem.wall_convection import surface_convection, wall_area
from rfablate.linalg.linear_system import SolverOptions
from rfablate.mesh.build import build_domain
from rfablate.problem.problem import build_problem
from rfablate.solve.state import Frame
from tests.build import orders, with_sinks

MM = 1e-3
H, LIQUID = 3000.0, 10.0
SHELLS: dict[str, tuple[Callable[..., Any], float, tuple[int, ...]]] = {
    "half plane": (lambda radii, n: shell_half_plane(radii, n, quarter=True), 0.5, (16, 32, 64)),
    "3-D": (lambda radii, n: shell_octant(radii, n // 2), 0.125, (8, 16, 32)),
}


@pytest.mark.mpi
@pytest.mark.parametrize("shape", SHELLS)
def test_a_sphere_behind_a_film_is_of_second_order_in_h(comm: MPI.Comm, shape: str) -> None:
    make, share, counts = SHELLS[shape]
    outer, errors = 20.0 * MM, []
    for n in counts:
        domain = on_mesh(
            comm,
            lambda n=n: make(geometric(R0, outer, n, 40.0), n),
            active="inner",
            returned="outer",
            body_temperature="outer",
        )
        axisymmetric = shape == "half plane"
        mesh = MeshSource(axisymmetric=axisymmetric)
        problem = problem_on(mesh_case(constant_voltage(1.0, 1.0), mesh=mesh), domain)
        assert isinstance(problem.solvers.heat.mass, LumpedMass)
        sinks = HeatSinks(T_A, surface_convection(domain, "active", H, LIQUID))
        problem = with_sinks(problem, sinks, SolverOptions(1e-11, 5000))
        T, _ = steady(problem, voltage=exact.applied(outer))
        r = np.maximum(np.linalg.norm(domain.x, axis=1), R0)
        errors.append(norm_L2(domain, T - T_A - exact.joule_filmed_sphere(r, H, LIQUID - T_A, outer)))
        area = domain.nodes.sum(wall_area(domain, domain.surface_nodes["active"]))[0]
        assert area == pytest.approx(share * 4 * np.pi * R0**2, rel=6.0 / n**2)
    assert min(orders([1.0 / n for n in counts], errors)) > 1.8


def test_a_film_without_resistance_holds_the_wall() -> None:
    """The two closed forms of A1b agree in the limit."""
    r = np.linspace(R0, 10 * R0, 50)
    film, held = exact.joule_filmed_sphere(r, 1e12, -20.0, 0.05), exact.joule_held_sphere(r, -20.0, 0.05)
    np.testing.assert_allclose(film, held, atol=1e-5)


# --- internally cooled electrodes -----------------------------------------------------------------


def cooled(coolant: dict[str, float], *, kind: str = "axisymmetric", **more: Any) -> Any:
    return parse_case(
        {
            "domain": {"kind": kind, "radius_mm": 30, "height_mm": 60, "tissue": "muscle"},
            "applicators": [{"model": "cooled-17g-4mm", "coolant": coolant}],
            "generator": {"kind": "power", "power_W": 3, "duration_s": 120},
            "mesh": {"accuracy": "draft"},
            **more,
        }
    )


def run_frames(case: Any, comm: MPI.Comm, *stops: float) -> tuple[Any, list[Frame]]:
    problem = build_problem(case, build_domain(case, comm))
    return problem, list(frames(problem, stops))


@pytest.mark.mpi
def test_the_energy_balance_holds_with_a_coolant(comm: MPI.Comm) -> None:
    """The coolant is colder than tissue at the start, so heat is removed before the power is on."""
    for h in (None, 3000.0):
        coolant = {"temperature_degC": 15.0, **({} if h is None else {"h_W_per_m2K": h})}
        _, seen = run_frames(cooled(coolant), comm)
        ledger = seen[-1].ledger
        assert ledger.boundary > 0.3 * ledger.joule
        assert abs(ledger.residual) < (2e-3 if h else 2e-2) * ledger.joule


def test_the_hottest_tissue_is_off_the_cooled_metal() -> None:
    """Millimetres away in steady state; on the metal without cooling."""
    case = cooled({"temperature_degC": 15.0, "h_W_per_m2K": 3000.0})
    problem, seen = run_frames(case, MPI.COMM_SELF)
    x = problem.domain.x[int(np.argmax(seen[-1].T))]
    print(x, seen[-1].max_T, seen[-1].sensor)
    off = np.hypot(max(x[0] - 0.7365 * MM, 0.0), max(-x[1], 0.0))
    assert 0.3 * MM < off < 4.0 * MM


def test_film_and_fixed_wall_differ_the_less_the_longer() -> None:
    """Coolant before power: a fixed wall is cold immediately; with convection the tip cools gradually.

    The remaining difference is the fraction of the convective resistance in the total resistance. With power the
    difference does not decay, because all removed heat crosses this resistance (cases/cooled_genicular/README.md).
    """
    stops, tip = (1.0, 5.0, 20.0, 120.0), {}
    off = {"kind": "power", "power_W": 0, "duration_s": 120}
    for name, coolant in {"film": {"h_W_per_m2K": 3000.0}, "fixed": {}}.items():
        case = cooled({"temperature_degC": 15.0, **coolant}, generator=off)
        problem, seen = run_frames(case, MPI.COMM_SELF, *stops)
        node = int(np.argmin(np.linalg.norm(problem.domain.x - [0.7365 * MM, 2 * MM, 0.0], axis=1)))
        at = {frame.t: frame.T[node] for frame in seen}
        tip[name] = np.array([at[t] for t in stops])
    apart = tip["film"] - tip["fixed"]
    print(apart)
    assert np.all(apart > 0.0) and np.all(np.diff(apart) < 0.0)
    assert apart[-1] < 0.5 * apart[0]


def test_a_3d_mesh_leaves_the_lumen_out_and_knows_its_wall() -> None:
    case = cooled({"temperature_degC": 15.0}, kind="cylinder")
    domain = build_domain(case, MPI.COMM_SELF)
    assert "cannula_lumen" not in domain.tag_of
    wall = domain.surface_nodes["coolant"]
    inner = 0.5 * (1.473 - 2 * 0.203) * MM
    assert np.hypot(*domain.x[wall, :2].T).max() == pytest.approx(inner, rel=1e-6)
    assert domain.x[wall, 2].min() == pytest.approx(0.5 * MM)
    exact_area = 2 * np.pi * inner * (30.0 - 0.5) * MM + np.pi * inner**2
    assert wall_area(domain, wall).sum() == pytest.approx(exact_area, rel=0.08)
