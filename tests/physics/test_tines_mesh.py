"""Meshes of expandable electrodes: correct metal volume, connected metal, active surface on every tine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rfablate.case.geometry.applicator_parts import in_cannula, tines_of
from rfablate.case.read.case_file import parse_case
from rfablate.mesh.generate import generate_mesh
from rfablate.mesh.mesh_data import MeshData

FAMILIES: dict[str, dict[str, Any]] = {
    "umbrella of eight": {"count": 8, "diameter_mm": 0.4, "offset_mm": 0.65, "length_mm": 22.0, "bend_radius_mm": 7.0},
    "half-open umbrella": {
        **{"count": 4, "diameter_mm": 0.5, "offset_mm": 0.5, "length_mm": 22.0, "bend_radius_mm": 7.0},
        "deployment": 0.5,
    },
    "star out of the side": {"count": 5, "diameter_mm": 0.4, "length_mm": 12.0, "exit_angle_deg": 50.0, "exit_mm": 3.0},
    "bent star": {
        **{"count": 3, "diameter_mm": 0.4, "length_mm": 12.0, "exit_angle_deg": 35.0, "exit_mm": 3.0},
        "bend_radius_mm": 15.0,
        "metal": "nitinol",
    },
}


def electrode_mesh(tines: dict[str, Any], **applicator: Any) -> tuple[MeshData, Any]:
    case = parse_case(
        {
            "domain": {"kind": "cylinder", "radius_mm": 40, "height_mm": 90, "tissue": "liver"},
            "applicators": [{"outer_diameter_mm": 1.9, "active_tip_mm": 8.0, "tines": tines, **applicator}],
            "generator": {"kind": "power", "power_W": 10, "duration_s": 60},
            "mesh": {"accuracy": "draft"},
        }
    )
    return generate_mesh(case), case.applicators[0]


def volumes(data: MeshData) -> np.ndarray:
    edges = data.points[data.cells[:, 1:]] - data.points[data.cells[:, :1]]
    return np.abs(np.linalg.det(edges)) / 6.0


@pytest.mark.parametrize("name", FAMILIES)
def test_every_tine_is_metal_bare_and_joined_to_the_cannula(name: str) -> None:
    """Inscribed polygons reduce the cross-section by a tenth at draft accuracy."""
    data, applicator = electrode_mesh(FAMILIES[name])
    assert data.notes == ()
    metal = np.isin(data.region, [tag for tag, region in data.region_names.items() if region.startswith("cannula")])
    centroids, volume = data.points[data.cells].mean(axis=1), volumes(data)
    on_surface = data.points[np.unique(data.surfaces["active"])]
    for tine in tines_of(applicator):
        beyond = np.linspace(0.0, tine.length, 400)
        free = ~in_cannula(applicator, tine.at(beyond))
        exact = np.pi * tine.radius**2 * tine.length * free.mean()
        own = metal & tine.contains(centroids, slack=0.2 * tine.radius) & ~in_cannula(applicator, centroids)
        assert volume[own].sum() == pytest.approx(exact, rel=0.2)
        end = tine.at(np.array([tine.length]))
        assert np.linalg.norm(on_surface - end, axis=1).min() < 1.05 * tine.radius
    assert pieces(data.cells[metal]) == 1


def pieces(cells: np.ndarray) -> int:
    """Return the number of sets of cells without shared nodes."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    nodes, packed = np.unique(cells, return_inverse=True)
    packed = packed.reshape(cells.shape)
    i, j = np.repeat(packed[:, 0], 3), packed[:, 1:].ravel()
    return int(connected_components(coo_matrix((np.ones(len(i)), (i, j)), (len(nodes), len(nodes))))[0])
