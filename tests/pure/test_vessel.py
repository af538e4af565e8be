"""Nusselt numbers of flow in tubes, and flows in a case.

| law                                                          | allowed |
|--------------------------------------------------------------|---------|
| laminar: the eigenvalue problem of Graetz, solved here       | 2 %     |
| fully developed: 3.65679 (OEIS A282581)                      | 0.5 %   |
| Gnielinski at Re 1e5, Pr 1.2, f 0.0185: 254.6268             | 1e-12   |
| continuous over Re, 2300 and 4000                            |         |
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from scipy.linalg import eigh_tridiagonal

from rfablate.case.describe.case_text import describe_case
from rfablate.case.read.case_file import parse_case
from rfablate.case.resolve.structure_flow import flowing, held_structures
from rfablate.errors import CaseError
from rfablate.physics.tube_flow import LAMINAR, TURBULENT, TubeFlow, gnielinski, laminar, nusselt, petukhov

BLOOD = {"k": 0.52, "heat_capacity": 1050 * 3617.0, "density": 1050.0, "viscosity": 3.5e-3}


def graetz(Gz: float, n: int = 2000) -> float:
    """Return the mean Nusselt number of a parabolic flow that enters a tube of another temperature.

    (r R')' + lambda^2 r (1 - r^2) R = 0, R(1) = 0;  Nu = -Gz/4 ln(mean temperature), falling as exp(-2 lambda^2/Gz).
    """
    edge = np.linspace(0.0, 1.0, n + 1)
    r, dr = 0.5 * (edge[1:] + edge[:-1]), 1.0 / n
    weight = r * (1.0 - r**2) * dr
    across = edge[1:] / dr
    across[-1] *= 2.0  # half a cell from the wall
    diagonal = across + np.concatenate([[0.0], across[:-1]])
    squares, modes = eigh_tridiagonal(
        diagonal / weight, -across[:-1] / np.sqrt(weight[1:] * weight[:-1]), select="i", select_range=(0, 60)
    )
    share = (modes.T @ np.sqrt(weight)) ** 2 / weight.sum()
    return float(-Gz / 4.0 * np.log(share @ np.exp(-2.0 * squares / Gz)))


@pytest.mark.parametrize("Gz", [1.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0])
def test_laminar_flow_is_that_of_graetz(Gz: float) -> None:
    assert laminar(Gz) == pytest.approx(graetz(Gz), rel=0.02)


def test_far_down_the_tube_the_nusselt_number_is_known() -> None:
    assert graetz(0.03) == pytest.approx(3.6567934577632923619, rel=1e-3)
    assert nusselt(100.0, 20.0, 1e-9) == pytest.approx(3.6567934577632923619, rel=5e-3)


def test_turbulent_flow_is_that_of_gnielinski() -> None:
    """The first value is that of the `ht` library; 0.0180 is Petukhov's f at Re 1e5 in textbook charts."""
    assert gnielinski(1e5, 1.2, 0.0185) == pytest.approx(254.62682749359632, rel=1e-12)
    assert petukhov(1e5) == pytest.approx(0.0180, rel=0.01)


def test_the_nusselt_number_is_continuous_and_rises_with_flow() -> None:
    for edge in (LAMINAR, TURBULENT):
        assert nusselt(edge * (1 - 1e-9), 24.0, 0.1) == pytest.approx(nusselt(edge * (1 + 1e-9), 24.0, 0.1), rel=1e-6)
    values = [nusselt(Re, 24.0, 0.1) for Re in np.geomspace(1.0, 1e5, 200)]
    assert (np.diff(values) > 0.0).all()


def test_laminar_h_does_not_depend_on_viscosity() -> None:
    """Gz = v D^2 rho c / (k L): a portal vein of 10 mm at 0.15 m/s, warm along 60 mm."""
    thick, thin = (TubeFlow(0.15, 0.01, 0.06, **{**BLOOD, "viscosity": mu}).h for mu in (4.5e-3, 3e-3))
    assert thick == pytest.approx(thin, rel=1e-12)
    Gz = 0.15 * 0.01**2 * 1050 * 3617 / (0.52 * 0.06)
    assert thick == pytest.approx(laminar(Gz) * 0.52 / 0.01, rel=1e-12)


# --- in a case ------------------------------------------------------------------------------------

CASE: dict[str, Any] = {
    "domain": {"kind": "cylinder", "radius_mm": 40, "height_mm": 80, "tissue": "muscle"},
    "structures": [
        {
            **{"name": "vein", "kind": "cylinder", "start_mm": [15, 0, -40], "end_mm": [15, 0, 40], "diameter_mm": 10},
            **{"tissue": "blood", "flow": {"velocity_m_per_s": 0.15}},
        }
    ],
    "applicators": [{"model": "cannula-22g-5mm-blunt"}],
    "generator": {"kind": "temperature", "target_degC": 80, "hold_s": 60},
}


def with_vein(**keys: Any) -> dict[str, Any]:
    data = copy.deepcopy(CASE)
    data["structures"][0].update(keys)
    return data


def test_the_flow_takes_its_sizes_from_the_shape_and_its_liquid_from_the_tissue() -> None:
    flow, temperature = flowing(parse_case(CASE))["vein"]
    assert temperature == 37.0
    assert flow == TubeFlow(0.15, 0.01, pytest.approx(0.08), **BLOOD)
    assert "flows at 0.15 m/s and 37 degC: Re 450," in describe_case(parse_case(CASE))


def test_without_velocity_nothing_flows_and_nothing_is_held() -> None:
    off = parse_case(with_vein(held_degC=30, flow={"velocity_m_per_s": 0}))
    assert flowing(off) == {} and held_structures(off) == {}
    assert held_structures(parse_case(with_vein(held_degC=30, flow=None))) == {"vein": 30.0}


def test_what_flows_may_have_a_temperature_of_its_own() -> None:
    case = parse_case(with_vein(held_degC=20))
    assert flowing(case)["vein"][1] == 20.0 and held_structures(case) == {}


@pytest.mark.parametrize(
    ("keys", "where", "said"),
    [
        ({"flow": {"velocity_m_per_s": -1}}, "flow.velocity_m_per_s", "-1"),
        ({"flow": {"velocity": 1}}, "flow.velocity", "velocity_m_per_s"),
        ({"flow": {"velocity_m_per_s": 9, "viscosity_mPa_s": 0.001}}, "flow.velocity_m_per_s", "Reynolds number"),
        ({"tissue": "nitinol"}, "flow", "liquid"),
    ],
)
def test_a_wrong_flow_is_refused(keys: dict[str, Any], where: str, said: str) -> None:
    with pytest.raises(CaseError) as caught:
        parse_case(with_vein(**keys))
    assert any(where in fault.where and said in str(fault) for fault in caught.value.faults), caught.value.faults


def test_a_shape_without_a_diameter_needs_one() -> None:
    data = copy.deepcopy(CASE)
    pool = {"name": "pool", "kind": "box", "centre_mm": [15, 0, 0], "size_mm": [4, 20, 20], "tissue": "csf"}
    data["structures"] = [{**pool, "flow": {"velocity_m_per_s": 0.02}}]
    with pytest.raises(CaseError) as caught:
        parse_case(data)
    assert [fault.where.rsplit(".", 1)[1] for fault in caught.value.faults] == ["diameter_mm", "length_mm"]
    flow = {"velocity_m_per_s": 0.02, "diameter_mm": 8, "length_mm": 20, "viscosity_mPa_s": 0.7}
    data["structures"] = [{**pool, "flow": flow}]
    assert flowing(parse_case(data))["pool"][0].viscosity == pytest.approx(0.7e-3)


def test_a_wall_of_cells_is_refused_with_a_flow() -> None:
    with pytest.raises(CaseError) as caught:
        parse_case({**CASE, "mesh": {"interfaces": "cells"}})
    assert [fault.where for fault in caught.value.faults] == ["mesh.interfaces"]
