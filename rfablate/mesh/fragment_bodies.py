"""The bodies of a case cut into pieces with shared faces by Gmsh, and the region number of each piece. Root only."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import gmsh
import numpy as np

from rfablate.case.geometry.applicator_parts import device_parts
from rfablate.case.geometry.element_sizes import Sizes
from rfablate.case.geometry.half_plane import half_plane_of
from rfablate.case.tables.geometry_tables import BoxDomain, MeshDomain, ObjectStructure
from rfablate.case.tables.schema import Case
from rfablate.errors import MeshError
from rfablate.mesh import occ_shapes as occ
from rfablate.mesh import occ_shapes_rz as occ_rz
from rfablate.mesh.size_field import Interfaces
from rfablate.mesh.stored_geometry import keep, take

MOST_POINTS = 5000
"""Largest number of points that set the sizes at the outline of an object."""
DOMAIN = 1
"""Region number of the background tissue; the structures follow in case order, then the applicators."""


def extent(case: Case) -> float:
    """Return the diagonal of the domain [m]."""
    domain = case.domain
    assert not isinstance(domain, MeshDomain)
    size = domain.size if isinstance(domain, BoxDomain) else (2 * domain.radius, domain.height)
    return float(np.linalg.norm(size))


def fragment_bodies(case: Case, dim: int, *, conforming: bool, geometry: Path | None) -> dict[int, int]:
    """Return the region number of each piece; a mesh coarser than the usual one is made from the kept bodies.

    The bodies that Gmsh reads give another mesh than those it has cut, so a coarse mesh is always made from read ones.
    """
    if dim == 2 or not conforming:
        return _cut(case, dim, conforming=conforming)
    if case.mesh.scale <= 1.0:
        pieces = _cut(case, dim, conforming=conforming)
        if geometry is not None:
            with suppress(OSError):  # a full or read-only cache costs time, nothing else
                keep(geometry, pieces)
        return pieces
    kept = take(geometry) if geometry is not None else None
    if kept is not None:
        return kept
    gmsh.clear()  # bodies of an incomplete file
    gmsh.model.add("rfablate")
    with TemporaryDirectory(prefix="rfablate-geometry-") as folder:
        own = Path(folder) / "bodies.brep"
        keep(own, _cut(case, dim, conforming=conforming))
        gmsh.clear()
        gmsh.model.add("rfablate")
        kept = take(own)
    if kept is None:
        raise MeshError("Gmsh could not read back the bodies that it had written")
    return kept


def _cut(case: Case, dim: int, *, conforming: bool) -> dict[int, int]:
    """Build and fragment the bodies; return the region number of each remaining piece."""
    shapes = occ if dim == 3 else occ_rz
    reach = 2.0 * extent(case)
    bodies = [shapes.add_domain(case.domain)]
    numbers = [DOMAIN]
    if conforming:
        for number, shape in enumerate(case.structures):
            if shape.conforms(dim):
                bodies.append(shapes.add_structure(shape, reach))
                numbers.append(number + 2)
    for applicator in case.applicators:
        made = shapes.add_applicator(applicator, applicator.shaft_length or reach)
        for part in device_parts(applicator):
            bodies.append(made[part.kind])
            numbers.append(max(numbers[-1], len(case.structures) + 1) + 1)
    flat = [entity for body in bodies for entity in body]
    number_of = [number for number, body in zip(numbers, bodies, strict=True) for _ in body]
    everything, cut = gmsh.model.occ.fragment(flat[:1], flat[1:])
    inside = {tag for d, tag in cut[0] if d == dim}
    pieces: dict[int, int] = {}
    for number, parts in zip(number_of, cut, strict=True):
        pieces.update({tag: number for d, tag in parts if d == dim and tag in inside})
    gmsh.model.occ.remove([(d, tag) for d, tag in everything if tag not in pieces], recursive=True)
    gmsh.model.occ.synchronize()
    return pieces


def structure_surfaces(case: Case, pieces: dict[int, int], dim: int) -> Interfaces:
    """Return the surfaces (curves in the half plane) that bound each structure."""
    interfaces = {}
    for number, shape in enumerate(case.structures):
        own = [(dim, tag) for tag, body in pieces.items() if body == number + 2]
        tags = [tag for _, tag in gmsh.model.getBoundary(own, oriented=False)] if own else []
        interfaces[shape.name] = ("SurfacesList" if dim == 3 else "CurvesList", tags)
    return interfaces


def object_outlines(case: Case, sizes: Sizes) -> Interfaces:
    """Add points on the outlines in the half plane of objects without a section; call before `synchronize`."""
    plane, found = half_plane_of(case), {}
    for shape in case.structures if plane is not None else ():
        if plane is not None and isinstance(shape, ObjectStructure) and not shape.conforms(2):
            points = plane.from_space(shape.outline_points(sizes.structure[shape.name], MOST_POINTS))
            found[shape.name] = ("PointsList", [gmsh.model.occ.addPoint(*point) for point in points])
    return found
