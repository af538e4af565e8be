"""Distributions of uncertain inputs: from a uniform number to a value, with correlations. Pure.

The ends of a normal or lognormal distribution are its 2.5 and 97.5 percentiles. All distributions are cut at 0.1 and
99.9 %, so that no draw is arbitrarily far away.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.errors import Fault
from rfablate.study.study_tables import CORRELATED, SAMPLED, Correlation, Design, StudyAxis

TAIL = 1e-3
"""Fraction that is cut off at each end of a distribution [1]."""
Z_95 = 1.959963984540054
"""97.5 percentile of the standard normal distribution [1]."""


def quantile(axis: StudyAxis, u: float) -> float:
    """Return the value of an axis with a distribution below which the fraction `u`, from 0 to 1, of its draws lies."""
    assert axis.low is not None and axis.high is not None and axis.distribution is not None
    u = min(max(u, TAIL), 1.0 - TAIL)
    low, high = axis.low, axis.high
    if axis.distribution == "uniform":
        return low + u * (high - low)
    if axis.distribution == "triangular":
        from scipy.stats import triang

        mode = axis.mode if axis.mode is not None else (low + high) / 2
        return float(triang.ppf(u, (mode - low) / (high - low), loc=low, scale=high - low))
    from scipy.special import ndtri

    if axis.distribution == "lognormal":
        low, high = math.log(low), math.log(high)
    value = (low + high) / 2 + float(ndtri(u)) * (high - low) / (2 * Z_95)
    return math.exp(value) if axis.distribution == "lognormal" else value


def correlate(cube: FloatArray, axes: Sequence[StudyAxis], correlations: Sequence[Correlation]) -> FloatArray:
    """Return samples of the unit cube with the given correlations of their normal scores (a Gaussian copula).

    The distribution of each column stays uniform.

    Args:
        cube: independent samples, shape (points, axes).
        axes: the axis of each column.
        correlations: pairs of keys with their correlation; the matrix must be positive definite.
    """
    if not correlations:
        return cube
    from scipy.special import ndtr, ndtri

    root = np.linalg.cholesky(correlation_matrix([axis.key for axis in axes], correlations))
    scores = ndtri(np.clip(cube, 1e-12, 1.0 - 1e-12))
    return np.asarray(ndtr(scores @ root.T))


def correlation_matrix(keys: Sequence[str], correlations: Sequence[Correlation]) -> FloatArray:
    """Return the correlation matrix of the keys, shape (keys, keys)."""
    matrix = np.eye(len(keys))
    for each in correlations:
        i, j = (keys.index(key) for key in each.keys)
        matrix[i, j] = matrix[j, i] = each.correlation
    return matrix


def distribution_faults(number: int, axis: StudyAxis, design: Design | None) -> list[Fault]:
    """Return the faults in the distribution of an axis; without a `design`, only those of the axis itself."""
    where, faults = f"axes[{number}]", []
    if axis.distribution is None:
        unused = {"mode": axis.mode, "source": axis.source or None}
        expected = "a distribution as well: uniform, normal, lognormal or triangular"
        return [
            Fault(f"{where}.{key}", f"found {value!r}", expected) for key, value in unused.items() if value is not None
        ]
    if axis.low is None or axis.high is None:
        faults.append(Fault(f"{where}.distribution", "found without a range", "low and high as well"))
    elif axis.distribution == "lognormal" and axis.low <= 0:
        faults.append(Fault(f"{where}.low", f"found {axis.low}", "more than 0 for a lognormal distribution"))
    elif axis.mode is not None and not axis.low <= axis.mode <= axis.high:
        faults.append(Fault(f"{where}.mode", f"found {axis.mode}", f"a value from low {axis.low} to high {axis.high}"))
    if axis.mode is not None and axis.distribution != "triangular":
        faults.append(Fault(f"{where}.mode", f"found with {axis.distribution}", "only with a triangular distribution"))
    if axis.scale == "log":
        hint = 'use distribution = "lognormal"'
        faults.append(Fault(f"{where}.scale", "found with a distribution", "no scale", hint))
    if not axis.source.strip():
        hint = 'write source = "assumed" where there is none'
        faults.append(Fault(f"{where}.source", "missing key", "where the range comes from", hint))
    if design is not None and design.kind not in SAMPLED:
        hint = 'design = { kind = "sobol", samples = 64 }'
        faults.append(Fault(f"{where}.distribution", f"found in a {design.kind} design", "a sampled design", hint))
    return faults


def correlation_faults(correlations: Sequence[Correlation], axes: Sequence[StudyAxis], design: Design) -> list[Fault]:
    """Return the faults in the correlations of a study."""
    if not correlations:
        return []
    faults = []
    if design.kind not in CORRELATED:
        faults.append(Fault("correlations", f"found in a {design.kind} design", f"one of {', '.join(CORRELATED)}"))
    keys = [axis.key for axis in axes if axis.distribution is not None]
    for n, each in enumerate(correlations):
        if each.keys[0] == each.keys[1]:
            faults.append(Fault(f"correlations[{n}].keys", f"found {each.keys[0]} twice", "two different keys"))
        faults += [
            Fault(f"correlations[{n}].keys", f"found {key}", "a key of an axis with a distribution")
            for key in each.keys
            if key not in keys
        ]
    if not faults and np.linalg.eigvalsh(correlation_matrix(keys, correlations)).min() <= 1e-9:
        found = "found correlations that contradict each other"
        faults.append(Fault("correlations", found, "a positive definite matrix", "use smaller absolute values"))
    return faults
