"""Description of an applicator as text."""

from __future__ import annotations

from rfablate.case.geometry.applicator_axes import Arc, applicator_frame
from rfablate.case.tables.applicator_fittings import Tines
from rfablate.case.tables.geometry_tables import Applicator
from rfablate.case.tables.units import in_mm


def describe_applicator(each: Applicator) -> list[str]:
    """Return the lines that describe an applicator."""
    arc = applicator_frame(each).arc
    angle = "" if each.tip_shape not in ("bevel", "conical") else f" at {each.bevel_angle:g} degrees"
    model = f"{each.model}: " if each.model else ""
    end = "to the domain's surface" if each.shaft_length is None else f"{in_mm(each.shaft_length)} long"
    shaft = f", shaft of {each.shaft_material}" if each.shaft_material else ""
    return [
        f"{model}{in_mm(each.outer_diameter)} outer diameter, {in_mm(each.active_tip)} active tip, "
        f"{each.tip_shape}{angle}, {each.metal}{shaft}",
        *([] if each.tines is None else [_tines(each.tines)]),
        *([] if arc is None else [_bend(each, arc)]),
        *([] if each.ring is None else [f"ring of {in_mm(each.ring.length)} behind a gap of {in_mm(each.ring.gap)}"]),
        *([] if each.wall is None else [_tube(each)]),
        *([] if each.contact == 0.0 else [f"layer of {each.contact * 1e6:g} ohm mm2 on the active tip"]),
        f"tip at {in_mm(*each.tip)}, shaft along ({', '.join(f'{x:g}' for x in each.direction)}) {end}, "
        f"sensor {in_mm(each.sensor_offset)} from the tip",
    ]


def _tube(each: Applicator) -> str:
    assert each.wall is not None
    wall = f"tube with a wall of {in_mm(each.wall)}, "
    if each.coolant is None:
        return wall + f"{each.lumen_material} in its lumen"
    how = "at the wall" if each.coolant.h is None else f"with h = {each.coolant.h:g} W/(m2 K) at the wall"
    return wall + f"coolant at {each.coolant.temperature:g} degC {how}"


def _bend(each: Applicator, arc: Arc) -> str:
    assert each.bend is not None
    towards = ", ".join(f"{round(float(x), 3) + 0.0:g}" for x in arc.towards)
    radius = f"a radius of {arc.radius * 1e3:.4g} mm"
    return f"tip bent by {each.bend.angle:g} degrees over {in_mm(arc.length)}, {radius}, towards ({towards})"


def _tines(tines: Tines) -> str:
    bent = "straight" if tines.bend_radius is None else f"bent at a radius of {in_mm(tines.bend_radius)}"
    metal = f", {tines.metal}" if tines.metal else ""
    return (
        f"{tines.count} tines of {in_mm(tines.diameter)}, {in_mm(tines.deployment * tines.length)} out, {bent}, "
        f"{tines.exit_angle:g} degrees to the axis at the exit{metal}"
    )
