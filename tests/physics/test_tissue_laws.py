"""Tissue laws in a solve: heat sources, perfusion, damage by tissue, drying.

| law                                                                   | allowed          |
|-----------------------------------------------------------------------|------------------|
| metabolic heat, adiabatic: T = 37 + q/W (1 - exp(-W t / rho c))       | 1e-3 of the rise |
| the ledger with metabolic heat closes                                 | 1 %              |
| perfusion that rises f times: the rise of a warm block falls f times  | 1e-3             |
| each tissue's own damage kinetics, at its nodes and at the interface  | 1e-12            |
| three-state cell death at constant temperature is the model's own     | 1e-9             |
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from mpi4py import MPI

from rfablate.evidence import closed_forms as exact
from rfablate.evidence.closed_forms import OMEGA, R0
from rfablate.evidence.structured_meshes import box, geometric, shell_half_plane
from rfablate.evidence.verification_problems import (
    HEATED,
    constant_power,
    constant_voltage,
    frames,
    largest,
    last_frame,
    mesh_case,
    on_mesh,
    problem_on,
)
from rfablate.fem.region_fractions import node_shares
from rfablate.mesh.domain import Domain
from rfablate.physics.cell_death import ThreeState
from rfablate.physics.damage import Arrhenius, Mixed
from rfablate.physics.library import damage_set
from rfablate.physics.perfusion import BloodFlow

FloatArray = npt.NDArray[np.float64]
W = OMEGA * 1000.0 * 4180.0


@pytest.fixture(scope="module")
def ball(comm: MPI.Comm) -> Domain:
    radii = geometric(R0, 20e-3, 30, 40.0)
    return on_mesh(
        comm, lambda: shell_half_plane(radii, 16), active="inner", returned="outer", body_temperature="outer"
    )


@pytest.fixture(scope="module")
def closed(comm: MPI.Comm) -> Domain:
    """A thermally insulated ball."""
    radii = geometric(R0, 5e-3, 8, 10.0)
    return on_mesh(comm, lambda: shell_half_plane(radii, 6), active="inner", returned="outer")


# --- metabolic heat -------------------------------------------------------------------------------


@pytest.mark.mpi
def test_metabolic_heat_warms_a_perfused_block_as_the_closed_form_says(closed: Domain) -> None:
    q = 1e5
    case = mesh_case(
        constant_voltage(0.0, 120.0),
        tissue={"perfusion_per_s": OMEGA, "metabolic_heat_W_per_m3": q},
        time={"tolerance_K": 0.002},
    )
    for frame in frames(problem_on(case, closed)):
        rise = q / W * (1.0 - np.exp(-W * frame.t / (exact.RHO * exact.C)))
        assert largest(closed, frame.T - 37.0 - rise) < 1e-3 * q / W
    ledger = frame.ledger
    volume = closed.nodes.total_of(float(closed.elements.volume.sum()))[0]
    assert ledger.joule == 0.0 and ledger.metabolic == pytest.approx(q * volume * 120.0, rel=1e-9)
    assert ledger.residual_fraction < 1e-3


@pytest.mark.mpi
def test_the_ledger_closes_with_metabolic_heat_beside_joule_heat(ball: Domain) -> None:
    tissue = {"perfusion_per_s": OMEGA, "metabolic_heat_W_per_m3": 2e4, "sigma_slope_per_K": 0.015}
    frame = last_frame(problem_on(mesh_case(constant_power(0.3, 30.0), tissue=tissue), ball))
    ledger = frame.ledger
    print(f"{ledger.joule:.3f} + {ledger.metabolic:.3f} J, residual {100 * ledger.residual_fraction:.3f} %")
    assert ledger.metabolic > 1.0 and ledger.residual_fraction < 0.01


# --- drying ---------------------------------------------------------------------------------------


@pytest.mark.mpi
def test_tissue_that_dries_lets_the_impedance_roll_off(ball: Domain) -> None:
    """At the same voltage the current grows in wet tissue with temperature and falls in drying tissue at 100 degC."""

    def run(dry: float) -> tuple[float, float, float]:
        tissue = {"sigma_slope_per_K": 0.015, "sigma_dry_fraction": dry}
        case = mesh_case(constant_voltage(18.0, 8.0), tissue=tissue)
        seen = list(frames(problem_on(case, ball)))[1:]
        impedance = [1.0 / frame.conductance for frame in seen]
        assert seen[-1].ledger.residual_fraction < 0.01
        return min(impedance), impedance[-1], seen[-1].max_T

    (least, last, wet), (least_dry, last_dry, dried) = run(1.0), run(1e-2)
    print(f"wet: {last:.0f} ohm at {wet:.0f} degC; dry: {least_dry:.0f}, then {last_dry:.0f} ohm, {dried:.0f} degC")
    assert last == pytest.approx(least) and wet > 105.0
    assert last_dry > 1.3 * least_dry and dried < wet


# --- blood flow -----------------------------------------------------------------------------------


@pytest.mark.mpi
def test_perfusion_that_rises_carries_off_more(ball: Domain) -> None:
    """A sphere held at 44 degC: with more perfusion the warm layer is thinner and stores less heat."""
    heated = {**HEATED, "target_degC": 44.0, "hold_s": 120.0}

    def energies(rise: float) -> tuple[float, float]:
        case = mesh_case(heated, tissue={"perfusion_per_s": OMEGA, "perfusion_rise": rise})
        ledger = last_frame(problem_on(case, ball)).ledger
        assert ledger.residual_fraction < 0.01
        return ledger.stored, ledger.perfused

    (still, carried), (opened, more) = energies(1.0), energies(8.9)
    print(print(f"stored {still:.3f} J, {opened:.3f} J where blood rises; carried off {carried:.3f} J, {more:.3f} J"))
    assert opened < 0.98 * still and more > 1.1 * carried


@pytest.mark.mpi
def test_a_warm_block_settles_where_the_risen_perfusion_takes_its_heat(closed: Domain) -> None:
    """With blood at 44 degC the rise of the block above it is q / (f W), f = 8.9 above 45 degC."""
    q, f = 3e5, 8.9
    case = mesh_case(
        constant_voltage(0.0, 120.0),
        tissue={"perfusion_per_s": OMEGA, "perfusion_rise": f, "metabolic_heat_W_per_m3": q},
        body={"temperature_degC": 46.0, "blood_temperature_degC": 46.0, **_BLOOD},
    )
    frame = last_frame(problem_on(case, closed))
    assert largest(closed, frame.T - 46.0 - q / (f * W)) < 1e-3 * q / (f * W)


_BLOOD = {"blood_density_kg_per_m3": 1000.0, "blood_heat_capacity_J_per_kgK": 4180.0}


@pytest.mark.mpi
def test_stasis_opens_then_stops_perfusion_in_a_run(ball: Domain) -> None:
    """The lesion of a hot sphere is larger if perfusion stops in dead tissue."""
    heated = {**HEATED, "target_degC": 70.0, "hold_s": 60.0}

    def carried(**damage: Any) -> float:
        case = mesh_case(heated, tissue={"perfusion_per_s": 4 * OMEGA}, damage={"set": "stasis", **damage})
        frame = last_frame(problem_on(case, ball))
        assert frame.ledger.residual_fraction < 0.01
        return frame.ledger.perfused

    stays, stops = carried(perfusion_stops=False), carried(perfusion_law="stasis")
    print(f"carried off by blood: {stays:.2f} J, with stasis {stops:.2f} J")
    assert stops < 0.98 * stays
    flow = BloodFlow(1.0, 0.5, by_stasis=True).left(np.array([0.0, 0.0202, 50.0]), np.full(3, 37.0))
    assert flow == pytest.approx([1.0, 1.6, 0.0], abs=1e-3)


# --- damage of each tissue ------------------------------------------------------------------------

LIVER, SKIN = (Arrhenius(*damage_set(name)[:2]) for name in ("liver", "skin"))


@pytest.fixture(scope="module")
def halves(comm: MPI.Comm) -> Domain:
    """A bar of two tissues with the interface in the middle."""

    def make() -> Any:
        import dataclasses

        mesh = box(np.linspace(0.0, 4e-3, 9), np.linspace(0.0, 1e-3, 3), np.linspace(0.0, 1e-3, 3))
        right = mesh.points[mesh.cells].mean(axis=1)[:, 0] > 2e-3
        tags = np.where(right, 2, 1).astype(mesh.region.dtype)
        return dataclasses.replace(mesh, region=tags, region_names={1: "left", 2: "right"})

    return on_mesh(comm, make, active="low_x", body_temperature="high_x")


@pytest.mark.mpi
@pytest.mark.mpi3
def test_a_node_between_tissues_has_part_of_each(halves: Domain) -> None:
    shares = node_shares(halves, {"left": 1.0, "right": 3.0}, [["left"], ["right"]])
    x, middle = halves.x[:, 0], np.abs(halves.x[:, 0] - 2e-3) < 1e-4
    assert shares.sum(axis=0) == pytest.approx(1.0)
    assert shares[1][~middle] == pytest.approx(np.where(x < 2e-3, 0.0, 1.0)[~middle], abs=1e-12)
    # the nodal sum is three times the 2 mm3 of the right half, independent of the cells at the interface
    weight = halves.by_region({"left": 1.0, "right": 3.0})[halves.stencil_region]
    held = shares[1] * halves.stencil.to_nodes(weight, halves.nodes.local)
    assert halves.nodes.sum(held)[0] == pytest.approx(6e-9, rel=1e-12)


@pytest.mark.mpi
@pytest.mark.mpi3
def test_each_tissue_dies_by_its_own_kinetics(halves: Domain) -> None:
    x = halves.x[:, 0]
    shares = node_shares(halves, {"left": 1.0, "right": 1.0}, [["left"], ["right"]])
    rate = Mixed((LIVER, SKIN), shares).rate(np.full_like(x, 55.0))
    liver, skin = float(LIVER.rate(np.array(55.0))), float(SKIN.rate(np.array(55.0)))
    print(f"at 55 degC liver dies at {liver:.4f}/s, skin at {skin:.4f}/s")
    assert rate[x < 1.9e-3] == pytest.approx(liver, rel=1e-12)
    assert rate[x > 2.1e-3] == pytest.approx(skin, rel=1e-12)
    between = rate[np.abs(x - 2e-3) < 1e-4]
    assert ((between > min(liver, skin)) & (between < max(liver, skin))).all()


# --- cell death -----------------------------------------------------------------------------------


@pytest.mark.mpi
def test_cells_die_in_a_run_as_in_the_model_alone(closed: Domain) -> None:
    case = mesh_case(
        constant_voltage(0.0, 600.0),
        lesion={"rules": ["cell_death", "cell_death_0.5"]},
        body={"temperature_degC": 65.0, "blood_temperature_degC": 65.0, **_BLOOD},
    )
    alone = (np.array([0.99]), np.zeros(1))
    T = np.array([65.0])
    for frame in frames(problem_on(case, closed)):
        alone = ThreeState().advance(*alone, (T, T), frame.dt)
        assert largest(closed, frame.dead - alone[1][0]) < 1e-9
    print(f"dead after 10 min at 65 degC: {100 * alone[1][0]:.1f} %")
    assert 0.1 < alone[1][0] < 0.9


def test_without_the_rule_nobody_counts_cells(closed: Domain) -> None:
    frame = last_frame(problem_on(mesh_case(constant_voltage(1.0, 1.0)), closed))
    assert not frame.dead.any()
