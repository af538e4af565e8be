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
from rfablate.solve.generator_decision import Decisions, SensorPrediction, decide, no_prediction, predict_sensors
from rfablate.solve.predictor import extrapolate_linear, extrapolate_quadratic
from rfablate.solve.state import State

RESERVE = 0.3
"""Fraction of the temperature tolerance available for errors of T_b."""
COARSEST_RESPONSE = 1e5
"""Largest ratio of the tolerance of T_b to that of the temperature."""


def bioheat(
    operator: BioheatStep, w0: float, past: FloatArray, t: float
) -> tuple[FloatArray, Decisions, tuple[float, ...]]:
    """Return T, the decisions of the channels and their sensor temperatures, for a step ending at t [s]. Collective."""
    problem, state = operator.problem, operator.state
    dt, reach, split = t - state.t, t, None
    needs = problem.generator.needs(state.t, t, state.channel_states, state.turn)
    on = [n for n, each in enumerate(needs) if each.conductance and operator.units]
    seen = no_prediction(problem.generator)
    if any(needs[n].sensor for n in on):
        horizon = max(needs[n].horizon for n in on)
        if dt < horizon:  # the sensor lags: predict beyond the end of this step
            reach = state.t + horizon
            split, seen = operator.split(1.0 / horizon, state.T / horizon, reach, t, on)
        else:
            split, seen = operator.split(w0, past, t, t, on)
    decided = decide(problem.generator, seen, operator.units, state, t, reach)
    while split is not None:
        sharper = operator.sharpen(split, decided.heating)
        if sharper is None:
            break
        split, seen = sharper, operator.foresee(sharper)
        decided = decide(problem.generator, seen, operator.units, state, t, reach)
    heating = decided.heating
    if split is not None and reach == t:
        return split.at(heating), decided, tuple(float(each.at(heating).max()) for each in seen)
    value = operator.prepare(w0, t)
    T = problem.solvers.heat.step(past, value, extrapolate_quadratic(state.past, t), operator.load(heating))
    return T, decided, problem.sensors.hottest(T)


@dataclass(frozen=True)
class VoltageResponse:
    """The temperature at the end of a step as a linear function of V^2 of the channels, about likely values."""

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

    def gained(self, T: FloatArray, w0: float, past: FloatArray, heating: Sequence[float], dt: float) -> FloatArray:
        """Return the heat absorbed in the step by the owned boiling nodes, 0 at other nodes [J]."""
        assert self.boiling is not None
        gained = np.zeros(self.problem.domain.nodes.owned)
        rows = np.flatnonzero(self.boiling[: len(gained)])
        gained[rows] = dt * self.problem.solvers.heat.reaction(rows, T, w0 * T - past, self.load(heating))
        return gained

    def prepare(self, w0: float, t: float) -> FloatArray:
        """Assemble the operator of a step ending at t [s]; return the temperatures of its fixed nodes. Collective."""
        fixed, value, surface = self.problem.fixed, self.problem.fixed_value, self.problem.surface
        if surface is not None and t <= surface.on:
            fixed = fixed | surface.nodes
            value = np.where(surface.nodes, surface.ramp.at(t), value)
        if self.boiling is not None:
            value = np.where(self.boiling & ~fixed, BOILING, value)
            fixed = fixed | self.boiling
        self.problem.solvers.heat.prepare(w0, self.alive, fixed, self.state.past)
        return value

    def split(
        self, w0: float, past: FloatArray, reach: float, t: float, on: Sequence[int]
    ) -> tuple[VoltageResponse, tuple[SensorPrediction, ...]]:
        """Return the step ending at `reach` [s] as a function of the voltages of the channels `on`. Collective.

        Also returns the sensor predictions of the channels. Their decisions apply to the step ending at t <= `reach`.
        """
        problem, state, heat = self.problem, self.state, self.problem.solvers.heat
        value, guess = self.prepare(w0, reach), extrapolate_quadratic(state.past, t)
        near = [0.0] * len(self.units)
        for n in on:
            before = [(time, V2[n]) for time, V2 in state.heating]
            near[n] = max(0.0, extrapolate_linear(before, reach)) if before else 0.0
        T = heat.nearest(past, value, guess, self.load(near))
        T_b = {n: heat.nearest_response(self.units[n].load) for n in on}
        draft = VoltageResponse(tuple(near), T, T_b, dict.fromkeys(on, np.inf))
        seen = self.foresee(draft)
        if len(on) > 1 or any(not (seen[n].gains[n] > 0.0).all() for n in on):  # too inaccurate for a decision
            draft = self.sharpen(draft, near) or draft
            seen = self.foresee(draft)
        likely = decide(problem.generator, seen, self.units, state, t, reach).heating
        T = heat.step(past, value, draft.at(likely), self.load(likely))
        split = replace(draft, near=likely, T_near=T)
        return split, self.foresee(split)

    def sharpen(self, split: VoltageResponse, heating: Sequence[float]) -> VoltageResponse | None:
        """Return the split with responses accurate enough for this V^2; None if they already are. Collective."""
        T_b, coarser = dict(split.T_b), dict(split.coarser)
        for n, near in enumerate(split.near):
            needed = coarser_response(max(heating[n], near), abs(heating[n] - near))
            if n in T_b and 2.0 * needed < coarser[n]:
                T_b[n] = self.problem.solvers.heat.response(n, self.units[n].load, T_b[n], needed)
                coarser[n] = needed
        return None if coarser == split.coarser else replace(split, T_b=T_b, coarser=coarser)

    def foresee(self, split: VoltageResponse) -> tuple[SensorPrediction, ...]:
        """Return the sensor predictions of each channel for a split. Collective."""
        return predict_sensors(self.problem.sensors, split.near, split.T_near, split.T_b)


def coarser_response(heating: float, miss: float) -> float:
    """Return the allowed tolerance of T_b as a multiple of that of T.

    The error of T_b is scaled by `miss`, the deviation of V^2 from the value for which T was solved.
    """
    return float(np.clip(RESERVE * heating / miss, 1.0, COARSEST_RESPONSE)) if miss > 0.0 else COARSEST_RESPONSE
