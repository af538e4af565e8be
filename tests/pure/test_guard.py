"""Automatic device switches at an impedance threshold: exact times with a scripted impedance.

| impedance                | switch                                   | allowed                   |
|--------------------------|------------------------------------------|---------------------------|
| piecewise linear         | where it crosses the threshold           | 1e-9 s                    |
| curved                   | the same                                 | the guard's resolution    |
| pause                    | off from the switch for exactly `wait`   | 1e-9 s                    |
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import NamedTuple

import numpy as np
import pytest

from rfablate.physics.generator import (
    ConstantPowerControl,
    Generator,
    GuardState,
    ImpedanceGuard,
    ImpedanceWindow,
    Limits,
    PIControl,
    PIState,
    Ramp,
    RollOffResponse,
    StepPrediction,
)
from rfablate.problem.step_control import ROUNDING, StepControl, distinct_times

NONE = Limits(power=1e9, voltage=1e9, current=1e9)
WIDE = ImpedanceWindow(1.0, 1e6)
RESOLUTION = 1e-3
"""[s]"""
ADAPTIVE = StepControl(tolerance=0.1, first=0.02, minimum=1e-4, maximum=10.0)
Impedance = Callable[[float, float], float]
"""Z [ohm] at t [s], and at the time since the output was last switched on [s]."""


class Step(NamedTuple):
    """An accepted step."""

    t: float
    dt: float
    power: float


def drive(guard: Generator, impedance: Impedance, *, largest: float = 3.0, control: StepControl = ADAPTIVE) -> tuple:
    """Run `rfablate.solve.loop.steps` on a scripted impedance, with steps that grow to `largest` [s]."""
    t, memory, stepping, taken, cut, on = 0.0, guard.start(), control.start(), [], None, 0.0
    landings = [*guard.turning_times, *guard.switch_times, guard.end]
    while t < guard.end:
        stops = [*landings, *distinct_times(landings, guard.planned(memory), ROUNDING * guard.end)]
        end = control.next_time(t, stops, stepping) if cut is None else cut
        Z = impedance(end, end - on)
        command, after = guard.decide(StepPrediction(end, end - t, 1.0 / Z, 37.0, 0.3, end, 37.0), memory)
        cut = command.cut
        if cut is not None:
            assert t < cut < end
            continue
        taken.append(Step(end, end - t, command.voltage**2 / Z))
        stepping = control.judge(end - t, 0.05 * ((end - t) / largest) ** 3, 2, stepping).memory
        if command.jumps:
            stepping = control.restart(stepping)
        t, memory = end, after
        on = t if command.voltage == 0.0 else on
        assert len(taken) < 5000
    return taken, memory


def _guarded(roll_off: RollOffResponse | None, *, window: ImpedanceWindow = WIDE, on: float = 100.0) -> ImpedanceGuard:
    return ImpedanceGuard(ConstantPowerControl(NONE, on, 0.0, 10.0), window, roll_off, resolution=RESOLUTION)


def _switches(memory: GuardState) -> list[float]:
    return [t for t, _ in memory.events]


PAUSE = RollOffResponse("pause", above=150.0, wait=15.0)


def _straight(t: float, since: float) -> float:
    """100 ohm, rising by 4 ohm/s from 10 s after each start."""
    return 100.0 + 4.0 * max(0.0, since - 10.0)


@pytest.mark.parametrize("largest", [0.05, 0.7, 3.0, 9.0])
def test_a_pause_starts_and_ends_at_exact_times_and_the_device_starts_again(largest: float) -> None:
    """Off after 10 s + 50 ohm / (4 ohm/s) = 22.5 s; then 15 s pause; repeated."""
    taken, memory = drive(_guarded(PAUSE), _straight, largest=largest)
    assert _switches(memory) == pytest.approx([22.5, 60.0, 97.5], abs=1e-9)
    off = [step for step in taken if step.power == 0.0]
    starts = [step.t - step.dt for step in off]
    for begin, end in ((22.5, 37.5), (60.0, 75.0), (97.5, 100.0)):
        assert min(abs(s - begin) for s in starts) < 1e-9
        assert min(abs(step.t - end) for step in off) < 1e-9
    assert sum(step.dt for step in off) == pytest.approx(32.5, abs=1e-9)
    assert [step.power for step in taken if step.power > 0.0] == pytest.approx([10.0] * (len(taken) - len(off)))


def test_the_steps_recover_after_a_roll_off() -> None:
    """Only the located steps and the first after each switch are short, and none is at the minimum."""
    taken, memory = drive(_guarded(PAUSE), _straight, largest=3.0)
    assert sum(step.dt < 0.0199 for step in taken) <= len(memory.events)
    for begin, end in ((0.0, 22.5), (22.5, 37.5), (37.5, 60.0), (60.0, 75.0)):
        assert max(step.dt for step in taken if begin < step.t <= end) > 2.0
    assert len(taken) < 120


def test_the_pause_that_ends_a_rounding_beside_a_landing_leaves_no_crumb() -> None:
    """22.5 + 15 = 37.5, with the scheduled switch off by rounding."""
    guard = _guarded(PAUSE, on=37.5 * (1.0 + 1e-15))
    taken, _ = drive(guard, _straight)
    assert min(step.dt for step in taken) > 1e-3
    assert taken[-1].t == guard.end


@pytest.mark.parametrize("largest", [0.3, 2.0, 8.0])
@pytest.mark.parametrize(
    ("impedance", "exact"),
    [
        (lambda t, _: 100.0 + 50.0 * math.expm1(t / 10.0), 10.0 * math.log(2.0)),
        (lambda t, _: 100.0 + 10.0 * math.sqrt(t), 25.0),
        (lambda t, _: 100.0 if t < 12.34 else 900.0, 12.34),
    ],
    ids=["convex", "concave", "jump"],
)
def test_a_curved_impedance_switches_within_the_resolution(impedance: Impedance, exact: float, largest: float) -> None:
    _, memory = drive(_guarded(RollOffResponse("stop", above=150.0)), impedance, largest=largest)
    assert exact - 1e-9 <= memory.events[0][0] <= exact + 1.001 * RESOLUTION
    assert memory.off and len(memory.events) == 1


def _valley(t: float, since: float) -> float:
    """120 ohm, 80 at 20 s, then 2 ohm/s more."""
    return 80.0 + 2.0 * abs(t - 20.0)


def test_a_rise_counts_from_the_lowest_impedance_so_far() -> None:
    """30 ohm above the lowest at 35 s; the lowest is resolved by the steps."""
    _, memory = drive(_guarded(RollOffResponse("stop", None, 30.0)), _valley, largest=0.2)
    assert _switches(memory) == pytest.approx([35.0], abs=0.2)


def test_step_down_lowers_the_power_and_looks_again_after_the_wait() -> None:
    """The impedance stays high: power times 0.5 at 22.5 s and then every 15 s."""
    guard = _guarded(RollOffResponse("step_down", above=150.0, wait=15.0, factor=0.5))
    taken, memory = drive(guard, lambda t, _: min(_straight(t, t), 160.0))
    assert _switches(memory) == pytest.approx([22.5, 37.5, 52.5, 67.5, 82.5, 97.5], abs=1e-9)
    for number, (begin, end) in enumerate(zip([0.0, *_switches(memory)], [*_switches(memory), 100.0], strict=True)):
        power = {round(step.power, 9) for step in taken if begin < step.t - 0.5 * step.dt < end}
        assert power == {round(10.0 * 0.5**number, 9)}


def test_a_step_down_that_helped_stays() -> None:
    guard = _guarded(RollOffResponse("step_down", above=150.0, wait=15.0, factor=0.5))
    taken, memory = drive(guard, lambda t, _: _straight(t, t) if t < 24.0 else 120.0, largest=0.5)
    assert _switches(memory) == pytest.approx([22.5], abs=1e-9)
    assert taken[-1].power == pytest.approx(5.0)


@pytest.mark.parametrize(("Z", "beyond"), [(lambda t, _: 100.0 + t, 30.0), (lambda t, _: 100.0 - 2.0 * t, 25.0)])
def test_outside_its_window_the_device_is_off_for_good(Z: Impedance, beyond: float) -> None:
    taken, memory = drive(_guarded(PAUSE, window=ImpedanceWindow(50.0, 130.0)), Z)
    assert _switches(memory) == pytest.approx([beyond], abs=1e-9)
    assert "outside 50 to 130 ohm" in memory.events[0][1]
    assert all((step.power > 0.0) == (step.t <= beyond + 1e-9) for step in taken)


def test_an_electrode_without_contact_gets_one_shortest_step() -> None:
    taken, memory = drive(_guarded(None, window=ImpedanceWindow(50.0, 130.0)), lambda t, _: 1000.0)
    assert taken[0].dt == pytest.approx(RESOLUTION) and taken[1].power == 0.0
    assert memory.off


def test_a_controller_starts_afresh_after_a_pause_and_does_not_wind_up_below_a_step_down() -> None:
    pi = PIControl(NONE, 100.0, 0.0, Ramp(37.0, 80.0, 0.0), 0.1, 0.05)
    paused = ImpedanceGuard(pi, WIDE, PAUSE, RESOLUTION)
    _, memory = paused.decide(
        StepPrediction(30.0, 1.0, 0.01, 37.0, 0.0, 30.0, 37.0), GuardState(PIState(3.0, 1.0), wait=40.0)
    )
    assert memory.controller == PIState() and memory.wait == 40.0
    lowered = ImpedanceGuard(pi, WIDE, replace(PAUSE, action="step_down"), RESOLUTION)
    before = GuardState(PIState(3.0, 1.0), ceiling=2.0)
    command, after = lowered.decide(StepPrediction(30.0, 1.0, 0.01, 37.0, 0.0, 30.0, 37.0), before)
    assert command.limited_by == "step-down" and command.voltage**2 * 0.01 == pytest.approx(2.0)
    assert after.controller.integral_power == 3.0


def test_the_memory_is_plain_data_from_which_a_run_goes_on() -> None:
    """Written as JSON and read back midway, the remaining run is identical."""
    guard = _guarded(PAUSE)
    _, memory = drive(guard, _straight)
    again = GuardState(**json.loads(json.dumps(asdict(memory))))
    assert again.wait == memory.wait and [tuple(event) for event in again.events] == list(memory.events)
    offer = StepPrediction(99.0, 0.5, 0.01, 37.0, 0.3, 99.0, 37.0)
    assert guard.decide(offer, again)[0] == guard.decide(offer, memory)[0]
    assert np.isfinite(again.least)
