"""The time loop: decide, solve, judge, commit. Start reading here.

The state of a run changes only in `steps`. It yields a frame for the start and for each accepted step. Recorders and
measurements read these frames and change nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from rfablate.errors import StepError
from rfablate.physics.boiling import HOT
from rfablate.physics.damage import cem43_rate, integrate_rate
from rfablate.problem.problem import Problem
from rfablate.problem.step_control import ROUNDING, distinct_times
from rfablate.solve.pulse_trial import temperature_after_pulse
from rfablate.solve.state import Frame, State, TrialStep, accepted_frame, first_frame
from rfablate.solve.step import solve_step
from rfablate.timing import Stopwatch


def steps(problem: Problem, state: State, stops: Sequence[float], watch: Stopwatch) -> Iterator[Frame]:
    """Advance `state` to the end of the treatment; yield the frame of t = 0 and of each accepted step. Collective.

    A resumed run, whose state is past t = 0, yields no frame for its start. Steps end exactly at `stops` [s], at the
    turning and switch times of the generator and at the end of the treatment. A step during which the generator
    switches is repeated so that it ends at the switch.

    Raises:
        SolveError: a solve failed or the temperature is not finite; `state` still holds the last accepted step.
        StepError: a step of the minimum length was rejected.
    """
    control, generator = problem.control, problem.generator
    landings = sorted({*stops, *generator.turning_times, *generator.switch_times, generator.end})
    if state.t == 0.0:
        yield first_frame(problem, state)
    cut: float | None = None
    while state.t < generator.end:
        planned = distinct_times(
            landings, generator.planned(state.channel_states, state.turn), ROUNDING * generator.end
        )
        t = control.next_time(state.t, [*landings, *planned], state.step_memory) if cut is None else cut
        trial = solve_step(problem, state, t, watch)
        error = trial.inspection.error
        verdict = control.judge(trial.solution.dt, error, trial.solution.order, state.step_memory)
        if verdict.too_small:
            raise StepError(
                f"the step at t = {state.t:.6g} s was rejected at the minimum length of {control.minimum:g} s: local "
                f"error {error:.3g} K, expected at most {control.tolerance:g} K; try a larger time.tolerance_K"
            )
        cut = trial.generator.cut if verdict.accepted else None
        state.step_memory = verdict.memory if cut is None else control.refuse(state.step_memory)
        if verdict.accepted and cut is None:
            with watch.stage("damage"):
                commit(problem, state, trial)
            frame = accepted_frame(state, trial)
            with watch.stage("heat"):
                after_pulse = temperature_after_pulse(problem, frame)
            yield replace(frame, after_pulse=after_pulse)


def commit(problem: Problem, state: State, trial: TrialStep) -> None:
    """Make the trial the new state; no other function changes a state."""
    solution, generator = trial.solution, trial.generator
    t, dt, T = solution.t, solution.dt, solution.T
    before = state.rates or (problem.arrhenius.rate(state.T), cem43_rate(state.T))
    state.rates = (problem.arrhenius.rate(T), cem43_rate(T))
    if problem.control.order == 1:  # backward Euler, consistent with the temperature
        gained = tuple(rate * dt for rate in state.rates)
    else:
        gained = tuple(integrate_rate(old, new, dt) for old, new in zip(before, state.rates, strict=True))
    state.omega, state.cem43 = state.omega + gained[0], state.cem43 + gained[1]
    if problem.cell_death is not None:
        state.alive, state.dead = problem.cell_death.advance(state.alive, state.dead, (state.T, T), dt)
    state.peak = np.maximum(state.peak, T)
    state.t, state.T, state.vapour = t, T, solution.vapour
    state.hot = problem.solvers.vapour is not None and trial.inspection.max_T >= HOT
    state.channel_states, state.turn, state.ledger = generator.channel_states, generator.turn, trial.ledger
    state.sensors = tuple(each.sensor for each in generator.outputs)
    state.heating = [(t, tuple(each.voltage**2 for each in generator.outputs)), *state.heating[:1]]
    if trial.fields.solved_at is not None:
        state.solved_at = trial.fields.solved_at
        state.potentials = [(t, trial.fields.potentials), *state.potentials[:2]]
    state.past = [(t, T), *state.past[:3]]
    state.boiled = [(t, solution.vapour), *state.boiled[:1]] if problem.solvers.vapour is not None else []
    state.after_switch = generator.jumps or t in problem.generator.switch_times
    if state.after_switch:
        state.past, state.heating, state.potentials = state.past[:1], [], state.potentials[:1]
        state.boiled = state.boiled[:1]
        state.step_memory = problem.control.restart(state.step_memory)
