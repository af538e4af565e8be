"""The points of a temperature sensor. Pure."""

from __future__ import annotations

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.case.geometry.applicator_axes import applicator_frame
from rfablate.case.geometry.half_plane import is_axisymmetric
from rfablate.case.tables.geometry_tables import Applicator
from rfablate.case.tables.schema import Case
from rfablate.case.tables.shape_math import perpendicular_axes

SENSOR_RING = np.sqrt(7.0 / 12.0)
"""Radius of the six sensor points relative to that of the disc: their mean with the centre is the disc mean of any
quadratic field."""


def sensor_points(case: Case, applicator: Applicator) -> FloatArray:
    """Return the sensor points of an applicator [m]: one, or seven on a disc; (r, z, 0) if axisymmetric."""
    frame, offset = applicator_frame(applicator), applicator.sensor_offset
    direction: FloatArray = frame.direction(offset)
    centre: FloatArray = frame.centre_line(np.array([offset]))[0]
    if is_axisymmetric(case):
        radii = [0.0] if applicator.sensor_radius == 0.0 else [0.0, *[SENSOR_RING * applicator.sensor_radius] * 6]
        return np.array([[radius, centre[2], 0.0] for radius in radii])
    if applicator.sensor_radius == 0.0:
        return centre[None]
    first, second = perpendicular_axes(direction)
    angles = np.arange(6) * np.pi / 3.0
    ring = np.outer(np.cos(angles), first) + np.outer(np.sin(angles), second)
    return np.concatenate([centre[None], centre + SENSOR_RING * applicator.sensor_radius * ring])
