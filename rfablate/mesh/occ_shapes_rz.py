"""Shapes of a case in the (r, z) half plane, as (x, y) of Gmsh. Root only.

Each function has a 3-D counterpart in `occ_shapes`; `case.checks` has rejected shapes that are not rotationally
symmetric.
"""

from __future__ import annotations

import gmsh
import numpy as np

from rfablate.case.geometry.applicator_parts import lengths_of, lumen
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
from rfablate.errors import MeshError
from rfablate.mesh.occ_shapes import Entities


def _rectangle(radius: float, low: float, high: float) -> Entities:
    return [(2, gmsh.model.occ.addRectangle(0, low, 0, radius, high - low))]


def add_domain(domain: AxisymmetricDomain) -> Entities:
    """Add the half section of the cylindrical tissue domain."""
    z = domain.centre[2]
    return _rectangle(domain.radius, z - domain.height / 2, z + domain.height / 2)


def add_structure(shape: Structure, reach: float) -> Entities:
    """Add the section of a structure; unbounded ones end at `reach` [m]. The part at r < 0 is removed later."""
    occ = gmsh.model.occ
    if isinstance(shape, Sphere):
        return [(2, occ.addDisk(0, shape.centre[2], 0, shape.radius, shape.radius))]
    if isinstance(shape, Ellipsoid):
        disk = [(2, occ.addDisk(0, 0, 0, 1, 1))]
        occ.dilate(disk, 0, 0, 0, shape.semi_axes[0], shape.semi_axes[2], 1)
        occ.translate(disk, 0, shape.centre[2], 0)
        return disk
    if isinstance(shape, Cylinder):
        low, high = sorted((shape.start[2], shape.end[2]))
        return _rectangle(shape.diameter / 2, low, high)
    if isinstance(shape, Tube):
        heights = [point[2] for point in shape.path]
        return _rectangle(shape.diameter / 2, min(heights), max(heights))
    if isinstance(shape, Slab):
        z = shape.point[2]
        return _rectangle(reach, z - shape.thickness / 2, z + shape.thickness / 2)
    if isinstance(shape, HalfSpace):
        z = shape.point[2]
        return _rectangle(reach, z, z + reach) if shape.normal[2] > 0 else _rectangle(reach, z - reach, z)
    raise MeshError(f"structure '{shape.name}' is a {shape.kind}, which is not a body of revolution; use a 3-D domain")


def add_applicator(applicator: Applicator, length: float) -> dict[str, Entities]:
    """Add the section of the cannula up to `length` [m] from the tip; return the entities of each kind of part."""
    radius, active = applicator.outer_diameter / 2, applicator.active_tip
    z, up = applicator.tip[2], np.sign(applicator.direction[2])
    height = radius / np.tan(np.radians(applicator.bevel_angle)) if applicator.tip_shape == "conical" else 0.0
    outline = [(0.0, 0.0), (radius, height), (radius, active), (0.0, active)] if height < active else []
    if not outline:
        raise MeshError(
            f"applicator '{applicator.name}': the cone is longer than the active tip; increase bevel_angle_deg"
        )
    tip = _polygon([(r, z + up * s) for r, s in outline])
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
