"""One time step: solved and measured, but not yet accepted.

sigma, k, alive   at the extrapolated temperature and vapour fraction of the end of the step (order 1: at the last ones)
phi_1, G          unit potential and conductance of each channel
T_a, T_b          passive part and responses to 1 V of the bioheat step:  T = T_a + sum over channels of V^2 T_b
V                 from the generator of each channel, given G and the predicted sensor temperature
error             local error of the step, with which the loop accepts or repeats the step
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.errors import SolveError
from rfablate.fem.boiling_water import RELEASES, law_temperature
from rfablate.fem.electric_problem import UnitField
from rfablate.physics.boiling import BOILING
from rfablate.problem.problem import Problem
from rfablate.problem.step_control import TIE, bdf_weights
from rfablate.solve.bioheat_step import BioheatStep, bioheat
from rfablate.solve.energy_balance import Powers
from rfablate.solve.predictor import extrapolate_linear, extrapolate_quadratic, local_error
from rfablate.solve.state import State, TrialStep
from rfablate.timing import Stopwatch

STEADY = 2.5
"""Largest ratio of a step to the previous one for order 3: variable-step BDF3 is stable below 2.553, BDF2 always (Li
and Liao, Stability of variable-step BDF2 and BDF3 methods, SIAM J. Numer. Anal. 60, 2022). Larger ratios occur after a
step that was shortened to end at a stop."""
MOST_BOILED = 0.05
"""Largest fraction of a node's water that may boil in a step, because sigma is extrapolated to the end of the step."""


def solve_step(problem: Problem, state: State, t: float, watch: Stopwatch) -> TrialStep:
    """Return the step from the state to time t [s] without a change of the state. Collective."""
    dt, order, ahead = t - state.t, _order(problem, state, t), problem.control.order > 1
    T_star = (
        extrapolate_quadratic(state.past, t) if order > 2 else extrapolate_linear(state.past, t) if ahead else state.T
    )
    T_law = T_star
    if problem.solvers.vapour is not None:
        boiled = extrapolate_linear(state.boiled, t) if state.boiled and ahead else state.vapour
        T_law = law_temperature(T_star, np.clip(boiled, 0.0, 1.0))
    with watch.stage("assemble"):
        problem.solvers.assemble(T_law)
    omega_star = state.omega + dt * problem.arrhenius.rate(T_star) if ahead else state.omega
    alive = problem.blood_flow.left(omega_star, T_star)
    w0, *weights = bdf_weights(t, [time for time, _ in state.past[:order]])
    past = np.asarray(sum(-w * T for w, (_, T) in zip(weights, state.past, strict=False)))

    with watch.stage("potential"):
        units, potentials, solved_at = _unit_fields(problem, state, T_law, t)
    with watch.stage("heat"):
        vapour, water = state.vapour, problem.solvers.vapour
        boiling = water.boiling(vapour) if water is not None else None
        operator = BioheatStep(problem, state, units, alive, problem.metabolic, boiling)
        T, decided, sensors = bioheat(operator, w0, past, t)
        for _ in range(RELEASES if water is not None else 0):
            assert water is not None and operator.boiling is not None
            freed = water.release(vapour, operator.gained(T, w0, past, decided.heating, dt), operator.boiling, dt)
            if freed is None:
                break
            vapour, operator = freed[0], replace(operator, source=operator.source + freed[1], boiling=freed[2])
            T, decided, sensors = bioheat(operator, w0, past, t)
    with watch.stage("judge"):
        load = operator.load(decided.heating)
        flows = problem.solvers.heat.flows(T, w0 * T - past, load, problem.initial, operator.boiling)
        stored, latent = flows.stored, 0.0
        if water is not None and operator.boiling is not None:
            gained = operator.gained(T, w0, past, decided.heating, dt)
            settled = water.settle(T, vapour, gained, operator.boiling, w0 * dt)
            T, vapour, latent = settled.T, settled.fraction, settled.latent
            stored -= settled.sensible
            sensors = problem.sensors.hottest(T)
        error, max_T = _inspect(problem, state, T, vapour, t, order)
        outputs = decided.outputs(units, sensors)
        joule = tuple(each.power for each in outputs)
        washed = sum(V2 * unit.washed for V2, unit in zip(decided.heating, units, strict=False))
        powers = Powers(sum(joule), flows.perfused, flows.boundary + washed, problem.metabolic_power, joule)
        ledger = state.ledger.advance(dt, powers, stored, after_switch=state.after_switch, latent=latent)
    turn, channel_states = problem.generator.pass_on(t, decided.channel_states, state.turn)
    return TrialStep(
        t, dt, T, vapour, outputs, potentials, solved_at, channel_states, turn,
        decided.cut, decided.jumps or turn.channel != state.turn.channel, order, error, max_T, ledger,
    )  # fmt: skip


def _order(problem: Problem, state: State, t: float) -> int:
    """Return the order of the step to t [s]: 3 if its error can be estimated and the step does not grow too much.

    Near boiling the order is 1, because the temperature then has kinks in time.
    """
    known = len(state.past)
    if state.hot or known == 1:
        return 1
    grows = t - state.t > STEADY * TIE * (state.t - state.past[1][0])
    return min(problem.control.order, 3 if known > 3 and not grows else 2)


def _unit_fields(
    problem: Problem, state: State, T_law: FloatArray, t: float
) -> tuple[tuple[UnitField, ...], tuple[FloatArray, ...], FloatArray | None]:
    """Return the unit field of each channel, the group potentials, and the temperature of their sigma. Collective.

    While sigma has hardly changed since the last solve, phi is extrapolated. G is stationary in phi, so an error of phi
    enters G only quadratically.
    """
    electric, coefficients = problem.solvers.electric, problem.solvers.coefficients
    if electric is None or t > problem.generator.switch_times[-1]:
        return (), (), None
    groups = range(len(electric.groups))
    guesses = [
        extrapolate_quadratic([(time, phi[n]) for time, phi in state.potentials], t) for n in groups if state.potentials
    ]
    if guesses and state.solved_at is not None and problem.potential_change > 0.0:
        mine = coefficients.change_of_sigma(T_law, state.solved_at)
        if problem.domain.nodes.max_of(mine)[0] <= problem.potential_change:
            electric.kept += 1
            fields = [electric.unit(guess, coefficients) for guess in guesses]
            return electric.channels(fields, coefficients), tuple(guesses), None
    fields = [electric.solve(coefficients, guesses[n] if guesses else None, n) for n in groups]
    return electric.channels(fields, coefficients), tuple(field.phi for field in fields), T_law


def _inspect(
    problem: Problem, state: State, T: FloatArray, vapour: FloatArray, t: float, order: int
) -> tuple[float | None, float]:
    """Return the largest local error of the step [K] and the highest temperature [degC]. Collective.

    Where water boils, the change of the vapour fraction also counts; MOST_BOILED corresponds to the tolerance.
    """
    error = local_error(state.past, t, T, order) if problem.control.fixed is None else None
    boiled = 0.0
    if problem.solvers.vapour is not None:
        # This criterion does not reject a step of minimum length.
        if t - state.t > problem.control.minimum * (1.0 + 1e-6):
            boiled = float(np.abs(vapour - state.vapour).max(initial=0.0)) / MOST_BOILED
        if error is not None:
            # at the onset and the end of boiling the temperature has a kink that no step length resolves
            kinked = np.any([T >= BOILING, *(old >= BOILING for _, old in state.past)], axis=0)
            error = np.where(kinked, 0.0, error)
    mine = (float(T.max(initial=-np.inf)), -1.0 if error is None else float(error.max(initial=0.0)), boiled)
    max_T, largest, boiled = (float(each) for each in problem.domain.nodes.max_of(*mine))
    if not np.isfinite(max_T) or not np.isfinite(largest):
        raise SolveError(f"the temperature is not finite in the step from {state.t:.6g} s to {t:.6g} s")
    if error is None and boiled <= 1.0:
        return None, max_T
    return max(largest, problem.control.tolerance * boiled ** (order + 1)), max_T
