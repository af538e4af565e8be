"""Whether a user's mesh contradicts its case: the electrode and the sensors. Pure."""

from __future__ import annotations

import numpy as np

from rfablate.case.geometry.sensor_points import sensor_points
from rfablate.case.tables.schema import Case
from rfablate.mesh.containing_cells import best_cells, refuse_outside
from rfablate.mesh.electrode_match import refuse_other_electrode
from rfablate.mesh.electrode_sensor import place_in_mesh
from rfablate.mesh.mesh_data import MeshData


def refuse_contradiction(case: Case, mesh: MeshData) -> None:
    """Compare a case of `kind = "mesh"` with its mesh.

    Raises:
        CaseError: the applicators are not those of the mesh; each fault has both values and the key.
        MeshError: a temperature sensor is outside the mesh.
    """
    refuse_other_electrode(case, mesh)
    points = np.concatenate([place_in_mesh(mesh, sensor_points(case, each), each) for each in case.applicators])
    _, weights = best_cells(mesh.points, mesh.cells, points)
    refuse_outside(points, weights.min(axis=1), "temperature sensor")
