"""Shapes of a case in Gmsh's OpenCASCADE kernel, in 3-D. Root only."""

from __future__ import annotations

import gmsh
import numpy as np

from rfablate.case.geometry.applicator_axes import Frame, applicator_frame
from rfablate.case.geometry.applicator_parts import Tine, lengths_of, lumen, tines_of
from rfablate.case.tables.geometry_tables import (
    Applicator,
    Box,
    BoxDomain,
    Cylinder,
    CylinderDomain,
    Ellipsoid,
    HalfSpace,
    Label,
    Slab,
    Sphere,
    Structure,
    Tube,
)

Entities = list[tuple[int, int]]
"""(dimension, tag) pairs as Gmsh uses them."""


def add_domain(domain: CylinderDomain | BoxDomain) -> Entities:
    """Add the block of tissue."""
    x, y, z = domain.centre
    if isinstance(domain, BoxDomain):
        a, b, c = domain.size
        return [(3, gmsh.model.occ.addBox(x - a / 2, y - b / 2, z - c / 2, a, b, c))]
    return [(3, gmsh.model.occ.addCylinder(x, y, z - domain.height / 2, 0, 0, domain.height, domain.radius))]


def add_structure(shape: Structure, reach: float) -> Entities:
    """Add a structure; unbounded ones are cut at `reach` [m] from their point."""
    occ = gmsh.model.occ
    if isinstance(shape, Sphere):
        return [(3, _add_ball(shape.centre, shape.radius))]
    if isinstance(shape, Ellipsoid):
        ball = [(3, _add_ball((0.0, 0.0, 0.0), 1.0))]
        occ.dilate(ball, 0, 0, 0, *shape.semi_axes)
        occ.translate(ball, *shape.centre)
        return ball
    if isinstance(shape, Box):
        corner = np.subtract(shape.centre, np.divide(shape.size, 2))
        return [(3, occ.addBox(*corner, *shape.size))]
    if isinstance(shape, Cylinder):
        return _add_cylinder(np.array(shape.start), np.array(shape.end), shape.diameter / 2)
    if isinstance(shape, Tube):
        return _add_tube(shape)
    if isinstance(shape, Label):
        raise ValueError("labels have no surface to mesh: cells take them")
    return _add_plate(shape, reach)


def _add_ball(centre: tuple[float, ...], radius: float) -> int:
    """Add a ball whose poles and seam lie where no cannula is likely to come from: Gmsh cannot cut them there."""
    tag = int(gmsh.model.occ.addSphere(*centre, radius))
    gmsh.model.occ.rotate([(3, tag)], *centre, 1.0, 0.37, 0.21, 0.93)
    return tag


def _add_cylinder(start: np.ndarray, end: np.ndarray, radius: float) -> Entities:
    """Add a cylinder as two halves: Gmsh gives up on cut surfaces that close on themselves."""
    length = float(np.linalg.norm(end - start))
    halves = [(3, gmsh.model.occ.addCylinder(0, 0, 0, 0, 0, length, radius, angle=np.pi)) for _ in range(2)]
    gmsh.model.occ.rotate(halves[1:], 0, 0, 0, 0, 0, 1, np.pi)
    place(halves, frame_along(end - start), start)
    return halves


def _add_tube(shape: Tube) -> Entities:
    occ, radius = gmsh.model.occ, shape.diameter / 2
    path = np.array(shape.path)
    if len(path) == 2:
        return _add_cylinder(path[0], path[1], radius)
    parts: Entities = [
        (3, occ.addCylinder(*start, *(end - start), radius)) for start, end in zip(path[:-1], path[1:], strict=True)
    ]
    for before, joint, after in zip(path[:-2], path[1:-1], path[2:], strict=True):
        if np.linalg.norm(np.cross(joint - before, after - joint)) > 1e-9 * np.linalg.norm(after - before) ** 2:
            parts.append((3, _add_ball(tuple(joint), radius)))
    if len(parts) == 1:
        return parts
    fused, _ = occ.fuse(parts[:1], parts[1:])
    return fused


def _add_plate(shape: HalfSpace | Slab, reach: float) -> Entities:
    """Add a half space or a slab as a square plate that reaches far enough."""
    if isinstance(shape, Slab):
        bottom, thickness = -shape.thickness / 2, shape.thickness
    else:
        bottom, thickness = 0.0, 2 * reach
    plate = [(3, gmsh.model.occ.addBox(-reach, -reach, bottom, 2 * reach, 2 * reach, thickness))]
    place(plate, frame_along(np.array(shape.normal)), np.array(shape.point))
    return plate


def frame_along(axis: np.ndarray) -> np.ndarray:
    """Return a rotation whose third column is along `axis`, shape (3, 3)."""
    axis = axis / np.linalg.norm(axis)
    start = np.eye(3)[int(np.argmin(np.abs(axis)))]
    first = np.cross(axis, start)
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(axis, first), axis], axis=1)


def place(entities: Entities, rotation: np.ndarray, origin: np.ndarray) -> None:
    """Move entities built at the origin along z to `origin`, turned by `rotation`."""
    if not np.allclose(rotation, np.eye(3), atol=1e-14):
        matrix = np.eye(4)
        matrix[:3, :3] = rotation
        gmsh.model.occ.affineTransform(entities, list(matrix.ravel()))
    gmsh.model.occ.translate(entities, *origin)


def add_applicator(applicator: Applicator, length: float) -> dict[str, Entities]:
    """Add the cannula up to `length` [m] from the tip and its tines; return the bodies of each kind of part."""
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
    if applicator.tines is not None and applicator.tines.exit > 0.0:  # they overlap inside the cannula
        tines = [body for tine in tines for body in occ.cut([tine], tip, removeTool=False)[0]]
    return {"tines": tines, "tip": tip, **pieces, "lumen": hollow}


def _rod(frame: Frame, start: float, end: float, radius: float) -> Entities:
    """Add what lies within `radius` of an upright centre line from `start` to `end` [m from the tip], bent first."""
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
    """Add a tine: a cylinder, or part of a torus."""
    R = tine.bend_radius
    if R is None:
        return [(3, gmsh.model.occ.addCylinder(*tine.start, *(tine.length * tine.ahead), tine.radius))]
    body = [(3, gmsh.model.occ.addTorus(0, 0, 0, R, tine.radius, angle=tine.length / R))]
    place(body, np.stack([-tine.outward, tine.ahead, np.cross(-tine.outward, tine.ahead)], axis=1), tine.centre)
    return body


def _tip(applicator: Applicator, frame: Frame, radius: float) -> Entities:
    occ, active = gmsh.model.occ, applicator.active_tip
    slope = np.tan(np.radians(applicator.bevel_angle))
    if applicator.tip_shape == "conical":
        height = radius / slope
        cone = [(3, occ.addCone(0, 0, 0, 0, 0, height, 0, radius))]
        return cone if height >= active else occ.fuse(cone, _rod(frame, height, active, radius))[0]
    body = _rod(frame, 0.0, active, radius)
    if applicator.tip_shape == "blunt":
        return body
    # the bevel's plane runs through (-radius, 0, 0): what lies below  z = (x + radius) / slope  is cut away
    side = 4 * (active + radius)
    knife = [(3, occ.addBox(-side, -side, -side, 2 * side, 2 * side, side))]
    occ.rotate(knife, 0, 0, 0, 0, 1, 0, -np.arctan(1.0 / slope))
    occ.translate(knife, -radius, 0, 0)
    occ.rotate(knife, 0, 0, 0, 0, 0, 1, np.radians(applicator.bevel_azimuth))
    end = frame.at_tip()
    place(knife, np.stack([end.u, end.v, end.axis], axis=1), end.tip)
    return occ.cut(body, knife)[0]
