"""Comparison of two runs: volumes equal those of the runs, and the smaller lesion lies inside the larger one."""

from __future__ import annotations

from pathlib import Path

import pytest
from mpi4py import MPI

from rfablate.case.read.case_file import load_case
from rfablate.comparison.two_runs import LesionPairs, compare_lesions
from rfablate.results.run_reader import RunData, load_run
from rfablate.simulation.run import run

NEEDLE = Path(__file__).parents[2] / "cases" / "needle_benchmark"
END_S = 130.0
RULES = ("isotherm_45C", "isotherm_50C", "isotherm_55C", "isotherm_60C")


@pytest.fixture(scope="module")
def runs(comm: MPI.Comm, shared_tmp: Path) -> dict[str, RunData]:
    """Return draft runs of the needle at 80 and 75 degC, and at 80 degC in 3-D."""
    changes = {"80": (), "75": ("generator.target_degC=75",), "3-D": ("domain.kind=cylinder",)}
    plain = ("mesh.accuracy=draft", "output.report=false", "output.error_bar=false")
    found = {}
    for name, change in changes.items():
        run(load_case(NEEDLE, [*plain, *change]), shared_tmp / name, comm)
        found[name] = load_run(shared_tmp / name)
    return found


def _check_volumes(found: LesionPairs, a: RunData, b: RunData) -> None:
    for rule, pair in found.rules.items():
        for run_data, volume, mesh in ((a, pair.shared.a, "A"), (b, pair.shared.b, "B")):
            if found.mesh in ("same", mesh):
                assert volume == pytest.approx(run_data.table("lesion")[rule]["volume_mm3"], rel=1e-4)


def test_the_lesion_of_75_degrees_lies_inside_that_of_80(runs: dict[str, RunData]) -> None:
    a, b = runs["80"], runs["75"]
    found = compare_lesions(a, b, END_S, END_S)
    assert tuple(found.rules) == RULES and found.mesh == "same"
    _check_volumes(found, a, b)
    for rule, pair in found.rules.items():
        own = [each.table("lesion")[rule] for each in (a, b)]
        assert pair.shared.only_b < 1e-6 * pair.shared.b
        assert pair.b_to_a is not None
        # Half of the difference of the widths is the distance at the equator and along the tip.
        assert 0.5 * (own[0]["width_mm"] - own[1]["width_mm"]) == pytest.approx(pair.b_to_a.mean, rel=0.2)


def test_the_needle_in_3d_is_the_axisymmetric_one(runs: dict[str, RunData]) -> None:
    """If widths and lengths agree within 3.5 %, volumes agree within 10 %, and 2 V1 / (V1 + V2) exceeds 0.95."""
    a, b = runs["80"], runs["3-D"]
    found = compare_lesions(a, b, END_S, END_S)
    assert found.mesh == "B"
    _check_volumes(found, a, b)
    for pair in found.rules.values():
        assert pair.shared.dice is not None and pair.shared.dice > 0.95
