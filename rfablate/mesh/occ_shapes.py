"""Shapes of a case in the OpenCASCADE kernel of Gmsh, in 3-D. Root only."""

from __future__ import annotations

import gmsh
import numpy as np

from rfablate.case.geometry.applicator_axes import ApplicatorFrame, applicator_frame
from rfablate.case.geometry.applicator_parts import Tine, lengths_of, lumen, tines_of
from rfablate.case.tables.geometry_tables import (
    Applicator,
    BoxDomain,
    CylinderDomain,
    Structure,
)
from rfablate.case.tables.shape_math import Point, perpendicular_axes

Entities = list[tuple[int, int]]
"""(dimension, tag) pairs as Gmsh uses them."""


def add_domain(domain: CylinderDomain | BoxDomain) -> Entities:
    """Add the tissue domain."""
    x, y, z = domain.centre
    if isinstance(domain, BoxDomain):
        a, b, c = domain.size
        return [(3, gmsh.model.occ.addBox(x - a / 2, y - b / 2, z - c / 2, a, b, c))]
    return [(3, gmsh.model.occ.addCylinder(x, y, z - domain.height / 2, 0, 0, domain.height, domain.radius))]


def add_structure(shape: Structure, reach: float) -> Entities:
    """Add a structure; unbounded ones are cut at `reach` [m] from their point."""
    return shape.solid(OccSolids(), reach)


class OccSolids:
    """Makes the solids of structures; implements `case.tables.structure_base.SolidBuilder`."""

    def ball(self, centre: Point, radius: float) -> Entities:
        """See `SolidBuilder`."""
        return [(3, _add_ball(centre, radius))]

    def ellipsoid(self, centre: Point, semi_axes: Point) -> Entities:
        """See `SolidBuilder`."""
        ball = [(3, _add_ball((0.0, 0.0, 0.0), 1.0))]
        gmsh.model.occ.dilate(ball, 0, 0, 0, *semi_axes)
        gmsh.model.occ.translate(ball, *centre)
        return ball

    def box(self, centre: Point, size: Point) -> Entities:
        """See `SolidBuilder`."""
        corner = np.subtract(centre, np.divide(size, 2))
        return [(3, gmsh.model.occ.addBox(*corner, *size))]

    def tube(self, path: tuple[Point, ...], radius: float) -> Entities:
        """See `SolidBuilder`."""
        return _add_tube(np.array(path), radius)

    def plate(self, point: Point, normal: Point, *, bottom: float, thickness: float, reach: float) -> Entities:
        """See `SolidBuilder`."""
        plate = [(3, gmsh.model.occ.addBox(-reach, -reach, bottom, 2 * reach, 2 * reach, thickness))]
        place(plate, frame_along(np.array(normal)), np.array(point))
        return plate

    def fuse(self, bodies: Entities) -> Entities:
        """See `SolidBuilder`."""
        return bodies if len(bodies) == 1 else gmsh.model.occ.fuse(bodies[:1], bodies[1:])[0]


def _add_ball(centre: tuple[float, ...], radius: float) -> int:
    """Add a ball with poles and seam in an unlikely direction for a cannula, because Gmsh cannot cut them."""
    tag = int(gmsh.model.occ.addSphere(*centre, radius))
    gmsh.model.occ.rotate([(3, tag)], *centre, 1.0, 0.37, 0.21, 0.93)
    return tag


def _add_cylinder(start: np.ndarray, end: np.ndarray, radius: float) -> Entities:
    """Add a cylinder as two halves, because Gmsh fails to cut periodic surfaces."""
    length = float(np.linalg.norm(end - start))
    halves = [(3, gmsh.model.occ.addCylinder(0, 0, 0, 0, 0, length, radius, angle=np.pi)) for _ in range(2)]
    gmsh.model.occ.rotate(halves[1:], 0, 0, 0, 0, 0, 1, np.pi)
    place(halves, frame_along(end - start), start)
    return halves


def _add_tube(path: np.ndarray, radius: float) -> Entities:
    occ = gmsh.model.occ
    if len(path) == 2:
        return _add_cylinder(path[0], path[1], radius)
    parts: Entities = [
        (3, occ.addCylinder(*start, *(end - start), radius)) for start, end in zip(path[:-1], path[1:], strict=True)
    ]
    for before, joint, after in zip(path[:-2], path[1:-1], path[2:], strict=True):
        if np.linalg.norm(np.cross(joint - before, after - joint)) > 1e-9 * np.linalg.norm(after - before) ** 2:
            parts.append((3, _add_ball(tuple(joint), radius)))
    return OccSolids().fuse(parts)


def frame_along(axis: np.ndarray) -> np.ndarray:
    """Return a rotation matrix whose third column is along `axis`, shape (3, 3)."""
    axis = axis / np.linalg.norm(axis)
    return np.stack([*perpendicular_axes(axis), axis], axis=1)


def place(entities: Entities, rotation: np.ndarray, origin: np.ndarray) -> None:
    """Rotate entities built at the origin along z by `rotation` and move them to `origin`."""
    if not np.allclose(rotation, np.eye(3), atol=1e-14):
        matrix = np.eye(4)
        matrix[:3, :3] = rotation
        gmsh.model.occ.affineTransform(entities, list(matrix.ravel()))
    gmsh.model.occ.translate(entities, *origin)


def add_applicator(applicator: Applicator, length: float) -> dict[str, Entities]:
    """Add the cannula up to `length` [m] from the tip, and its tines; return the entities of each kind of part."""
    occ, frame = gmsh.model.occ, applicator_frame(applicator)
    radius, upright = applicator.outer_diameter / 2, frame.upright()
    tip = _tip(applicator, upright, radius)
    pieces = {kind: _rod(upright, *ends, radius) for kind, ends in lengths_of(applicator, length).items()}
    hollow: Entities = []
    if applicator.wall is not None:
        inner, start = lumen(applicator)
        hollow = _rod(upright, start, length, inner)
    place(
        tip + [body for piece in pieces.values() for body in piece] + hollow,
        np.stack([frame.u, frame.v, frame.axis], axis=1),
        frame.tip,
    )
    tines = [body for tine in tines_of(applicator) for body in _add_tine(tine)]
    if applicator.tines is not None and applicator.tines.exit > 0.0:  # tines overlap inside the cannula
        tines = [body for tine in tines for body in occ.cut([tine], tip, removeTool=False)[0]]
    return {"tines": tines, "tip": tip, **pieces, "lumen": hollow}


def _rod(frame: ApplicatorFrame, start: float, end: float, radius: float) -> Entities:
    """Add a rod of `radius` around an upright centre line from `start` to `end` [m from the tip], curved part first."""
    bent = 0.0 if frame.arc is None else min(max(frame.arc.length, start), end)
    bodies: Entities = []
    if frame.arc is not None and bent > start:
        t = frame.turn(bent)
        towards = np.cos(t) * frame.arc.towards + np.sin(t) * frame.axis
        from_shaft = frame.centre_line(np.array([bent]))[0]
        bodies += _add_tine(Tine(from_shaft, -frame.direction(bent), towards, bent - start, radius, frame.arc.radius))
    if end > max(start, bent):
        straight = max(start, bent)
        base = frame.centre_line(np.array([straight]))[0]
        bodies.append((3, gmsh.model.occ.addCylinder(*base, 0, 0, end - straight, radius)))
    return bodies


def _add_tine(tine: Tine) -> Entities:
    """Add a tine: a cylinder, or a section of a torus."""
    R = tine.bend_radius
    if R is None:
        return [(3, gmsh.model.occ.addCylinder(*tine.start, *(tine.length * tine.ahead), tine.radius))]
    body = [(3, gmsh.model.occ.addTorus(0, 0, 0, R, tine.radius, angle=tine.length / R))]
    place(body, np.stack([-tine.outward, tine.ahead, np.cross(-tine.outward, tine.ahead)], axis=1), tine.centre)
    return body


def _tip(applicator: Applicator, frame: ApplicatorFrame, radius: float) -> Entities:
    occ, active = gmsh.model.occ, applicator.active_tip
    slope = np.tan(np.radians(applicator.bevel_angle))
    if applicator.tip_shape == "conical":
        height = radius / slope
        cone = [(3, occ.addCone(0, 0, 0, 0, 0, height, 0, radius))]
        return cone if height >= active else occ.fuse(cone, _rod(frame, height, active, radius))[0]
    body = _rod(frame, 0.0, active, radius)
    if applicator.tip_shape == "blunt":
        return body
    # The bevel plane passes through (-radius, 0, 0); the volume below  z = (x + radius) / slope  is removed.
    side = 4 * (active + radius)
    knife = [(3, occ.addBox(-side, -side, -side, 2 * side, 2 * side, side))]
    occ.rotate(knife, 0, 0, 0, 0, 1, 0, -np.arctan(1.0 / slope))
    occ.translate(knife, -radius, 0, 0)
    occ.rotate(knife, 0, 0, 0, 0, 0, 1, np.radians(applicator.bevel_azimuth))
    end = frame.at_tip()
    place(knife, np.stack([end.u, end.v, end.axis], axis=1), end.tip)
    return occ.cut(body, knife)[0]
