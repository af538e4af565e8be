"""Impedance roll-off by boiling: tissue dries around the tip, the device pauses, steam condenses.

| law                                                                       | allowed                       |
|---------------------------------------------------------------------------|-------------------------------|
| half boiled, half dry: sigma is the geometric mean of wet and dry         | 1e-12                         |
| resistance of a shell with boiled fraction f: times dry^-f                | 1e-6                          |
| a roll-off comes with steam around the tip, and with none where sigma     | exact                         |
| does not depend on water                                                  |                               |
| the impedance is at the threshold then, and near its start after a pause  | 2 % beyond; half of the rise  |
| steps grow again after a roll-off                                         | median 100 times the shortest |
| the ledger closes                                                         | 1 %                           |
| time of the roll-off at a third of the tolerance                          | 3 %                           |
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mpi4py import MPI

from rfablate.evidence.closed_forms import R0, SIGMA
from rfablate.evidence.structured_meshes import geometric, shell_half_plane
from rfablate.evidence.verification_problems import UNLIMITED, constant_voltage, mesh_case, on_mesh, problem_on
from rfablate.fem.boiling_water import law_temperature
from rfablate.mesh.domain import Domain
from rfablate.physics.laws import Drying, Linear
from rfablate.problem.problem import Problem
from rfablate.solve.loop import steps
from rfablate.solve.state import Frame, State, initial_state
from rfablate.timing import Stopwatch

WET = {"water_fraction": 0.68, "sigma_slope_per_K": 0.015}
DRIES = {**WET, "sigma_dry_fraction": 0.01}
RISE, WAIT = 400.0, 10.0
ROLL_OFF = {
    **{"kind": "current", "current_A": 0.065, **UNLIMITED},
    "roll_off": {"action": "pause", "rise_ohm": RISE, "wait_s": WAIT},
}


@pytest.fixture(scope="module")
def ball(comm: MPI.Comm) -> Domain:
    radii = geometric(R0, 20e-3, 28, 40.0)
    return on_mesh(
        comm, lambda: shell_half_plane(radii, 12), active="inner", returned="outer", body_temperature="outer"
    )


def run(
    ball: Domain, tissue: dict[str, Any], tolerance: float = 0.3, duration: float = 45.0
) -> tuple[Problem, list[Frame], State]:
    case = mesh_case({**ROLL_OFF, "duration_s": duration}, tissue=tissue, time={"tolerance_K": tolerance})
    problem = problem_on(case, ball)
    state = initial_state(problem)
    return problem, [frame for frame in steps(problem, state, [], Stopwatch()) if frame.dt > 0.0], state


def test_what_has_boiled_dries_and_nothing_else() -> None:
    law = Drying(Linear(0.015), 0.01)
    T = np.array([60.0, 100.0, 100.0, 100.0, 101.0, 180.0])
    f = np.array([0.0, 0.0, 0.5, 1.0, 1.0, 1.0])
    wet = law(np.array([100.0]))[0]
    np.testing.assert_allclose(law(law_temperature(T, f)), [1.345, wet, 0.1 * wet, 0.01 * wet, 0.01 * wet, 0.01 * wet])
    assert law_temperature(T, f)[[0, 1, 5]].tolist() == [60.0, 100.0, 180.0]


@pytest.mark.mpi
def test_a_shell_of_steam_resists_by_how_much_of_it_has_boiled(ball: Domain) -> None:
    """The whole ball at 100 degC with boiled fraction f: resistance times 0.01^-f."""
    problem = problem_on(mesh_case(constant_voltage(1.0, 1.0), tissue=DRIES), ball)
    assert problem.solvers.electric is not None
    found = []
    for f in (0.0, 0.25, 1.0):
        whole = np.full(ball.nodes.local, 100.0)
        problem.solvers.assemble(law_temperature(whole, np.full_like(whole, f)))
        found.append(1.0 / problem.solvers.electric.solve(problem.solvers.coefficients).conductance)
    exact = (1.0 / R0 - 1.0 / 20e-3) / (4.0 * np.pi * SIGMA * (1.0 + 0.015 * 63.0))
    assert found[0] == pytest.approx(exact, rel=0.03)
    assert found[1] / found[0] == pytest.approx(0.01**-0.25, rel=1e-6)
    assert found[2] / found[0] == pytest.approx(100.0, rel=1e-6)


def test_boiling_rolls_the_impedance_off_and_the_pause_brings_it_back(ball: Domain) -> None:
    problem, seen, state = run(ball, DRIES)
    events = [t for t, _ in state.channel_states[0].events]
    minimum, steps_after = problem.control.minimum, [f.dt for f in seen if f.t > events[0]]
    print(
        f"roll-offs at {[round(t, 2) for t in events]} s, {len(seen)} steps, {state.step_memory.rejected} again",
        end="; ",
    )
    print(f"median step {np.median(steps_after):.3f} s, residual {100 * seen[-1].ledger.residual_fraction:.2f} %")
    assert len(events) >= 2
    for t in events:
        at = next(f for f in seen if f.t == t)
        least = min(1.0 / f.conductance for f in seen if f.t <= t and f.voltage > 0.0)
        assert at.vapour.max() > 0.0 and at.max_T >= 100.0
        assert least + RISE <= 1.0 / at.conductance * (1.0 + 1e-9) < 1.02 * (least + RISE)
        off = [f for f in seen if t < f.t - 0.5 * f.dt < t + WAIT]
        assert {f.voltage for f in off} == {0.0}
        again = [f for f in seen if f.t > t + WAIT + 1e-6][:1]
        for back in again:
            print(f"{1.0 / at.conductance:.0f} ohm at {t:.2f} s, {1.0 / back.conductance:.0f} ohm after the pause")
            assert 1.0 / back.conductance < least + 0.5 * RISE
            assert back.vapour.max() < at.vapour.max()
    assert np.median(steps_after) > 100.0 * minimum
    assert np.mean(np.array(steps_after) < 10.0 * minimum) < 0.05
    assert seen[-1].ledger.residual_fraction < 0.01


def test_without_drying_the_same_water_boils_and_nothing_rolls_off(ball: Domain) -> None:
    _, seen, state = run(ball, WET)
    assert seen[-1].vapour.max() > 0.0
    assert state.channel_states[0].events == ()


def test_the_time_of_a_roll_off_does_not_hang_on_the_tolerance(ball: Domain) -> None:
    coarse, sharp = (run(ball, DRIES, tolerance, 5.0)[2].channel_states[0].events for tolerance in (0.3, 0.1))
    print(f"first roll-off at {coarse[0][0]:.3f} and {sharp[0][0]:.3f} s")
    assert coarse[0][0] == pytest.approx(sharp[0][0], rel=0.03)
