"""Law, limits and memory of each generator, with a model electrode of three numbers: G, a and b."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from rfablate.physics.generator import (
    Command,
    ConstantCurrentControl,
    ConstantPowerControl,
    ConstantVoltageControl,
    Generator,
    IdealControl,
    Limits,
    Off,
    PIControl,
    PIState,
    Ramp,
    RequiredInputs,
    StepPrediction,
)

NONE = Limits(power=1e9, voltage=1e9, current=1e9)
G = 0.0125
"""80 ohm [S]"""


def _offer(
    t: float = 5.0, dt: float = 0.5, *, a: float = 37.0, b: float = 0.3, reach: float | None = None
) -> StepPrediction:
    return StepPrediction(t, dt, G, a, b, t if reach is None else reach)


# --- the set point --------------------------------------------------------------------------------


def test_a_ramp_rises_linearly_and_then_holds() -> None:
    ramp = Ramp(37.0, 80.0, 10.0)
    assert [ramp.at(t) for t in (0.0, 5.0, 10.0, 100.0)] == [37.0, 58.5, 80.0, 80.0]


def test_a_ramp_of_no_duration_is_a_step() -> None:
    assert Ramp(37.0, 80.0, 0.0).at(0.0) == 80.0


# --- open loop ------------------------------------------------------------------------------------


def test_constant_voltage_is_constant() -> None:
    command, _ = ConstantVoltageControl(NONE, 60.0, 0.0, 12.0).decide(_offer(), None)
    assert command == Command(12.0)


def test_constant_power_is_what_the_conductance_makes_of_it() -> None:
    command, _ = ConstantPowerControl(NONE, 60.0, 0.0, 3.0).decide(_offer(), None)
    assert command.voltage**2 * G == pytest.approx(3.0)


def test_constant_current_is_what_the_conductance_makes_of_it() -> None:
    command, _ = ConstantCurrentControl(NONE, 60.0, 0.0, 0.4).decide(_offer(), None)
    assert command.voltage * G == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("limits", "by", "voltage"),
    [
        (Limits(2.0, 1e9, 1e9), "power", math.sqrt(2.0 / G)),
        (Limits(1e9, 10.0, 1e9), "voltage", 10.0),
        (Limits(1e9, 1e9, 0.1), "current", 0.1 / G),
        (Limits(2.0, 10.0, 0.1), "current", 0.1 / G),
    ],
)
def test_the_tightest_limit_holds_the_voltage_and_is_named(limits: Limits, by: str, voltage: float) -> None:
    for generator in (
        ConstantVoltageControl(limits, 60.0, 0.0, 100.0),
        ConstantPowerControl(limits, 60.0, 0.0, 50.0),
        ConstantCurrentControl(limits, 60.0, 0.0, 2.0),
        IdealControl(limits, 60.0, 0.0, Ramp(37.0, 9000.0, 0.0)),
        PIControl(limits, 60.0, 0.0, Ramp(37.0, 9000.0, 0.0), 10.0, 0.0),
    ):
        command, _ = generator.decide(_offer(), generator.start())
        assert command.limited_by == by
        assert command.voltage == pytest.approx(voltage)


def test_no_limit_is_named_where_none_binds() -> None:
    assert Limits(2.0, 10.0, 0.5).apply(25.0, G) == (5.0, "")
    assert Limits(2.0, 10.0, 0.5).apply(-25.0, G) == (0.0, "")


RAMP = Ramp(37.0, 80.0, 10.0)
ALL: list[Generator] = [
    ConstantVoltageControl(NONE, 70.0, 5.0, 12.0),
    ConstantPowerControl(NONE, 70.0, 5.0, 3.0),
    ConstantCurrentControl(NONE, 70.0, 5.0, 0.1),
    IdealControl(NONE, 70.0, 5.0, RAMP),
    PIControl(NONE, 70.0, 5.0, RAMP, 0.1, 0.05),
    Off(10.0, 70.0, 5.0),
]


@pytest.mark.parametrize("generator", ALL, ids=lambda g: type(g).__name__)
def test_after_its_time_a_generator_gives_nothing_and_the_end_is_after_the_cooldown(generator: Generator) -> None:
    assert generator.end == 75.0 and generator.switch_times == (70.0,)
    command, _ = generator.decide(_offer(t=70.5), generator.start())
    assert command.voltage == 0.0
    if not isinstance(generator, Off):
        assert generator.decide(_offer(t=70.0), generator.start())[0].voltage > 0.0, (
            "the step that ends at the switch is heated"
        )


def test_steps_land_where_the_set_point_turns() -> None:
    assert all(g.turning_times == (10.0,) for g in ALL[3:])
    assert all(g.turning_times == () for g in ALL[:3])


# --- ideal control --------------------------------------------------------------------------------


@pytest.mark.parametrize("t", [2.0, 10.0, 40.0])
def test_ideal_control_puts_the_sensor_on_its_set_point(t: float) -> None:
    offer = _offer(t=t, a=39.0)
    command, _ = IdealControl(NONE, 60.0, 0.0, RAMP).decide(offer, None)
    assert offer.sensor_passive + offer.sensor_gain * command.voltage**2 == pytest.approx(RAMP.at(t))
    assert command.setpoint == RAMP.at(t)


def test_ideal_control_does_not_cool() -> None:
    command, _ = IdealControl(NONE, 60.0, 0.0, RAMP).decide(_offer(t=40.0, a=85.0), None)
    assert command.voltage == 0.0 and command.limited_by == ""


def test_ideal_control_of_a_short_step_aims_at_its_horizon_and_reports_the_set_point_of_the_step() -> None:
    generator = IdealControl(NONE, 60.0, 0.0, RAMP, ahead=0.5)
    assert generator.needs(1.5, 2.0, generator.start()) == RequiredInputs(sensor=True, horizon=0.5)
    command, _ = generator.decide(_offer(t=2.02, dt=0.02, a=40.0, b=0.1, reach=2.5), generator.start())
    assert 40.0 + 0.1 * command.voltage**2 == pytest.approx(RAMP.at(2.5))
    assert command.setpoint == pytest.approx(RAMP.at(2.02))


# --- PI control -----------------------------------------------------------------------------------


def _pi(**changes: object) -> PIControl:
    return replace(PIControl(NONE, 1e9, 0.0, Ramp(37.0, 60.0, 0.0), 0.1, 0.05), **changes)  # type: ignore[arg-type]


def test_pi_power_is_proportional_plus_integral_of_the_error_at_the_end_of_the_step() -> None:
    offer, before = _offer(dt=2.0, a=45.0, b=0.05), PIState(integral_power=0.4, error=10.0)
    command, after = _pi().decide(offer, before)
    error = 60.0 - 45.0 - 0.05 * command.voltage**2
    assert after.error == pytest.approx(error)
    assert after.integral_power == pytest.approx(0.4 + 0.05 * 2.0 * (10.0 + error) / 2.0)
    assert command.voltage**2 * G == pytest.approx(0.1 * error + after.integral_power)


def test_the_integral_keeps_its_memory_between_steps() -> None:
    """Sensor without response: the integral grows by Ki e dt in each step, for any step lengths."""
    for dt in (0.1, 0.25, 1.0):
        memory = PIState()
        for n in range(1, round(10.0 / dt) + 1):
            before = memory.integral_power
            _, memory = _pi().decide(_offer(t=n * dt, dt=dt, a=50.0, b=0.0), memory)
            if n > 1:
                assert memory.integral_power - before == pytest.approx(0.05 * 10.0 * dt)
        assert memory.integral_power == pytest.approx(0.05 * 10.0 * (10.0 - 0.5 * dt))


def test_a_controller_without_memory_would_never_reach_the_set_point() -> None:
    """If the integral were lost at every step, a steady error would remain; with it the error converges to zero."""

    def settle(keep: bool) -> float:
        T, memory, dt, tau, gain = 37.0, PIState(), 0.5, 5.0, 0.08
        for n in range(1, 2001):
            r = dt / tau
            a, b = (T + r * 37.0) / (1.0 + r), gain * r / (1.0 + r)
            command, memory = _pi().decide(_offer(t=n * dt, dt=dt, a=a, b=b), memory if keep else PIState())
            T = a + b * command.voltage**2
        return T

    assert settle(keep=True) == pytest.approx(60.0, abs=1e-6)
    assert settle(keep=False) < 59.0


@pytest.mark.parametrize("dt", [0.01, 0.1, 1.0, 10.0, 100.0])
def test_pi_control_holds_a_thermal_mass_stably_at_any_step(dt: float) -> None:
    T, memory, tau, gain = 37.0, PIState(), 5.0, 0.08
    peak = T
    for n in range(1, max(50, round(300.0 / dt)) + 1):
        r = dt / tau
        a, b = (T + r * 37.0) / (1.0 + r), gain * r / (1.0 + r)
        command, memory = _pi().decide(_offer(t=n * dt, dt=dt, a=a, b=b), memory)
        T = a + b * command.voltage**2
        peak = max(peak, T)
    assert T == pytest.approx(60.0, abs=0.01)
    assert peak < 75.0


def test_at_a_limit_the_integral_does_not_wind_up() -> None:
    limited = _pi(limits=Limits(power=0.5, voltage=1e9, current=1e9))
    memory = PIState(integral_power=0.3, error=20.0)
    for n in range(1, 200):
        command, memory = limited.decide(_offer(t=float(n), dt=1.0, a=40.0, b=0.0), memory)
        assert command.limited_by == "power" and memory.integral_power == 0.3
    command, memory = limited.decide(_offer(t=200.0, dt=1.0, a=59.0, b=0.0), replace(memory, error=1.0))
    assert command.limited_by == "", "one step after the error has gone the limit has let go"


def test_with_no_voltage_the_integral_does_not_wind_down() -> None:
    memory = PIState(integral_power=0.1, error=-20.0)
    for n in range(1, 50):
        command, memory = _pi().decide(_offer(t=float(n), dt=1.0, a=80.0, b=0.05), memory)
        assert command.voltage == 0.0 and memory.integral_power == 0.1


def test_pi_control_forgets_when_it_is_switched_off() -> None:
    assert _pi(on=10.0).decide(_offer(t=10.5), PIState(3.0, 2.0)) == (Command(0.0), PIState())
