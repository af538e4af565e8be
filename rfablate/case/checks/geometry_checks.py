"""Checks of positions and sizes: shapes inside the domain and not hidden by others, tested on sample points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.case.checks.applicator_checks import active_faults, applicator_faults
from rfablate.case.geometry.applicator_parts import in_metal
from rfablate.case.geometry.shapes import GeneratedDomain, bounding_box, contains, sample_points
from rfablate.case.resolve.checkable_case import CheckableCase, LocatedStructure
from rfablate.case.tables.geometry_tables import (
    Applicator,
    BoxDomain,
    MeshDomain,
    Structure,
)
from rfablate.errors import Fault

_LARGEST_DOMAIN = 0.5
_THINNEST, _THICKEST = 0.3e-3, 3e-3
_TIPS_IN_DOMAIN = 4.0


def degenerate_faults(parts: CheckableCase) -> Iterator[Fault]:
    """Yield directions of zero length, and tubes and cylinders of zero length."""
    for placed in parts.structures:
        yield from placed.shape.degenerate_faults(placed.where)
    for where, applicator in parts.applicators:
        if not np.any(applicator.direction):
            yield Fault(
                f"{where}.direction",
                "found a direction of zero length",
                "three numbers, not all 0",
                "[0, 0, 1]",
            )


def _is_sound(shape: Structure | Applicator) -> bool:
    if isinstance(shape, Applicator):
        return bool(np.any(shape.direction))
    return not any(True for _ in shape.degenerate_faults(""))


def size_faults(parts: CheckableCase) -> Iterator[Fault]:
    """Yield sizes that indicate a wrong unit, or a radius given as a diameter."""
    for where, applicator in parts.applicators:
        if not _THINNEST <= applicator.outer_diameter <= _THICKEST:
            yield Fault(
                f"{where}.outer_diameter_mm",
                f"found {applicator.outer_diameter * 1e3:g}",
                f"from {_THINNEST * 1e3:g} to {_THICKEST * 1e3:g} [mm]",
                "radius for a diameter? m or um for mm? the diameter of a 22 G cannula is 0.718 mm",
            )
    domain = parts.domain
    if domain is None or isinstance(domain, MeshDomain):
        return
    if isinstance(domain, BoxDomain):
        extents = [("size_mm", max(domain.size)), ("size_mm", min(domain.size))]
    else:
        extents = [("radius_mm", 2.0 * domain.radius), ("height_mm", domain.height)]
    least = _TIPS_IN_DOMAIN * max((applicator.active_tip for _, applicator in parts.applicators), default=0.0)
    for key, extent in extents:
        found = f"found {extent * 1e3:g} mm across"
        if extent > _LARGEST_DOMAIN:
            expected = f"at most {_LARGEST_DOMAIN * 1e3:g} mm across"
            yield Fault(f"domain.{key}", found, expected, "um for mm? 80 mm across is usual")
        if extent < least:
            expected = f"at least {_TIPS_IN_DOMAIN:g} active tip lengths across, {least * 1e3:g} mm"
            yield Fault(f"domain.{key}", found, expected, "cm or m for mm? 80 mm across is usual")


def geometry_faults(parts: CheckableCase, domain: GeneratedDomain) -> Iterator[Fault]:
    """Yield structures and applicators that are outside the domain, covered by others or empty."""
    placed = [each for each in parts.structures if _is_sound(each.shape)]
    applicators = [(where, each) for where, each in parts.applicators if _is_sound(each)]
    points = {each.where: _points_in(each.shape, domain) for each in placed}
    for each in placed:
        if len(points[each.where]) == 0:
            yield _outside(each, domain)
    visible = [each for each in placed if len(points[each.where])]
    metal = [applicator for _, applicator in applicators]
    for number, each in enumerate(visible):
        yield from _hidden(each, visible[number + 1 :], metal, points[each.where])
    for where, applicator in applicators:
        yield from applicator_faults(where, applicator, domain)
        yield from active_faults(applicator, domain, visible, parts)


def partly_outside(parts: CheckableCase, domain: GeneratedDomain) -> Iterator[str]:
    """Yield a warning for each target that extends beyond the domain; half spaces and slabs always do, by design."""
    for placed in parts.structures:
        if placed.shape.role == "target" and placed.shape.bounded and placed.shape.has_shape:
            outside = ~contains(domain, sample_points(placed.shape, bounding_box(domain)))
            if outside.any():
                share = 100.0 * outside.mean()
                yield f"{placed.where}: about {share:.0f} % of this target is outside the domain"


def _points_in(shape: Structure, domain: GeneratedDomain) -> FloatArray:
    """Return points of the shape inside the domain, sampled from both because either can be much smaller."""
    window = bounding_box(domain)
    own, around = sample_points(shape, window), sample_points(domain, window)
    return np.vstack([own[contains(domain, own)], around[contains(shape, around)]])


def _outside(placed: LocatedStructure, domain: GeneratedDomain) -> Fault:
    where = f"{placed.where}.{placed.shape.place_key}"
    lower, upper = bounding_box(placed.shape) * 1e3
    spans = [
        f"{axis} {a:g} to {b:g}" for axis, a, b in zip("xyz", lower, upper, strict=True) if np.isfinite([a, b]).all()
    ]
    found = "entirely outside the domain" + (f" ({', '.join(spans)} mm)" if spans else "")
    lower, upper = bounding_box(domain) * 1e3
    inside = ", ".join(f"{axis} {a:g} to {b:g}" for axis, a, b in zip("xyz", lower, upper, strict=True))
    return Fault(where, found, f"at least partly inside it ({inside} mm)", "move it, or enlarge the domain")


def _hidden(
    each: LocatedStructure, later: Sequence[LocatedStructure], metal: Sequence[Applicator], points: FloatArray
) -> Iterator[Fault]:
    """Yield a fault if no part of a structure remains outside the cannula and the later structures."""
    for applicator in metal:
        points = points[~in_metal(applicator, points)]
    if len(points) == 0:
        found = "entirely inside the cannula metal"
        yield Fault(
            each.where,
            found,
            "a structure that extends beyond the cannula",
            "radius for a diameter? wrong unit?",
        )
        return
    covering = []
    for other in later:
        box = bounding_box(other.shape)
        if ((points < box[0]) | (points > box[1])).any(axis=1).all():
            continue
        inside = contains(other.shape, points)
        if inside.any():
            covering.append(other.where)
        points = points[~inside]
    if len(points) == 0:
        found = f"entirely covered by {' and '.join(covering)}; later structures replace earlier ones"
        yield Fault(each.where, found, "a part that is not covered", "place the smaller structure after the larger one")
