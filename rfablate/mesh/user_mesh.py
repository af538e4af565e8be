"""Reader of user meshes: Gmsh files (msh_reader.py), other formats with meshio. Neither executes code. Root only.

Cells and surface facets are selected by the tags or physical names in the case. Each fault names the tag, the region
and what the file contains.
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np

from rfablate.arrays import FloatArray, IntArray
from rfablate.case.tables.geometry_tables import MeshDomain
from rfablate.errors import MeshError
from rfablate.isolation import ReaderCrashed, isolated
from rfablate.mesh.mesh_data import MeshData
from rfablate.mesh.msh_reader import read_msh
from rfablate.mesh.raw_mesh import RawMesh, TaggedSimplices
from rfablate.mesh.tangled_cells import refuse_tangled

SCRIPTS = (".geo", ".geo_unrolled", ".pos", ".opt")
"""Files that Gmsh executes or displays; none of them is a mesh."""
METRES = {"m": 1.0, "cm": 1e-2, "mm": 1e-3, "um": 1e-6}


def read_mesh(domain: MeshDomain) -> MeshData:
    """Return the mesh of a case of `kind = "mesh"`.

    Raises:
        MeshError: the file, a tag or the length unit is wrong; the message names it.
    """
    path = Path(domain.file)
    if not path.is_file():
        raise MeshError(f"domain.file: found no mesh file at {path}; paths are relative to the case file")
    dim = 2 if domain.axisymmetric else 3
    raw = read_raw_mesh(path, dim)
    region, names = _map_regions(domain, raw, dim)
    surfaces = _map_surfaces(domain, raw, dim)
    points = raw.points * METRES[domain.length_unit]
    if dim == 2 and np.ptp(points[:, 2]) > 0.0:
        raise MeshError(
            f"{path.name}: found nodes with a third coordinate; expected an axisymmetric mesh in the plane (r, z)"
        )
    cells, region = _unique_cells(raw.cells, region)
    _refuse_missing_nodes(points, cells, surfaces, path.name)
    refuse_tangled(raw.points, cells, path.name)
    used = np.flatnonzero(np.bincount(cells.ravel(), minlength=len(points)))
    number = np.full(len(points), -1, dtype=np.int64)
    number[used] = np.arange(len(used))
    for name, facets in surfaces.items():
        if (number[facets] < 0).any():
            raise MeshError(f"surface '{name}' has facets that belong to no cell of the mesh")
    return MeshData(
        points[used],
        number[cells],
        region.astype(np.int32),
        names,
        {name: number[facets] for name, facets in surfaces.items()},
        domain.axisymmetric,
    )


def read_raw_mesh(path: Path, dim: int) -> RawMesh:
    """Return the tagged simplices of dimension `dim` and `dim` - 1 of a file; raises MeshError if it cannot be read."""
    if path.suffix.lower() in SCRIPTS:
        raise MeshError(
            f"domain.file: {path.name} is a Gmsh script or view, not a mesh; scripts are not executed. "
            f"Write a mesh with `gmsh -3 {path.name} -o {path.stem}.msh` and use the .msh file"
        )
    return read_msh(path, dim) if path.suffix.lower() == ".msh" else _isolated_meshio(path, dim)


def _refuse_missing_nodes(points: FloatArray, cells: IntArray, surfaces: dict[str, IntArray], name: str) -> None:
    for what, nodes in (("cells", cells), *((f"surface '{surface}'", facets) for surface, facets in surfaces.items())):
        if nodes.size and not 0 <= nodes.min() <= nodes.max() < len(points):
            raise MeshError(f"{name}: {what} refer to nodes that the file does not define; it has {len(points)}")
    if not np.isfinite(points).all():
        raise MeshError(f"{name}: nodes with non-finite coordinates")


def _tag_of(raw: RawMesh, tag: int | str, dim: int, where: str) -> int:
    if isinstance(tag, int):
        return tag
    known = {name: number for (d, name), number in raw.names.items() if d == dim}
    if tag not in known:
        listed = ", ".join(sorted(known)) or "none"
        raise MeshError(f"{where}: found no physical group '{tag}' of dimension {dim}; expected one of: {listed}")
    return known[tag]


def _map_regions(domain: MeshDomain, raw: RawMesh, dim: int) -> tuple[IntArray, dict[int, str]]:
    """Return the region number of each tagged cell, and the region names."""
    region = np.zeros(len(raw.cells.tags), dtype=np.int64)
    names: dict[int, str] = {}
    tag_owner: dict[int, str] = {}
    for number, entry in enumerate(domain.regions, start=1):
        where = f"domain.regions '{entry.name}'"
        tag = _tag_of(raw, entry.tag, dim, where)
        if tag in tag_owner:
            raise MeshError(f"{where}: tag {tag} already belongs to region '{tag_owner[tag]}'")
        marked = raw.cells.tags == tag
        if not marked.any():
            present = ", ".join(str(t) for t in np.unique(raw.cells.tags)) or "none"
            raise MeshError(f"{where}: found no cells with the tag {entry.tag!r}; tags in the file: {present}")
        region[marked] = number
        names[number], tag_owner[tag] = entry.name, entry.name
    unmapped = np.unique(raw.cells.tags[region == 0])
    if len(unmapped):
        listed = ", ".join(str(t) for t in unmapped)
        raise MeshError(
            f"found cells with the tags {listed} in no entry of domain.regions; add a [[domain.regions]] table for each"
        )
    return region, names


def _unique_cells(cells: TaggedSimplices, region: IntArray) -> tuple[IntArray, IntArray]:
    """Return the cells and their regions; duplicate cells are a fault."""
    ordered = np.sort(cells.simplices, axis=1)
    if not _may_repeat(ordered):
        return cells.simplices, region
    counts = np.unique(ordered, axis=0, return_counts=True)[1]
    if (counts > 1).any():
        raise MeshError(
            f"found {int((counts > 1).sum())} duplicate cells (in two physical groups, or duplicate elements); "
            "expected each cell in one region"
        )
    return cells.simplices, region


def _may_repeat(rows: IntArray) -> bool:
    """Return whether two rows may be equal, by their hashes: a sort of numbers is much faster than a sort of rows."""
    factors = np.random.default_rng(1).integers(1, 2**63, rows.shape[1], dtype=np.uint64) | np.uint64(1)
    keys = np.sort((rows.astype(np.uint64) * factors).sum(axis=1, dtype=np.uint64))
    return bool((keys[1:] == keys[:-1]).any())


def _map_surfaces(domain: MeshDomain, raw: RawMesh, dim: int) -> dict[str, IntArray]:
    """Return the facets of each role (several entries can share one) and of each named surface."""
    surfaces: dict[str, list[IntArray]] = {}
    for entry in domain.surfaces:
        where = f"domain.surfaces '{entry.name}'"
        tag = _tag_of(raw, entry.tag, dim - 1, where)
        facets = raw.facets.simplices[raw.facets.tags == tag]
        if len(facets) == 0:
            present = ", ".join(str(t) for t in np.unique(raw.facets.tags)) or "none"
            raise MeshError(f"{where}: found no facets with the tag {entry.tag!r}; tags in the file: {present}")
        for name in {entry.name, *entry.roles}:
            surfaces.setdefault(name, []).append(facets)
    return {name: np.concatenate(parts) for name, parts in surfaces.items()}


_CELL_KINDS = {3: "tetra", 2: "triangle", 1: "line"}


def _isolated_meshio(path: Path, dim: int) -> RawMesh:
    """Return the mesh that meshio reads in a child process."""
    import meshio  # noqa: F401  (once, in this process)

    try:
        return isolated(lambda: _read_meshio(path, dim))
    except ReaderCrashed as error:
        raise MeshError(f"meshio cannot read {path.name}: {error}; is it a {path.suffix} mesh, and whole?") from None


def _read_meshio(path: Path, dim: int) -> RawMesh:
    import meshio

    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):  # it prints its reason and exits
            mesh = meshio.read(path)
        names = {(int(value[1]), str(key)): int(value[0]) for key, value in (mesh.field_data or {}).items()}
        cells, facets = (_meshio_tagged(mesh, d, names) for d in (dim, dim - 1))
        points = np.zeros((len(mesh.points), 3))
        points[:, : mesh.points.shape[1]] = mesh.points
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # meshio raises various errors, asserts and exits, also when its results are used
        reason = str(error) if not isinstance(error, SystemExit) else " ".join(said.getvalue().split())
        kind = "" if isinstance(error, SystemExit) else f"{type(error).__name__}: "
        what = f"{kind}{reason}".strip(": ") or "no reason given"
        raise MeshError(f"meshio cannot read {path.name} ({what}); is it a {path.suffix} mesh, and whole?") from None
    return RawMesh(points, cells, facets, names)


def _meshio_tagged(mesh, dim: int, names: dict[tuple[int, str], int]) -> TaggedSimplices:  # type: ignore[no-untyped-def]
    """Return simplices of one dimension, tagged by cell data (first integer field) or else by cell sets."""
    kind = _CELL_KINDS[dim]
    blocks = [index for index, block in enumerate(mesh.cells) if block.type == kind]
    simplices = [np.asarray(mesh.cells[index].data, dtype=np.int64) for index in blocks]
    if not simplices:
        return TaggedSimplices(np.zeros((0, dim + 1), dtype=np.int64), np.zeros(0, dtype=np.int64))
    for name in ("gmsh:physical", "cell_tags", "medit:ref", "region", "CellEntityIds", *mesh.cell_data):
        if name in mesh.cell_data and all(np.issubdtype(np.asarray(d).dtype, np.number) for d in mesh.cell_data[name]):
            values = [np.asarray(mesh.cell_data[name][index]) for index in blocks]
            if all(v.ndim == 1 and np.allclose(v, np.round(v)) for v in values):
                return TaggedSimplices(np.concatenate(simplices), np.concatenate(values).astype(np.int64))
    found, tags = [np.zeros((0, dim + 1), dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for number, (name, members) in enumerate(mesh.cell_sets.items(), start=1):
        names.setdefault((dim, name), number)
        for index, data in zip(blocks, simplices, strict=True):
            if members[index] is not None and len(members[index]):
                found.append(data[np.asarray(members[index], dtype=np.int64)])
                tags.append(np.full(len(found[-1]), names[(dim, name)], dtype=np.int64))
    return TaggedSimplices(np.concatenate(found), np.concatenate(tags))
