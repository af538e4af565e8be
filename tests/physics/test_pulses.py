"""Pulsed radiofrequency: resolved pulses and cycle averages give the same treatment.

Two steps per cycle, one for the pulse and one for the rest, compared with adaptive steps of the average, for 30 s of
2 Hz and 20 ms; once below the temperature limit, once controlled by it.

| what                                                                  | allowed               |
|-----------------------------------------------------------------------|-----------------------|
| mean over the last cycle, sensor and every node                       | 0.5 K                 |
| Joule heat of the whole treatment, no limit                           | 0.5 %                 |
| the averaged run's estimate of the spike against pulses in ten steps  | 10 %                  |
| cost of the resolved run, in steps and in processor time              | 20 times the averaged |
"""

from __future__ import annotations

import time as clock
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from mpi4py import MPI

from rfablate.evidence.closed_forms import R0
from rfablate.evidence.structured_meshes import geometric, shell_half_plane
from rfablate.evidence.verification_problems import UNLIMITED, largest, mesh_case, on_mesh, problem_on
from rfablate.mesh.domain import Domain
from rfablate.physics.generator import PulsedControl
from rfablate.problem.problem import without_guard
from rfablate.simulation.monitors.pulse_monitor import PulseMonitor
from rfablate.solve.loop import steps
from rfablate.solve.state import Frame, initial_state
from rfablate.timing import Stopwatch

FloatArray = npt.NDArray[np.float64]

PULSES = {"kind": "pulsed", "voltage_V": 30.0, "pulse_ms": 20.0, "rate_Hz": 2.0, "duration_s": 30.0, **UNLIMITED}
CYCLE = 0.5
SENSOR = {"tip_mm": [0.0, 0.0, 0.5], "sensor_offset_mm": 0.0}


@pytest.fixture(scope="module")
def ball(comm: MPI.Comm) -> Domain:
    radii = geometric(R0, 20e-3, 28, 60.0)
    return on_mesh(
        comm, lambda: shell_half_plane(radii, 14), active="inner", returned="outer", body_temperature="outer"
    )


@dataclass(frozen=True)
class Treated:
    """Results of a run."""

    mean: FloatArray
    """Temperature over the last cycle [degC]."""
    sensor: float
    frames: list[Frame]
    seconds: float
    pulses: dict[str, Any]


def _treat(ball: Domain, first_step: float, **changes: Any) -> Treated:
    """Run the pulses; a step represents its end, as in backward Euler."""
    generator = {**PULSES, **changes}
    case = mesh_case(
        generator, tissue={"sigma_slope_per_K": 0.015}, applicator=SENSOR, time={"first_step_s": first_step}
    )
    problem = problem_on(case, ball)
    pulsed = without_guard(problem)
    assert isinstance(pulsed, PulsedControl)
    record, seen, began = PulseMonitor(problem, pulsed), [], clock.process_time()
    for frame in steps(problem, initial_state(problem), [generator["duration_s"] - CYCLE], Stopwatch()):
        record.observe(frame)
        seen.append(frame)
    spent = clock.process_time() - began
    last = [f for f in seen if f.t > generator["duration_s"] - CYCLE * (1.0 + 1e-9) and f.dt > 0.0][1:]
    length = sum(f.dt for f in last)
    assert length == pytest.approx(CYCLE)
    mean = sum(f.dt * f.T for f in last) / length
    return Treated(mean, sum(f.dt * f.sensor for f in last) / length, seen, spent, record.entry(seen[-1])["pulses"])


@pytest.mark.parametrize("cap", [None, 42.0], ids=["free", "capped"])
def test_resolved_pulses_and_their_average_heat_the_tissue_alike(ball: Domain, cap: float | None) -> None:
    keys = {} if cap is None else {"cap_degC": cap}
    average, pulses = _treat(ball, 0.02, **keys), _treat(ball, CYCLE, resolved=True, **keys)
    away = largest(ball, pulses.mean - average.mean)
    cost = len(pulses.frames) / len(average.frames), pulses.seconds / average.seconds
    heat = pulses.frames[-1].ledger.joule / average.frames[-1].ledger.joule
    print(
        f"sensor {average.sensor:.3f} and {pulses.sensor:.3f} degC, anywhere {away:.3f} K apart, heat {heat:.4f}, "
        f"{len(average.frames)} and {len(pulses.frames)} steps, cost {cost[0]:.1f} and {cost[1]:.1f} times"
    )
    assert pulses.sensor == pytest.approx(average.sensor, abs=0.5)
    assert away < 0.5
    assert average.sensor > 41.5, "a treatment that warms the tissue"
    assert max(cost) < 20.0
    if cap is None:
        assert heat == pytest.approx(1.0, abs=0.005)
    else:
        assert average.sensor == pytest.approx(cap, abs=0.2)
        assert pulses.pulses["capped_percent"] > 50.0 and average.pulses["capped_percent"] > 50.0


@pytest.mark.mpi
def test_the_spike_that_the_average_estimates_is_that_of_the_pulses(ball: Domain) -> None:
    """Two seconds with ten steps per pulse; the field is that of the pulse, not of the average."""
    average = _treat(ball, 0.02, duration_s=2.0)
    pulses = _treat(ball, 0.002, duration_s=2.0, resolved=True)
    print({key: (average.pulses[key], pulses.pulses[key]) for key in ("spike_K", "hottest_with_spike_degC")})
    assert average.pulses["spike_K"] == pytest.approx(pulses.pulses["spike_K"], rel=0.1)
    safe_side = average.pulses["hottest_with_spike_degC"] - pulses.pulses["hottest_with_spike_degC"]
    assert 0.0 < safe_side < 0.5 * pulses.pulses["spike_K"]
    assert average.pulses["peak_field_V_per_m"] == pytest.approx(pulses.pulses["peak_field_V_per_m"], rel=0.02)
    assert average.pulses["peak_field_V_per_m"] == pytest.approx(30.0 / R0 / (1.0 - R0 / 20e-3), rel=0.1)
    assert average.frames[-1].voltage == pytest.approx(30.0 * 0.2)


def test_steps_land_on_every_edge_and_nothing_is_delivered_between_pulses(ball: Domain) -> None:
    seen = _treat(ball, 0.02, duration_s=2.0, resolved=True).frames
    times = {round(f.t, 9) for f in seen}
    assert {0.02, 0.5, 0.52, 1.0, 1.02, 1.5, 1.52, 2.0} <= times
    for frame in seen[1:]:
        inside = (frame.t - 0.5 * frame.dt) % CYCLE < 0.02
        assert frame.voltage == (30.0 if inside else 0.0)
