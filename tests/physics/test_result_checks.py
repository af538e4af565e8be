"""Nothing non-physical is reported without a warning; each law from a complete run.

| law                                                                                     | allowed            |
|-----------------------------------------------------------------------------------------|--------------------|
| a usual run                                                                             | no check           |
| tissue above 100 degC without water that boils; with water                              | warned; not        |
| a target that only this tissue covers; one that was covered before                      | named; not         |
| a power limit below what the whole hold requires; one that limits the ramp only         | warned; seconds    |
| a lesion in the outermost cells; in a domain of the recommended size                    | warned; not        |
| a lesion across fewer than three cells; on a finer mesh                                 | warned; not        |
| an energy residual above 1 %                                                            | warned             |
| a verdict whose margin is smaller than its error bar; larger                            | said in the card   |
| exit code of all of these                                                               | 0                  |
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from mpi4py import MPI

from rfablate.case.read.case_file import load_case
from rfablate.errors import SolveError
from rfablate.results.summary_models import read_summary
from rfablate.simulation.outcome import Outcome
from rfablate.simulation.run import run

pytestmark = [pytest.mark.mpi]

CASE = Path(__file__).parents[1] / "mpi" / "cases" / "axisymmetric.toml"
SHORT = "applicators.0.model=cannula-20g-5mm-blunt"


def _run(folder: Path, comm: MPI.Comm, *keys: str) -> Outcome:
    done = run(load_case(CASE, ['lesion.rules=["isotherm_50C"]', "output.observe_at_s=[]", *keys]), folder, comm)
    assert done.exit_code == 0
    return done


def _checks(done: Outcome) -> dict[str, dict[str, Any]]:
    """Return the checks by name; each is also a warning, and one of the card's on rank 0."""
    found = {each["check"]: each for each in done.summary.tree()["checks"]}
    for each in found.values():
        assert each["text"] in done.summary.tree()["warnings"]
        assert not done.card or f"warning   {each['text']}" in done.card
    return found


def _folder(shared_tmp: Path, request: pytest.FixtureRequest) -> Path:
    return shared_tmp / re.sub(r"\W", "_", request.node.name)


def test_a_usual_run_has_no_check_and_the_summary_is_typed(
    shared_tmp: Path, comm: MPI.Comm, request: pytest.FixtureRequest
) -> None:
    done = _run(_folder(shared_tmp, request), comm, "output.error_bar=true", "generator.hold_s=5")
    assert not done.summary.checks and done.summary.structures["target"].within_error_bar is False
    assert "within its error bar" not in done.card


def test_tissue_that_does_not_boil_and_the_target_that_only_it_covers(
    shared_tmp: Path, comm: MPI.Comm, request: pytest.FixtureRequest
) -> None:
    """A rise through 100 degC: a small target is covered before it, a large one after it."""
    folder = _folder(shared_tmp, request)
    hot = ("generator.target_degC=130", "generator.ramp_s=3", "generator.hold_s=4", "time.tolerance_K=1")
    done = _run(folder, comm, *hot, "structures.target.required_fraction=0.999")
    found = _checks(done)
    assert found["model_range"]["value"] > 100.0 and "water_fraction" in found["model_range"]["text"]
    late = found["covered_by_range"]
    assert late["subject"] == "target" and late["value"] > late["limit"] > 0.0
    assert late["value"] == done.summary.tree()["structures"]["target"]["time_to_cover_s"]
    early = _checks(_run(folder / "early", comm, *hot, "structures.target.required_fraction=0.05"))
    assert "model_range" in early and "covered_by_range" not in early


def test_a_generator_at_its_limit_for_the_whole_hold(
    shared_tmp: Path, comm: MPI.Comm, request: pytest.FixtureRequest
) -> None:
    folder = _folder(shared_tmp, request)
    weak = _run(folder, comm, "generator.max_power_W=1", "generator.hold_s=5")
    found = _checks(weak)["generator_limit"]
    assert found["value"] == pytest.approx(5.0) and "whole hold of 5 s" in found["text"]
    assert not any("for 1" in each and "set point was not held" in each for each in weak.summary.tree()["warnings"])
    ramp = _run(folder / "ramp", comm, "generator.max_power_W=6", "generator.hold_s=5")
    assert "generator_limit" not in _checks(ramp)
    (told,) = (each for each in ramp.summary.tree()["warnings"] if "at one of its limits" in each)
    assert 0.0 < ramp.summary.tree()["electric"]["limited_s"] < 5.0 and "not held during this time" in told


def test_a_lesion_at_the_boundary_names_a_size_that_suffices(
    shared_tmp: Path, comm: MPI.Comm, request: pytest.FixtureRequest
) -> None:
    folder = _folder(shared_tmp, request)
    keys = (
        SHORT, "structures=[]", "boundary.thermal=insulated", "generator.target_degC=95", "generator.hold_s=400",
        "tissues.muscle.perfusion_per_s=0", "mesh.accuracy=draft", "time.tolerance_K=1",
    )  # fmt: skip
    small = _checks(_run(folder, comm, *keys, "domain.radius_mm=10", "domain.height_mm=40"))["domain_boundary"]
    radius, height = re.search(r"domain.radius_mm = (\d+) and domain.height_mm = (\d+)", small["text"]).groups()  # type: ignore[union-attr]
    assert small["subject"] == "isotherm_50C" and float(radius) >= 20.0 and float(height) >= 40.0
    large = _run(folder / "large", comm, *keys, f"domain.radius_mm={radius}", f"domain.height_mm={height}")
    assert "domain_boundary" not in _checks(large)


def test_a_lesion_of_fewer_than_three_cells(shared_tmp: Path, comm: MPI.Comm, request: pytest.FixtureRequest) -> None:
    folder = _folder(shared_tmp, request)
    keys = ("generator.target_degC=52", "generator.ramp_s=1", "generator.hold_s=1", "structures=[]")
    coarse = _checks(_run(folder, comm, *keys, "mesh.size_tip_mm=1.2", "mesh.growth=1.0"))["lesion_resolution"]
    assert coarse["value"] < coarse["limit"] and coarse["unit"] == "mm"
    assert "lesion_resolution" not in _checks(_run(folder / "fine", comm, *keys, "mesh.size_tip_mm=0.1"))


def test_an_energy_balance_that_is_not_closed(shared_tmp: Path, comm: MPI.Comm, request: pytest.FixtureRequest) -> None:
    keys = (
        "time.order=1", "time.stepping=fixed", "time.step_s=2.5", "generator.hold_s=5", "generator.ramp_s=0",
        "output.fields_interval_s=5",
    )  # fmt: skip
    done = _run(_folder(shared_tmp, request), comm, *keys)
    found = _checks(done)["energy_balance"]
    assert found["value"] == done.summary.tree()["energy"]["residual_percent"] > 1.0


def test_a_sensor_without_response_is_an_error(
    shared_tmp: Path, comm: MPI.Comm, request: pytest.FixtureRequest
) -> None:
    """A solve that stops at its zero initial guess gives a gain of 0."""
    keys = ("time.order=1", "time.stepping=fixed", "time.step_s=2.5", "generator.hold_s=5", "solver.heat_rtol=0.01")
    with pytest.raises(SolveError, match="gain is 0 K/V2.*heat_rtol"):
        _run(_folder(shared_tmp, request), comm, *keys, "generator.ramp_s=0")


@pytest.mark.parametrize(("part", "within"), [(1e-4, True), (0.2, False)])
def test_a_verdict_within_its_error_bar_is_said(
    shared_tmp: Path, comm: MPI.Comm, request: pytest.FixtureRequest, part: float, within: bool
) -> None:
    """The first run gives the covered fraction; the second requires a little less than that."""
    folder = _folder(shared_tmp, request)
    keys = ("generator.hold_s=1", "mesh.accuracy=draft")
    covered = _run(folder / "first", comm, *keys).summary.tree()["structures"]["target"]["covered_fraction"]
    assert 0.3 < covered < 0.99
    required = f"structures.target.required_fraction={covered - part}"
    done = _run(folder / "second", comm, *keys, required, "output.error_bar=true", "output.report=true")
    target = done.summary.tree()["structures"]["target"]
    bar = done.summary.tree()["numerics"]["error_bar"]["target.covered_fraction"]
    assert target["verdict"] == "reached" and (bar >= part) is within is target["within_error_bar"]
    if comm.rank == 0:
        told = "target: REACHED, but within its error bar (" in done.card
        assert told is within is ("reached, but within its error bar" in (folder / "second/report.html").read_text())
        typed = read_summary(folder / "second")
        assert typed.structures["target"].within_error_bar is within
        assert [each.check for each in typed.checks] == (["error_bar"] if within else [])
        assert json.loads((folder / "second" / "summary.json").read_text())["checks"] == done.summary.tree()["checks"]
