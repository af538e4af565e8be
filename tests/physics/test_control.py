"""Control and perfusion: controller memory between steps, limits, and perfusion that stops in dead tissue.

| law                                                                   | allowed              |
|-----------------------------------------------------------------------|----------------------|
| PI: the integral of a step is the last one's plus Ki times the error  | 1e-9                 |
| PI: the sensor comes to its set point and stays                       | 0.1 K                |
| ideal: the sensor is on its set point at every step of 0.5 s or more  | 1e-6 K               |
| limits hold at every step                                             | 1e-9                 |
| dead tissue takes no heat from blood, all other tissue as before      | exact; two zones 1 % |
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from mpi4py import MPI

from rfablate.evidence import closed_forms as exact
from rfablate.evidence.closed_forms import OMEGA, R0
from rfablate.evidence.structured_meshes import geometric, shell_half_plane, shell_octant
from rfablate.evidence.verification_problems import (
    HEATED,
    UNLIMITED,
    MeshSource,
    constant_power,
    constant_voltage,
    fixed_step,
    frames,
    last_frame,
    mesh_case,
    on_mesh,
    on_rays,
    problem_on,
)
from rfablate.mesh.domain import Domain
from rfablate.problem.problem import Problem
from rfablate.solve.loop import steps
from rfablate.solve.state import Frame, initial_state
from rfablate.timing import Stopwatch

pytestmark = pytest.mark.mpi
FloatArray = npt.NDArray[np.float64]

NONLINEAR = {"sigma_slope_per_K": 0.015, "k_slope_per_K": 0.002}
GAINS = {"control": "pi", "proportional_W_per_K": 0.02, "integral_W_per_K_s": 0.01}
TRACKING = {"kind": "temperature", "target_degC": 60.0, "ramp_s": 5.0, "hold_s": 55.0, **UNLIMITED}
# The sensor, on the electrode at the edge of the tissue.
SENSOR = {"tip_mm": [0.0, 0.0, 0.5], "sensor_offset_mm": 0.0}


@pytest.fixture(scope="module")
def ball(comm: MPI.Comm) -> Domain:
    radii = geometric(R0, 30e-3, 48, 80.0)
    return on_mesh(
        comm, lambda: shell_half_plane(radii, 24), active="inner", returned="outer", body_temperature="outer"
    )


def _tracking(ball: Domain, generator: dict[str, Any], **tables: Any) -> Problem:
    case = mesh_case({**TRACKING, **generator}, tissue=NONLINEAR, applicator=SENSOR, **tables)
    return problem_on(case, ball)


# --- memory ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("time", [{}, fixed_step(0.5)], ids=["adaptive", "fixed"])
def test_the_integral_keeps_its_memory_between_steps_of_a_run(ball: Domain, time: dict[str, Any]) -> None:
    problem = _tracking(ball, GAINS, time=time)
    state = initial_state(problem)
    integral, error = 0.0, 0.0
    for frame in steps(problem, state, [], Stopwatch()):
        if frame.dt == 0.0:
            continue
        assert frame.setpoint is not None and frame.limited_by == ""
        now = frame.setpoint - frame.sensor
        integral += 0.01 * frame.dt * 0.5 * (error + now)
        error = now
        assert state.channel_states[0].controller.integral_power == pytest.approx(integral, rel=1e-9, abs=1e-9)
        assert state.channel_states[0].controller.error == pytest.approx(error, abs=1e-9)
        assert frame.power == pytest.approx(0.02 * error + integral, rel=1e-6, abs=1e-9)
    assert integral > 0.05, "a run in which the integral has work to do"


def test_a_rejected_step_leaves_the_controllers_memory_alone(ball: Domain) -> None:
    """Rejected and repeated adaptive steps are not integrated twice."""
    problem = _tracking(ball, GAINS, time={"tolerance_K": 0.01, "first_step_s": 1.0})
    state = initial_state(problem)
    integral, error = 0.0, 0.0
    for frame in steps(problem, state, [], Stopwatch()):
        if frame.dt > 0.0:
            now = float(frame.setpoint or 0.0) - frame.sensor
            integral, error = integral + 0.005 * frame.dt * (error + now), now
    assert state.step_memory.rejected > 0
    assert state.channel_states[0].controller.integral_power == pytest.approx(integral, rel=1e-9)


def test_pi_control_brings_the_sensor_to_its_set_point(ball: Domain) -> None:
    assert last_frame(_tracking(ball, GAINS)).sensor == pytest.approx(60.0, abs=0.1)
    without = {**GAINS, "integral_W_per_K_s": 0.0}
    assert last_frame(_tracking(ball, without)).sensor < 59.0, "what a lost integral leaves"


def test_ideal_control_holds_the_sensor_on_its_set_point(ball: Domain) -> None:
    held = 0
    for frame in frames(_tracking(ball, {})):
        if frame.dt >= 0.5:
            held += 1
            assert frame.sensor == pytest.approx(frame.setpoint, abs=1e-6)
    assert held > 10


def test_both_controls_come_to_the_same_steady_voltage(ball: Domain) -> None:
    ideal, pi = last_frame(_tracking(ball, {})), last_frame(_tracking(ball, GAINS))
    assert pi.voltage == pytest.approx(ideal.voltage, rel=0.02)


@pytest.mark.parametrize(
    ("limit", "key"), [("power", "max_power_W"), ("voltage", "max_voltage_V"), ("current", "max_current_A")]
)
@pytest.mark.parametrize("control", ["ideal", "pi"])
def test_limits_hold_at_every_step(ball: Domain, limit: str, key: str, control: str) -> None:
    highest = {"power": 0.12, "voltage": 6.0, "current": 0.012}[limit]
    reached = 0.0
    for frame in frames(_tracking(ball, {**GAINS, "control": control, key: highest})):
        value = {"power": frame.power, "voltage": frame.voltage, "current": frame.voltage * frame.conductance}[limit]
        assert value <= highest * (1.0 + 1e-9)
        assert (frame.limited_by == limit) == (value >= highest * (1.0 - 1e-9))
        reached = max(reached, value)
    assert reached == pytest.approx(highest, rel=1e-9)


@pytest.mark.parametrize("shape", ["half plane", "3-D"])
def test_constant_power_and_voltage_are_constant_while_tissue_heats(comm: MPI.Comm, ball: Domain, shape: str) -> None:
    domain, flat = ball, shape == "half plane"
    if not flat:
        radii = geometric(R0, 30e-3, 12, 60.0)
        domain = on_mesh(
            comm, lambda: shell_octant(radii, 5), active="inner", returned="outer", body_temperature="outer"
        )
    for generator, attribute in ((constant_power(0.05, 10.0), "power"), (constant_voltage(7.0, 10.0), "voltage")):
        case = mesh_case(
            {**generator, "cooldown_s": 5.0}, tissue=NONLINEAR, mesh=MeshSource(axisymmetric=flat), applicator=SENSOR
        )
        seen = [frame for frame in frames(problem_on(case, domain)) if frame.dt > 0.0]
        wanted = generator.get("power_W") or generator.get("voltage_V")
        assert [getattr(f, attribute) for f in seen if f.t <= 10.0] == pytest.approx(
            [wanted] * sum(f.t <= 10.0 for f in seen), rel=1e-9
        )
        assert {f.voltage for f in seen if f.t > 10.0} == {0.0}
        heated = [f for f in seen if f.t <= 10.0]
        assert heated[-1].conductance > 1.02 * heated[0].conductance, "warm tissue conducts better"
        assert seen[-1].max_T < heated[-1].max_T


# --- perfusion ------------------------------------------------------------------------------------

# Dead within a second at 55 degC, never at 45 degC: a sharp front.
SHARP = {"A_per_s": float(np.exp(8e5 / (8.314462618 * 328.15))), "Ea_J_per_mol": 8e5}


def _perfused(ball: Domain, fade: float, hold: float = 300.0) -> tuple[Problem, Frame]:
    problem = problem_on(
        mesh_case(
            {**HEATED, "hold_s": hold},
            tissue={"perfusion_per_s": 3.0 * OMEGA},
            damage={**SHARP, "perfusion_stops": True, "perfusion_fade": fade},
        ),
        ball,
    )
    return problem, last_frame(problem)


@pytest.mark.parametrize("fade", [0.0, 0.5])
def test_perfusion_is_gone_where_tissue_is_dead_and_untouched_elsewhere(ball: Domain, fade: float) -> None:
    problem, frame = _perfused(ball, fade, hold=30.0)
    alive = problem.blood_flow.left(frame.omega, frame.T)
    dead, sound = frame.omega >= 1.0, frame.omega <= 1.0 - fade
    assert ball.nodes.total_of(float(dead[: ball.nodes.owned].sum()))[0] > 50
    assert ball.nodes.total_of(float(sound[: ball.nodes.owned].sum()))[0] > 50
    assert (alive[dead] == 0.0).all()
    assert (alive[sound & (frame.omega < 1.0)] == 1.0).all()
    between = ~dead & ~sound
    assert ((alive[between] > 0.0) & (alive[between] < 1.0)).all()
    # the heat removed by blood in the last step of the heat equation
    lost = ball.nodes.sum((alive * (frame.T - 37.0))[: ball.nodes.owned] * problem.solvers.heat.mass.perfusion)[0]
    assert frame.ledger.last.perfused == pytest.approx(lost, rel=0.02)


def test_a_dead_core_conducts_and_the_tissue_around_it_is_cooled_by_blood(ball: Domain) -> None:
    """Two zones around a sphere of fixed temperature: theta = A + B / r if dead, C exp(-m r) / r outside."""
    _, frame = _perfused(ball, 0.0)
    m = exact.M * np.sqrt(3.0)
    r = np.linspace(R0, 8e-3, 400)
    edges = []
    for ray in on_rays(ball, np.log(np.maximum(frame.omega, 1e-300)), list(r)):
        crossing = int(np.flatnonzero(np.diff(np.sign(ray)))[0])
        edges.append(r[crossing] - ray[crossing] * (r[1] - r[0]) / (ray[crossing + 1] - ray[crossing]))
    edge = float(np.mean(edges))
    assert np.ptp(edges) < 0.05 * edge and edge > 2.0 * R0
    rim = 43.0 / (edge**2 * (m + 1.0 / edge) / R0 - m * edge)
    inside = rim * (edge**2 * (m + 1.0 / edge) / r - m * edge)
    theory = np.where(r < edge, inside, rim * edge / r * np.exp(-m * (r - edge)))
    for ray in on_rays(ball, frame.T - 37.0, list(r)):
        print(f"dead to {1e3 * edge:.3f} mm, worst error {np.abs(ray - theory).max():.3f} K")
        assert np.abs(ray - theory).max() < 0.01 * 43.0


def test_tissue_that_does_not_die_stays_perfused(ball: Domain) -> None:
    """Below the threshold the damage set has no effect."""
    generator = {**HEATED, "target_degC": 44.0, "hold_s": 20.0}
    tissue = {"perfusion_per_s": OMEGA}
    stops = {**SHARP, "perfusion_stops": True, "perfusion_fade": 0.0}
    with_stop = last_frame(problem_on(mesh_case(generator, tissue=tissue, damage=stops), ball))
    without = last_frame(problem_on(mesh_case(generator, tissue=tissue, damage={"perfusion_stops": False}), ball))
    assert np.array_equal(with_stop.T, without.T)


def test_where_perfusion_stops_tissue_gets_hotter_and_more_of_it_dies(ball: Domain) -> None:
    _, stopping = _perfused(ball, 0.5, hold=60.0)
    tissue, damage = {"perfusion_per_s": 3.0 * OMEGA}, {**SHARP, "perfusion_stops": False}
    keeping = last_frame(problem_on(mesh_case({**HEATED, "hold_s": 60.0}, tissue=tissue, damage=damage), ball))
    warmer, harmed = stopping.T - keeping.T, np.log(stopping.omega / keeping.omega)
    assert min(ball.nodes.max_of(float(warmer.max()), float(harmed.max()))) > 0.2
    assert max(ball.nodes.max_of(float(-warmer.min()), float(-harmed.min()))) < 1e-3, "nowhere colder or safer"
