"""Pieces of a region merged before meshing: same bodies, fewer faces, a conforming mesh."""

from __future__ import annotations

import gmsh
import numpy as np
import pytest

from rfablate.mesh.facets import facet_neighbours
from rfablate.mesh.gmsh_session import gmsh_session, mesh_arrays
from rfablate.mesh.merge_pieces import merge_pieces

SIDE, RADIUS = 4.0, 1.0


def _box_with_crossing_bodies() -> dict[int, int]:
    """Return the pieces of a box (1), a plate through it (2), a ball half in the plate (3), and two balls apart (4)."""
    occ = gmsh.model.occ
    bodies = [
        [(3, occ.addBox(-2, -2, -2, 4, 4, 4))],
        [(3, occ.addBox(-2, -2, -2, 4, 4, 1.7))],
        [(3, occ.addSphere(0, 0, -0.3, RADIUS))],
        [(3, occ.addSphere(x, 1.4, 1.2, 0.4)) for x in (-1.3, 1.3)],
    ]
    flat = [entity for body in bodies for entity in body]
    numbers = [number for number, body in enumerate(bodies, start=1) for _ in body]
    _, cut = occ.fragment(flat[:1], flat[1:])
    occ.synchronize()
    pieces: dict[int, int] = {}
    for number, parts in zip(numbers, cut, strict=True):
        pieces.update({tag: number for _, tag in parts})
    return pieces


@pytest.fixture(scope="module")
def merged() -> tuple[int, int, dict[int, int], np.ndarray, np.ndarray, np.ndarray]:
    """Faces before and after, the volumes, and the mesh of the merged bodies."""
    with gmsh_session():
        pieces = _box_with_crossing_bodies()
        before = len(gmsh.model.getEntities(2))
        volumes = merge_pieces(pieces)
        after = len(gmsh.model.getEntities(2))
        gmsh.option.setNumber("Mesh.MeshSizeMax", 0.2)
        gmsh.option.setNumber("Mesh.Algorithm3D", 10)
        gmsh.model.mesh.generate(3)
        points, cells, entity = mesh_arrays(3)
    return before, after, volumes, points, cells, np.array([volumes[tag] for tag in entity])


def test_one_volume_for_each_connected_part(merged):
    """The ball was two pieces, the balls apart stay two volumes of one region."""
    before, after, volumes, *_ = merged
    assert sorted(volumes.values()) == [1, 2, 3, 4, 4]
    assert after < before


def test_regions_keep_their_volumes(merged):
    """Exact volumes of box, plate and balls, less what the facets of a ball cut off."""
    *_, points, cells, region = merged
    volume = np.abs(np.linalg.det(points[cells[:, 1:]] - points[cells[:, :1]])) / 6.0
    found = np.bincount(region, volume)[1:]
    ball = 4.0 / 3.0 * np.pi * RADIUS**3
    cap = ball / 2.0  # the plate ends at the centre of the ball
    apart = 2 * 4.0 / 3.0 * np.pi * 0.4**3
    exact = np.array([SIDE**2 * 2.3 - cap - apart, SIDE**2 * 1.7 - cap, ball, apart])
    assert found.sum() == pytest.approx(SIDE**3, rel=1e-10)
    assert found[:3] == pytest.approx(exact[:3], rel=0.03)
    assert found[3] == pytest.approx(exact[3], rel=0.15)  # 1.25 (h / D)^2 is 8 %
    assert (found[2:] < exact[2:]).all()


def test_no_face_is_left_inside_a_region(merged):
    """The plane of the plate cuts the merged ball no more: cells cross it."""
    *_, points, cells, region = merged
    z = points[cells[region == 3]][:, :, 2]
    assert ((z.min(axis=1) < -0.3 - 1e-6) & (z.max(axis=1) > -0.3 + 1e-6)).any()


def test_the_mesh_conforms(merged):
    """Every inner facet belongs to exactly two cells, and the outer ones form the surface of the box."""
    *_, points, cells, _ = merged
    facets, _, _, more = facet_neighbours(cells)
    assert more == 0
    outer = 4 * len(cells) - 2 * len(facets)
    on_side = [np.isclose(np.abs(points[:, k]), SIDE / 2) for k in range(3)]
    flat = sum(int(side[np.delete(cells, k, axis=1)].all(axis=1).sum()) for side in on_side for k in range(4))
    assert outer == flat
