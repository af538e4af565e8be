"""`applicators = "from mesh"`: the applicator is the needle that the active surface of the user's mesh shows.

The reader of meshes lies above the tables of a case and is loaded by name, only for such cases.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rfablate.case.tables.geometry_tables import MeshDomain
from rfablate.errors import CaseError, Fault, MeshError

FROM_MESH = "from mesh"


def expand_mesh_applicators(data: dict[str, Any], base_dir: Path) -> None:
    """Replace `applicators = "from mesh"` by the applicator that the mesh shows.

    Raises:
        CaseError: the domain is no mesh, or the mesh does not show one needle.
    """
    if data.get("applicators") != FROM_MESH:
        return
    domain = data.get("domain")
    if not isinstance(domain, dict) or domain.get("kind") != "mesh":
        raise CaseError([Fault("applicators", f'found "{FROM_MESH}"', "[[applicators]] tables; no user mesh here")], "")
    try:
        spec = MeshDomain.model_validate({**domain, "file": str((base_dir / str(domain.get("file"))).resolve())})
    except (ValidationError, OSError, ValueError):
        data["applicators"] = [{"outer_diameter_mm": 1.0, "active_tip_mm": 5.0}]  # the domain's faults are reported
        return
    try:
        found = import_module("rfablate.mesh.electrode_applicator").applicator_from_mesh(spec)
    except MeshError as error:
        fault = Fault("applicators", f'found "{FROM_MESH}": {error}', "a mesh whose active surface is one needle")
        raise CaseError([fault], "") from None
    data["applicators"] = [found]
