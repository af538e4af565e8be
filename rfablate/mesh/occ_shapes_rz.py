"""Shapes of a case in the (r, z) half plane, as (x, y) of Gmsh. Root only.

Each function has a 3-D counterpart in `occ_shapes`; `case.checks` has rejected shapes that are not rotationally
symmetric.
"""

from __future__ import annotations

import gmsh
import numpy as np

from rfablate.case.geometry.applicator_parts import lengths_of, lumen, tip_profile
from rfablate.case.tables.geometry_tables import (
    Applicator,
    AxisymmetricDomain,
    Structure,
)
from rfablate.errors import MeshError
from rfablate.mesh.occ_shapes import Entities


def _rectangle(radius: float, low: float, high: float) -> Entities:
    return [(2, gmsh.model.occ.addRectangle(0, low, 0, radius, high - low))]


def add_domain(domain: AxisymmetricDomain) -> Entities:
    """Add the half section of the cylindrical tissue domain."""
    z = domain.centre[2]
    return _rectangle(domain.radius, z - domain.height / 2, z + domain.height / 2)


def add_structure(shape: Structure, reach: float) -> Entities:
    """Add the section of a structure; unbounded ones are cut at `reach` [m]. What crosses the axis is cut later."""
    return shape.section(OccSections(), reach)


class OccSections:
    """Makes the half sections of structures; implements `case.tables.structure_base.SectionBuilder`."""

    def disk(self, z: float, radius: float) -> Entities:
        """See `SectionBuilder`."""
        return [(2, gmsh.model.occ.addDisk(0, z, 0, radius, radius))]

    def ellipse(self, z: float, radius: float, height: float) -> Entities:
        """See `SectionBuilder`."""
        disk = [(2, gmsh.model.occ.addDisk(0, 0, 0, 1, 1))]
        gmsh.model.occ.dilate(disk, 0, 0, 0, radius, height, 1)
        gmsh.model.occ.translate(disk, 0, z, 0)
        return disk

    def rectangle(self, radius: float, low: float, high: float) -> Entities:
        """See `SectionBuilder`."""
        return _rectangle(radius, low, high)

    def fuse(self, bodies: Entities) -> Entities:
        """See `SectionBuilder`."""
        return bodies if len(bodies) == 1 else gmsh.model.occ.fuse(bodies[:1], bodies[1:])[0]


def add_applicator(applicator: Applicator, length: float) -> dict[str, Entities]:
    """Add the section of the cannula up to `length` [m] from the tip; return the entities of each kind of part."""
    radius, active = applicator.outer_diameter / 2, applicator.active_tip
    z, up = applicator.tip[2], np.sign(applicator.direction[2])
    distal = [point for point in tip_profile(applicator) if point[0] > 0.0]
    if distal[-1][1] >= active:
        raise MeshError(
            f"applicator '{applicator.name}': the cone is longer than the active tip; increase bevel_angle_deg"
        )
    tip = _polygon([(r, z + up * s) for r, s in [(0.0, 0.0), *distal, (radius, active), (0.0, active)]])
    bodies = {"tip": tip}
    for kind, (start, end) in lengths_of(applicator, length).items():
        bodies[kind] = _rectangle(radius, *sorted((z + up * start, z + up * end))) if end > start else []
    if applicator.insulation is not None:
        bodies["insulation"] = _band(
            radius, radius + applicator.insulation, *sorted((z + up * active, z + up * length))
        )
    if applicator.wall is not None:
        inner, start = lumen(applicator)
        bodies["lumen"] = _rectangle(inner, *sorted((z + up * start, z + up * length)))
    return bodies


def _band(inner: float, outer: float, low: float, high: float) -> Entities:
    return [(2, gmsh.model.occ.addRectangle(inner, low, 0, outer - inner, high - low))]


def _polygon(corners: list[tuple[float, float]]) -> Entities:
    occ = gmsh.model.occ
    points = [occ.addPoint(r, z, 0) for r, z in corners]
    lines = [occ.addLine(a, b) for a, b in zip(points, points[1:] + points[:1], strict=True)]
    return [(2, occ.addPlaneSurface([occ.addCurveLoop(lines)]))]
