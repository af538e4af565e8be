"""The mesh of a case: read, generated or loaded from the cache, then distributed."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mpi4py import MPI

from rfablate.case.geometry.applicator_parts import device_parts
from rfablate.case.tables.geometry_tables import Label, MeshDomain, Structure, Surface
from rfablate.case.tables.label_image import image_digest
from rfablate.case.tables.schema import Case
from rfablate.kernels.cache_folder import cache_folder
from rfablate.mesh.domain import Domain, distribute
from rfablate.mesh.mesh_data import MeshData
from rfablate.mesh.root_tasks import on_root

RECIPE = 16
"""Version of the meshing code; increase it if the mesh of any case changes, to invalidate the cache."""
UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)
"""Errors of reading an incomplete or damaged cached mesh."""
_NOT_SHAPE = {"tissue", "role", "limit", "required_fraction", "held", "flow", "sigma_along"}
"""Keys of a structure that do not affect the mesh."""


def build_domain(case: Case, comm: MPI.Comm) -> Domain:
    """Return the distributed mesh of a case. Collective.

    Raises:
        MeshError, CaseError: on every rank, if rank 0 cannot generate or read the mesh, or it contradicts the case.
    """
    return distribute(on_root(comm, lambda: make_mesh(case)), comm)


def make_mesh(case: Case) -> MeshData:
    """Return the mesh of a case, from the cache if the same geometry or file was processed before. Root only.

    Raises:
        MeshError: it cannot be generated or read.
        CaseError: the applicators are not those of the user's mesh.
    """
    if not isinstance(case.domain, MeshDomain):
        return _cached(case, mesh_key(case))
    from rfablate.mesh.mesh_against_case import refuse_contradiction  # imports scipy.optimize, which takes 0.2 s

    data = _cached(case, _file_key(case.domain))
    refuse_contradiction(case, data)
    return data


def _cached(case: Case, key: str) -> MeshData:
    path = cache_folder("meshes") / f"{key}.npz"
    if path.is_file():
        try:
            return MeshData.load(path)
        except UNREADABLE:  # incomplete, or of another version: generate it again
            path.unlink(missing_ok=True)
    data = _make(case)
    try:
        data.save(path)
    except OSError:  # a full or read-only cache only costs time
        for part in path.parent.glob(f"{path.name}.{os.getpid()}.*"):
            part.unlink(missing_ok=True)
    return data


def _make(case: Case) -> MeshData:
    if isinstance(case.domain, MeshDomain):
        from rfablate.mesh.user_mesh import read_mesh

        return read_mesh(case.domain)
    from rfablate.mesh.generate import generate_mesh

    return generate_mesh(case, cache_folder("meshes") / f"{geometry_key(case)}.brep")


def _file_key(domain: MeshDomain) -> str:
    """Return a hash of a mesh file and of its mapping in the case; of a missing file, a hash of its path."""
    digest = hashlib.sha256(f"{RECIPE} {domain.model_dump_json(by_alias=True, exclude={'file'})}".encode())
    path = Path(domain.file)
    if path.is_file():
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
        digest.update(path.suffix.encode())
    else:
        digest.update(str(path).encode())
    return digest.hexdigest()[:20]


def mesh_key(case: Case) -> str:
    """Return a hash of all inputs of the mesh generation."""
    return _hash(_bodies(case) | {"mesh": case.mesh.model_dump(by_alias=True, exclude={"max_cells", "width_percent"})})


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
    """Return the inputs of the mesh from a structure; for one from a file the file's bytes, wherever it is."""
    if not isinstance(each, Label | Surface):
        return each.model_dump(by_alias=True, exclude=_NOT_SHAPE)
    key = "image" if isinstance(each, Label) else "surface"
    return {**each.model_dump(by_alias=True, exclude={*_NOT_SHAPE, "file"}), key: image_digest(each.file)}


def gmsh_version() -> str:
    """Return the version of Gmsh, without loading the library if its package metadata is available."""
    try:
        return version("gmsh")
    except PackageNotFoundError:
        import gmsh

        return str(gmsh.__version__)
