"""Checks of the cells of a user's mesh: no flat cells, no folded neighbours, no overlapping cells. Pure.

Nodes may be numbered in either orientation. Two cells that share a facet must lie on opposite sides of it; then the sum
of the cells' volumes is the volume that the boundary encloses by the divergence theorem. Overlapping parts without a
common facet are found by points: the centroids of some cells are searched in all other cells.
"""

from __future__ import annotations

from itertools import pairwise
from math import factorial

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

from rfablate.arrays import FloatArray, IntArray
from rfablate.errors import MeshError
from rfablate.mesh.facets import facet_neighbours

_FLAT = 1e-10
"""Ratio of volume to the cube of the longest edge (area to its square) below which a cell counts as flat."""
_SAMPLES = 5000
_INSIDE = 1e-6


def refuse_tangled(points: FloatArray, cells: IntArray, name: str) -> None:
    """Check the cells of a mesh file, in its own length unit.

    Raises:
        MeshError: cells are flat, folded or overlap; the message has their number and the position of the first.
    """
    dim = cells.shape[1] - 1
    x = points[:, :dim]
    edges = x[cells[:, 1:]] - x[cells[:, :1]]
    volume = np.abs(np.linalg.det(edges)) / factorial(dim)
    longest = np.max([np.linalg.norm(x[cells[:, a]] - x[cells[:, b]], axis=1) for a, b in _pairs(dim)], axis=0)
    flat = volume <= _FLAT * longest**dim
    if flat.any():
        raise _fault(name, flat, x, cells, "have no volume: their nodes lie in one plane, line or point")
    facets, first, second, alone_twice = facet_neighbours(cells)
    if alone_twice:
        raise MeshError(f"{name}: {alone_twice} facets belong to three cells or more; cells overlap")
    same = _side(x, facets, x[_opposite(cells[first], facets)]) * _side(x, facets, x[_opposite(cells[second], facets)])
    folded = np.zeros(len(cells), dtype=bool)
    folded[first[same >= 0.0]] = True
    if folded.any():
        excess = f"the sum of the cells' volumes is {volume.sum():.6g}"
        raise _fault(
            name,
            folded,
            x,
            cells,
            f"lie on the same side of a facet as their neighbour, so that they overlap; {excess}",
        )
    inside = _inside_others(x, cells, volume)
    if inside.any():
        raise _fault(name, inside, x, cells, f"(of {min(_SAMPLES, len(cells))} tested) lie inside other cells")


def _pairs(dim: int) -> list[tuple[int, int]]:
    return [(a, b) for a in range(dim + 1) for b in range(a)]


def _opposite(cells: IntArray, facets: IntArray) -> IntArray:
    """Return for each cell the node that is not in its facet."""
    return np.asarray(cells.sum(axis=1) - facets.sum(axis=1))


def _side(x: FloatArray, facets: IntArray, apex: FloatArray) -> FloatArray:
    """Return on which side of its facet each apex lies, by sign."""
    spans = x[facets[:, 1:]] - x[facets[:, :1]]
    return np.sign(np.linalg.det(np.concatenate([spans, (apex - x[facets[:, 0]])[:, None]], axis=1)))


def _inside_others(x: FloatArray, cells: IntArray, volume: FloatArray) -> npt.NDArray[np.bool_]:
    """Return which cells of an evenly spread sample have their centroid in another cell."""
    centre = x[cells].mean(axis=1)
    radius = np.linalg.norm(x[cells] - centre[:, None], axis=2).max(axis=1)
    tried = np.unique(np.linspace(0, len(cells) - 1, _SAMPLES).astype(np.int64))
    found = np.zeros(len(cells), dtype=bool)
    bounds = np.geomspace(
        radius.min(), radius.max() * 1.0001, 1 + max(1, int(np.log2(radius.max() / radius.min()) + 1))
    )
    for low, high in pairwise(bounds):  # cells of one size at a time, so that few are inside a ball
        sized = np.flatnonzero((radius >= low) & (radius < high))
        if len(sized) == 0:
            continue
        near = KDTree(centre[sized]).query_ball_point(centre[tried], high)
        point = np.repeat(tried, [len(each) for each in near])
        cell = sized[np.concatenate([np.asarray(each, dtype=np.int64) for each in near])]
        point, cell = point[point != cell], cell[point != cell]
        origin = x[cells[cell, 0]]
        edges = x[cells[cell, 1:]] - origin[:, None]
        shares = np.linalg.solve(np.swapaxes(edges, 1, 2), (centre[point] - origin)[:, :, None])[:, :, 0]
        within = (shares > _INSIDE).all(axis=1) & (shares.sum(axis=1) < 1.0 - _INSIDE)
        found[point[within]] = True
    return found


def _fault(name: str, marked: npt.NDArray[np.bool_], x: FloatArray, cells: IntArray, what: str) -> MeshError:
    first = int(np.flatnonzero(marked)[0])
    where = ", ".join(f"{value:.5g}" for value in x[cells[first]].mean(axis=0))
    return MeshError(
        f"{name}: {int(marked.sum())} of {len(cells)} cells {what}; the first is number {first + 1}, around ({where}) "
        "in the file's unit; mesh the geometry again, after removing duplicate faces and overlapping volumes"
    )
