"""Pulsed radiofrequency as device logic: duty cycle, temperature limit and pulse edges."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from rfablate.physics.generator import Limits, PulsedControl, StepPrediction
from rfablate.physics.generator.interface import NOTHING

NONE = Limits(power=1e9, voltage=1e9, current=1e9)
AVERAGE = PulsedControl(NONE, 120.0, 5.0, voltage=45.0, width=0.02, rate=2.0, cap=42.0)
RESOLVED = replace(AVERAGE, resolved=True)
G = 0.004
"""250 ohm [S]"""


def _offer(t: float, dt: float, a: float = 37.0, b: float = 0.02) -> StepPrediction:
    return StepPrediction(t, dt, G, a, b, t, 37.0)


def test_the_average_of_a_cycle_is_the_pulse_times_the_root_of_the_duty() -> None:
    command, _ = AVERAGE.decide(_offer(5.0, 1.0), AVERAGE.start())
    assert command.voltage == pytest.approx(45.0 * math.sqrt(0.04)) == pytest.approx(9.0)
    assert command.pulse == 45.0 and command.setpoint is None


def test_the_cap_holds_the_mean_and_tells_the_voltage_left_for_the_pulses() -> None:
    """41.5 + 0.02 V^2 = 42 at 5 V on average, 25 V in the pulse."""
    command, _ = AVERAGE.decide(_offer(50.0, 1.0, a=41.5), AVERAGE.start())
    assert command.voltage == pytest.approx(5.0) and command.pulse == pytest.approx(25.0)
    assert command.setpoint == 42.0
    assert AVERAGE.decide(_offer(50.0, 1.0, a=42.5), AVERAGE.start())[0].voltage == 0.0
    resolved, _ = RESOLVED.decide(_offer(50.02, 0.02, a=41.5), RESOLVED.start())
    assert resolved.voltage == resolved.pulse == pytest.approx(25.0)


def test_without_a_cap_nothing_is_asked_of_the_sensor() -> None:
    free = replace(AVERAGE, cap=None)
    assert not free.needs(1.0, 2.0, free.start()).sensor and AVERAGE.needs(1.0, 2.0, AVERAGE.start()).sensor
    assert free.decide(_offer(50.0, 1.0, a=99.0), free.start())[0].pulse == 45.0


def test_limits_hold_within_the_pulse() -> None:
    """0.1 A at 250 ohm limit the pulse to 25 V, although the average of the cycle is lower."""
    limited = replace(AVERAGE, limits=Limits(1e9, 1e9, 0.1))
    command, _ = limited.decide(_offer(5.0, 1.0), limited.start())
    assert command.pulse == pytest.approx(25.0) and command.limited_by == "current"


def test_every_edge_is_a_switch_where_pulses_are_resolved() -> None:
    assert AVERAGE.switch_times == (120.0,)
    edges = RESOLVED.switch_times
    assert len(edges) == 2 * 240 and edges[:3] == (0.02, 0.5, 0.52) and edges[-1] == 120.0
    assert replace(RESOLVED, on=0.5).switch_times == (0.02, 0.5)


@pytest.mark.parametrize("rate", [2.0, 3.0, 7.0])
def test_output_comes_in_the_pulses_alone_whatever_the_rounding(rate: float) -> None:
    generator = replace(RESOLVED, rate=rate, on=60.0)
    start, delivered = 0.0, 0.0
    for edge in generator.switch_times:
        needs = generator.needs(start, edge, generator.start())
        command, _ = generator.decide(_offer(edge, edge - start), generator.start())
        assert (needs == NOTHING) == (command.voltage == 0.0)
        delivered += (edge - start) * (command.voltage > 0.0)
        start = edge
    assert delivered == pytest.approx(60.0 * rate * 0.02)


def test_after_its_time_there_is_no_output() -> None:
    for generator in (AVERAGE, RESOLVED):
        assert generator.end == 125.0
        assert generator.decide(_offer(121.0, 0.01), generator.start())[0].voltage == 0.0
