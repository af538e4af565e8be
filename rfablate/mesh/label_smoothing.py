"""Smooth interfaces of labels and surfaces: the nodes between two regions move onto the surface. Root only.

The interfaces between cells assigned to labels or surfaces are stepped. Each node of such an interface moves along the
gradient of the signed distance (of a label: smoothed over about a voxel) to the distance at which the volume of the
structure in the mesh is conserved, and along the surface towards the mean position of its neighbours. No cell falls
below a lower limit of quality: moves that cause this are shortened or omitted; in the worst case the steps remain.
Nodes of devices, of the outer surface, of surfaces that the mesh already conforms to, and of lines where three regions
meet do not move.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rfablate.arrays import FloatArray, IntArray
from rfablate.case.tables.geometry_tables import Label, Structure, Surface
from rfablate.case.tables.label_shapes import smooth_label_distance
from rfablate.case.tables.shape_math import offset_and_normal
from rfablate.case.tables.surface_shapes import surface_offset
from rfablate.mesh.mesh_data import NumberedMesh

RegionArray = npt.NDArray[np.int32]

FLOOR = 0.2
"""Lower limit of the quality of a cell after a move: 1 for a regular tetrahedron, 0 for a flat one."""
_FIRST_FLOOR = 0.4
"""Lower limit in the first round; it decreases to the last, because cells at the limit block further moves."""
_ROUNDS, _MOST_ROUNDS = 14, 30
"""Number of rounds until the limit has its lowest value, and largest number; rounds end when all volumes are right."""
_GAIN, _NEAR = 0.5, 0.005
"""Gain of the volume control, and the allowed relative difference."""
_LAST = 5
"""Number of rounds at the end without moves along the surface."""
_TOWARDS = 0.6
"""Fraction of the distance to the surface that a node moves per round."""
_ALONG = 0.3
"""Fraction of the distance to the mean position of the neighbours that a node moves per round."""
_LONGEST = 0.35
"""Ratio of the longest move per round to the node's shortest edge."""
_HALVINGS = 4
_TRIES = 3
"""Number of attempts, each without the interfaces of labels that lost volume before; then all steps remain."""
_FINE = 1.2
"""Largest ratio of the shortest edge of a moving node to the thickness of the thinner of its regions."""
_LOST = 0.02
"""Largest relative change of the volume of a label."""
_SMOOTH = 0.3
"""Fraction of the nodes on a label's surface that must move; those on lines where three regions meet never do."""
_EDGES = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))


@dataclass(frozen=True)
class _Interface:
    """Nodes that may move, the label whose surface each lies on, and their neighbours in the interface."""

    nodes: IntArray
    label: RegionArray
    edges: IntArray
    """Pairs of nodes, each in both directions, shape (n, 2)."""


def smooth_interfaces(mesh: NumberedMesh, labels: Mapping[int, Structure]) -> FloatArray:
    """Return the nodes after moving those between a label and one other region; labels that lose volume stay stepped.

    Args:
        mesh: tetrahedra with the label of each cell.
        labels: by region number; an interface belongs to the region with the higher number.
    """
    points, cells, region = mesh.points, mesh.cells.copy(), mesh.region
    inside_out = _volumes(points[cells]) < 0.0
    cells[inside_out] = cells[inside_out][:, [1, 0, 2, 3]]
    mesh = replace(mesh, cells=cells)
    stiff: set[int] = set()
    for _ in range(_TRIES):
        moved = _smoothed(mesh, labels, stiff)
        lost = {n for n in labels if n not in stiff and _change(points, moved, cells[region == n]) > _LOST}
        if not lost:
            return moved
        stiff |= lost
    return points


def stepped_labels(mesh: NumberedMesh, after: FloatArray, labels: Mapping[int, Structure]) -> tuple[str, ...]:
    """Return the names of the labels whose surfaces kept their steps: less than `_SMOOTH` of their nodes moved."""
    before, cells, region = mesh.points, mesh.cells, mesh.region
    moved = (before != after).any(axis=1)
    found = []
    for number, label in labels.items():
        own = region == number
        inside, outside = (np.zeros(len(before), dtype=bool) for _ in range(2))
        inside[cells[own].ravel()] = True
        outside[cells[~own].ravel()] = True
        surface = inside & outside
        if surface.any() and moved[surface].mean() < _SMOOTH:
            found.append(label.name)
    return tuple(found)


def _change(before: FloatArray, after: FloatArray, own: IntArray) -> float:
    """Return the relative change of the volume of some cells."""
    if not len(own):
        return 0.0
    volume = float(_volumes(before[own]).sum())
    return abs(float(_volumes(after[own]).sum()) / volume - 1.0)


def _smoothed(mesh: NumberedMesh, labels: Mapping[int, Structure], stiff: Collection[int]) -> FloatArray:
    points, cells, region = mesh.points, mesh.cells, mesh.region
    interface = _interface(mesh, labels, stiff)
    if not len(interface.nodes):
        return points
    moving = np.zeros(len(points), dtype=bool)
    moving[interface.nodes] = True
    near = cells[moving[cells].any(axis=1)]
    first = tet_quality(points[near])
    floors = np.r_[np.linspace(_FIRST_FLOOR, FLOOR, _ROUNDS), np.full(_MOST_ROUNDS - _ROUNDS, FLOOR)]
    shortest = _shortest_edges(points, near)
    own = {n: cells[region == n] for n in labels if np.any(interface.label == n)}
    wanted = {n: float(_volumes(points[each]).sum()) for n, each in own.items()}
    area = {n: _area(points, each) for n, each in own.items()}
    offset = dict.fromkeys(own, 0.0)
    best, least = points, np.inf
    for number in range(_MOST_ROUNDS):
        move = _moves(points, interface, labels, offset, _ALONG if number < _ROUNDS - _LAST else 0.0)
        length = np.linalg.norm(move, axis=1)
        most = _LONGEST * shortest[interface.nodes]
        move *= np.minimum(1.0, most / np.maximum(length, 1e-30))[:, None]
        points = _guarded(points, interface.nodes, move, near, np.minimum(first, floors[number]))
        missing = {n: wanted[n] - float(_volumes(points[each]).sum()) for n, each in own.items()}
        for n in own:
            offset[n] += _GAIN * missing[n] / area[n]
        worst = max(abs(missing[n]) / wanted[n] for n in own)
        if number >= _ROUNDS - 2 and worst < least:
            best, least = points, worst
        if least < _NEAR:
            break
    return best


def tet_quality(corners: FloatArray) -> FloatArray:
    """Return the mean ratio of tetrahedra (n, 4, 3): 12 (3 V)^(2/3) / sum of squared edges; negative if inverted."""
    volume = _volumes(corners)
    squares = sum(((corners[:, a] - corners[:, b]) ** 2).sum(axis=1) for a, b in _EDGES)
    return np.asarray(np.sign(volume) * 12.0 * np.cbrt(3.0 * np.abs(volume)) ** 2 / squares)


def _volumes(corners: FloatArray) -> FloatArray:
    a, b, c = (corners[:, n] - corners[:, 0] for n in (1, 2, 3))
    return np.asarray((a * np.cross(b, c)).sum(axis=1) / 6.0)


def _interface(mesh: NumberedMesh, labels: Mapping[int, Structure], stiff: Collection[int]) -> _Interface:
    """Return the nodes that may move: not those of regions that are `stiff` or thinner than the cells."""
    cells, region, count = mesh.cells, mesh.region, len(mesh.points)
    pairs = np.unique(np.column_stack([cells.ravel(), np.repeat(region, 4)]), axis=0)
    seen = np.bincount(pairs[:, 0], minlength=count)
    highest = np.zeros(count, dtype=np.int32)
    np.maximum.at(highest, pairs[:, 0], pairs[:, 1].astype(np.int32))
    faces, owners = _inner_faces(cells, region)
    outer = np.ones(count, dtype=bool)
    outer[:] = False
    outer[faces[owners[:, 1] < 0]] = True
    thickness = np.full(int(region.max()) + 1, np.inf)
    for number, shape in labels.items():
        thickness[number : number + 1] = 0.0 if number in stiff else (shape.thinnest() or 0.0)
    thinnest = np.full(count, np.inf)
    np.minimum.at(thinnest, pairs[:, 0], thickness[pairs[:, 1]])
    fine = _shortest_edges(mesh.points, cells) < _FINE * thinnest
    free = fine & (seen == 2) & np.isin(highest, list(labels)) & (highest < mesh.first_device) & ~outer
    between = faces[(owners[:, 1] >= 0) & (owners[:, 0] != owners[:, 1])]
    edges = np.concatenate([between[:, [a, b]] for a in range(3) for b in range(3) if a != b])
    edges = np.unique(edges[free[edges[:, 0]]], axis=0)
    nodes = np.flatnonzero(free)
    return _Interface(nodes, highest[nodes], edges)


def _inner_faces(cells: IntArray, region: RegionArray) -> tuple[IntArray, RegionArray]:
    """Return each face once with the regions on its two sides, the second -1 on the outer surface."""
    faces = np.sort(
        np.concatenate([cells[:, [1, 2, 3]], cells[:, [0, 2, 3]], cells[:, [0, 1, 3]], cells[:, [0, 1, 2]]])
    )
    faces = np.sort(faces, axis=1)
    order = np.lexsort(faces.T[::-1])
    faces, side = faces[order], np.tile(region, 4)[order]
    same = np.r_[(faces[1:] == faces[:-1]).all(axis=1), False]
    second = np.r_[False, same[:-1]]
    owners = np.column_stack([side, np.where(same, np.roll(side, -1), -1)]).astype(np.int32)
    return faces[~second], owners[~second]


def _area(points: FloatArray, own: IntArray) -> float:
    """Return the area of the surface of some cells [m2]."""
    faces, owners = _inner_faces(own, np.ones(len(own), dtype=np.int32))
    corner = points[faces[owners[:, 1] < 0]]
    return float(0.5 * np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1).sum())


def _shortest_edges(points: FloatArray, cells: IntArray) -> FloatArray:
    shortest = np.full(len(points), np.inf)
    for a, b in _EDGES:
        length = np.linalg.norm(points[cells[:, a]] - points[cells[:, b]], axis=1)
        np.minimum.at(shortest, cells[:, a], length)
        np.minimum.at(shortest, cells[:, b], length)
    return shortest


def _moves(
    points: FloatArray,
    interface: _Interface,
    labels: Mapping[int, Structure],
    offset: Mapping[int, float],
    along_part: float,
) -> FloatArray:
    """Return the move that each node of the interface would make, `along_part` of it along the surface."""
    x, along = points[interface.nodes], _to_middle(points, interface.nodes, interface.edges)
    move = np.zeros_like(x)
    for number in offset:
        own = interface.label == number
        distance, normal = _offset(labels[number], x[own])
        tangent = along[own] - (along[own] * normal).sum(axis=1)[:, None] * normal
        move[own] = _TOWARDS * (offset[number] - distance)[:, None] * normal + along_part * tangent
    return move


def _offset(shape: Structure, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the signed distance of points to a structure's surface, and the outward normals there."""
    if isinstance(shape, Label):
        return smooth_label_distance(shape, x)
    if isinstance(shape, Surface):
        return surface_offset(shape, x)
    return offset_and_normal(shape.distance, x, step=1e-3 * (shape.thinnest() or 1.0))


def _to_middle(points: FloatArray, nodes: IntArray, edges: IntArray) -> FloatArray:
    """Return the vector from each node to the mean position of its neighbours."""
    count = np.bincount(edges[:, 0], minlength=len(points))[nodes, None]
    total = [np.bincount(edges[:, 0], points[edges[:, 1], d], len(points)) for d in range(3)]
    middle = np.stack(total, axis=1)[nodes] / np.maximum(count, 1)
    return np.asarray(np.where(count > 0, middle - points[nodes], 0.0))


def _guarded(points: FloatArray, nodes: IntArray, move: FloatArray, near: IntArray, floor: FloatArray) -> FloatArray:
    """Return the nodes after the moves; moves that degrade a cell too much are halved, then omitted."""
    part = np.zeros(len(points))
    part[nodes] = 1.0
    whole = np.zeros_like(points)
    whole[nodes] = move
    for halving in range(_HALVINGS + 64):
        moved = points + part[:, None] * whole
        spoiled = tet_quality(moved[near]) < floor - 1e-12
        if not spoiled.any():
            return moved
        blamed = np.unique(near[spoiled])
        part[blamed] = part[blamed] * 0.5 if halving < _HALVINGS else 0.0
    return points
