"""One step, solved and measured but not yet accepted.

sigma, k, alive   at the extrapolated temperature and vapour of the step's end (order 1: at the last ones)
phi_1, G          unit potential of each channel; there is one as a rule
T_a, T_b          passive part and responses to 1 V of the bioheat step:  T = T_a + sum over channels of V^2 T_b
V                 from each channel's generator, which knows G and what the sensor would read
error             local error of the step, by which the loop accepts it or tries a shorter one
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from rfablate.decide import Decisions, decide, foresee, unforeseen
from rfablate.errors import SolveError
from rfablate.fem.electric import UnitField
from rfablate.fem.vapour import BOILING, RELEASES, drying
from rfablate.ledger import Powers
from rfablate.problem import Problem
from rfablate.state import State, Trial
from rfablate.stepping import bdf2_error_factor, bdf_weights, euler_error_factor
from rfablate.timing import Stopwatch

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Value = TypeVar("Value", FloatArray, float)

RESERVE = 0.3
"""Share of the temperature's tolerance that errors of T_b may take."""
MOST_BOILED = 0.05
"""Part of a node's water that may boil in a step: sigma is that of the step's end only as far as it is foreseen."""
COARSEST_RESPONSE = 1e5
"""Largest tolerance of T_b over that of the temperature."""


def solve_step(problem: Problem, state: State, t: float, watch: Stopwatch) -> Trial:
    """Return the step from the state to time t [s], leaving the state alone. Collective."""
    dt = t - state.t
    second = problem.control.order == 2
    T_star = extrapolate(state.past, t) if second else state.T
    T_law = T_star
    if problem.vapour is not None:
        boiled = extrapolate(state.boiled, t) if state.boiled and second else state.vapour
        T_law = drying(T_star, np.clip(boiled, 0.0, 1.0))
    with watch.stage("assemble"):
        problem.assemble(T_law)
    omega_star = state.omega + dt * problem.arrhenius.rate(T_star) if second else state.omega
    alive = problem.blood_flow.left(omega_star, T_star)
    previous = state.past[1][0] if len(state.past) > 1 and second and not state.hot else None
    order = 1 if previous is None else 2
    w0, w1, w2 = bdf_weights(dt, None if previous is None else state.t - previous)
    past = -(w1 * state.T + w2 * state.past[1][1]) if previous is not None else -w1 * state.T

    with watch.stage("potential"):
        units, potentials, solved_at = _unit_fields(problem, state, T_law, t)
    with watch.stage("heat"):
        vapour, water = state.vapour, problem.vapour
        boiling = water.boiling(vapour) if water is not None else None
        operator = _Operator(problem, state, units, alive, T_star, problem.metabolic, boiling)
        T, decided, sensors = _bioheat(operator, w0, past, t)
        for _ in range(RELEASES if water is not None else 0):
            assert water is not None and operator.boiling is not None
            freed = water.release(vapour, operator.gained(T, w0, past, decided.heating, dt), operator.boiling, dt)
            if freed is None:
                break
            vapour, operator = freed[0], replace(operator, source=operator.source + freed[1], boiling=freed[2])
            T, decided, sensors = _bioheat(operator, w0, past, t)
    with watch.stage("judge"):
        load = operator.load(decided.heating)
        flows = problem.heat.flows(T, w0 * T - past, load, problem.initial, operator.boiling)
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
    turn, memories = problem.generator.pass_on(t, decided.memories, state.turn)
    return Trial(
        t, dt, T, vapour, outputs, potentials, solved_at, memories, turn,
        decided.cut, decided.jumps or turn.channel != state.turn.channel, order, error, max_T, ledger,
    )  # fmt: skip


def extrapolate(past: Sequence[tuple[float, Value]], t: float) -> Value:
    """Return the temperature at t [s] on the straight line through the last two solutions, or the last one alone."""
    if len(past) < 2:
        return past[0][1]
    (t0, T0), (t1, T1) = past[0], past[1]
    return T0 + (t - t0) / (t0 - t1) * (T0 - T1)


def parabola(past: Sequence[tuple[float, FloatArray]], t: float) -> FloatArray:
    """Return the value at t [s] on the parabola through the last three solutions, or the line through the last two."""
    if len(past) < 3:
        return extrapolate(past, t)
    (t0, T0), (t1, T1), (t2, T2) = past[:3]
    total = (t - t1) * (t - t2) / ((t0 - t1) * (t0 - t2)) * T0
    total += (t - t0) * (t - t2) / ((t1 - t0) * (t1 - t2)) * T1
    total += (t - t0) * (t - t1) / ((t2 - t0) * (t2 - t1)) * T2
    return total


def local_error(past: Sequence[tuple[float, FloatArray]], t: float, T: FloatArray, order: int) -> FloatArray | None:
    """Return the local error [K] of a step of `order` that reached T at t; None with at most `order` past solutions."""
    if len(past) < order + 1:
        return None
    (t0, T0), (t1, T1) = past[:2]
    first = (T - T0) / (t - t0)
    second = (T0 - T1) / (t0 - t1)
    upper = (first - second) / (t - t1)
    if order == 1:
        return np.asarray(np.abs(upper) * euler_error_factor(t - t0))
    t2, T2 = past[2]
    lower = (second - (T1 - T2) / (t1 - t2)) / (t0 - t2)
    return np.asarray(np.abs((upper - lower) / (t - t2)) * bdf2_error_factor(t - t0, t0 - t1))


def _unit_fields(
    problem: Problem, state: State, T_law: FloatArray, t: float
) -> tuple[tuple[UnitField, ...], tuple[FloatArray, ...], FloatArray | None]:
    """Return each channel's unit field, the potentials it is made of, and the temperature of their sigma. Collective.

    While sigma has hardly changed since the last solve, phi is extrapolated: G is stationary in phi, so that an error
    of phi counts by its square there.
    """
    electric, coefficients = problem.electric, problem.coefficients
    if electric is None or t > problem.generator.switch_times[-1]:
        return (), (), None
    groups, solved_at = range(len(electric.groups)), T_law
    guesses = [parabola([(time, phi[n]) for time, phi in state.potentials], t) for n in groups if state.potentials]
    if guesses and state.solved_at is not None and problem.potential_change > 0.0:
        mine = coefficients.change_of_sigma(T_law, state.solved_at)
        if problem.domain.nodes.max_of(mine)[0] <= problem.potential_change:
            electric.kept += 1
            fields = [electric.unit(guess, coefficients) for guess in guesses]
            return electric.channels(fields, coefficients), tuple(guesses), None
    fields = [electric.solve(coefficients, guesses[n] if guesses else None, n) for n in groups]
    return electric.channels(fields, coefficients), tuple(field.phi for field in fields), solved_at


def coarser_response(heating: float, miss: float) -> float:
    """Return by how much coarser T_b may be than T: it is multiplied only by what V^2 is off where T was solved."""
    return float(np.clip(RESERVE * heating / miss, 1.0, COARSEST_RESPONSE)) if miss > 0.0 else COARSEST_RESPONSE


@dataclass(frozen=True)
class Split:
    """A bioheat step as a function of the voltages, solved near those to come, where T is nearly known."""

    near: tuple[float, ...]
    """V^2 of each channel that T_near was solved for."""
    T_near: FloatArray
    T_b: dict[int, FloatArray]
    """Response to 1 V of each channel with output."""
    coarser: dict[int, float]
    """By how much coarser it was solved than T_near."""

    def at(self, heating: Sequence[float]) -> FloatArray:
        """Return the temperature [degC] for V^2 of each channel [V2]."""
        T = self.T_near
        for number, T_b in self.T_b.items():
            T = T + (heating[number] - self.near[number]) * T_b
        return T


@dataclass(frozen=True)
class _Operator:
    """What a bioheat step is made of, but for its length."""

    problem: Problem
    state: State
    units: tuple[UnitField, ...]
    """Of each channel; empty without an electric problem, and after the treatment."""
    alive: FloatArray
    T_star: FloatArray
    source: FloatArray
    """Heat of the owned nodes beside Joule's [W]."""
    boiling: BoolArray | None
    """Nodes held at 100 degC; None where no water boils."""

    def load(self, heating: Sequence[float]) -> FloatArray:
        """Return all heat of the owned nodes [W] for V^2 of each channel [V2]."""
        load = self.source
        for V2, unit in zip(heating, self.units, strict=False):
            load = load + V2 * unit.load
        return load

    def gained(self, T: FloatArray, w0: float, past: FloatArray, heating: Sequence[float], dt: float) -> FloatArray:
        """Return the heat that the boiling owned nodes took up in the step that came to T, 0 at others [J]."""
        assert self.boiling is not None
        gained = np.zeros(self.problem.domain.nodes.owned)
        rows = np.flatnonzero(self.boiling[: len(gained)])
        gained[rows] = dt * self.problem.heat.reaction(rows, T, w0 * T - past, self.load(heating))
        return gained

    def prepare(self, w0: float, t: float) -> FloatArray:
        """Assemble the operator of a step that ends at t [s]; return its fixed nodes' temperatures. Collective."""
        fixed, value, surface = self.problem.fixed, self.problem.fixed_value, self.problem.surface
        if surface is not None and t <= surface.on:
            fixed = fixed | surface.nodes
            value = np.where(surface.nodes, surface.ramp.at(t), value)
        if self.boiling is not None:
            value = np.where(self.boiling & ~fixed, BOILING, value)
            fixed = fixed | self.boiling
        self.problem.heat.prepare(w0, self.alive, fixed)
        return value

    def split(self, w0: float, past: FloatArray, t: float, on: Sequence[int]) -> Split:
        """Return the step that ends at t [s] as a function of the voltages of the channels `on`. Collective."""
        value, state, heat = self.prepare(w0, t), self.state, self.problem.heat
        near, coarser = [0.0] * len(self.units), {}
        for n in on:
            before = [(time, V2[n]) for time, V2 in state.heating]
            near[n] = max(0.0, extrapolate(before, t)) if before else 0.0
            coarser[n] = coarser_response(near[n], abs(near[n] - before[0][1]) if before else np.inf)
        T_near = heat.step(past, value, parabola(state.past, t), self.load(near))
        T_b = {n: heat.response(self.units[n].load, coarser[n]) for n in on}
        return Split(tuple(near), T_near, T_b, coarser)

    def sharpen(self, split: Split, heating: Sequence[float]) -> Split | None:
        """Return the split with responses accurate enough for this V^2, None if they are already. Collective."""
        T_b, coarser = dict(split.T_b), dict(split.coarser)
        for n, near in enumerate(split.near):
            needed = coarser_response(max(heating[n], near), abs(heating[n] - near))
            if n in T_b and 2.0 * needed < coarser[n]:
                T_b[n] = self.problem.heat.response(self.units[n].load, needed)
                coarser[n] = needed
        return None if coarser == split.coarser else replace(split, T_b=T_b, coarser=coarser)


def _bioheat(
    operator: _Operator, w0: float, past: FloatArray, t: float
) -> tuple[FloatArray, Decisions, tuple[float, ...]]:
    """Return T, what the channels decided and the sensor of each, of the step that ends at t [s]. Collective."""
    problem, state = operator.problem, operator.state
    dt, split, reach = t - state.t, None, t
    needs = problem.generator.needs(state.t, t, state.memories, state.turn)
    on = [n for n, each in enumerate(needs) if each.conductance and operator.units]
    if any(needs[n].sensor for n in on):
        horizon = max(needs[n].horizon for n in on)
        if dt < horizon:  # the sensor lags behind: look farther ahead than this step
            reach = state.t + horizon
            split = operator.split(1.0 / horizon, state.T / horizon, reach, on)
        else:
            split = operator.split(w0, past, t, on)
    while True:
        seen = unforeseen(problem.generator)
        if split is not None:
            seen = foresee(problem.sensors, split.near, split.T_near, split.T_b)
        decided = decide(problem.generator, seen, operator.units, state, t, reach)
        heating = decided.heating
        sharper = operator.sharpen(split, heating) if split is not None else None
        if sharper is None:
            break
        split = sharper
    if split is not None and reach == t:
        T, sensors = split.at(heating), tuple(float(each.at(heating).max()) for each in seen)
    else:
        value = operator.prepare(w0, t)
        T = problem.heat.step(past, value, parabola(state.past, t), operator.load(heating))
        sensors = problem.sensors.hottest(T)
    return T, decided, sensors


def _inspect(
    problem: Problem, state: State, T: FloatArray, vapour: FloatArray, t: float, order: int
) -> tuple[float | None, float]:
    """Return the step's largest local error [K] and the highest temperature [degC]. Collective.

    Where water boils it is the change of what has boiled, MOST_BOILED being as much as the tolerance.
    """
    error, boiled = local_error(state.past, t, T, order), 0.0
    if problem.vapour is not None:
        if t - state.t > problem.control.minimum * (1.0 + 1e-6):  # the shortest step is not refused for it
            boiled = float(np.abs(vapour - state.vapour).max(initial=0.0)) / MOST_BOILED
        if error is not None:
            # where water begins or ceases to boil the temperature has a kink that no step resolves
            kinked = np.any([T >= BOILING, *(old >= BOILING for _, old in state.past)], axis=0)
            error = np.where(kinked, 0.0, error)
    mine = (float(T.max(initial=-np.inf)), -1.0 if error is None else float(error.max(initial=0.0)), boiled)
    max_T, largest, boiled = (float(each) for each in problem.domain.nodes.max_of(*mine))
    if not np.isfinite(max_T) or not np.isfinite(largest):
        raise SolveError(f"the temperature went non-finite in the step from {state.t:.6g} s to {t:.6g} s")
    if error is None and boiled <= 1.0:
        return None, max_T
    return max(largest, problem.control.tolerance * boiled ** (order + 1)), max_T
