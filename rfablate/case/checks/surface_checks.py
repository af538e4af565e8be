"""Checks of structures that are surfaces of triangles: readable, in the right unit, closed, and of one body."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rfablate.case.resolve.checkable_case import CheckableCase
from rfablate.case.tables.geometry_tables import AxisymmetricDomain, BoxDomain, CylinderDomain, Surface
from rfablate.errors import CaseError, Fault

_SMALLEST, _LARGEST = 0.2e-3, 0.5
"""Range of the longest extent of an anatomical structure [m]."""
_TIMES_DOMAIN = 4.0
"""Ratio of the longest extent of a surface to that of the domain above which its unit is probably wrong."""


def is_usable(shape: Surface) -> bool:
    """Return whether the surface can be read and bounds a body."""
    from rfablate.case.tables.surface_shapes import examined_surface  # loads SciPy and VTK

    try:
        return not examined_surface(shape).faults
    except CaseError:
        return False


def surface_faults(parts: CheckableCase) -> Iterator[Fault]:
    """Yield faults: unreadable files, wrong units, surfaces that bound no body, keys that surfaces do not support."""
    for placed in parts.structures:
        shape = placed.shape
        if not isinstance(shape, Surface):
            continue
        if isinstance(parts.domain, AxisymmetricDomain):
            yield Fault(placed.where, "found a surface of triangles", "a body of revolution", "solve in 3-D")
        if shape.flow is not None:
            expected = "no flow, which needs a tube with a diameter"
            yield Fault(f"{placed.where}.flow", "found a table", expected, "use held_degC, or a tube")
        yield from _file_faults(parts, placed.where, shape)


def _file_faults(parts: CheckableCase, where: str, shape: Surface) -> Iterator[Fault]:
    from rfablate.case.tables.surface_shapes import examined_surface  # loads SciPy and VTK

    name = Path(shape.file).name
    try:
        examined = examined_surface(shape)
    except CaseError as error:
        for fault in error.faults:
            yield Fault(f"{where}.file", f"{name}: {fault.found}", fault.expected, fault.suggestion)
        return
    extent = float(np.ptp(examined.surface.bounds, axis=0).max()) * 1e-3
    yield from _unit_fault(parts, where, shape, extent)
    for each in examined.faults:
        yield Fault(f"{where}.file", f"{name}: {each.found}", each.expected, each.hint)


def _unit_fault(parts: CheckableCase, where: str, shape: Surface, extent: float) -> Iterator[Fault]:
    from rfablate.case.tables.triangle_surface import UNITS

    domain, most = parts.domain, _LARGEST
    if isinstance(domain, BoxDomain):
        most = _TIMES_DOMAIN * max(domain.size)
    elif isinstance(domain, CylinderDomain):
        most = _TIMES_DOMAIN * max(2.0 * domain.radius, domain.height)
    if _SMALLEST <= extent <= most:
        return
    likely = [unit for unit in UNITS if 1e-3 <= extent / UNITS[shape.length_unit] * UNITS[unit] <= most / _TIMES_DOMAIN]
    found = f'found "{shape.length_unit}": {Path(shape.file).name} is {extent * 1e3:.4g} mm long'
    expected = f"from {_SMALLEST * 1e3:g} to {most * 1e3:g} mm"
    hint = ", or ".join(f'"{unit}": {extent / UNITS[shape.length_unit] * UNITS[unit] * 1e3:.4g} mm' for unit in likely)
    yield Fault(f"{where}.length_unit", found, expected, hint)


def surface_warnings(parts: CheckableCase) -> Iterator[str]:
    """Yield what was repaired."""
    for placed in parts.structures:
        if isinstance(placed.shape, Surface) and placed.shape.repair:
            from rfablate.case.tables.surface_shapes import examined_surface  # loads SciPy and VTK

            repairs = examined_surface(placed.shape).repairs
            if repairs:
                yield f"{placed.where}: {Path(placed.shape.file).name} repaired: {'; '.join(repairs)}"
