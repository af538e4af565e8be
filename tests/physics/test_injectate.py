"""Injected saline: conductivity, volume, and conductance.

| law                                                                    | allowed |
|------------------------------------------------------------------------|---------|
| conductance of a sphere in a Gaussian bolus: 1/G = int dr/(4 pi r2 s)  | 1 %     |
| the volume on the mesh is the injected volume                          | 1 %     |
| 0.9 % saline at 25 degC about 1.55 to 1.65 S/m, at 37 degC 2 %/K more  | range   |
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from mpi4py import MPI
from scipy.integrate import quad

from rfablate.case.describe.case_text import describe_case
from rfablate.case.read.case_file import parse_case
from rfablate.errors import CaseError
from rfablate.evidence.closed_forms import R0, SIGMA
from rfablate.evidence.structured_meshes import geometric, shell_half_plane
from rfablate.evidence.verification_problems import constant_voltage, last_frame, mesh_case, on_mesh, problem_on
from rfablate.mesh.domain import Domain
from rfablate.physics.injectate import Bolus, least_spread, saline_sigma

INJECTED = {"volume_mL": 0.5, "NaCl_percent": 0.9, "spread_mm": 4.0, "centre_mm": [0.0, 0.0, 0.0]}


@pytest.fixture(scope="module")
def ball(comm: MPI.Comm) -> Domain:
    radii = geometric(R0, 30e-3, 60, 40.0)
    return on_mesh(comm, lambda: shell_half_plane(radii, 32), active="inner", returned="outer")


def test_the_conductivity_of_saline() -> None:
    assert saline_sigma(0.9) == pytest.approx(1.94, abs=0.02)
    assert saline_sigma(3.0) == pytest.approx(5.9, abs=0.1)
    assert saline_sigma(0.0) == 0.0
    assert 1.5 < saline_sigma(0.9) / (1.0 + 0.02 * 12.0) < 1.65, "near 2 %/K between 25 and 37 degC"


def test_a_bolus_holds_its_volume() -> None:
    bolus = Bolus(0.5e-6, 4e-3, 1.94)
    held = quad(lambda r: 4.0 * np.pi * r**2 * float(bolus.fraction(np.array(r))), 0.0, 40e-3)[0]
    assert held == pytest.approx(0.5e-6, rel=1e-6)
    assert Bolus(1e-6, least_spread(1e-6), 2.0).peak == pytest.approx(1.0)
    sigma = np.array([0.1, 0.1, 0.0])
    assert Bolus(1e-6, least_spread(1e-6), 2.0).factor(np.array([0.0, 1.0, 0.0]), sigma) == pytest.approx([20, 1, 1])


@pytest.mark.mpi
def test_a_sphere_in_a_bolus_conducts_as_the_integral_says(ball: Domain) -> None:
    bolus = Bolus(0.5e-6, 4e-3, saline_sigma(0.9))

    def resistivity(r: float) -> float:
        phi = float(bolus.fraction(np.array(r)))
        return 1.0 / (4.0 * np.pi * r**2 * ((1.0 - phi) * SIGMA + phi * bolus.sigma))

    exact = 1.0 / quad(resistivity, R0, 30e-3, epsrel=1e-10)[0]
    plain = 4.0 * np.pi * SIGMA / (1.0 / R0 - 1.0 / 30e-3)
    problem = problem_on(mesh_case(constant_voltage(1.0, 0.1), injectates=[INJECTED]), ball)
    frame = last_frame(problem)
    print(f"impedance {1 / plain:.1f} ohm, with 0.5 mL {1 / exact:.1f} ohm, found {1 / frame.conductance:.1f}")
    assert frame.conductance == pytest.approx(exact, rel=0.01)
    assert exact > 1.5 * plain
    factor = problem.solvers.coefficients.sigma_factor
    assert factor is not None
    phi = (factor - 1.0) / (bolus.sigma / SIGMA - 1.0)
    volume = ball.elements.volume
    assert ball.nodes.total_of(float((phi[: len(volume)] * volume).sum()))[0] == pytest.approx(0.5e-6, rel=0.01)


CASE: dict[str, Any] = {
    "domain": {"kind": "axisymmetric", "radius_mm": 30, "height_mm": 60, "tissue": "muscle"},
    "applicators": [{"model": "cannula-22g-5mm-blunt"}],
    "generator": {"kind": "temperature", "target_degC": 80, "hold_s": 60},
}


@pytest.mark.parametrize(
    ("keys", "word"),
    [
        ({"volume_mL": 1.0, "spread_mm": 2.0}, "at least 3.99"),
        ({"volume_mL": 0.1, "spread_mm": 4.0, "centre_mm": [1, 0, 0]}, "a point on the axis"),
        ({"volume_mL": 0.1, "spread_mm": 4.0, "NaCl_percent": 30}, "at most 17"),
        ({"volume_ml": 0.1, "spread_mm": 4.0}, "volume_mL"),
    ],
)
def test_a_bolus_that_cannot_be_is_refused(keys: dict[str, Any], word: str) -> None:
    with pytest.raises(CaseError, match=word):
        parse_case({**copy.deepcopy(CASE), "injectates": [keys]})


def test_check_says_what_is_injected() -> None:
    said = describe_case(parse_case({**CASE, "injectates": [{"volume_mL": 0.5, "spread_mm": 4.0}]}))
    assert "0.5 mL of 0.9 % NaCl (1.94 S/m at 37 degC) about the tip, spread 4 mm: 50 % fluid at the centre" in said
