"""The bioheat solve of a time step: the temperature at its end, and the voltages that the generator chooses for it.

The temperature is linear in V^2 of the channels,

    T = T_near + sum over channels of (V^2 - V_near^2) T_b,

with T_near the temperature for the voltages V_near and T_b the response to 1 V. The generator needs this relation
because its choice depends on the sensor temperatures at the end of the step. A step therefore has three stages:

    draft     project T and T_b onto previous solutions; the generator chooses a first V_near
    solve     solve for T_near to the full tolerance
    sharpen   solve for T_b to the tolerance that V^2 - V_near^2 requires, usually a coarse one; the generator chooses
              again; repeat until T_b is accurate enough

A generator whose prediction horizon exceeds the step receives the values at the horizon; T is then solved separately.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rfablate.arrays import BoolArray, FloatArray
from rfablate.fem.electric_problem import UnitField
from rfablate.physics.boiling import BOILING
from rfablate.problem.problem import Problem
from rfablate.solve.generator_decision import Decisions, SensorPredictions, decide, no_prediction, predict_sensors
from rfablate.solve.predictor import extrapolate_linear, extrapolate_quadratic
from rfablate.solve.state import State

RESERVE = 0.3
"""Fraction of the temperature tolerance available for errors of T_b."""
COARSEST_RESPONSE = 1e5
"""Largest ratio of the tolerance of T_b to that of the temperature."""


@dataclass(frozen=True)
class TimeDerivative:
    """dT/dt at a time as a function of the temperature then:  w0 T - past  (`step_control.bdf_weights`)."""

    t: float
    """[s]"""
    w0: float
    """[1/s]"""
    past: FloatArray
    """[K/s]"""

    def of(self, T: FloatArray) -> FloatArray:
        """Return dT/dt [K/s] for a temperature at the time [degC]."""
        return self.w0 * T - self.past


@dataclass(frozen=True)
class BioheatSolution:
    """The temperature at the end of a step, and the decisions of the channels for it."""

    T: FloatArray
    """[degC]"""
    decided: Decisions
    sensors: tuple[float, ...]
    """Reading of each channel at the end of the step [degC]."""


def bioheat(operator: BioheatStep, derivative: TimeDerivative) -> BioheatSolution:
    """Return the temperature at the end of a step, for the voltages that the generator chooses. Collective."""
    problem, state, t = operator.problem, operator.state, derivative.t
    split, until = None, derivative
    needs = problem.generator.needs(state.t, t, state.channel_states, state.turn)
    on = [n for n, each in enumerate(needs) if each.conductance and operator.units]
    predicted = no_prediction(problem.generator, t)
    if any(needs[n].sensor for n in on):
        horizon = max(needs[n].horizon for n in on)
        if t - state.t < horizon:  # the sensor lags: predict beyond the end of this step
            until = TimeDerivative(state.t + horizon, 1.0 / horizon, state.T / horizon)
        split, predicted = operator.split(until, t, on)
    decided = decide(problem.generator, predicted, operator.units, state, t)
    while split is not None:
        sharper = operator.sharpen(split, decided.heating)
        if sharper is None:
            break
        split, predicted = sharper, operator.predict(sharper)
        decided = decide(problem.generator, predicted, operator.units, state, t)
    heating = decided.heating
    if split is not None and split.t == t:
        readings = tuple(float(each.at(heating).max()) for each in predicted.channels)
        return BioheatSolution(split.at(heating), decided, readings)
    value, guess = operator.prepare(derivative), extrapolate_quadratic(state.past, t)
    T = problem.solvers.heat.step(derivative.past, value, guess, operator.load(heating))
    return BioheatSolution(T, decided, problem.sensors.hottest(T))


@dataclass(frozen=True)
class VoltageResponse:
    """The temperature at a time as a linear function of V^2 of the channels, about likely values."""

    t: float
    """End of the step, or later for a generator that looks ahead [s]."""
    near: tuple[float, ...]
    """V^2 of each channel for which T_near is the solution [V2]."""
    T_near: FloatArray
    T_b: dict[int, FloatArray]
    """Response to 1 V of each channel with output [K/V2]."""
    coarser: dict[int, float]
    """Tolerance of each T_b as a multiple of the temperature tolerance; infinite for a draft."""

    def at(self, heating: Sequence[float]) -> FloatArray:
        """Return the temperature [degC] for V^2 of each channel [V2]."""
        T = self.T_near
        for number, T_b in self.T_b.items():
            T = T + (heating[number] - self.near[number]) * T_b
        return T


@dataclass(frozen=True)
class BioheatStep:
    """The data of a bioheat step that do not depend on its length."""

    problem: Problem
    state: State
    units: tuple[UnitField, ...]
    """Unit field of each channel; empty without an electric problem and during cooldown."""
    alive: FloatArray
    source: FloatArray
    """Heat of the owned nodes other than Joule heat [W]."""
    boiling: BoolArray | None
    """Nodes fixed at 100 degC; None if no tissue contains water that boils."""

    def load(self, heating: Sequence[float]) -> FloatArray:
        """Return the total heat of the owned nodes [W] for V^2 of each channel [V2]."""
        load = self.source
        for V2, unit in zip(heating, self.units, strict=False):
            load = load + V2 * unit.load
        return load

    def gained(self, solution: BioheatSolution, derivative: TimeDerivative) -> FloatArray:
        """Return the heat absorbed in the step by the owned boiling nodes, 0 at other nodes [J]."""
        assert self.boiling is not None
        T, load, dt = solution.T, self.load(solution.decided.heating), derivative.t - self.state.t
        gained = np.zeros(self.problem.domain.nodes.owned)
        rows = np.flatnonzero(self.boiling[: len(gained)])
        gained[rows] = dt * self.problem.solvers.heat.reaction(rows, T, derivative.of(T), load)
        return gained

    def prepare(self, derivative: TimeDerivative) -> FloatArray:
        """Assemble the operator of a step; return the temperatures of its fixed nodes [degC]. Collective."""
        t = derivative.t
        fixed, value, surface = self.problem.fixed, self.problem.fixed_value, self.problem.surface
        if surface is not None and t <= surface.on:
            fixed = fixed | surface.nodes
            value = np.where(surface.nodes, surface.ramp.at(t), value)
        if self.boiling is not None:
            value = np.where(self.boiling & ~fixed, BOILING, value)
            fixed = fixed | self.boiling
        self.problem.solvers.heat.prepare(derivative.w0, self.alive, fixed, self.state.past)
        return value

    def split(
        self, derivative: TimeDerivative, t: float, on: Sequence[int]
    ) -> tuple[VoltageResponse, SensorPredictions]:
        """Return the temperature as a function of the voltages of the channels `on`, and the readings. Collective.

        The decisions of the channels apply to the step ending at t [s], at or before the time of the derivative.
        """
        problem, state, heat = self.problem, self.state, self.problem.solvers.heat
        value, guess = self.prepare(derivative), extrapolate_quadratic(state.past, t)
        near = [0.0] * len(self.units)
        for n in on:
            before = [(time, V2[n]) for time, V2 in state.heating]
            near[n] = max(0.0, extrapolate_linear(before, derivative.t)) if before else 0.0
        T = heat.nearest(derivative.past, value, guess, self.load(near))
        T_b = {n: heat.nearest_response(self.units[n].load) for n in on}
        draft = VoltageResponse(derivative.t, tuple(near), T, T_b, dict.fromkeys(on, np.inf))
        predicted = self.predict(draft)
        heated = all((predicted.channels[n].gains[n] > 0.0).all() for n in on)
        if len(on) > 1 or not heated:  # too inaccurate for a decision
            draft = self.sharpen(draft, near) or draft
            predicted = self.predict(draft)
        likely = decide(problem.generator, predicted, self.units, state, t).heating
        T = heat.step(derivative.past, value, draft.at(likely), self.load(likely))
        split = replace(draft, near=likely, T_near=T)
        return split, self.predict(split)

    def sharpen(self, split: VoltageResponse, heating: Sequence[float]) -> VoltageResponse | None:
        """Return the split with responses accurate enough for this V^2; None if they already are. Collective."""
        T_b, coarser = dict(split.T_b), dict(split.coarser)
        for n, near in enumerate(split.near):
            needed = coarser_response(max(heating[n], near), abs(heating[n] - near))
            if n in T_b and 2.0 * needed < coarser[n]:
                T_b[n] = self.problem.solvers.heat.response(n, self.units[n].load, T_b[n], needed)
                coarser[n] = needed
        return None if coarser == split.coarser else replace(split, T_b=T_b, coarser=coarser)

    def predict(self, split: VoltageResponse) -> SensorPredictions:
        """Return the predicted readings of each channel for a split. Collective."""
        return SensorPredictions(split.t, predict_sensors(self.problem.sensors, split.near, split.T_near, split.T_b))


def coarser_response(heating: float, miss: float) -> float:
    """Return the allowed tolerance of T_b as a multiple of that of T.

    The error of T_b is scaled by `miss`, the deviation of V^2 from the value for which T was solved.
    """
    return float(np.clip(RESERVE * heating / miss, 1.0, COARSEST_RESPONSE)) if miss > 0.0 else COARSEST_RESPONSE
