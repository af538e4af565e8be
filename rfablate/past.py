"""What the last solutions tell of the next: where it will be, and how far a step came off its course. Pure.

`past` holds pairs of time [s] and solution, newest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from rfablate.stepping import bdf2_error_factor, euler_error_factor

FloatArray = npt.NDArray[np.float64]
Value = TypeVar("Value", FloatArray, float)


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


def changes(past: Sequence[tuple[float, FloatArray]]) -> list[FloatArray]:
    """Return by how much each solution differs from the one before it, newest first."""
    return [new - old for (_, new), (_, old) in zip(past, past[1:], strict=False)]
