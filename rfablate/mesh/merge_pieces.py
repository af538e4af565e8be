"""Pieces of one region joined to one volume: the faces between them would only constrain the mesh. Root only.

A fragment operation cuts every body at the surface of every other, also where a later body hides it: in
cases/trigeminal the ten regions are 48 pieces, and their inner faces make thin, badly shaped cells.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping

import gmsh
import numpy as np


def merge_pieces(pieces: Mapping[int, int]) -> dict[int, int]:
    """Replace the volumes of the current OpenCASCADE model by one per connected part of a region.

    Args:
        pieces: region number of each volume. The model must be synchronised; it is synchronised again.

    Returns:
        The region number of each new volume.
    """
    faces_of = {tag: _boundary(3, tag) for tag in pieces}
    parts = _parts(pieces, faces_of)
    outer = {part: _outer(part, faces_of) for part in parts}
    inner = {face for faces in faces_of.values() for face in faces} - {f for faces in outer.values() for f in faces}
    gmsh.model.removeEntities([(3, tag) for tag in pieces])
    gmsh.model.removeEntities([(2, face) for face in inner], recursive=True)
    merged, first = {}, max(pieces) + 1
    for number, (part, faces) in enumerate(outer.items()):
        loops = [gmsh.model.geo.addSurfaceLoop(list(shell)) for shell in _shells(faces)]
        merged[int(gmsh.model.geo.addVolume(loops, first + number))] = pieces[part[0]]
    gmsh.model.geo.synchronize()
    return merged


def _boundary(dim: int, tag: int) -> list[int]:
    return [int(each) for _, each in gmsh.model.getBoundary([(dim, tag)], oriented=False)]


def _parts(pieces: Mapping[int, int], faces_of: Mapping[int, list[int]]) -> list[tuple[int, ...]]:
    """Return the pieces of each part: of one region, connected by faces."""
    return _connected({tag: [(pieces[tag], face) for face in faces] for tag, faces in faces_of.items()})


def _outer(part: tuple[int, ...], faces_of: Mapping[int, list[int]]) -> list[int]:
    """Return the faces that bound a part: those of exactly one of its pieces."""
    faces, counts = np.unique([face for tag in part for face in faces_of[tag]], return_counts=True)
    return [int(face) for face in faces[counts == 1]]


def _shells(faces: list[int]) -> list[tuple[int, ...]]:
    """Return the faces of each closed shell, the exterior one first."""
    shells = _connected({face: _boundary(2, face) for face in faces})
    return sorted(shells, key=_diagonal, reverse=True)


def _diagonal(faces: Iterable[int]) -> float:
    boxes = np.array([gmsh.model.getBoundingBox(2, face) for face in faces])
    return float(np.linalg.norm(boxes[:, 3:].max(axis=0) - boxes[:, :3].min(axis=0)))


def _connected(links: Mapping[int, Iterable[Hashable]]) -> list[tuple[int, ...]]:
    """Return the groups of keys that are connected by equal links."""
    members: dict[Hashable, list[int]] = defaultdict(list)
    for key, own in links.items():
        for link in own:
            members[link].append(key)
    left, groups = dict(links), []
    while left:
        group, waiting = [], [next(iter(left))]
        while waiting:
            key = waiting.pop()
            if key in left:
                group.append(key)
                waiting += [other for link in left.pop(key) for other in members[link]]
        groups.append(tuple(group))
    return groups
