"""Checks of an axisymmetric case: every shape must be a body of revolution about the axis of the domain."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rfablate.case.resolve.checkable_case import CheckableCase
from rfablate.case.tables.geometry_tables import Applicator, AxisymmetricDomain
from rfablate.case.tables.shape_math import is_vertical, on_axis
from rfablate.case.tables.structure_base import OFF_AXIS_HINT, place_text
from rfablate.errors import Fault


def axisymmetric_faults(parts: CheckableCase, domain: AxisymmetricDomain) -> Iterator[Fault]:
    """Yield a fault for each structure or applicator that is not a body of revolution about the axis."""
    axis = np.array(domain.centre[:2])
    for placed in parts.structures:
        fault = placed.shape.revolution_fault(placed.where, axis)
        if fault is not None:
            yield fault
    for where, applicator in parts.applicators:
        yield from _applicator_faults(where, applicator, axis)


def _applicator_faults(where: str, applicator: Applicator, axis: np.ndarray) -> Iterator[Fault]:
    centre_line = f"on the axis, x, y = {axis[0] * 1e3:g}, {axis[1] * 1e3:g} mm"
    if not on_axis(axis, applicator.tip):
        yield Fault(f"{where}.tip_mm", f"found {place_text(applicator.tip)}, off the axis", centre_line, OFF_AXIS_HINT)
    if np.any(applicator.direction) and not is_vertical(applicator.direction):
        found = f"found {list(applicator.direction)}"
        yield Fault(f"{where}.direction", found, "[0, 0, 1] or [0, 0, -1], along the axis", OFF_AXIS_HINT)
    if applicator.tines is not None:
        hint = '--set domain.kind="cylinder"'
        yield Fault(f"{where}.tines", "found a table", "no tines: they are not rotationally symmetric", hint)
    if applicator.bend is not None:
        hint = '--set domain.kind="cylinder"'
        yield Fault(f"{where}.bend", "found a table", "no bend: a curved tip is not rotationally symmetric", hint)
    if applicator.tip_shape == "bevel":
        expected = "conical or blunt: a bevel is not rotationally symmetric"
        hint = '--set applicators.0.tip_shape=blunt, or 3-D: --set domain.kind="cylinder"'
        yield Fault(f"{where}.tip_shape", 'found "bevel"', expected, hint)
