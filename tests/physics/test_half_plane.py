"""An axisymmetric case gives the same results for any position of its axis, at that position.

| law                                                                   | allowed            |
|-----------------------------------------------------------------------|--------------------|
| every number of an axisymmetric case moved aside by (10, -4, 0) mm    | 1e-9 of the number |
| hottest points move with the case                                     | 1e-6 mm            |
| from space to the half plane and back                                 | 1e-12              |
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpi4py import MPI

from rfablate.case.geometry.half_plane import HalfPlane
from rfablate.case.read.case_file import parse_case
from rfablate.simulation.run import run

CASE: dict[str, Any] = {
    "domain": {"kind": "axisymmetric", "radius_mm": 20, "height_mm": 40, "tissue": "muscle"},
    "structures": [
        {"name": "ball", "kind": "sphere", "centre_mm": [0, 0, 5], "radius_mm": 2, "tissue": "fat", "role": "target"},
        {
            "name": "cord", "kind": "tube", "path_mm": [[0, 0, -12], [0, 0, -3]], "diameter_mm": 2, "tissue": "nerve",
            "role": "protect", "limit_degC": 45,
        },
    ],
    "injectates": [{"volume_mL": 0.2, "spread_mm": 8}],
    "applicators": [{"model": "cannula-20g-10mm-blunt", "tip_mm": [0, 0, 0], "sensor_radius_mm": 0.2}],
    "generator": {"kind": "temperature", "target_degC": 80, "ramp_s": 2, "hold_s": 6},
    "mesh": {"accuracy": "draft"},
    "output": {"report": False, "error_bar": False},
}  # fmt: skip
ASIDE = np.array([10.0, -4.0, 0.0])


def moved(aside: np.ndarray) -> dict[str, Any]:
    """Return the tables of the case, moved."""
    data = copy.deepcopy(CASE)

    def move(point: list[float]) -> list[float]:
        return [float(x) for x in np.array(point) + aside]

    data["domain"]["centre_mm"] = move([0, 0, 0])
    data["structures"][0]["centre_mm"] = move(data["structures"][0]["centre_mm"])
    data["structures"][1]["path_mm"] = [move(point) for point in data["structures"][1]["path_mm"]]
    data["applicators"][0]["tip_mm"] = move(data["applicators"][0]["tip_mm"])
    return data


@pytest.fixture(scope="module")
def summaries(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The case at the origin, and moved aside."""
    folder = tmp_path_factory.mktemp("aside")
    return [
        run(parse_case(moved(aside)), folder / str(n), MPI.COMM_SELF).summary.tree()
        for n, aside in enumerate((0 * ASIDE, ASIDE))
    ]


def test_numbers_do_not_depend_on_where_the_axis_lies(summaries: list[dict[str, Any]]) -> None:
    here, there = summaries
    for rule, lesion in here["lesion"].items():
        assert lesion["volume_mm3"] > 10.0
        for key, value in lesion.items():
            assert there["lesion"][rule][key] == pytest.approx(value, rel=1e-9, abs=1e-12), (rule, key)
    for name, structure in here["structures"].items():
        for key, value in structure.items():
            if isinstance(value, float):
                assert there["structures"][name][key] == pytest.approx(value, rel=1e-9, abs=1e-12), (name, key)
    assert there["electric"]["impedance_ohm"] == pytest.approx(here["electric"]["impedance_ohm"], rel=1e-9)


def test_hottest_points_lie_in_their_structures(summaries: list[dict[str, Any]]) -> None:
    here, there = (
        {name: np.array(each["hottest_point_mm"]) for name, each in summary["structures"].items()}
        for summary in summaries
    )
    for name in here:
        assert there[name] == pytest.approx(here[name] + ASIDE, abs=1e-6), name
    assert np.linalg.norm(there["ball"] - (ASIDE + [0, 0, 5])) < 2.01
    assert np.hypot(*(there["cord"] - ASIDE)[:2]) < 1.01


def test_the_coagulated_length_of_a_tube_is_found(summaries: list[dict[str, Any]]) -> None:
    assert summaries[0]["structures"]["cord"]["coagulated_length_mm"] >= 0.0
    assert summaries[0]["structures"]["cord"]["max_degC"] > 38.0


def test_the_map_goes_back_and_forth() -> None:
    rng = np.random.default_rng(1)
    plane = HalfPlane(0.01, -0.004)
    inside = np.abs(rng.normal(size=(50, 3))) * [1.0, 1.0, 0.0]
    assert plane.from_space(plane.to_space(inside)) == pytest.approx(inside, rel=1e-12, abs=1e-12)


def test_a_repeat_in_space_finds_the_damage_of_a_half_plane_aside(tmp_path: Path) -> None:
    """A 3-D repeat of an off-origin axisymmetric run starts with the lesion of the first run."""
    first = run(parse_case(moved(ASIDE)), tmp_path / "first", MPI.COMM_SELF).summary.tree()
    again = moved(ASIDE)
    again["domain"]["kind"] = "cylinder"
    again |= {"start_from": str(tmp_path / "first"), "generator": {"kind": "power", "power_W": 0.01, "duration_s": 0.5}}
    repeat = run(parse_case(again), tmp_path / "again", MPI.COMM_SELF).summary.tree()["repeat"]
    for rule, volume in repeat["volume_mm3"].items():
        assert volume["before"] == pytest.approx(first["lesion"][rule]["volume_mm3"], rel=0.1), rule
