"""Structures of a case laid over a user's mesh: cells of tissue become cells of the structure. Pure.

The mesh does not conform to the structures. A cell belongs to the structure that has the largest part of it, with the
constants of `mesh.label_cells` that keep the volume of each structure; later structures have priority, and cells of
metal are never taken. The exact volume is that of the part inside the mesh, from sample points in its cells.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rfablate.arrays import BoolArray
from rfablate.case.geometry.shapes import bounding_box
from rfablate.case.resolve.tissues import case_tissues
from rfablate.case.tables.geometry_tables import MeshDomain
from rfablate.case.tables.schema import Case
from rfablate.errors import MeshError
from rfablate.mesh.label_cells import assign_and_measure
from rfablate.mesh.mesh_data import MeshData
from rfablate.mesh.mesh_header import Conformity
from rfablate.mesh.structure_volumes import measure, volume_texts


def overlay(case: Case, mesh: MeshData) -> MeshData:
    """Return the mesh with a region for each structure of the case, after those of the mesh.

    Raises:
        MeshError: a structure has no cells.
    """
    if not case.structures:
        return mesh
    assert isinstance(case.domain, MeshDomain)
    first = len(case.domain.regions) + 1
    by = [(first + n, shape) for n, shape in enumerate(case.structures)]
    region, exact = assign_and_measure(mesh.points, mesh.cells, mesh.region, _free_cells(case, mesh), by)
    for number, shape in by:
        if not (region == number).any():
            raise MeshError(
                f"structure '{shape.name}' has no cells of the mesh: it is outside the mesh, in metal, covered by "
                "later structures, or much smaller than the cells"
            )
    region_names = {**mesh.region_names, **{number: shape.name for number, shape in by}}
    covered = [tag for tag in mesh.region_names if not (region == tag).any()]
    for tag in covered:
        spec = case.domain.regions[tag - 1]
        if spec.role != "anatomy":
            raise MeshError(f"region '{spec.name}' ({spec.role}) is covered completely by structures of the case")
        del region_names[tag]
    wanted = {number: (shape.name, exact[number]) for number, shape in by}
    volumes = measure(mesh.points, mesh.cells, region, wanted, "exact")
    line, warnings = volume_texts(volumes)
    return replace(
        mesh,
        region=region.astype(np.int32),
        region_names=region_names,
        conformity=Conformity(labels=False),
        notes=(*mesh.notes, *(_without_key(each) for each in warnings)),
        remarks=(*mesh.remarks, "structures are laid over the mesh by cell; their surfaces follow the cells", line),
    )


def _without_key(warning: str) -> str:
    """Return a warning about a volume for a mesh whose sizes are not in the case."""
    return warning.replace("mesh.size_structure_mm = ", "an element size there of about ").replace(
        " reduces the", " mm reduces the"
    )


def _free_cells(case: Case, mesh: MeshData) -> BoolArray:
    """Return which cells a structure may take: those in tissue whose box overlaps the box of a structure."""
    assert isinstance(case.domain, MeshDomain)
    tissues = case_tissues(case)
    metal = [n for n, each in enumerate(case.domain.regions, start=1) if tissues[each.tissue].is_metal]
    corner = mesh.points[mesh.cells]
    low, high = corner.min(axis=1), corner.max(axis=1)
    if mesh.axisymmetric:  # (r, z, 0): the ring lies in the box of its largest radius
        r, z = high[:, 0], (low[:, 1], high[:, 1])
        low, high = np.stack([-r, -r, z[0]], axis=1), np.stack([r, r, z[1]], axis=1)
    near = np.zeros(len(mesh.cells), dtype=bool)
    for shape in case.structures:
        lower, upper = bounding_box(shape)
        near |= ((low <= upper) & (high >= lower)).all(axis=1)
    return np.asarray(near & ~np.isin(mesh.region, metal))
