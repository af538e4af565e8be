"""One step, solved and measured but not yet accepted.

sigma, k, alive   at the extrapolated temperature and vapour of the step's end (order 1: at the last ones)
phi_1, G          unit potential
T_a, T_b          passive part and response to 1 V of the bioheat step:  T = T_a + V^2 T_b
V                 from the generator, which knows G and what the sensor would read
error             local error of the step, by which the loop accepts it or tries a shorter one
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from rfablate.errors import SolveError
from rfablate.fem.electric import UnitField
from rfablate.fem.vapour import BOILING, RELEASES, drying
from rfablate.ledger import Powers
from rfablate.physics.generator import Command, Generator, Memory, Offer
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
        unit, solved_at = _unit_field(problem, state, T_law, t)
    with watch.stage("heat"):
        vapour, water = state.vapour, problem.vapour
        boiling = water.boiling(vapour) if water is not None else None
        operator = _Operator(problem, state, unit, alive, T_star, problem.metabolic, boiling)
        T, response, command, memory, sensor = _bioheat(operator, w0, past, t)
        for _ in range(RELEASES if water is not None else 0):
            assert water is not None and operator.boiling is not None
            freed = water.release(vapour, operator.gained(T, w0, past, command, dt), operator.boiling, dt)
            if freed is None:
                break
            vapour, operator = freed[0], replace(operator, source=operator.source + freed[1], boiling=freed[2])
            T, response, command, memory, sensor = _bioheat(operator, w0, past, t)
    with watch.stage("judge"):
        flows = problem.heat.flows(T, w0 * T - past, operator.load(command), problem.initial, operator.boiling)
        stored, latent = flows.stored, 0.0
        if water is not None and operator.boiling is not None:
            gained = operator.gained(T, w0, past, command, dt)
            settled = water.settle(T, vapour, gained, operator.boiling, w0 * dt)
            T, vapour, latent = settled.T, settled.fraction, settled.latent
            stored -= settled.sensible
            sensor = problem.sensors.hottest(T)
        error, max_T = _inspect(problem, state, T, vapour, t, order)
        heating = command.voltage**2
        joule, washed = (heating * unit.conductance, heating * unit.washed) if unit is not None else (0.0, 0.0)
        powers = Powers(joule, flows.perfused, flows.boundary + washed, problem.metabolic_power)
        ledger = state.ledger.advance(dt, powers, stored, after_switch=state.after_switch, latent=latent)
    return Trial(t, dt, T, vapour, unit, solved_at, response, command, memory, order, error, max_T, sensor, ledger)


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
    times = [time for time, _ in past[:3]]
    total = np.zeros_like(past[0][1])
    for (time, value), others in zip(past, ([1, 2], [0, 2], [0, 1]), strict=False):
        weight = 1.0
        for other in others:
            weight *= (t - times[other]) / (time - times[other])
        total += weight * value
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


def _unit_field(
    problem: Problem, state: State, T_law: FloatArray, t: float
) -> tuple[UnitField | None, FloatArray | None]:
    """Return the unit field and the temperature of the sigma it was solved for. Collective.

    While sigma has hardly changed since the last solve, phi is extrapolated: G is stationary in phi, so that an error
    of phi counts by its square there.
    """
    electric = problem.electric
    if electric is None or t > problem.generator.switch_times[-1]:
        return None, None
    guess = parabola([(time, unit.phi) for time, unit in state.units], t) if state.units else None
    if guess is not None and state.solved_at is not None and problem.potential_change > 0.0:
        mine = problem.coefficients.change_of_sigma(T_law, state.solved_at)
        if problem.domain.nodes.max_of(mine)[0] <= problem.potential_change:
            electric.kept += 1
            return electric.unit(guess, problem.coefficients), None
    return electric.solve(problem.coefficients, guess), T_law


def coarser_response(heating: float, miss: float) -> float:
    """Return by how much coarser T_b may be than T: it is multiplied only by what V^2 is off where T was solved."""
    return float(np.clip(RESERVE * heating / miss, 1.0, COARSEST_RESPONSE)) if miss > 0.0 else COARSEST_RESPONSE


@dataclass(frozen=True)
class Split:
    """A bioheat step as a function of the voltage, solved near the voltage to come, where T is nearly known."""

    w0: float
    near: float
    """V^2 that T_near was solved for."""
    T_near: FloatArray
    T_b: FloatArray
    coarser: float
    """By how much coarser T_b was solved than T_near."""

    def at(self, heating: float) -> FloatArray:
        """Return the temperature [degC] for V^2 [V2]."""
        return self.T_near + (heating - self.near) * self.T_b


@dataclass(frozen=True)
class _Operator:
    """What a bioheat step is made of, but for its length."""

    problem: Problem
    state: State
    unit: UnitField | None
    alive: FloatArray
    T_star: FloatArray
    source: FloatArray
    """Heat of the owned nodes beside Joule's [W]."""
    boiling: BoolArray | None
    """Nodes held at 100 degC; None where no water boils."""

    def load(self, command: Command) -> FloatArray:
        """Return all heat of the owned nodes [W]."""
        return self.source if self.unit is None else self.source + command.voltage**2 * self.unit.load

    def gained(self, T: FloatArray, w0: float, past: FloatArray, command: Command, dt: float) -> FloatArray:
        """Return the heat that the boiling owned nodes took up in the step that came to T, 0 at others [J]."""
        assert self.boiling is not None
        gained = np.zeros(self.problem.domain.nodes.owned)
        rows = np.flatnonzero(self.boiling[: len(gained)])
        gained[rows] = dt * self.problem.heat.reaction(rows, T, w0 * T - past, self.load(command))
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

    def split(self, w0: float, past: FloatArray, t: float) -> Split:
        """Return the step that ends at t [s] as a function of the voltage. Collective."""
        assert self.unit is not None
        value, state, heat, load = self.prepare(w0, t), self.state, self.problem.heat, self.unit.load
        guess = np.zeros_like(self.T_star) if state.response is None else state.response[1] * (state.response[0] / w0)
        near = max(0.0, extrapolate(state.heating, t)) if state.heating else 0.0
        T_near = heat.step(past, value, parabola(state.past, t), near * load + self.source)
        likely = abs(near - state.heating[0][1]) if state.heating else np.inf
        coarser = coarser_response(near, likely)
        return Split(w0, near, T_near, heat.response(load, guess, coarser), coarser)

    def sharpen(self, split: Split, heating: float) -> Split | None:
        """Return the split with a response accurate enough for this V^2, None if it is already. Collective."""
        assert self.unit is not None
        needed = coarser_response(max(heating, split.near), abs(heating - split.near))
        if 2.0 * needed >= split.coarser:
            return None
        T_b = self.problem.heat.response(self.unit.load, split.T_b, needed)
        return Split(split.w0, split.near, split.T_near, T_b, needed)


def decide_by_hottest(generator: Generator, offers: Sequence[Offer], memory: Memory) -> tuple[Command, Memory]:
    """Return the command and memory for the sensor that will be the hottest: `offers` has one for each."""
    decisions = [generator.decide(offer, memory) for offer in offers]

    def restraint(number: int) -> tuple[float, float]:
        heating, offer = decisions[number][0].voltage ** 2, offers[number]
        return heating, -(offer.sensor_passive + heating * offer.sensor_gain)

    return decisions[min(range(len(offers)), key=restraint)]


def _bioheat(
    operator: _Operator, w0: float, past: FloatArray, t: float
) -> tuple[FloatArray, tuple[float, FloatArray] | None, Command, Memory, float]:
    """Return (T, (w0, T_b), command, memory, sensor) of the bioheat step that ends at t [s]. Collective."""
    generator, state = operator.problem.generator, operator.state
    dt = t - state.t
    needs = generator.needs(state.t, t, state.memory)
    G = operator.unit.conductance if operator.unit is not None else 0.0
    split, reach, a, b = None, t, np.full(1, np.nan), np.full(1, np.nan)
    if operator.unit is not None and needs.sensor:
        if dt < needs.horizon:  # the sensor lags behind: look farther ahead than this step
            reach = state.t + needs.horizon
            split = operator.split(1.0 / needs.horizon, state.T / needs.horizon, reach)
        else:
            split = operator.split(w0, past, t)
    while True:
        if split is not None:
            near, b = operator.problem.sensors.follow(split.T_near, split.T_b)
            a = near - split.near * b
        offers = [Offer(t, dt, G, *ab, reach, state.sensor) for ab in zip(a.tolist(), b.tolist(), strict=True)]
        command, memory = decide_by_hottest(generator, offers, state.memory)
        heating = command.voltage**2
        sharper = operator.sharpen(split, heating) if split is not None else None
        if sharper is None:
            break
        split = sharper
    response = (split.w0, split.T_b) if split is not None else None
    if split is not None and reach == t:
        return split.at(heating), response, command, memory, float((a + heating * b).max())
    value = operator.prepare(w0, t)
    load = heating * operator.unit.load if operator.unit is not None else np.zeros_like(past)
    T = operator.problem.heat.step(past, value, parabola(state.past, t), load + operator.source)
    return T, response, command, memory, operator.problem.sensors.hottest(T)


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
