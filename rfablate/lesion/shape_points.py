"""Points of a structure whose surface is not one of the mesh, where temperatures and margins are evaluated.

Cells that a structure takes as a whole reach half a cell beyond its surface, so that their hottest node can be several
kelvin hotter than the structure. Its own points, half of them near its surface, do not depend on the cells.
"""

from __future__ import annotations

import numpy as np
from mpi4py import MPI

from rfablate.arrays import FloatArray
from rfablate.case.geometry.applicator_parts import in_metal
from rfablate.case.geometry.half_plane import half_plane_of
from rfablate.case.geometry.shapes import contains, sample_points
from rfablate.case.tables.geometry_tables import Label, MeshRegion, Structure
from rfablate.case.tables.schema import Case
from rfablate.mesh.domain import Domain
from rfablate.mesh.point_location import Probe, in_mesh, make_probe

COUNT = 4000
"""Points of a structure, before those in metal, in later structures and outside the mesh are left out."""


class ShapePoints:
    """Points of a structure with the interpolation of nodal fields."""

    def __init__(self, probe: Probe, points: FloatArray) -> None:
        """Store the interpolation at points in mesh coordinates [m], shape (n, 3)."""
        self.probe, self.points = probe, points
        self._own = probe.weights[np.diff(probe.weights.indptr) > 0]

    def max_local(self, nodal: FloatArray) -> float:
        """Return the largest value of a nodal field at the points of this rank; minus infinity without any."""
        return float((self._own @ nodal).max(initial=-np.inf))


def shape_points(case: Case, domain: Domain, spec: Structure | MeshRegion) -> ShapePoints | None:
    """Return the points of a structure; None where the mesh conforms to it, for labels and regions. Collective."""
    over_mesh = case.domain.kind == "mesh" and not domain.conformity.labels
    if isinstance(spec, MeshRegion | Label) or (domain.conformity.shapes and not over_mesh):
        return None
    plane = half_plane_of(case)
    low, high = domain.x.min(axis=0), domain.x.max(axis=0)
    domain.comm.Allreduce(MPI.IN_PLACE, low, op=MPI.MIN)
    domain.comm.Allreduce(MPI.IN_PLACE, high, op=MPI.MAX)
    if plane is not None:
        low, high = np.array([-high[0], -high[0], low[1]]), np.array([high[0], high[0], high[1]])
    points = sample_points(spec, np.stack([low, high]), COUNT)
    for applicator in case.applicators:
        points = points[~in_metal(applicator, points)]
    for later in case.structures[1 + case.structures.index(spec) :]:
        points = points[~contains(later, points)] if len(points) else points
    if plane is not None:
        points = plane.from_space(points)
    points = points[in_mesh(domain, points)] if len(points) else points
    if not len(points):
        return None
    return ShapePoints(make_probe(domain, points, f"points of '{spec.name}'"), points)
