"""Staged protocols: times of the stages, transfer of state between stages, step times."""

from __future__ import annotations

import math

import pytest

from rfablate.physics.generator import (
    ConstantPowerControl,
    IdealControl,
    Limits,
    PIControl,
    PIState,
    Ramp,
    Stage,
    StagedControl,
    StagedState,
    StepPrediction,
)

NONE = Limits(power=1e9, voltage=1e9, current=1e9)
G = 0.0125
"""80 ohm [S]"""


def _ideal(target: float, ramp: float = 0.0) -> IdealControl:
    return IdealControl(NONE, math.inf, 0.0, Ramp(target, target, ramp))


PROTOCOL = StagedControl(
    (
        Stage(10.0, _ideal(60.0, 10.0)),
        Stage(30.0, _ideal(60.0), joins=True),
        Stage(20.0, None),
        Stage(5.0, _ideal(80.0, 5.0)),
        Stage(15.0, _ideal(80.0), joins=True),
        Stage(10.0, ConstantPowerControl(NONE, math.inf, 0.0, 3.0)),
    ),
    cooldown=7.0,
)


def _offer(t: float, dt: float, sensor: float = 37.0, a: float = 37.0) -> StepPrediction:
    return StepPrediction(t, dt, G, a, 0.3, t, sensor)


def test_steps_land_on_every_stage_and_start_afresh_where_the_voltage_jumps() -> None:
    assert PROTOCOL.bounds == (0.0, 10.0, 40.0, 60.0, 65.0, 80.0, 90.0)
    assert PROTOCOL.switch_times == (40.0, 60.0, 80.0, 90.0)
    assert PROTOCOL.turning_times == (10.0, 65.0)
    assert PROTOCOL.end == 97.0


@pytest.mark.parametrize(
    ("t", "setpoint"),
    [(5.0, 48.5), (10.0, 60.0), (10.5, 60.0), (40.0, 60.0), (50.0, None), (60.0, None), (80.0, 80.0), (90.0, None)],
)
def test_each_stage_asks_for_its_own_temperature(t: float, setpoint: float | None) -> None:
    command, _ = PROTOCOL.decide(_offer(t, 0.5), PROTOCOL.start())
    assert command.setpoint == (None if setpoint is None else pytest.approx(setpoint))
    assert (command.voltage > 0.0) == (not 40.0 < t <= 60.0)
    assert PROTOCOL.needs(t - 0.5, t, PROTOCOL.start()).conductance == (command.voltage > 0.0)


def test_after_the_last_stage_the_device_is_off() -> None:
    assert PROTOCOL.decide(_offer(91.0, 0.5), PROTOCOL.start())[0].voltage == 0.0
    assert not PROTOCOL.needs(90.5, 91.0, PROTOCOL.start()).conductance


def test_a_ramp_after_a_pause_starts_at_what_the_sensor_reads() -> None:
    """44 degC at 60 s, 80 degC at 65 s: 51.2 degC after one second."""
    command, memory = PROTOCOL.decide(_offer(61.0, 1.0, sensor=44.0), StagedState(stage=2))
    assert command.setpoint == pytest.approx(44.0 + 36.0 / 5.0)
    command, _ = PROTOCOL.decide(_offer(62.0, 1.0, sensor=51.2), memory)
    assert command.setpoint == pytest.approx(44.0 + 2.0 * 36.0 / 5.0)


def test_the_integral_passes_from_a_ramp_to_its_hold_and_is_lost_in_a_pause() -> None:
    def pi(ramp: float) -> PIControl:
        return PIControl(NONE, math.inf, 0.0, Ramp(60.0, 60.0, ramp), 0.1, 0.05)

    protocol = StagedControl((Stage(10.0, pi(10.0)), Stage(10.0, pi(0.0), joins=True), Stage(5.0, None)), 0.0)
    _, memory = protocol.decide(_offer(10.0, 1.0, a=20.0), StagedState(PIState(2.0, 5.0), stage=0, origin=37.0))
    before = memory
    _, memory = protocol.decide(_offer(11.0, 1.0, a=20.0), memory)
    assert memory.controller.integral_power == pytest.approx(
        before.controller.integral_power + 0.025 * (before.controller.error + memory.controller.error)
    )
    assert memory.stage == 1
    _, memory = protocol.decide(_offer(21.0, 1.0), memory)
    assert memory.controller == PIState()


def test_stages_of_a_tenth_of_a_second_are_told_apart_by_a_steps_middle() -> None:
    """0.1 added thirty times is not 3: a step that ends late by rounding still belongs to its stage."""
    protocol = StagedControl(tuple(Stage(0.1, _ideal(50.0 + n)) for n in range(30)), 0.0)
    t = 0.0
    for number, bound in enumerate(protocol.bounds[1:]):
        command, _ = protocol.decide(_offer(bound, bound - t), protocol.start())
        assert command.setpoint == 50.0 + number
        t = bound
