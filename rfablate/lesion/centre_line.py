"""The centre line of a tube, along which its coagulated length is measured."""

from __future__ import annotations

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.case.geometry.shapes import contains
from rfablate.case.tables.geometry_tables import MeshDomain
from rfablate.case.tables.schema import Case

TUBE_SAMPLES = 201
"""Sample points on the centre line of a tube for the interpolation of its coagulated length."""


def line_in_domain(case: Case, path: FloatArray) -> tuple[FloatArray, float]:
    """Return evenly spaced points [m] on the part of a polyline inside the domain, and the length of this part [m]."""
    points, length = _along(path)
    if not isinstance(case.domain, MeshDomain):
        points = points[contains(case.domain, points)]
    return points, length * (len(points) / TUBE_SAMPLES)


def _along(path: FloatArray) -> tuple[FloatArray, float]:
    """Return evenly spaced points on a polyline, and its length [m]."""
    s = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    # half a spacing from the ends, so that each point represents an equal length
    at = (np.arange(TUBE_SAMPLES) + 0.5) / TUBE_SAMPLES * s[-1]
    return np.stack([np.interp(at, s, path[:, i]) for i in range(3)], axis=1), float(s[-1])


def positive_fraction(level: FloatArray) -> float:
    """Return the fraction of a line with positive level, from samples that represent equal lengths.

    The level is linear between samples; beyond the first and the last sample its sign is constant.
    """
    if len(level) == 0:
        return 0.0
    a, b = level[:-1], level[1:]
    high, low = np.maximum(a, b), np.minimum(a, b)
    part = np.where(low >= 0.0, 1.0, np.where(high < 0.0, 0.0, high / np.where(high > low, high - low, 1.0)))
    ends = 0.5 * float(level[0] >= 0.0) + 0.5 * float(level[-1] >= 0.0)
    return (float(part.sum()) + ends) / len(level)
