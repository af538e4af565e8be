"""Water that boils: the Stefan problem, and energy at any length of step.

| law                                                                        | allowed        |
|----------------------------------------------------------------------------|----------------|
| A7: front at 60 s, 0.97456 mm, and the heat it took                        | 2 %            |
| A7: T(3 mm) = 72.126, T(5 mm) = 53.208 degC                                | 2 % of rise    |
| nothing leaves: joule = stored + latent at constant power, steps 0.1, 2 s  | 1e-8           |
| the latent heat of a run with everything on: the ledger closes             | 1 %            |
| what boiled condenses: after cooling no latent heat is left                | 1e-6           |
"""

from __future__ import annotations

import numpy as np
import pytest
from mpi4py import MPI

from rfablate.evidence import closed_forms as exact
from rfablate.evidence.closed_form_checks import boiled_depth, boiling_bar, boiling_problem
from rfablate.evidence.closed_forms import OMEGA, R0
from rfablate.evidence.structured_meshes import geometric, shell_half_plane
from rfablate.evidence.verification_problems import (
    at_points,
    constant_power,
    constant_voltage,
    fixed_step,
    frames,
    largest,
    last_frame,
    mesh_case,
    on_mesh,
    problem_on,
)
from rfablate.mesh.domain import Domain

WATER = {"water_fraction": exact.WATER_FRACTION}


@pytest.fixture(scope="module")
def bar(comm: MPI.Comm) -> Domain:
    return boiling_bar(comm)


@pytest.mark.parametrize("time", [fixed_step(0.05), {"tolerance_K": 0.05}], ids=["fixed", "adaptive"])
def test_the_boiling_front_runs_as_stefan_says(bar: Domain, time: dict[str, object]) -> None:
    x = exact.stefan_lambda()
    assert x == pytest.approx(0.173789, rel=1e-5)
    seen = list(frames(boiling_problem(bar, time)))
    frame = seen[-1]
    z = np.linspace(0.1e-3, 3e-3, 581)
    T = at_points(bar, frame.T, np.stack([np.full_like(z, 1e-4), z, 0.0 * z], axis=1))
    front = float(z[np.flatnonzero(T >= 100.0 - 1e-9)[-1]])
    by_heat = boiled_depth(frame.ledger.latent)
    print(f"{len(seen)} steps, front {front * 1e3:.4f} mm, by its heat {by_heat * 1e3:.4f} mm", end="; ")
    T3, T5 = at_points(bar, frame.T, np.array([[1e-4, 3e-3, 0.0], [1e-4, 5e-3, 0.0]]))
    print(f"T(3 mm) {T3:.3f}, T(5 mm) {T5:.3f}, residual {100 * frame.ledger.residual_fraction:.3f} %")
    assert by_heat == pytest.approx(2.0 * x * np.sqrt(exact.A * 60.0), rel=0.02)
    assert by_heat == pytest.approx(0.97456e-3, rel=0.02)
    assert front == pytest.approx(0.97456e-3, rel=0.03)
    assert T3 - 37.0 == pytest.approx(72.126 - 37.0, rel=0.02)
    assert T5 - 37.0 == pytest.approx(53.208 - 37.0, rel=0.02)
    assert frame.ledger.residual_fraction < 0.02
    assert max(each.max_T for each in seen) < 140.0 + 1e-6, "nothing gets hotter than what heats it"


@pytest.fixture(scope="module")
def closed(comm: MPI.Comm) -> Domain:
    """A ball that no heat leaves."""
    radii = geometric(R0, 5e-3, 20, 10.0)
    return on_mesh(comm, lambda: shell_half_plane(radii, 8), active="inner", returned="outer")


@pytest.mark.mpi
@pytest.mark.mpi3
@pytest.mark.parametrize("step", [0.1, 0.5, 2.0])
def test_energy_is_conserved_at_any_length_of_step(closed: Domain, step: float) -> None:
    case = mesh_case(constant_power(3.0, 20.0), tissue={**WATER, "sigma_slope_per_K": 0.015}, time=fixed_step(step, 1))
    frame = last_frame(problem_on(case, closed))
    ledger = frame.ledger
    print(f"{ledger.joule:.2f} J = {ledger.stored:.4f} stored + {ledger.latent:.4f} latent, {frame.max_T:.1f} degC")
    assert ledger.joule == pytest.approx(60.0, rel=1e-12)
    assert ledger.latent > 5.0
    assert ledger.stored + ledger.latent == pytest.approx(60.0, rel=1e-8)
    assert largest(closed, np.clip(frame.vapour, 0.0, 1.0) - frame.vapour) == 0.0


def test_water_holds_the_tip_at_100_degC(closed: Domain) -> None:
    """The same power with and without water."""
    generator = constant_power(1.0, 8.0)
    dry = last_frame(problem_on(mesh_case(generator), closed))
    wet = last_frame(problem_on(mesh_case(generator, tissue=WATER), closed))
    print(f"hottest {dry.max_T:.1f} degC without water, {wet.max_T:.1f} degC with it")
    assert wet.ledger.residual_fraction < 0.01
    assert dry.max_T > 130.0 and 100.0 <= wet.max_T < 112.0


def test_the_ledger_closes_and_steam_condenses(comm: MPI.Comm) -> None:
    radii = geometric(R0, 20e-3, 30, 40.0)
    ball = on_mesh(
        comm, lambda: shell_half_plane(radii, 12), active="inner", returned="outer", body_temperature="outer"
    )
    generator = {**constant_voltage(20.0, 6.0), "cooldown_s": 60.0}
    case = mesh_case(generator, tissue={**WATER, "perfusion_per_s": OMEGA, "sigma_slope_per_K": 0.015})
    seen = list(frames(problem_on(case, ball)))
    most = max(frame.ledger.latent for frame in seen)
    ledger = seen[-1].ledger
    print(f"{len(seen)} steps: {most:.2f} J boiled of {ledger.joule:.2f} J, {ledger.latent:.2g} J left", end="; ")
    print(f"residual {100 * ledger.residual_fraction:.3f} %")
    assert most > 0.02 * ledger.joule and abs(ledger.latent) < 1e-6 * most
    assert ledger.residual_fraction < 0.01
