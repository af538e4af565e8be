"""The public Python functions: cases built and changed in Python, results read back, imports on first use."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rfablate as rfa
from rfablate.results.quantities import ENERGY, JOINING, LESION, STRUCTURE
from rfablate.results.summary_models import EnergyBalance, LesionMeasures, RunSummary, StructureResult
from tests.shipped import CASES
from tests.summaries import complete_run

NAMES = [name for name in rfa.__all__ if name != "__version__"]


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_exists_and_is_documented(name: str) -> None:
    found = getattr(rfa, name)
    assert found.__doc__
    assert name in dir(rfa)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="lod_case"):
        rfa.lod_case  # noqa: B018


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, rfablate; print([n for n in ('numpy', 'pydantic', 'mpi4py', 'dolfinx') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- cases ----------------------------------------------------------------------------------------


def test_changes_are_those_of_the_command_line() -> None:
    case = rfa.load_case(CASES / "trigeminal")
    changes = {
        "generator.target_degC": 75,
        "applicators.0.tip_mm": [1.5, 1.5, 0.6],
        "structures.motor_root.limit_degC": 43,
    }
    texts = [
        "generator.target_degC=75",
        "applicators.0.tip_mm=[1.5, 1.5, 0.6]",
        "structures.motor_root.limit_degC=43",
    ]
    changed = case.with_changes(changes)
    assert changed == rfa.load_case(CASES / "trigeminal", texts) == rfa.load_case(CASES / "trigeminal", changes)
    assert case == rfa.load_case(CASES / "trigeminal") != changed
    assert changed.generator.target == 75.0


def test_another_model_brings_its_own_values() -> None:
    case = rfa.load_case(CASES / "trigeminal")
    assert case.applicators[0].outer_diameter == pytest.approx(0.718e-3)
    thicker = case.with_changes({"applicators.0.model": "cannula-20g-5mm"})
    assert thicker == rfa.load_case(CASES / "trigeminal", ["applicators.0.model=cannula-20g-5mm"])
    assert thicker.applicators[0].outer_diameter == pytest.approx(0.908e-3)


@pytest.mark.parametrize(
    "folder", sorted(each.parent.name for each in CASES.glob("*/case.toml") if "start_from" not in each.read_text())
)
def test_no_change_gives_an_equal_case(folder: str) -> None:
    case = rfa.load_case(CASES / folder)
    assert case.with_changes({}) == case


@pytest.mark.parametrize("options", [{}, {"pc_type": "gamg", "pc_gamg_threshold": "0.02"}, {"ksp_monitor": ""}])
def test_a_change_can_be_a_table(options: dict[str, str]) -> None:
    case = rfa.load_case(CASES / "trigeminal")
    changed = case.with_changes({"solver.engine": "petsc", "solver.petsc_options": options})
    assert changed.solver.petsc_options == options


def test_every_fault_of_a_change_is_reported() -> None:
    case = rfa.load_case(CASES / "trigeminal")
    with pytest.raises(rfa.CaseError) as caught:
        case.with_changes({"generator.target_degC": -900, "generator.hold_sec": 3})
    assert len(caught.value.faults) == 2 and "hold_s" in str(caught.value)


def made(**changes: Any) -> rfa.Case:
    """Return a case built in Python."""
    tables = {
        "title": "made in Python",
        "domain": rfa.Cylinder(radius_mm=40, height_mm=80, tissue="muscle"),
        "structures": (
            rfa.Tube(
                name="nerve", path_mm=((3, -15, 0), (3, 15, 2)), diameter_mm=2, tissue="nerve", role="target",
                required_fraction=0.2,
            ),
        ),
        "applicators": (rfa.Applicator(model="cannula-20g-10mm", tip_mm=(0, 0, 0), direction=(0, 0, 1)),),
        "generator": rfa.TemperatureControl(target_degC=80, ramp_s=10, hold_s=90, max_power_W=20),
    }  # fmt: skip
    return rfa.Case(**{**tables, **changes})


def test_a_case_made_in_python_is_the_same_as_from_its_file(tmp_path: Path) -> None:
    case = made()
    assert case.applicators[0].active_tip == pytest.approx(10e-3)
    assert rfa.load_case(case.save(tmp_path / "case.toml")) == case
    assert case.with_changes({"generator.target_degC": 70}).generator.target == 70.0


def test_a_case_made_in_python_is_checked_before_it_runs(tmp_path: Path) -> None:
    pytest.importorskip("dolfinx")
    far = rfa.Applicator(model="cannula-20g-10mm", tip_mm=(0, 0, 500), direction=(0, 0, 1))
    with pytest.raises(rfa.CaseError, match=r"tip_mm"):
        rfa.run(made(applicators=(far,)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


# --- results --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "table"),
    [(LesionMeasures, (*LESION, *JOINING)), (StructureResult, STRUCTURE), (EnergyBalance, ENERGY)],
)
def test_every_number_of_a_result_is_defined_once(model: type, table: tuple[Any, ...]) -> None:
    numbers = {
        name
        for name, field in model.model_fields.items()  # type: ignore[attr-defined]
        if field.annotation in (float, float | None)
    }
    assert numbers == {quantity.key for quantity in table}
    assert all(quantity.definition.endswith(".") and quantity.label for quantity in table)


def test_a_directory_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(rfa.CaseError, match="no summary.json"):
        rfa.open_run(tmp_path)
    (tmp_path / "summary.json").write_text('{"status": "completed"}')
    with pytest.raises(rfa.CaseError, match="title"):
        rfa.open_run(tmp_path)


def test_error_bars_belong_to_their_numbers() -> None:
    lesion = dict.fromkeys((quantity.key for quantity in LESION), 1.0)
    numbers = {"lesion": {"isotherm_50C": lesion}, "numerics": {"error_bar": {"isotherm_50C.width_mm": 0.25}}}
    summary = RunSummary.model_validate(complete_run(numbers))
    measures = summary.lesion["isotherm_50C"]
    assert measures.error_bar("width_mm") == 0.25 and measures.error_bar("length_mm") is None
    with pytest.raises(KeyError):
        measures.error_bar("breadth_mm")
    assert "error_bars" not in json.loads(summary.model_dump_json())["lesion"]["isotherm_50C"]
    assert np.isfinite(measures.width_mm)
