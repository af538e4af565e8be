"""Checks of a set of applicators: a current path, the distance between them, and features limited to one of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.case.geometry.applicator_axes import applicator_frame
from rfablate.case.geometry.applicator_parts import electrode_roles, tines_of
from rfablate.case.geometry.shapes import GeneratedDomain, bounding_box, contains
from rfablate.case.resolve.checkable_case import CheckableCase
from rfablate.case.tables.generator_tables import SurfaceTemperature
from rfablate.case.tables.geometry_tables import Applicator, AxisymmetricDomain
from rfablate.errors import Fault

_ROOM = 1.2
"""Smallest allowed distance between two cannula axes, as a multiple of the sum of the cannula radii."""
_FINEST = 2e-4
"""Smallest spacing of the points on an axis, relative to the domain size, whatever the diameter."""


def electrode_faults(parts: CheckableCase, domain: GeneratedDomain) -> Iterator[Fault]:
    """Yield the faults of the applicators of a case as a set."""
    if not parts.applicators:
        return
    where = parts.applicators[0][0]
    roles = electrode_roles([applicator for _, applicator in parts.applicators]).values()
    if "active" not in roles:
        yield Fault(f"{where}.electrode", 'found "return"', 'at least one "active" electrode', 'electrode = "active"')
    if isinstance(parts.generator, SurfaceTemperature) and "return" in roles:
        expected = "only active electrodes: a prescribed surface temperature drives no current"
        yield Fault("generator.kind", 'found "surface_temperature" with a return electrode', expected)
    if len(parts.applicators) == 1:
        return
    if isinstance(domain, AxisymmetricDomain):
        hint = '--set domain.kind="cylinder"'
        yield Fault("applicators", f"found {len(parts.applicators)}", "one applicator on the axis", hint)
        return
    for where, applicator in parts.applicators:
        if applicator.coolant is not None:
            expected = "no coolant: cooling is supported for a single applicator only"
            yield Fault(f"{where}.coolant", "found a table", expected)
    sound = [(where, each) for where, each in parts.applicators if np.any(each.direction)]
    lines = {where: _centre_lines(each, domain) for where, each in sound}
    for (first, one), (where, other) in combinations(sound, 2):
        apart, least = _distance(lines[first], lines[where]), 0.5 * _ROOM * (one.outer_diameter + other.outer_diameter)
        if apart < least:
            found = f"its axis is {apart * 1e3:.3g} mm from that of {one.name}"
            hint = "move it, change its direction, or set shaft_length_mm"
            yield Fault(f"{where}.tip_mm", found, f"at least {least * 1e3:.3g} [mm]", hint)


def _distance(one: FloatArray, other: FloatArray) -> float:
    """Return the smallest distance between two sets of points [m]."""
    from scipy.spatial import KDTree  # 0.1 s to import; needed for several applicators only

    return float(KDTree(one).query(other)[0].min(initial=np.inf)) if len(one) else np.inf


def _centre_lines(applicator: Applicator, domain: GeneratedDomain) -> FloatArray:
    """Return points on an applicator's axis and tines inside the domain, shape (n, 3) [m]."""
    across = float(np.linalg.norm(np.diff(bounding_box(domain), axis=0)))
    spacing = max(0.2 * applicator.outer_diameter, _FINEST * across)
    stations = np.arange(0.0, min(applicator.shaft_length or across, across), spacing)
    on_tines = [tine.at(np.linspace(0.0, tine.length, 101)) for tine in tines_of(applicator)]
    points = np.concatenate([applicator_frame(applicator).centre_line(stations), *on_tines])
    return np.asarray(points[contains(domain, points)])
