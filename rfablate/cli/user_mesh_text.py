"""What `rfablate check` does with a user's mesh: reads it, compares it with the case and describes it, without MPI."""

from __future__ import annotations

from rfablate.case.tables.geometry_tables import MeshDomain
from rfablate.case.tables.schema import Case
from rfablate.mesh.mesh_against_case import refuse_contradiction
from rfablate.mesh.mesh_table import describe_user_mesh
from rfablate.mesh.structure_overlay import overlay
from rfablate.mesh.user_mesh import read_mesh


def checked_mesh_text(case: Case) -> str:
    """Return the table of the mesh of a case of `kind = "mesh"`.

    Raises:
        MeshError: the mesh cannot be read, or does not fit the tags, the length unit or the sensors of the case.
        CaseError: the applicators are not those of the mesh.
    """
    assert isinstance(case.domain, MeshDomain)
    mesh = read_mesh(case.domain)
    text = describe_user_mesh(case.domain, mesh)
    mesh = overlay(case, mesh)
    refuse_contradiction(case, mesh)
    return "\n".join([text, *(f"  {line}" for line in mesh.remarks), *(f"  warning: {line}" for line in mesh.notes)])
