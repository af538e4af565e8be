"""The mesh of a case: read, generated or taken from the cache, then distributed."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from mpi4py import MPI

from rfablate.case.geometry.applicator_parts import device_parts
from rfablate.case.geometry.label_image import image_digest
from rfablate.case.tables.geometry_tables import Label, MeshDomain, Structure
from rfablate.case.tables.schema import Case
from rfablate.mesh.domain import Domain, distribute
from rfablate.mesh.mesh_data import MeshData
from rfablate.mesh.root_tasks import on_root

RECIPE = 14
"""Raised whenever the meshing code makes other meshes of the same case."""
_NOT_SHAPE = {"tissue", "role", "limit", "required_fraction", "held", "flow", "sigma_along"}
"""What a structure has that its mesh does not depend on."""


def build_domain(case: Case, comm: MPI.Comm) -> Domain:
    """Return the distributed mesh of a case. Collective.

    Raises:
        MeshError: on every rank, when rank 0 could not make or read the mesh.
    """
    return distribute(on_root(comm, lambda: make_mesh(case)), comm)


def make_mesh(case: Case) -> MeshData:
    """Return the mesh of a case, from the cache where the same geometry or file was met before. Root only."""
    key = _file_key(case.domain) if isinstance(case.domain, MeshDomain) else mesh_key(case)
    path = cache_folder() / f"{key}.npz"
    if path.is_file():
        try:
            return MeshData.load(path)
        except (OSError, ValueError, KeyError):  # half a file, or one of another version: make it again
            path.unlink(missing_ok=True)
    data = _make(case)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        data.save(path)
    except OSError:  # a full or read-only cache costs time, nothing else
        pass
    return data


def _make(case: Case) -> MeshData:
    if isinstance(case.domain, MeshDomain):
        from rfablate.mesh.user_mesh import read_mesh

        return read_mesh(case.domain)
    from rfablate.mesh.generate import generate_mesh

    return generate_mesh(case)


def _file_key(domain: MeshDomain) -> str:
    """Return a hash of a mesh file's bytes and of how the case maps it; a missing file has the key of none."""
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
    """Return a hash of everything the mesh depends on."""
    import gmsh

    parts = {
        "recipe": RECIPE,
        "gmsh": gmsh.__version__,
        "domain": case.domain.model_dump(by_alias=True, exclude={"tissue"}),
        "boundary": case.boundary.model_dump(),
        "structures": [_shape(each) for each in case.structures],
        "applicators": [
            a.model_dump(by_alias=True, exclude={"model", "metal", "sensor_offset", "sensor_radius", "contact"})
            for a in case.applicators
        ],
        "regions": [part.region for a in case.applicators for part in device_parts(a)],
        "mesh": case.mesh.model_dump(by_alias=True),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:20]


def _shape(each: Structure) -> dict[str, Any]:
    """Return what the mesh depends on of a structure; of a label the image's bytes, wherever the file is."""
    if not isinstance(each, Label):
        return each.model_dump(by_alias=True, exclude=_NOT_SHAPE)
    return {**each.model_dump(by_alias=True, exclude={*_NOT_SHAPE, "file"}), "image": image_digest(each.file)}


def cache_folder() -> Path:
    """Return the folder of generated meshes."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "rfablate" / "meshes"
