"""One pulse simulated from the temperature at the end of a step whose voltage is the average over a cycle."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rfablate.physics.generator.pulsed import PulsedControl
from rfablate.problem.problem import Problem, without_guard
from rfablate.solve.state import Frame

SUBSTEPS = 4
"""Backward Euler steps within the pulse."""


def temperature_after_pulse(problem: Problem, frame: Frame) -> npt.NDArray[np.float64] | None:
    """Return the temperature after one pulse from the end of a step on [degC]; None without unresolved pulses.

    The state is not changed. Collective.
    """
    generator = without_guard(problem)
    if not isinstance(generator, PulsedControl) or generator.resolved or frame.pulse is None or frame.unit is None:
        return None
    T = frame.T
    w0 = SUBSTEPS / generator.width
    problem.solvers.heat.prepare(w0, problem.blood_flow.left(frame.omega, frame.T), problem.fixed)
    for _ in range(SUBSTEPS):
        T = problem.solvers.heat.step(w0 * T, problem.fixed_value, T, frame.pulse**2 * frame.unit.load)
    return T
