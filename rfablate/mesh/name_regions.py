"""Names for the regions and surfaces of a generated mesh, from the case. Root only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rfablate.arrays import IntArray
from rfablate.case.geometry.applicator_parts import device_parts, electrode_roles, electrode_surface
from rfablate.case.tables.schema import Case
from rfablate.mesh.facets import boundary_facets, facets_between
from rfablate.mesh.fragment_bodies import DOMAIN
from rfablate.mesh.mesh_data import MeshData, NumberedMesh


def named_mesh(case: Case, mesh: NumberedMesh) -> MeshData:
    """Return the mesh with the names of its regions and the facets of its surfaces; a lumen is left out.

    Raises:
        MeshError: a region has no cells, or a surface no facets.
    """
    points, cells, region, axisymmetric = mesh.points, mesh.cells, mesh.region.copy(), mesh.cells.shape[1] == 3
    device = [part for applicator in case.applicators for part in device_parts(applicator)]
    device_tags = [mesh.first_device + n for n in range(len(device))]
    bare_tags: dict[str, list[int]] = {}
    for tag, part in zip(device_tags, device, strict=True):
        if part.electrode:
            bare_tags.setdefault(part.electrode, []).append(tag)
    tissue = region < mesh.first_device
    bare = {name: facets_between(cells, np.isin(region, tags), tissue) for name, tags in bare_tags.items()}
    outer = boundary_facets(cells)
    if axisymmetric:
        outer = outer[(points[outer][:, :, 0] > 1e-9).any(axis=1)]
    names = {DOMAIN: "domain", **{number + 2: shape.name for number, shape in enumerate(case.structures)}}
    first: dict[str, int] = {}
    for tag, part in zip(device_tags, device, strict=True):
        region[region == tag] = first.setdefault(part.region, tag)
    names.update({tag: name for name, tag in first.items()})
    data = MeshData(points, cells, region, names, _roles(case, bare, outer), axisymmetric)
    hollow = [tag for tag, part in zip(device_tags, device, strict=True) if part.kind == "lumen"]
    return _without_lumen(data, hollow[0]) if case.applicators[0].coolant else data


def _without_lumen(data: MeshData, lumen: int) -> MeshData:
    """Return the mesh without the lumen and facets of it alone; the wall becomes the surface `coolant`."""
    kept = data.region != lumen
    used, packed = np.unique(data.cells[kept], return_inverse=True)
    number = np.full(len(data.points), -1, dtype=np.int64)
    number[used] = np.arange(len(used))
    surfaces = {**data.surfaces, "coolant": facets_between(data.cells, kept, ~kept)}
    surfaces = {name: number[facets] for name, facets in surfaces.items()}
    surfaces = {name: facets[(facets >= 0).all(axis=1)] for name, facets in surfaces.items()}
    names = {tag: name for tag, name in data.region_names.items() if tag != lumen}
    cells = packed.reshape(-1, data.cells.shape[1]).astype(np.int64)
    return replace(
        data, points=data.points[used], cells=cells, region=data.region[kept], region_names=names, surfaces=surfaces
    )


def _roles(case: Case, bare: dict[str, IntArray], outer: IntArray) -> dict[str, IntArray]:
    """Return the facets of each role; `bare` contains the bare facets of each electrode."""
    of_role: dict[str, list[IntArray]] = {"active": [], "return": [outer] if case.boundary.electric == "return" else []}
    for name, role in electrode_roles(case.applicators).items():
        of_role[role].append(bare[name])
    surfaces = {role: np.concatenate(facets) for role, facets in of_role.items() if facets}
    surfaces["outer"] = outer
    if len(bare) > 1:
        surfaces.update({electrode_surface(name): facets for name, facets in bare.items()})
    if case.boundary.thermal == "fixed_temperature":
        surfaces["body_temperature"] = outer
    return surfaces
