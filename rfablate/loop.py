"""The time loop:  decide the step, solve it, judge it, commit it.

    sigma, k, alive   at the extrapolated temperature of the step's end
    phi_1, G          unit potential
    T_a, T_b          passive part and response to 1 V of the bioheat step
    V                 from the generator, which knows G and what the sensor would read:  T = T_a + V^2 T_b
    error             local error of the step: accept and commit, or shorten and try again
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from rfablate.errors import SolveError, StepError
from rfablate.fem.electric import UnitField
from rfablate.ledger import Powers
from rfablate.physics.damage import cem43_rate, integrate_rate
from rfablate.physics.generator import Offer
from rfablate.problem import Problem
from rfablate.state import Frame, State, Trial, first_frame
from rfablate.stepping import bdf2_error_factor, bdf_weights
from rfablate.timing import Stopwatch

FloatArray = npt.NDArray[np.float64]


def steps(problem: Problem, state: State, stops: Sequence[float], watch: Stopwatch) -> Iterator[Frame]:
    """Advance `state` to the end of the treatment, yielding the start and every accepted step. Collective.

    Steps land exactly on `stops` [s], on the generator's switch times and on the end.

    Raises:
        SolveError: a solve failed or the temperature went non-finite; `state` still holds the last good step.
        StepError: the shortest step allowed was refused.
    """
    control, generator = problem.control, problem.generator
    landings = sorted({*stops, *generator.switch_times, generator.end})
    yield first_frame(problem, state)
    while state.t < generator.end:
        t = control.next_time(state.t, landings, state.step_memory)
        trial = solve_step(problem, state, t, watch)
        verdict = control.judge(trial.dt, trial.error, trial.order, state.step_memory)
        if verdict.too_small:
            raise StepError(
                f"the step at t = {state.t:.6g} s was refused at its lower limit of {control.minimum:g} s: local error "
                f"{trial.error:.3g} K, expected at most {control.tolerance:g} K; try a larger time.tolerance_K or a finer mesh"
            )
        state.step_memory = verdict.memory
        if verdict.accepted:
            with watch.stage("damage"):
                commit(problem, state, trial)
            yield _frame(state, trial)


def solve_step(problem: Problem, state: State, t: float, watch: Stopwatch) -> Trial:
    """Return the step from the state to time t [s], leaving the state alone. Collective."""
    dt = t - state.t
    T_star = extrapolate(state.past, t)
    sigma, k = problem.laws.conductivities(problem.domain.elements.mean(T_star))
    alive = problem.alive(state.omega + dt * problem.arrhenius.rate(T_star))
    previous = state.past[1][0] if len(state.past) > 1 and problem.control.order == 2 else None
    w0, w1, w2 = bdf_weights(dt, None if previous is None else state.t - previous)
    past = -(w1 * state.T + w2 * state.past[1][1]) if previous is not None else -w1 * state.T

    with watch.stage("potential"):
        unit = _unit_field(problem, state, sigma, t)
    with watch.stage("heat"):
        T, response, command, memory, sensor = _bioheat(problem, state, unit, k, alive, past, T_star, w0, t)
    with watch.stage("judge"):
        error, max_T = _inspect(problem, state, T, t)
        load = command.voltage**2 * unit.load if unit is not None else np.zeros_like(T)
        rate = w0 * T - past
        flows = problem.heat.flows(T, rate, load, problem.initial)
        joule = command.voltage**2 * unit.conductance if unit is not None else 0.0
        ledger = state.ledger.advance(
            dt, Powers(joule, flows.perfused, flows.boundary), flows.stored, after_switch=state.after_switch
        )
    order = 1 if previous is None else 2
    return Trial(t, dt, T, unit, response, command, memory, order, error, max_T, sensor, ledger)


def commit(problem: Problem, state: State, trial: Trial) -> None:
    """Make the trial the state: the only place where a state changes."""
    rate = problem.arrhenius.rate
    state.omega = state.omega + integrate_rate(rate(state.T), rate(trial.T), trial.dt)
    state.cem43 = state.cem43 + integrate_rate(cem43_rate(state.T), cem43_rate(trial.T), trial.dt)
    state.peak = np.maximum(state.peak, trial.T)
    state.t, state.T = trial.t, trial.T
    state.memory, state.ledger, state.voltage = trial.memory, trial.ledger, trial.command.voltage
    state.response = trial.response
    if trial.unit is not None:
        state.units = [(trial.t, trial.unit), *state.units[:1]]
    state.past = [(trial.t, trial.T), *state.past[:2]]
    state.after_switch = trial.t in problem.generator.switch_times
    if state.after_switch:
        state.past = state.past[:1]
        state.step_memory = problem.control.restart(state.step_memory)


def extrapolate(past: Sequence[tuple[float, FloatArray]], t: float) -> FloatArray:
    """Return the temperature at t [s] on the straight line through the last two solutions, or the last one alone."""
    if len(past) < 2:
        return past[0][1]
    (t0, T0), (t1, T1) = past[0], past[1]
    return T0 + (t - t0) / (t0 - t1) * (T0 - T1)


def local_error(past: Sequence[tuple[float, FloatArray]], t: float, T: FloatArray) -> FloatArray | None:
    """Return the local error of a BDF2 step that reached T at t [K] at each node; None with fewer than three solutions."""
    if len(past) < 3:
        return None
    (t0, T0), (t1, T1), (t2, T2) = past[:3]
    first = (T - T0) / (t - t0)
    second = (T0 - T1) / (t0 - t1)
    third = (T1 - T2) / (t1 - t2)
    upper = (first - second) / (t - t1)
    lower = (second - third) / (t0 - t2)
    return np.abs((upper - lower) / (t - t2)) * bdf2_error_factor(t - t0, t0 - t1)


def _unit_field(problem: Problem, state: State, sigma: FloatArray, t: float) -> UnitField | None:
    if problem.electric is None or t > problem.generator.switch_times[-1]:
        return None
    guess = None
    if len(state.units) == 2:
        guess = extrapolate([(time, unit.phi) for time, unit in state.units], t)
    elif state.units:
        guess = state.units[0][1].phi
    return problem.electric.solve(sigma, guess)


def _bioheat(problem, state, unit, k, alive, past, T_star, w0, t):  # type: ignore[no-untyped-def]
    """Return (T, (w0, T_b), command, memory, sensor) of the bioheat step."""
    heat, generator, nodes = problem.heat, problem.generator, problem.domain.nodes
    dt = t - state.t
    fixed, value = problem.fixed, problem.fixed_value
    if problem.surface is not None and t <= problem.surface.on:
        fixed = fixed | problem.surface.nodes
        value = np.where(problem.surface.nodes, problem.surface.ramp.at(t), value)
    heat.assemble(w0, k, alive, fixed)
    G = unit.conductance if unit is not None else 0.0
    if unit is None or not generator.reads_sensor:
        command, memory = generator.decide(Offer(t, dt, G, np.nan, np.nan), state.memory)
        load = command.voltage**2 * unit.load if unit is not None else 0.0
        T = heat.passive(past, value, T_star, load)
        sensor = float(nodes.total_of(float(problem.sensor.partial(T).mean()))[0])
        return T, None, command, memory, sensor
    guess = np.zeros_like(T_star) if state.response is None else state.response[1] * (state.response[0] / w0)
    T_b = heat.response(unit.load, guess)
    T_a = heat.passive(past, value, T_star - state.voltage**2 * T_b)
    a, b = nodes.total_of(*(float(problem.sensor.partial(field).mean()) for field in (T_a, T_b)))
    command, memory = generator.decide(Offer(t, dt, G, float(a), float(b)), state.memory)
    T = T_a + command.voltage**2 * T_b
    return T, (w0, T_b), command, memory, float(a + command.voltage**2 * b)


def _inspect(problem: Problem, state: State, T: FloatArray, t: float) -> tuple[float | None, float]:
    """Return the step's largest local error [K] and the highest temperature [degC]. Collective."""
    error = local_error(state.past, t, T)
    mine = (float(T.max(initial=-np.inf)), -1.0 if error is None else float(error.max(initial=0.0)))
    max_T, largest = problem.domain.nodes.max_of(*mine)
    if not np.isfinite(max_T) or not np.isfinite(largest):
        raise SolveError(f"the temperature went non-finite in the step from {state.t:.6g} s to {t:.6g} s")
    return (None if error is None else float(largest)), float(max_T)


def _frame(state: State, trial: Trial) -> Frame:
    return Frame(
        t=state.t,
        dt=trial.dt,
        T=state.T,
        peak=state.peak,
        omega=state.omega,
        cem43=state.cem43,
        unit=trial.unit,
        voltage=trial.command.voltage,
        setpoint=trial.command.setpoint,
        limited_by=trial.command.limited_by,
        sensor=trial.sensor,
        max_T=trial.max_T,
        ledger=state.ledger,
    )
