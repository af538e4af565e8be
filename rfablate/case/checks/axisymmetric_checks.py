"""Checks of an axisymmetric case: every shape must be a body of revolution about the axis of the domain."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rfablate.case.resolve.sound_parts import Parts
from rfablate.case.tables.geometry_tables import (
    Applicator,
    AxisymmetricDomain,
    Cylinder,
    Ellipsoid,
    HalfSpace,
    Slab,
    Sphere,
    Structure,
    Tube,
)
from rfablate.errors import Fault

_SLACK = 1e-9
"""Largest distance from the axis [m] at which a point counts as on it."""
_HINT = 'move it onto the axis, or solve in 3-D: --set domain.kind="cylinder"'


def axisymmetric_faults(parts: Parts, domain: AxisymmetricDomain) -> Iterator[Fault]:
    """Yield a fault for each structure or applicator that is not a body of revolution about the axis."""
    axis = np.array(domain.centre[:2])
    for placed in parts.structures:
        fault = _structure_fault(placed.where, placed.shape, axis)
        if fault is not None:
            yield fault
    for where, applicator in parts.applicators:
        yield from _applicator_faults(where, applicator, axis)


def _on(axis: np.ndarray, *points: tuple[float, float, float]) -> bool:
    return all(float(np.hypot(*(np.array(point[:2]) - axis))) <= _SLACK for point in points)


def _upright(direction: tuple[float, float, float]) -> bool:
    x, y, z = direction
    return float(np.hypot(x, y)) <= 1e-9 * abs(z)


def _place(point: tuple[float, float, float]) -> str:
    return "(" + ", ".join(f"{value * 1e3:g}" for value in point) + ") mm"


def _structure_fault(where: str, shape: Structure, axis: np.ndarray) -> Fault | None:
    centre_line = f"x, y = {axis[0] * 1e3:g}, {axis[1] * 1e3:g} mm"
    match shape:
        case Sphere() | Ellipsoid() if not _on(axis, shape.centre):
            found = f"found {_place(shape.centre)}, off the axis"
            return Fault(f"{where}.centre_mm", found, f"a centre on the axis, {centre_line}", _HINT)
        case Ellipsoid() if abs(shape.semi_axes[0] - shape.semi_axes[1]) > _SLACK:
            x, y = (value * 1e3 for value in shape.semi_axes[:2])
            found, expected = f"found {x:g} along x and {y:g} along y", "equal semi-axes along x and y"
            return Fault(f"{where}.semi_axes_mm", found, expected, _HINT)
        case Tube() if not _on(axis, *shape.path):
            return Fault(
                f"{where}.path_mm",
                "found a path off the axis",
                f"a path along the axis, {centre_line}",
                _HINT,
            )
        case Cylinder() if not _on(axis, shape.start, shape.end):
            found = f"found ends at {_place(shape.start)} and {_place(shape.end)}"
            return Fault(f"{where}.start_mm", found, f"both ends on the axis, {centre_line}", _HINT)
        case HalfSpace() | Slab() if not _upright(shape.normal):
            found = f"found {list(shape.normal)}"
            return Fault(f"{where}.normal", found, "[0, 0, 1] or [0, 0, -1], along the axis", _HINT)
        case Sphere() | Ellipsoid() | Tube() | Cylinder() | HalfSpace() | Slab():
            return None
    return Fault(f"{where}.kind", 'found "box"', "a body of revolution, for example a cylinder on the axis", _HINT)


def _applicator_faults(where: str, applicator: Applicator, axis: np.ndarray) -> Iterator[Fault]:
    centre_line = f"on the axis, x, y = {axis[0] * 1e3:g}, {axis[1] * 1e3:g} mm"
    if not _on(axis, applicator.tip):
        yield Fault(f"{where}.tip_mm", f"found {_place(applicator.tip)}, off the axis", centre_line, _HINT)
    if np.any(applicator.direction) and not _upright(applicator.direction):
        found = f"found {list(applicator.direction)}"
        yield Fault(f"{where}.direction", found, "[0, 0, 1] or [0, 0, -1], along the axis", _HINT)
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
