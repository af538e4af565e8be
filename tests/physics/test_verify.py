"""`rfablate verify` passes, and a check fails where the physics or a formula is wrong by 2 %.

| what is wrong                                         | check that fails          |
|-------------------------------------------------------|---------------------------|
| k, sigma or density of the tissue, 2 %                | A0, A1, A1b, A3, A4, A7   |
| perfusion of the tissue, 10 %                         | A2, A3, A4                |
| a formula, 2 %                                        | A0 to A6                  |
| Joule heat of the solver, 2 %                         | A0, A1                    |
| latent heat, 2 %                                      | A7                        |
| k in the coupled problem, 2 %; in 3-D 10 %            | coupled                   |
| perfused heat of the energy balance, 10 %             | energy                    |
| length of the tip of the rotated cannula, 2 %         | rotation                  |
| set temperature in 3-D, 1 K                           | dimension                 |
| conductance of one direction, 0.0001 %                | reciprocity               |
| gas constant or rate of CEM43, 2 %                    | damage, damage in a run   |
| integration of damage by the left rectangle rule      | step splitting            |
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpi4py import MPI

import rfablate as rfa
from rfablate.case.tables.schema import Case
from rfablate.cli.main import main
from rfablate.errors import SolveError
from rfablate.evidence import (
    closed_form_checks,
    closed_forms,
    simulation_checks,
    verification_problems,
)
from rfablate.evidence.simulation_checks import Simulate
from rfablate.evidence.verification import CHECKS, Check, Setting, make_check, verify_installation
from rfablate.evidence.verification_results import CheckResult, Measurement, worst
from rfablate.evidence.verification_table import verification_text
from rfablate.fem.electric_problem import ElectricProblem
from rfablate.fem.heat_problem import HeatProblem
from rfablate.physics import damage
from rfablate.simulation.run import run
from rfablate.simulation.run_options import RunOptions
from rfablate.solve import loop

BY_ID = {each.id: each for each in CHECKS}


def simulate_on(comm: MPI.Comm) -> Simulate:
    return lambda case, place: run(case, place, comm, RunOptions(overwrite=True)).summary


def _make(name: str, comm: MPI.Comm, place: Path) -> CheckResult:
    found = make_check(BY_ID[name], Setting(comm, place, simulate_on(comm), quick=True))
    print(*found.measurements, found.fault, sep="\n")
    return found


# --- it passes ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_quick_verification_passes_and_writes_its_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["verify", "--quick", "-o", str(tmp_path)])
    shown = capsys.readouterr().out
    print(shown)
    kept = json.loads((tmp_path / "verification.json").read_text())
    assert code == 0 and kept["passed"] and kept["quick"] and kept["ranks"] == 1
    assert [each["id"] for each in kept["checks"]] == [each.id for each in CHECKS]
    measurements = [one for each in kept["checks"] for one in each["measurements"]]
    assert all(np.isfinite(one["computed"]) and one["limit"] > 0.0 for one in measurements)
    assert sum(one["order"] is not None for one in measurements) >= 9
    page = (tmp_path / "verification.md").read_text()
    for each in CHECKS:
        assert f"\n{each.id} " in shown and f"| {each.id} |" in page
    assert "PASS: " in shown and "FAIL" not in shown + page


@pytest.mark.mpi
@pytest.mark.parametrize("name", ["A5", "energy", "reciprocity", "damage in a run"])
def test_a_check_gives_every_rank_the_same_result(name: str, comm: MPI.Comm, shared_tmp: Path) -> None:
    found = _make(name, comm, shared_tmp)
    assert found.passed
    assert comm.allgather(found) == [found] * comm.size


# --- it fails where the physics is wrong ----------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("k_W_per_mK", ["A0 A1", "A0 A1 3-D", "A1b", "A3", "A4", "A7"]),
        ("sigma_S_per_m", ["A0 A1", "A0 A1 3-D"]),
        ("density_kg_per_m3", ["A3", "A4"]),
    ],
)
def test_a_tissue_value_that_is_2_percent_wrong_fails(
    key: str, names: list[str], comm: MPI.Comm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(verification_problems.TISSUE, key, 1.02 * verification_problems.TISSUE[key])
    for name in names:
        found = _make(name, comm, tmp_path)
        assert found.measurements and not found.passed and not found.fault, name


@pytest.mark.parametrize("name", ["A2", "A2 3-D", "A3", "A4"])
def test_10_percent_more_perfusion_fails(
    name: str, comm: MPI.Comm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closed_form_checks, "PERFUSED", {"perfusion_per_s": 1.1 * closed_forms.OMEGA})
    assert not _make(name, comm, tmp_path).passed


@pytest.mark.parametrize(
    ("formula", "name"),
    [
        ("resistance", "A0 A1"),
        ("joule_sphere", "A0 A1"),
        ("joule_held_sphere", "A1b"),
        ("joule_perfused_sphere", "A2"),
        ("stepped_sphere", "A3"),
        ("stepped_half_space", "A4"),
        ("held_cylinder", "A5"),
        ("point_source", "A6"),
    ],
)
def test_a_formula_that_is_2_percent_wrong_fails(
    formula: str, name: str, comm: MPI.Comm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[..., object] = getattr(closed_forms, formula)
    monkeypatch.setattr(closed_forms, formula, lambda *a, **k: 1.02 * real(*a, **k))  # type: ignore[operator]
    assert not _make(name, comm, tmp_path).passed


def test_joule_heat_that_is_2_percent_too_large_fails(
    comm: MPI.Comm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ElectricProblem._load
    monkeypatch.setattr(ElectricProblem, "_load", lambda self, *a, **k: 1.02 * real(self, *a, **k))
    assert not _make("A0 A1", comm, tmp_path).passed


def test_2_percent_more_latent_heat_fails(comm: MPI.Comm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closed_forms, "WATER_FRACTION", 1.02 * closed_forms.WATER_FRACTION)
    assert not _make("A7", comm, tmp_path).passed


@pytest.mark.parametrize(("name", "factor"), [("coupled", 1.02), ("coupled 3-D", 1.1)])
def test_a_wrong_conductivity_ends_the_convergence_of_the_coupled_problem(
    name: str, factor: float, comm: MPI.Comm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The coarse meshes of --quick in 3-D do not detect 2 %."""
    monkeypatch.setitem(verification_problems.TISSUE, "k_W_per_mK", factor * closed_forms.K)
    assert not _make(name, comm, tmp_path).passed


def test_an_energy_balance_with_10_percent_too_much_perfused_heat_fails(
    comm: MPI.Comm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = HeatProblem.flows

    def wrong(self: HeatProblem, *args: Any, **keys: Any) -> Any:
        flows = real(self, *args, **keys)
        return replace(flows, perfused=1.1 * flows.perfused)

    monkeypatch.setattr(HeatProblem, "flows", wrong)
    assert not _make("energy", comm, tmp_path).passed


@pytest.mark.slow
def test_a_longer_tip_of_the_rotated_cannula_fails(
    comm: MPI.Comm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = simulation_checks.cannula_case

    def wrong(kind: str, direction: Any, **keys: Any) -> Case:
        tip = 5.0 if direction == (0.0, 0.0, 1.0) else 5.1
        return real(kind, direction, **keys).with_changes({"applicators.0.active_tip_mm": tip})

    monkeypatch.setattr(simulation_checks, "cannula_case", wrong)
    assert not _make("rotation", comm, tmp_path).passed


@pytest.mark.slow
def test_another_set_temperature_in_3_d_fails(comm: MPI.Comm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = simulation_checks.cannula_case

    def wrong(kind: str, direction: Any, **keys: Any) -> Case:
        target = 80.0 if kind == "axisymmetric" else 81.0
        return real(kind, direction, **keys).with_changes({"generator.target_degC": target})

    monkeypatch.setattr(simulation_checks, "cannula_case", wrong)
    assert not _make("dimension", comm, tmp_path).passed


def test_conductances_that_differ_by_direction_fail(
    comm: MPI.Comm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ElectricProblem.conductances
    monkeypatch.setattr(ElectricProblem, "conductances", lambda self: real(self) * [1.0, 1.0 + 1e-6])
    assert not _make("reciprocity", comm, tmp_path).passed


def test_a_gas_constant_that_is_2_percent_wrong_fails(
    comm: MPI.Comm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(damage, "GAS_CONSTANT", 1.02 * damage.GAS_CONSTANT)
    assert not _make("damage", comm, tmp_path).passed


def test_a_rate_of_cem43_that_is_2_percent_wrong_fails(
    comm: MPI.Comm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = damage.cem43_rate
    monkeypatch.setattr(loop, "cem43_rate", lambda T: 1.02 * real(T))
    assert not _make("damage in a run", comm, tmp_path).passed
    monkeypatch.setattr(damage, "cem43_rate", lambda T: 1.02 * real(T))
    assert not _make("damage", comm, tmp_path).passed


def test_damage_by_the_rectangle_rule_fails(comm: MPI.Comm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damage, "integrate_rate", lambda rate_0, rate_1, dt: rate_0 * dt)
    assert not _make("step splitting", comm, tmp_path).passed


# --- verdicts -------------------------------------------------------------------------------------


def test_what_is_no_number_fails_and_is_the_worst() -> None:
    fine, none = Measurement("T", "K", 1.0, 1.0, 0.1), Measurement("T", "K", float("nan"), 1.0, 0.1)
    assert fine.passed and not none.passed
    assert worst([fine, none, fine]) is none


@pytest.mark.parametrize(("order", "passed"), [(2.0, True), (1.8, False), (2.2, False), (None, False)])
def test_an_order_off_by_more_than_its_limit_fails(order: float | None, passed: bool) -> None:
    assert Measurement("T", "K", 1.0, 1.0, 0.1, order, 2.0, 0.15).passed is passed


def test_sizes_are_compared_in_fractions_of_what_is_expected() -> None:
    expected = {"isotherm_50C width_mm": 10.0}
    inside, outside = (
        simulation_checks.compare_sizes({"isotherm_50C width_mm": each}, expected, 0.005)[0] for each in (10.04, 10.06)
    )
    assert inside.passed and not outside.passed
    assert inside.quantity == "isotherm 50C width"


def test_a_file_in_the_place_of_the_directory_is_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "taken").write_text("")
    assert main(["verify", "-o", str(tmp_path / "taken")]) == 2
    assert "expected a writable folder" in capsys.readouterr().err


def test_failures_are_shown_with_their_numbers_and_give_exit_code_1(
    comm: MPI.Comm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(on: Setting) -> list[Measurement]:
        raise SolveError("the heat solve did not converge")

    checks = (
        BY_ID["damage"],
        Check("wrong", "a wrong number", lambda on: [Measurement("T", "K", 1.5, 1.0, 0.1)]),
        Check("stopped", "a check that stops", stopped),
        Check("empty", "a check that measures nothing", lambda on: []),
    )
    found = verify_installation(Setting(comm, tmp_path, simulate_on(comm), quick=True), checks)
    lines = verification_text(found).splitlines()
    assert [each.passed for each in found.checks] == [True, False, False, False]
    (wrong,) = [line.split() for line in lines if line.startswith("wrong")]
    assert wrong == ["wrong", "T", "1.5", "1", "0.5", "0.1", "K", "-", "FAIL"]
    assert "stopped: the heat solve did not converge" in lines
    assert lines[-1].startswith("FAIL: 3 of 4 checks")
    assert "| wrong | T | 1.5 |" in (tmp_path / "verification.md").read_text()
    assert json.loads((tmp_path / "verification.json").read_text())["passed"] is False
    monkeypatch.setattr("rfablate.evidence.verification.verify_installation", lambda *a, **k: found)
    assert main(["verify", "-o", str(tmp_path)]) == 1
    assert "FAIL: 3 of 4 checks" in capsys.readouterr().out
    assert rfa.verify(tmp_path, quiet=True) is found
