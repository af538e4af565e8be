"""Protocols in a run: stages, roll-off and pulses follow the device logic.

| law                                                                      | allowed                |
|--------------------------------------------------------------------------|------------------------|
| constant current is constant while tissue heats                          | 1e-9                   |
| a short form and its two stages give the same run                        | 1e-6 K                 |
| stages: set points held, nothing in the pause, energy balance            | 1e-6 K; exact; 1 %     |
| roll-off: impedance at each switch is the threshold                      | 0.1 %                  |
| after a roll-off the steps grow again                                    | over 0.5 s, 25 a phase  |
"""

from __future__ import annotations

from typing import Any

import pytest
from mpi4py import MPI

from rfablate.evidence.closed_forms import R0
from rfablate.evidence.structured_meshes import geometric, shell_half_plane
from rfablate.evidence.verification_problems import UNLIMITED, frames, mesh_case, on_mesh, problem_on
from rfablate.mesh.domain import Domain
from rfablate.problem.problem import Problem
from rfablate.solve.loop import steps
from rfablate.solve.state import Frame, State, initial_state
from rfablate.timing import Stopwatch

SENSOR = {"tip_mm": [0.0, 0.0, 0.5], "sensor_offset_mm": 0.0}
DRYING = {"sigma_slope_per_K": -0.01}
"""Tissue whose impedance rises with temperature, in place of drying tissue."""


@pytest.fixture(scope="module")
def ball(comm: MPI.Comm) -> Domain:
    radii = geometric(R0, 20e-3, 28, 60.0)
    return on_mesh(
        comm, lambda: shell_half_plane(radii, 14), active="inner", returned="outer", body_temperature="outer"
    )


def _problem(ball: Domain, generator: dict[str, Any], **tissue: float) -> Problem:
    case = mesh_case({**UNLIMITED, **generator}, tissue=tissue or {"sigma_slope_per_K": 0.015}, applicator=SENSOR)
    return problem_on(case, ball)


def _run(problem: Problem) -> tuple[list[Frame], State]:
    state = initial_state(problem)
    return [frame for frame in steps(problem, state, [], Stopwatch()) if frame.dt > 0.0], state


def test_constant_current_is_constant_while_tissue_heats(ball: Domain) -> None:
    seen, _ = _run(_problem(ball, {"kind": "current", "current_A": 0.012, "duration_s": 10.0}))
    assert [f.voltage * f.conductance for f in seen] == pytest.approx([0.012] * len(seen), rel=1e-9)
    assert seen[-1].voltage < 0.99 * seen[0].voltage, "warm tissue conducts better"


@pytest.mark.parametrize("control", ["ideal", "pi"])
def test_a_ramp_and_a_hold_are_what_the_short_form_stands_for(ball: Domain, control: str) -> None:
    gains = {"control": control, "proportional_W_per_K": 0.02, "integral_W_per_K_s": 0.01}
    short = {"kind": "temperature", "target_degC": 60.0, "ramp_s": 5.0, "hold_s": 10.0, **gains}
    stages = [
        {"kind": "ramp", "target_degC": 60.0, "duration_s": 5.0},
        {"kind": "hold", "duration_s": 10.0},
    ]
    one, two = (list(frames(_problem(ball, g))) for g in (short, {"kind": "staged", "stages": stages, **gains}))
    assert [f.t for f in one] == pytest.approx([f.t for f in two])
    assert [f.sensor for f in one] == pytest.approx([f.sensor for f in two], abs=1e-6)


@pytest.mark.mpi
def test_two_holds_with_a_pause_between(ball: Domain) -> None:
    stages = [
        {"kind": "ramp", "target_degC": 60.0, "duration_s": 5.0},
        {"kind": "hold", "duration_s": 10.0},
        {"kind": "pause", "duration_s": 8.0},
        {"kind": "ramp", "target_degC": 75.0, "duration_s": 5.0},
        {"kind": "hold", "duration_s": 10.0},
    ]
    seen, _ = _run(_problem(ball, {"kind": "staged", "stages": stages, "cooldown_s": 2.0}))
    for frame in seen:
        pause = 15.0 < frame.t - 0.5 * frame.dt < 23.0 or frame.t > 38.0
        assert (frame.voltage == 0.0) == pause and (frame.setpoint is None) == pause
        if frame.setpoint is not None and frame.dt >= 0.5:
            assert frame.sensor == pytest.approx(frame.setpoint, abs=1e-6)
    assert {15.0, 23.0, 28.0, 38.0, 40.0} <= {round(f.t, 9) for f in seen}
    cooled = next(f for f in seen if f.t == pytest.approx(23.0))
    again = next(f for f in seen if f.t > 23.0)
    assert cooled.sensor < 50.0
    assert again.setpoint == pytest.approx(cooled.sensor + (75.0 - cooled.sensor) * again.dt / 5.0)
    assert seen[-1].ledger.residual_fraction < 0.01


def _thresholds(seen: list[Frame], state: State) -> list[float]:
    """Return the impedance [ohm] at the end of the step before each automatic switch of the device."""
    return [next(1.0 / f.conductance for f in seen if f.t == t) for t, _ in state.channel_states[0].events]


def test_an_impedance_that_rises_pauses_the_output_and_the_steps_recover(ball: Domain) -> None:
    roll_off = {"action": "pause", "above_ohm": 540.0, "wait_s": 4.0}
    generator = {"kind": "power", "power_W": 0.25, "duration_s": 60.0, "roll_off": roll_off}
    problem = _problem(ball, generator, **DRYING)
    seen, state = _run(problem)
    print(state.channel_states[0].events, len(seen), "steps,", state.step_memory.rejected, "made again")
    assert len(state.channel_states[0].events) >= 3
    assert _thresholds(seen, state) == pytest.approx([540.0] * len(state.channel_states[0].events), rel=1e-3)
    for t, _ in state.channel_states[0].events:
        off = [f for f in seen if t < f.t - 0.5 * f.dt < t + 4.0]
        assert {f.voltage for f in off} == {0.0}
        assert sum(f.dt for f in off) == pytest.approx(min(4.0, 60.0 - t), abs=1e-6)
        assert max(f.dt for f in off) > 0.5
    on = [f for f in seen if f.voltage > 0.0]
    assert [f.power for f in on] == pytest.approx([0.25] * len(on), rel=1e-9)
    assert max(f.dt for f in on if f.t > state.channel_states[0].events[0][0]) > 0.5
    assert (
        len(seen) < 25 * 2 * len(state.channel_states[0].events) and min(f.dt for f in seen) > problem.control.minimum
    )
    assert seen[-1].ledger.residual_fraction < 0.01


@pytest.mark.mpi
def test_step_downs_end_where_the_power_no_longer_raises_the_impedance(ball: Domain) -> None:
    roll_off = {"action": "step_down", "rise_ohm": 60.0, "wait_s": 4.0, "factor": 0.8}
    generator = {"kind": "power", "power_W": 0.25, "duration_s": 60.0, "roll_off": roll_off}
    seen, state = _run(_problem(ball, generator, **DRYING))
    print(state.channel_states[0].events, len(seen), "steps")
    assert len(state.channel_states[0].events) >= 1
    assert seen[-1].power == pytest.approx(0.25 * 0.8 ** len(state.channel_states[0].events), rel=1e-9)
    assert seen[-1].limited_by == "step-down"
    assert len(seen) < 200


def test_outside_its_impedance_window_the_device_ends_the_treatment(ball: Domain) -> None:
    generator = {"kind": "power", "power_W": 0.25, "duration_s": 30.0, "max_impedance_ohm": 540.0}
    seen, state = _run(_problem(ball, generator, **DRYING))
    ((t, said),) = state.channel_states[0].events
    assert state.channel_states[0].off and "outside 5 to 540 ohm" in said
    assert {f.voltage for f in seen if f.t > t} == {0.0} and seen[-1].t == 30.0
    assert seen[-1].sensor < max(f.sensor for f in seen) - 3.0
