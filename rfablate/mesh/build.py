"""The mesh of a case: read, generated or loaded from the cache, then distributed."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mpi4py import MPI

from rfablate.case.geometry.applicator_parts import device_parts
from rfablate.case.tables.geometry_tables import Label, MeshDomain, ObjectStructure, Structure, Surface
from rfablate.case.tables.label_reader import image_digest
from rfablate.case.tables.schema import Case
from rfablate.errors import MeshError
from rfablate.kernels.cache_folder import cache_folder
from rfablate.mesh.domain import Domain, domain_of
from rfablate.mesh.mesh_data import MeshData
from rfablate.mesh.mesh_file import MeshFile, open_mesh_file, write_mesh_file
from rfablate.mesh.mesh_slices import deal_slices
from rfablate.mesh.root_tasks import on_root
from rfablate.mesh.uniform_refinement import refined

RECIPE = 21
"""Version of the meshing code; increase it if the mesh of any case changes, to invalidate the cache."""
UNREADABLE = (OSError, ValueError, KeyError)
"""Errors of reading an incomplete or damaged cached mesh."""
_NOT_SHAPE = {"tissue", "role", "limit", "required_fraction", "held", "flow", "sigma_along"}
"""Keys of a structure that do not affect the mesh."""
_NOT_GENERATION = {"max_cells", "width_percent", "refine", "partitioner", "distributed_file"}
"""Keys of [mesh] that do not affect the generated mesh."""


def build_domain(case: Case, comm: MPI.Comm) -> Domain:
    """Return the distributed mesh of a case. Collective.

    Raises:
        MeshError, CaseError: on every rank, if rank 0 cannot generate or read the mesh, or it contradicts the case.
    """
    mesh = deal_slices(on_root(comm, lambda: mesh_source(case)), comm)
    for _ in range(case.mesh.refine):
        mesh = refined(mesh)
    return domain_of(mesh, case.mesh.partitioner)


def make_mesh(case: Case) -> MeshData:
    """Return the whole mesh of a case before any refinement; raises as `mesh_source`. Root only."""
    source = mesh_source(case)
    return source.whole() if isinstance(source, MeshFile) else source


def mesh_source(case: Case) -> MeshData | MeshFile:
    """Return the mesh of a case: its file in the cache, or its arrays where the cache cannot hold it. Root only.

    Raises:
        MeshError: it cannot be generated or read.
        CaseError: the applicators are not those of the user's mesh.
    """
    if case.mesh.distributed_file is not None:
        return _distributed(case, Path(case.mesh.distributed_file))
    if not isinstance(case.domain, MeshDomain):
        return _cached(case, mesh_key(case))
    source = _cached(case, _file_key(case, case.domain))
    fits = cache_folder("meshes") / f"{source_key(case)}.fits"
    if isinstance(source, MeshData) or not fits.is_file():  # the comparison needs the whole mesh: once
        from rfablate.mesh.mesh_against_case import refuse_contradiction  # imports scipy.optimize, which takes 0.2 s

        refuse_contradiction(case, source.whole() if isinstance(source, MeshFile) else source)
        with suppress(OSError):
            fits.touch()
    return source


def write_distributed(case: Case, path: Path) -> None:
    """Write the mesh of a case, before any refinement, to a file for `mesh.distributed_file`. Root only.

    Raises:
        MeshError, CaseError: as `mesh_source`.
        OSError: the file cannot be written.
    """
    case = case.model_copy(update={"mesh": case.mesh.model_copy(update={"distributed_file": None})})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mesh_file(path, mesh_source(case), source_key(case))


def _distributed(case: Case, path: Path) -> MeshFile:
    where = f"mesh.distributed_file: {path.name}"
    try:
        found = open_mesh_file(path)
    except UNREADABLE as error:
        raise MeshError(
            f"{where} cannot be read ({error}); write it with `rfablate mesh CASE --distributed FILE`"
        ) from None
    if found.key != source_key(case):
        raise MeshError(
            f"{where} was written for another case, or by another version of rfablate or Gmsh; expected the mesh of "
            "this geometry, element sizes and applicators; write it again with `rfablate mesh CASE --distributed FILE`"
        )
    return found


def _cached(case: Case, key: str) -> MeshData | MeshFile:
    path = cache_folder("meshes") / f"{key}.h5"
    if path.is_file():
        try:
            return open_mesh_file(path)
        except UNREADABLE:  # damaged, or of another version: generated again, and replaced
            pass
    data = _make(case)
    try:
        write_mesh_file(path, data, key)
        return MeshFile(path)
    except OSError:  # a full or read-only cache only costs time
        return data


def _make(case: Case) -> MeshData:
    if isinstance(case.domain, MeshDomain):
        from rfablate.mesh.structure_overlay import overlay
        from rfablate.mesh.user_mesh import read_mesh

        return overlay(case, read_mesh(case.domain))
    from rfablate.mesh.generate import generate_mesh

    return generate_mesh(case, cache_folder("meshes") / f"{geometry_key(case)}.brep")


def _file_key(case: Case, domain: MeshDomain) -> str:
    """Return a hash of a mesh file, of its mapping in the case and of the structures; of a missing file, of its path.

    The tissues decide which regions a structure may take.
    """
    digest = hashlib.sha256(f"{RECIPE} {domain.model_dump_json(by_alias=True, exclude={'file'})}".encode())
    if case.structures:
        tables = [case.tissues[name].model_dump(by_alias=True) for name in sorted(case.tissues)]
        digest.update(_hash({"structures": [_shape(each) for each in case.structures], "tissues": tables}).encode())
    path = Path(domain.file)
    if path.is_file():
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
        digest.update(path.suffix.encode())
    else:
        digest.update(str(path).encode())
    return digest.hexdigest()[:20]


def source_key(case: Case) -> str:
    """Return a hash of what the mesh of a case is made from, and of the applicators compared with a user's mesh."""
    if not isinstance(case.domain, MeshDomain):
        return mesh_key(case)
    applicators = [each.model_dump(by_alias=True) for each in case.applicators]
    return _hash({"file": _file_key(case, case.domain), "applicators": applicators})


def mesh_key(case: Case) -> str:
    """Return a hash of all inputs of the mesh generation."""
    return _hash(_bodies(case) | {"mesh": case.mesh.model_dump(by_alias=True, exclude=_NOT_GENERATION)})


def geometry_key(case: Case) -> str:
    """Return a hash of the bodies that are meshed, independent of the element sizes."""
    return _hash(_bodies(case))


def _bodies(case: Case) -> dict[str, Any]:
    return {
        "recipe": RECIPE,
        "gmsh": gmsh_version(),
        "domain": case.domain.model_dump(by_alias=True, exclude={"tissue"}),
        "boundary": case.boundary.model_dump(),
        "structures": [_shape(each) for each in case.structures],
        "applicators": [
            a.model_dump(by_alias=True, exclude={"model", "metal", "sensor_offset", "sensor_radius", "contact"})
            for a in case.applicators
        ],
        "regions": [part.region for a in case.applicators for part in device_parts(a)],
    }


def _hash(parts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:20]


def _shape(each: Structure) -> dict[str, Any]:
    """Return the inputs of the mesh from a structure.

    For one from a file they include the file's bytes, wherever it is; for an object its distances at fixed points.
    """
    keys = each.model_dump(by_alias=True, exclude=_NOT_SHAPE)
    if isinstance(each, ObjectStructure):
        return keys | {"shape": each.fingerprint(), "conforms": [each.conforms(2), each.conforms(3)]}
    if not isinstance(each, Label | Surface):
        return keys
    key = "image" if isinstance(each, Label) else "surface"
    return {**each.model_dump(by_alias=True, exclude={*_NOT_SHAPE, "file"}), key: image_digest(each.file)}


def gmsh_version() -> str:
    """Return the version of Gmsh, without loading the library if its package metadata is available."""
    try:
        return version("gmsh")
    except PackageNotFoundError:
        import gmsh

        return str(gmsh.__version__)
