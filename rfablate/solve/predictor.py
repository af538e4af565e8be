"""Predictors from previous solutions: extrapolation to the next time, and the local error of a step. Pure.

`past` contains pairs of time [s] and solution, newest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.kernels.loader import call
from rfablate.problem.step_control import error_factor

Value = TypeVar("Value", FloatArray, float)


def extrapolate_linear(past: Sequence[tuple[float, Value]], t: float) -> Value:
    """Return the linear extrapolation of the last two solutions to t [s], or the last solution if there is only one."""
    if len(past) < 2:
        return past[0][1]
    (t0, T0), (t1, T1) = past[0], past[1]
    return T0 + (t - t0) / (t0 - t1) * (T0 - T1)


def extrapolate_quadratic(past: Sequence[tuple[float, FloatArray]], t: float) -> FloatArray:
    """Return the quadratic extrapolation of the last three solutions to t [s], or the linear one of the last two."""
    if len(past) < 3:
        return extrapolate_linear(past, t)
    (t0, T0), (t1, T1), (t2, T2) = past[:3]
    a = (t - t1) * (t - t2) / ((t0 - t1) * (t0 - t2))
    b = (t - t0) * (t - t2) / ((t1 - t0) * (t1 - t2))
    total = np.empty_like(T0)
    call("combine", len(T0), a, T0, b, T1, 1.0 - a - b, T2, total)
    return total


def local_error(past: Sequence[tuple[float, FloatArray]], t: float, T: FloatArray, order: int) -> FloatArray | None:
    """Return the local error [K] of a step of `order` with solution T at t [s].

    None if `past` has at most `order` solutions.
    """
    if len(past) < order + 1:
        return None
    times, values = [t], [T]
    for time, value in past[: order + 1]:
        times, values = [*times, time], [*values, value]
    differences = values
    for level in range(1, order + 2):
        pairs = zip(differences, differences[1:], strict=False)
        differences = [(new - old) / (times[n] - times[n + level]) for n, (new, old) in enumerate(pairs)]
    return np.asarray(np.abs(differences[0]) * error_factor(t, times[1 : order + 1]))
