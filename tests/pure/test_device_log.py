"""Device logs: accepted and rejected content, and use in a replay."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from rfablate.case.describe.case_text import describe_case
from rfablate.case.read.case_file import parse_case
from rfablate.case.tables.device_log import read_log
from rfablate.errors import CaseError
from rfablate.physics.generator import (
    IdealControl,
    ImpedanceGuard,
    Limits,
    MeasuredCurve,
    ReplayControl,
    StepPrediction,
)
from rfablate.problem.generator_setup import case_generator
from rfablate.report.replay_section import misfit
from rfablate.results.run_reader import RunData

BASE: dict[str, Any] = {
    "domain": {"kind": "axisymmetric", "radius_mm": 40, "height_mm": 80, "tissue": "muscle"},
    "applicators": [{"model": "cannula-22g-5mm-blunt"}],
}
LOG = "time_s,voltage_V,temperature_degC,note\n3,0,37,on\n4,10,40,\n6,10,60,\n8,12,70,off\n"
NONE = Limits(power=1e9, voltage=1e9, current=1e9)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.csv"
    path.write_text(LOG, encoding="utf-8")
    return path


def test_a_log_is_read_from_its_first_row_on_and_other_columns_are_left_out(log: Path) -> None:
    found = read_log(log)
    assert found.times == (0.0, 1.0, 3.0, 5.0)
    assert found.columns == {"voltage_V": (0.0, 10.0, 10.0, 12.0), "temperature_degC": (37.0, 40.0, 60.0, 70.0)}
    assert found.drivers == ("voltage", "temperature")


def test_a_log_with_a_byte_order_mark_and_blank_lines_is_a_log(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("\ufeff" + LOG.replace("\n", "\r\n\r\n"), encoding="utf-8")
    assert read_log(path).times == (0.0, 1.0, 3.0, 5.0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "an empty file"),
        ("t,voltage_V\n0,1\n1,1\n", "no time_s"),
        ("time_s,impedance_ohm\n0,1\n1,1\n", "none of voltage_V"),
        ("time_s,power_W\n0,1\n", "1 rows, where two are the least"),
        ("time_s,power_W\n0,1\n2,1\n1,1\n", "line 4: time_s goes from 2 to 1"),
        ("time_s,power_W\n0,1\n1,\n", 'line 3: power_W is "", not a number'),
        ("time_s,power_W\n0,1\n1,nan\n", 'line 3: power_W is "nan", not a number'),
        ("time_s;power_W\n0;1\n1;2\n", "no time_s"),
        ("time_s,power_W\n0,1\n1,2,3\n", "line 3: 3 cells under 2 columns"),
    ],
)
def test_what_is_no_log_is_a_fault_of_the_case(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CaseError) as caught:
        parse_case({**copy.deepcopy(BASE), "generator": {"kind": "replay", "file": str(path)}})
    (fault,) = caught.value.faults
    assert fault.where == "generator.file" and told in fault.found


def test_a_missing_log_and_a_missing_driver_are_told(log: Path) -> None:
    for keys, where, words in (
        ({"file": str(log.with_name("lgo.csv"))}, "generator.file", 'did you mean "log.csv"?'),
        (
            {"file": str(log), "drive": "power"},
            "generator.drive",
            "one of the columns in the log: voltage, temperature",
        ),
    ):
        with pytest.raises(CaseError) as caught:
            parse_case({**copy.deepcopy(BASE), "generator": {"kind": "replay", **keys}})
        (fault,) = caught.value.faults
        assert fault.where == where and words in str(fault)


def test_a_relative_log_starts_from_the_case_file_and_its_first_driver_drives(log: Path) -> None:
    case = parse_case({**copy.deepcopy(BASE), "generator": {"kind": "replay", "file": "log.csv"}}, log.parent)
    guard = case_generator(case)
    assert isinstance(guard, ImpedanceGuard) and isinstance(guard.generator, ReplayControl)
    assert guard.generator.quantity == "voltage" and guard.end == 5.0 and guard.turning_times == (1.0, 3.0)
    assert "4 rows over 5 s, driven by its voltage" in describe_case(case)
    warm = parse_case(
        {**copy.deepcopy(BASE), "generator": {"kind": "replay", "file": "log.csv", "drive": "temperature"}}, log.parent
    )
    control = case_generator(warm)
    assert isinstance(control, ImpedanceGuard) and isinstance(control.generator, IdealControl)
    assert control.generator.ramp.at(2.0) == pytest.approx(50.0)


def test_a_curve_is_straight_between_its_points_and_constant_beyond() -> None:
    curve = MeasuredCurve((0.0, 1.0, 3.0, 5.0), (0.0, 10.0, 10.0, 12.0))
    assert [curve.at(t) for t in (-1.0, 0.0, 0.5, 1.0, 2.0, 4.0, 5.0, 9.0)] == [0, 0, 5, 10, 10, 11, 12, 12]
    assert curve.turns == (1.0, 3.0)


@pytest.mark.parametrize(("quantity", "value"), [("voltage", 5.0), ("current", 0.05), ("power", 0.25)])
def test_a_replay_delivers_what_was_measured_within_the_limits(quantity: Any, value: float) -> None:
    """5 V at 100 ohm: 0.05 A, 0.25 W."""
    replay = ReplayControl(NONE, 10.0, 0.0, quantity, MeasuredCurve((0.0, 10.0), (0.0, 2.0 * value)))
    offer = StepPrediction(5.0, 0.5, 0.01, 37.0, 0.3, 5.0)
    assert replay.decide(offer, replay.start())[0].voltage == pytest.approx(5.0)
    weak = ReplayControl(Limits(1e9, 3.0, 1e9), 10.0, 0.0, quantity, replay.curve)
    assert weak.decide(offer, weak.start())[0].limited_by == "voltage"
    assert replay.decide(StepPrediction(10.5, 0.5, 0.01, 37.0, 0.3, 10.5), replay.start())[0].voltage == 0.0


def test_the_report_tells_the_misfit_in_units() -> None:
    replay = {
        "driven_by": "power_W",
        "rows": 92,
        "misfit": {
            "temperature_degC": {"rms": 1.234, "largest": -3.5, "largest_at_s": 12.0},
            "impedance_ohm": {"rms": 45.0, "largest": 61.0, "largest_at_s": 3.0},
        },
    }
    page = misfit(RunData(Path(), {"replay": replay}, {}, {}, "", ()))
    for told in ("driven by the logged power_W", "1.23 K", "−3.5 K at 12 s", "45 Ω"):
        assert told in page
    assert misfit(RunData(Path(), {}, {}, {}, "", ())) == ""
