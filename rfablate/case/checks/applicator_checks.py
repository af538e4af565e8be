"""Checks of an applicator: tip and tines inside the domain, sensor inside the metal, conducting tissue at the tip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from rfablate.case.geometry.applicator_axes import applicator_frame
from rfablate.case.geometry.applicator_parts import (
    active_surface_points,
    bare_length,
    in_cannula,
    lumen,
    point_length,
    tines_of,
)
from rfablate.case.geometry.shapes import GeneratedDomain, contains, signed_distance
from rfablate.case.resolve.checkable_case import CheckableCase, LocatedStructure
from rfablate.case.resolve.structure_flow import held_at
from rfablate.case.resolve.tissues import known_tissues
from rfablate.case.tables.geometry_tables import Applicator, AxisymmetricDomain
from rfablate.errors import Fault

_DIAMETERS_TO_BOUNDARY = 2.0
_DIAMETERS_TO_KINK = 1.5


def applicator_faults(where: str, applicator: Applicator, domain: GeneratedDomain) -> Iterator[Fault]:
    """Yield the faults of the dimensions and the position of an applicator."""
    yield from _tip_faults(where, applicator, domain)
    yield from _sensor_faults(where, applicator)
    yield from _tube_faults(where, applicator, domain)
    yield from _tine_faults(f"{where}.tines", applicator, domain)
    yield from _bend_faults(f"{where}.bend", applicator)


def _bend_faults(where: str, applicator: Applicator) -> Iterator[Fault]:
    """Yield a bend that is too tight or longer than the cannula, and features that require a straight cannula."""
    bend, arc = applicator.bend, applicator_frame(applicator).arc
    if bend is None or arc is None:
        return
    if arc.radius < _DIAMETERS_TO_KINK * applicator.outer_diameter:
        found = f"found {bend.angle:g} over {arc.length * 1e3:g} mm: a radius of {arc.radius * 1e3:.3g} mm"
        least = _DIAMETERS_TO_KINK * applicator.outer_diameter
        most = np.degrees(arc.length / least)
        expected = f"at most {most:.3g} [degrees]: a radius below {_DIAMETERS_TO_KINK:g} diameters kinks the cannula"
        yield Fault(f"{where}.angle_deg", found, expected, "a smaller angle, or a larger length_mm")
    if applicator.shaft_length is not None and arc.length > applicator.shaft_length:
        found, most = f"found {arc.length * 1e3:g}", applicator.shaft_length * 1e3
        yield Fault(f"{where}.length_mm", found, f"at most the metal length, {most:g} [mm]")
    if applicator.tip_shape == "conical":
        yield Fault(where, 'found with tip_shape "conical"', "a bevelled or blunt end on a curved tip")
    if applicator.tines is not None:
        yield Fault(where, "found with tines", "either a bend or tines: tines require a straight cannula")


def _tube_faults(where: str, applicator: Applicator, domain: GeneratedDomain) -> Iterator[Fault]:
    """Yield walls that leave no lumen, a lumen that is open or missing, and a sensor inside the coolant."""
    if applicator.insulation is not None and not isinstance(domain, AxisymmetricDomain):
        expected = "omit this key in 3-D: the thin coating requires an axisymmetric domain"
        yield Fault(f"{where}.insulation_mm", f"found {applicator.insulation * 1e3:g}", expected)
    if applicator.wall is None:
        for key, given in (("coolant", applicator.coolant), ("lumen_start_mm", applicator.lumen_start)):
            if given is not None:
                yield Fault(f"{where}.wall_mm", "missing key", f"the wall thickness: {key} requires a tube [mm]")
        return
    if applicator.tines is not None:
        yield Fault(f"{where}.wall_mm", "found with tines", "either a wall or tines: tines require a solid cannula")
    radius, start = lumen(applicator)
    if radius <= 0.0:
        found, most = f"found {applicator.wall * 1e3:g}: no lumen is left", 500 * applicator.outer_diameter
        yield Fault(f"{where}.wall_mm", found, f"less than the cannula radius, {most:g} [mm]")
        return
    least = point_length(applicator)
    if start <= least or (applicator.shaft_length is not None and start >= applicator.shaft_length):
        expected = f"above {least * 1e3:.3g} and below the metal length [mm]"
        yield Fault(f"{where}.lumen_start_mm", f"found {start * 1e3:.3g}: the tip is not closed", expected)
    if applicator.coolant is not None and applicator.sensor_offset > start:
        found = f"found {applicator.sensor_offset * 1e3:g}: the sensor is in the coolant"
        expected = f"at most {start * 1e3:.3g}, in the metal ahead of the lumen [mm]"
        yield Fault(f"{where}.sensor_offset_mm", found, expected)


def _tine_faults(where: str, applicator: Applicator, domain: GeneratedDomain) -> Iterator[Fault]:
    """Yield tines that start outside the cannula, touch each other, form a closed ring or leave the domain."""
    tines, placed = applicator.tines, tines_of(applicator)
    if tines is None:
        return
    radius, room = 0.5 * tines.diameter, 0.5 * applicator.outer_diameter
    if tines.offset + radius > room:
        found = f"found {tines.offset * 1e3:g}: the tine starts outside the cannula"
        most = room - radius
        expected = f"at most {most * 1e3:.4g} [mm]" if most >= 0 else "tines thinner than the cannula"
        yield Fault(f"{where}.offset_mm", found, expected, "radius for a diameter?" if most < 0 else "")
    blunt = applicator.tip_shape == "blunt" and tines.exit_angle == 0.0
    if tines.exit == 0.0 and not blunt:
        expected = "above 0: a tine can start at the end face only if the tip is blunt and exit_angle_deg is 0"
        yield Fault(f"{where}.exit_mm", "found 0", expected, f"exit_mm = {applicator.outer_diameter * 1e3:g}")
    if tines.exit > applicator.active_tip:
        found = f"found {tines.exit * 1e3:g}: the tine starts in the insulated shaft"
        yield Fault(f"{where}.exit_mm", found, f"at most the active tip length, {applicator.active_tip * 1e3:g} [mm]")
    stations = np.linspace(0.0, placed[0].length, 101)
    if tines.bend_radius is not None:
        if tines.bend_radius <= radius:
            yield Fault(f"{where}.bend_radius_mm", f"found {tines.bend_radius * 1e3:g}", "above the tine radius")
        if placed[0].length > 1.9 * np.pi * tines.bend_radius:
            length, bend = tines.deployment * tines.length * 1e3, tines.bend_radius * 1e3
            found = f"the tine forms a ring: length {length:g} mm at a bend radius of {bend:g} mm"
            expected = f"at most {1.9 * np.pi * tines.bend_radius * 1e3:.4g} [mm]"
            yield Fault(f"{where}.length_mm", found, expected, "a larger bend_radius_mm, or a smaller deployment")
    lines = [each.at(stations) for each in placed]
    free = [line[~in_cannula(applicator, line)] for line in lines]
    if len(free) > 1 and len(free[0]) and len(free[1]):
        apart = float(np.linalg.norm(free[0][:, None] - free[1][None], axis=2).min())
        if apart < tines.diameter:
            found = f"{tines.count} tines touch: centre lines {apart * 1e3:.3g} mm apart outside the cannula"
            yield Fault(f"{where}.count", found, f"at least their diameter, {tines.diameter * 1e3:g} mm, apart")
    depth = -float(signed_distance(domain, np.concatenate(lines)).max())
    least = _DIAMETERS_TO_BOUNDARY * tines.diameter
    if depth < least:
        found = f"a tine is {depth * 1e3:.3g} mm from the domain surface"
        yield Fault(f"{where}.length_mm", found, f"at least {least * 1e3:.3g} mm inside", "enlarge the domain")


def _tip_faults(where: str, applicator: Applicator, domain: GeneratedDomain) -> Iterator[Fault]:
    frame, zero = applicator_frame(applicator), np.zeros(41)
    axis_points = frame.at(zero, zero, np.linspace(0.0, bare_length(applicator), 41))
    depth = -float(signed_distance(domain, axis_points).max())
    least = _DIAMETERS_TO_BOUNDARY * applicator.outer_diameter
    if depth < least:
        by = f"is {-depth * 1e3:.3g} mm outside" if depth < 0 else f"is {depth * 1e3:.3g} mm from its surface"
        found = f"the cannula is not far enough inside the domain: its active tip {by}"
        expected = f"at least {_DIAMETERS_TO_BOUNDARY:g} diameters, {least * 1e3:.3g} mm, inside"
        hint = "change tip_mm or direction (from the tip along the shaft), or enlarge the domain"
        yield Fault(f"{where}.tip_mm", found, expected, hint)
    if applicator.shaft_length is not None and applicator.shaft_length < bare_length(applicator):
        found, least = f"found {applicator.shaft_length * 1e3:g}", bare_length(applicator)
        what = "the active tip length" if applicator.ring is None else "the length of tip, gap and ring"
        yield Fault(f"{where}.shaft_length_mm", found, f"at least {what}, {least * 1e3:g} [mm]")
    if applicator.ring is not None and applicator.insulation is not None:
        expected = "either a ring or a coating: a ring requires a shaft without a coating"
        yield Fault(f"{where}.insulation_mm", "found with a ring", expected)
    length = point_length(applicator)
    if length > applicator.active_tip:
        found = f"the {applicator.tip_shape} end is {length * 1e3:.3g} mm long"
        expected = f"at most the active tip length, {applicator.active_tip * 1e3:g} mm"
        yield Fault(
            f"{where}.bevel_angle_deg",
            found,
            expected,
            "a larger angle, or --set applicators.0.tip_shape=blunt",
        )


def _sensor_faults(where: str, applicator: Applicator) -> Iterator[Fault]:
    frame, zero, radius = applicator_frame(applicator), np.zeros(1), 0.5 * applicator.outer_diameter
    if not in_cannula(applicator, frame.at(zero, zero, np.full(1, applicator.sensor_offset))).all():
        slope = float(np.tan(np.radians(applicator.bevel_angle)))
        least = radius / slope if applicator.tip_shape == "bevel" else 0.0
        most = "" if applicator.shaft_length is None else f" and at most {applicator.shaft_length * 1e3:g}"
        found = f"found {applicator.sensor_offset * 1e3:g}: outside the metal"
        expected = f"at least {least * 1e3:.3g}{most} [mm] from the tip"
        hint = f"sensor_offset_mm = {np.ceil(least * 1e4 + 2) / 10:g}" if applicator.tip_shape == "bevel" else ""
        yield Fault(f"{where}.sensor_offset_mm", found, expected, hint)
    if applicator.sensor_radius > radius:
        found = f"found {applicator.sensor_radius * 1e3:g}"
        yield Fault(f"{where}.sensor_radius_mm", found, f"at most the cannula radius, {radius * 1e3:g} [mm]")


def active_faults(
    applicator: Applicator, domain: GeneratedDomain, placed: Sequence[LocatedStructure], parts: CheckableCase
) -> Iterator[Fault]:
    """Yield a fault if no conducting tissue is in contact with the active tip."""
    tissues = known_tissues(parts)
    points = active_surface_points(applicator)
    points = points[contains(domain, points)]
    owner = np.full(len(points), -1)
    for number, each in enumerate(placed):
        owner[contains(each.shape, points)] = number
    owners = sorted(set(owner.tolist()))
    reasons = []
    for number in owners:
        body = domain if number < 0 else placed[number].shape
        tissue = tissues.get(body.tissue)
        held = number >= 0 and held_at(placed[number].shape) is not None
        if not (held or (tissue is not None and (tissue.is_metal or tissue.sigma == 0.0))):
            return
        why = "held at a temperature" if held else f"{body.tissue}, which conducts no current"
        reasons.append((("domain.tissue" if number < 0 else placed[number].where), why))
    for where, why in reasons:
        found = f"encloses the active tip; it is {why}"
        yield Fault(
            where,
            found,
            "conducting tissue around at least part of the tip",
            "move it away, or place it earlier in the list",
        )
