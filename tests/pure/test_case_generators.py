"""Generator tables of a case: the resulting objects, and rejected values."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from rfablate.case.describe.case_text import describe_case
from rfablate.case.read.case_file import dump_case, parse_case
from rfablate.errors import CaseError
from rfablate.physics.generator import ImpedanceGuard, ImpedanceWindow, PulsedControl, RollOffResponse, StagedControl
from rfablate.problem.generator_setup import case_generator
from rfablate.toml import tomllib

BASE: dict[str, Any] = {
    "domain": {"kind": "axisymmetric", "radius_mm": 40, "height_mm": 80, "tissue": "muscle"},
    "applicators": [{"model": "cannula-22g-5mm-blunt"}],
}
STAGES = """
[generator]
kind = "staged"
[[generator.stages]]
kind = "ramp"
target_degC = 60
duration_s = 10
[[generator.stages]]
kind = "hold"
duration_s = 30
[[generator.stages]]
kind = "pause"
duration_s = 20
[[generator.stages]]
kind = "hold"
target_degC = 80
duration_s = 60
[[generator.stages]]
kind = "power"
power_W = 2
duration_s = 5
[generator.roll_off]
rise_ohm = 20
"""


def faults_of(generator: dict[str, Any]) -> dict[str, str]:
    try:
        parse_case({**copy.deepcopy(BASE), "generator": generator})
    except CaseError as error:
        return {fault.where: str(fault) for fault in error.faults}
    return {}


def staged(*stages: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"kind": "staged", "stages": list(stages), **keys}


def test_stages_read_as_they_are_meant() -> None:
    case = parse_case({**copy.deepcopy(BASE), **tomllib.loads(STAGES)})
    guard = case_generator(case)
    assert isinstance(guard, ImpedanceGuard) and isinstance(guard.generator, StagedControl)
    assert guard.window == ImpedanceWindow(5.0, 10000.0)
    assert guard.roll_off == RollOffResponse("pause", None, 20.0, 15.0, 0.7)
    assert guard.switch_times == (40.0, 60.0, 120.0, 125.0) and guard.turning_times == (10.0,)
    told = describe_case(case)
    assert "ramp 10 s to 60 degC, hold 30 s, pause 20 s, hold 60 s at 80 degC, 2 W for 5 s, ideal control" in told
    assert "roll-off 20 ohm above the lowest impedance: pause for 15 s, then resume" in told
    assert "from 5 to 10000 ohm" in told
    assert parse_case(tomllib.loads(dump_case(case))) == case


@pytest.mark.parametrize(
    ("generator", "where", "words"),
    [
        (staged(), "generator.stages", ["at least 1"]),
        (staged({"kind": "hold", "duration_s": 5}), "generator.stages[0].target_degC", ["target_degC = 80"]),
        (
            staged({"kind": "pause", "duration_s": 5}, {"kind": "ramp", "target_degC": 30, "duration_s": 5}),
            "generator.stages[1].target_degC",
            ["above body temperature, 37"],
        ),
        (staged({"kind": "rmap", "duration_s": 5}), "generator.stages[0].kind", ['did you mean "ramp"?']),
        (staged({"kind": "pause", "duration_s": 0}), "generator.stages[0].duration_s", ["above 0 [s]"]),
        (staged({"kind": "pause", "hold_s": 5}), "generator.stages[0].hold_s", ["unknown key"]),
        (
            staged({"kind": "current", "current_A": 3, "duration_s": 5}),
            "generator.stages[0].current_A",
            ["at most max_current_A = 1.5", "--set generator.max_current_A=3"],
        ),
        ({"kind": "current", "current_A": 2, "duration_s": 5}, "generator.current_A", ["at most max_current_A = 1.5"]),
        (
            {"kind": "current", "current_A": 1, "duration_s": 5, "min_impedance_ohm": 200, "max_impedance_ohm": 90},
            "generator.min_impedance_ohm",
            ["less than max_impedance_ohm = 90", "swapped?"],
        ),
        (
            {"kind": "power", "power_W": 1, "duration_s": 5, "roll_off": {"wait_s": 3}},
            "generator.roll_off",
            ["neither above_ohm nor rise_ohm", "rise_ohm = 20"],
        ),
        (
            {"kind": "power", "power_W": 1, "duration_s": 5, "roll_off": {"above_ohm": 300, "rise_ohm": 3}},
            "generator.roll_off",
            ["both"],
        ),
        (
            {"kind": "power", "power_W": 1, "duration_s": 5, "roll_off": {"above_ohm": 2e4}},
            "generator.roll_off.above_ohm",
            ["between the impedance limits 5 and 10000"],
        ),
        (
            {"kind": "power", "power_W": 1, "duration_s": 5, "roll_off": {"rise_ohm": 3, "action": "stepdown"}},
            "generator.roll_off.action",
            ['did you mean "step_down"?'],
        ),
        (
            {"kind": "power", "power_W": 1, "duration_s": 5, "roll_off": {"rise_ohm": 3, "factor": 1}},
            "generator.roll_off.factor",
            ["above 0 and below 1"],
        ),
    ],
)
def test_a_generator_that_cannot_be_is_told(generator: dict[str, Any], where: str, words: list[str]) -> None:
    faults = faults_of(generator)
    assert set(faults) >= {where}, faults
    assert [word for word in words if word not in faults[where]] == [], faults[where]


PULSED = {"kind": "pulsed", "voltage_V": 45, "pulse_ms": 20, "rate_Hz": 2, "cap_degC": 42, "duration_s": 120}


def test_pulses_read_as_they_are_meant() -> None:
    case = parse_case({**copy.deepcopy(BASE), "generator": PULSED})
    guard = case_generator(case)
    assert isinstance(guard, ImpedanceGuard) and isinstance(guard.generator, PulsedControl)
    assert (guard.generator.width, guard.generator.duty) == (pytest.approx(0.02), pytest.approx(0.04))
    assert "pulses of 45 V RMS, 20 ms, 2 Hz for 120 s, sensor at most 42 degC, cycle averages" in describe_case(case)
    assert parse_case(tomllib.loads(dump_case(case))) == case


@pytest.mark.parametrize(
    ("keys", "where", "words"),
    [
        ({"pulse_ms": 500}, "generator.pulse_ms", ["less than one period, 500 [ms]"]),
        ({"cap_degC": 37}, "generator.cap_degC", ["above body temperature", "42 degC for pulsed treatment"]),
        ({"voltage_V": 450}, "generator.voltage_V", ["at most max_voltage_V = 100"]),
        ({"rate_Hz": 0}, "generator.rate_Hz", ["above 0 [Hz]"]),
        ({"pulse_s": 0.02}, "generator.pulse_s", ["pulse_ms"]),
    ],
)
def test_pulses_that_cannot_be_are_told(keys: dict[str, Any], where: str, words: list[str]) -> None:
    faults = faults_of({**PULSED, **keys})
    assert [word for word in words if word not in faults[where]] == [], faults


def test_resolved_pulses_take_adaptive_steps() -> None:
    with pytest.raises(CaseError) as caught:
        parse_case({**copy.deepcopy(BASE), "generator": {**PULSED, "resolved": True}, "time": {"stepping": "fixed"}})
    assert [fault.where for fault in caught.value.faults] == ["generator.resolved"]
