"""One time step: solved and measured, but not yet accepted.

sigma, k, alive   at the extrapolated temperature and vapour fraction of the end of the step (order 1: at the last ones)
phi_1, G          unit potential and conductance of each channel
T_a, T_b          passive part and responses to 1 V of the bioheat step:  T = T_a + sum over channels of V^2 T_b
V                 from the generator of each channel, given G and the predicted sensor temperature
error             local error of the step, with which the loop accepts or repeats the step
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.errors import SolveError
from rfablate.fem.boiling_water import RELEASES, BoilingCorrection, law_temperature
from rfablate.fem.electric_problem import UnitField
from rfablate.physics.boiling import BOILING
from rfablate.problem.problem import Problem
from rfablate.problem.step_control import TIE, bdf_weights
from rfablate.solve.bioheat_step import BioheatSolution, BioheatStep, TimeDerivative, bioheat
from rfablate.solve.energy_balance import EnergyLedger, Powers
from rfablate.solve.predictor import extrapolate_linear, extrapolate_quadratic, local_error
from rfablate.solve.state import (
    ChannelOutput,
    GeneratorStep,
    State,
    StepInspection,
    StepSolution,
    TrialStep,
    UnitFields,
)
from rfablate.timing import Stopwatch

STEADY = 2.5
"""Largest ratio of a step to the previous one for order 3: variable-step BDF3 is stable below 2.553, BDF2 always (Li
and Liao, Stability of variable-step BDF2 and BDF3 methods, SIAM J. Numer. Anal. 60, 2022). Larger ratios occur after a
step that was shortened to end at a stop."""
MOST_BOILED = 0.05
"""Largest fraction of a node's water that may boil in a step, because sigma is extrapolated to the end of the step."""


def solve_step(problem: Problem, state: State, t: float, watch: Stopwatch) -> TrialStep:
    """Return the step from the state to time t [s] without a change of the state. Collective."""
    order = _order(problem, state, t)
    T_star, T_law = _extrapolated(problem, state, t, order)
    with watch.stage("assemble"):
        problem.solvers.assemble(T_law)
    with watch.stage("potential"):
        fields = _unit_fields(problem, state, T_law, t)
    with watch.stage("heat"):
        heat = _solve_heat(problem, state, fields.channels, T_star, _derivative(state, t, order))
    with watch.stage("judge"):
        settled = heat.settled()
        decided, water = heat.solution.decided, problem.solvers.vapour
        sensors = heat.solution.sensors if water is None else problem.sensors.hottest(settled.T)
        solution = StepSolution(t, t - state.t, order, settled.T, settled.fraction)
        inspection = _inspect(problem, state, solution)
        outputs = decided.outputs(fields.channels, sensors)
        ledger = _advance_ledger(heat, settled, outputs)
    turn, channel_states = problem.generator.pass_on(t, decided.channel_states, state.turn)
    jumps = decided.jumps or turn.channel != state.turn.channel
    generator = GeneratorStep(outputs, channel_states, turn, decided.cut, jumps)
    return TrialStep(solution, inspection, fields, generator, ledger)


def _extrapolated(problem: Problem, state: State, t: float, order: int) -> tuple[FloatArray, FloatArray]:
    """Return the temperature extrapolated to t [s], and the one at which laws are evaluated [degC]."""
    ahead = problem.control.order > 1
    T = extrapolate_quadratic(state.past, t) if order > 2 else extrapolate_linear(state.past, t) if ahead else state.T
    if problem.solvers.vapour is None:
        return T, T
    boiled = extrapolate_linear(state.boiled, t) if state.boiled and ahead else state.vapour
    return T, law_temperature(T, np.clip(boiled, 0.0, 1.0))


def _derivative(state: State, t: float, order: int) -> TimeDerivative:
    """Return the time derivative at t [s] of a step of this order."""
    w0, *weights = bdf_weights(t, [time for time, _ in state.past[:order]])
    past = np.asarray(sum(-w * T for w, (_, T) in zip(weights, state.past, strict=False)))
    return TimeDerivative(t, w0, past)


@dataclass(frozen=True)
class _SolvedHeat:
    """The bioheat solution of a step, before water evaporates or condenses."""

    operator: BioheatStep
    derivative: TimeDerivative
    solution: BioheatSolution
    vapour: FloatArray
    """Vapour fractions at the start of the step; 1 or 0 where the step has freed a boiling node."""

    def settled(self) -> BoilingCorrection:
        """Return temperature and vapour fractions after evaporation and condensation. Collective."""
        T, boiling, water = self.solution.T, self.operator.boiling, self.operator.problem.solvers.vapour
        if water is None or boiling is None:
            return BoilingCorrection(T, self.vapour, sensible=0.0, latent=0.0)
        dt = self.derivative.t - self.operator.state.t
        gained = self.operator.gained(self.solution, self.derivative)
        return water.settle(T, self.vapour, gained, boiling, self.derivative.w0 * dt)


def _solve_heat(
    problem: Problem, state: State, units: tuple[UnitField, ...], T_star: FloatArray, derivative: TimeDerivative
) -> _SolvedHeat:
    """Solve the bioheat equation, again while boiling nodes are freed. Collective.

    Args:
        problem: the problem.
        state: state at the start of the step.
        units: unit field of each channel.
        T_star: extrapolated temperature, at which blood flow stops [degC].
        derivative: time derivative at the end of the step.
    """
    dt, vapour, water = derivative.t - state.t, state.vapour, problem.solvers.vapour
    omega_star = state.omega + dt * problem.arrhenius.rate(T_star) if problem.control.order > 1 else state.omega
    alive = problem.blood_flow.left(omega_star, T_star)
    boiling = water.boiling(vapour) if water is not None else None
    operator = BioheatStep(problem, state, units, alive, problem.metabolic, boiling)
    solution = bioheat(operator, derivative)
    for _ in range(RELEASES if water is not None else 0):
        assert water is not None and operator.boiling is not None
        freed = water.release(vapour, operator.gained(solution, derivative), operator.boiling, dt)
        if freed is None:
            break
        vapour = freed.fraction
        operator = replace(operator, source=operator.source + freed.source, boiling=freed.boiling)
        solution = bioheat(operator, derivative)
    return _SolvedHeat(operator, derivative, solution, vapour)


def _advance_ledger(heat: _SolvedHeat, settled: BoilingCorrection, outputs: tuple[ChannelOutput, ...]) -> EnergyLedger:
    """Return the energy balance at the end of the step. Collective."""
    operator, T, decided = heat.operator, heat.solution.T, heat.solution.decided
    problem, state = operator.problem, operator.state
    flows = problem.solvers.heat.flows(
        T, heat.derivative.of(T), operator.load(decided.heating), problem.initial, operator.boiling
    )
    joule = tuple(each.power for each in outputs)
    washed = sum(V2 * unit.washed for V2, unit in zip(decided.heating, operator.units, strict=False))
    powers = Powers(sum(joule), flows.perfused, flows.boundary + washed, problem.metabolic_power, joule)
    return state.ledger.advance(
        heat.derivative.t - state.t, powers, flows.stored - settled.sensible,
        after_switch=state.after_switch, latent=settled.latent,
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


def _unit_fields(problem: Problem, state: State, T_law: FloatArray, t: float) -> UnitFields:
    """Return the electric fields of the step to t [s], with sigma at T_law [degC]. Collective.

    While sigma has hardly changed since the last solve, phi is extrapolated. G is stationary in phi, so an error of phi
    enters G only quadratically.
    """
    electric, coefficients = problem.solvers.electric, problem.solvers.coefficients
    if electric is None or t > problem.generator.switch_times[-1]:
        return UnitFields()
    groups = range(len(electric.groups))
    guesses = [
        extrapolate_quadratic([(time, phi[n]) for time, phi in state.potentials], t) for n in groups if state.potentials
    ]
    if guesses and state.solved_at is not None and problem.potential_change > 0.0:
        mine = coefficients.change_of_sigma(T_law, state.solved_at)
        if problem.domain.nodes.max_of(mine)[0] <= problem.potential_change:
            electric.kept += 1
            fields = [electric.unit(guess, coefficients) for guess in guesses]
            return UnitFields(electric.channels(fields, coefficients), tuple(guesses))
    fields = [electric.solve(coefficients, guesses[n] if guesses else None, n) for n in groups]
    return UnitFields(electric.channels(fields, coefficients), tuple(field.phi for field in fields), T_law)


def _inspect(problem: Problem, state: State, solution: StepSolution) -> StepInspection:
    """Return the largest local error of the step and the highest temperature. Collective.

    Where water boils, the change of the vapour fraction also counts; MOST_BOILED corresponds to the tolerance.
    """
    t, T, order = solution.t, solution.T, solution.order
    error = local_error(state.past, t, T, order) if problem.control.fixed is None else None
    boiled = 0.0
    if problem.solvers.vapour is not None:
        # This criterion does not reject a step of minimum length.
        if solution.dt > problem.control.minimum * (1.0 + 1e-6):
            boiled = float(np.abs(solution.vapour - state.vapour).max(initial=0.0)) / MOST_BOILED
        if error is not None:
            # at the onset and the end of boiling the temperature has a kink that no step length resolves
            kinked = np.any([T >= BOILING, *(old >= BOILING for _, old in state.past)], axis=0)
            error = np.where(kinked, 0.0, error)
    mine = (float(T.max(initial=-np.inf)), -1.0 if error is None else float(error.max(initial=0.0)), boiled)
    max_T, largest, boiled = (float(each) for each in problem.domain.nodes.max_of(*mine))
    if not np.isfinite(max_T) or not np.isfinite(largest):
        raise SolveError(f"the temperature is not finite in the step from {state.t:.6g} s to {t:.6g} s")
    if error is None and boiled <= 1.0:
        return StepInspection(max_T, None)
    return StepInspection(max_T, max(largest, problem.control.tolerance * boiled ** (order + 1)))
