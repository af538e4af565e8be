"""The mesh of a case: read, generated or taken from the cache, then distributed."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from mpi4py import MPI

from rfablate.case.geometry import MeshDomain
from rfablate.case.schema import Case
from rfablate.fem.domain import Domain, distribute
from rfablate.fem.meshdata import MeshData
from rfablate.fem.parallel import on_root

RECIPE = 11
"""Raised whenever the meshing code makes other meshes of the same case."""


def build_domain(case: Case, comm: MPI.Comm) -> Domain:
    """Return the distributed mesh of a case. Collective.

    Raises:
        MeshError: on every rank, when rank 0 could not make or read the mesh.
    """
    return distribute(on_root(comm, lambda: make_mesh(case)), comm)


def make_mesh(case: Case) -> MeshData:
    """Return the mesh of a case, from the cache where the same geometry was meshed before. Root only."""
    if isinstance(case.domain, MeshDomain):
        from rfablate.fem.meshfile import read_mesh

        return read_mesh(case.domain)
    path = cache_folder() / f"{mesh_key(case)}.npz"
    if path.is_file():
        try:
            return MeshData.load(path)
        except (OSError, ValueError, KeyError):  # half a file, or one of another version: make it again
            path.unlink(missing_ok=True)
    from rfablate.fem.mesher import generate_mesh

    data = generate_mesh(case)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        data.save(path)
    except OSError:  # a full or read-only cache costs time, nothing else
        pass
    return data


def mesh_key(case: Case) -> str:
    """Return a hash of everything the mesh depends on."""
    import gmsh

    parts = {
        "recipe": RECIPE,
        "gmsh": gmsh.__version__,
        "domain": case.domain.model_dump(by_alias=True, exclude={"tissue"}),
        "boundary": case.boundary.model_dump(),
        "structures": [
            s.model_dump(by_alias=True, exclude={"tissue", "role", "limit", "required_fraction", "held"})
            for s in case.structures
        ],
        "applicators": [
            a.model_dump(by_alias=True, exclude={"model", "metal", "sensor_offset", "sensor_radius"})
            for a in case.applicators
        ],
        "mesh": case.mesh.model_dump(by_alias=True),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:20]


def cache_folder() -> Path:
    """Return the folder of generated meshes."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "rfablate" / "meshes"
