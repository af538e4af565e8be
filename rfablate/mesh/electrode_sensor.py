"""Sensors in the hollow of a needle that is not meshed: they sit on the electrode. Pure.

A user's mesh may have the metal of the needle or a hole in its place. A sensor point in the hole has no temperature; it
becomes the nearest node of the active surface, if this is not farther than `REACH` diameters.
"""

from __future__ import annotations

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.case.tables.geometry_tables import Applicator
from rfablate.mesh.containing_cells import OUTSIDE, best_cells
from rfablate.mesh.mesh_data import MeshData

REACH = 1.0
"""Largest distance to the electrode in outer diameters of the applicator."""


def place_in_mesh(mesh: MeshData, points: FloatArray, applicator: Applicator) -> FloatArray:
    """Return sensor points [m], shape (n, 3), with those in the hollow of the needle on the electrode."""
    _, weights = best_cells(mesh.points, mesh.cells, points)
    active = mesh.points[np.unique(mesh.surfaces["active"])]
    points = points.copy()
    for n in np.flatnonzero(weights.min(axis=1) < OUTSIDE):
        distance = np.round(np.linalg.norm(active - points[n], axis=1), 12)
        if distance.min() <= REACH * applicator.outer_diameter:
            points[n] = active[int(np.argmin(distance))]
    return points
