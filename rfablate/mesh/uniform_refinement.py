"""Uniform refinement of a mesh in slices: each tetrahedron becomes eight, each triangle four. Collective.

The new nodes are the midpoints of the edges. The home of an edge is that of its end with the smaller number; there the
edges of all ranks are collected, sorted and numbered, so that the refined mesh does not depend on the number of ranks.
Four tetrahedra remain at the corners; the octahedron between them is divided in four around its shortest diagonal.
Surfaces keep their facets: a curved surface is approximated as in the mesh before, and volumes and areas are preserved.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from rfablate.arrays import FloatArray, IntArray
from rfablate.errors import MeshError
from rfablate.mesh.mesh_header import MeshHeader
from rfablate.mesh.mesh_slices import MeshSlice, Simplices
from rfablate.mesh.row_blocks import Blocks, compact

_CORNERS = [[0, 4, 5, 6], [4, 1, 7, 8], [5, 7, 2, 9], [6, 8, 9, 3]]
"""Corner tetrahedra; 4 to 9 are the midpoints of the edges (0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)."""
_RINGS = {(4, 9): (5, 6, 8, 7), (5, 8): (4, 6, 9, 7), (6, 7): (4, 5, 9, 8)}
"""The diagonals of the octahedron, and the ring of the other midpoints around each."""
_TETRAHEDRA = np.array(
    [[*_CORNERS, *([*ends, ring[k], ring[(k + 1) % 4]] for k in range(4))] for ends, ring in _RINGS.items()]
)
"""Children of a tetrahedron for each diagonal, shape (3, 8, 4)."""
_CHILDREN = {
    2: np.array([[[0, 2], [2, 1]]]),
    3: np.array([[[0, 3, 4], [3, 1, 5], [4, 5, 2], [3, 5, 4]]]),
    4: _TETRAHEDRA,
}
"""Children of a simplex by its number of corners; its midpoints follow its corners, in the order of `combinations`."""


def refined(mesh: MeshSlice) -> MeshSlice:
    """Return the mesh with every cell and facet divided; the children of a cell have consecutive numbers. Collective.

    Raises:
        MeshError: a facet of a surface belongs to no cell.
    """
    edges = _NumberedEdges(mesh)
    cells = _divided(mesh.cells, edges.of_cells, _shortest(mesh) if mesh.cells.shape[1] == 4 else None)
    facets = {name: _divided(each, edges.midpoints(each, name)) for name, each in mesh.facets.items()}
    total = mesh.nodes.total + edges.blocks.total
    nodes = Blocks.even(mesh.comm, total)
    own = np.concatenate([np.arange(mesh.nodes.first, mesh.nodes.end), edges.numbers])
    there, (rows,) = nodes.deliver(own, np.concatenate([mesh.points, edges.middle]))
    points = np.empty_like(rows)
    points[there] = rows
    children = len(_CHILDREN[mesh.cells.shape[1]][0])
    return replace(
        mesh,
        header=_header(mesh.header, total, children),
        nodes=nodes,
        cells_of=Blocks(mesh.comm, children * mesh.cells_of.starts),
        points=points,
        cells=cells,
        region=np.repeat(mesh.region, children),
        facets=facets,
    )


class _NumberedEdges:
    """The edges of all cells, each at its home."""

    def __init__(self, mesh: MeshSlice) -> None:
        """Collect and number them. Collective."""
        self._nodes = mesh.nodes
        mine, self._shape = self._keys(mesh.cells)
        distinct, place = np.unique(mine, return_inverse=True)
        route = self._nodes.route(distinct // self._nodes.total)
        self._known, number = np.unique(route.send(distinct), return_inverse=True)
        self.blocks = Blocks.of_lengths(mesh.comm, len(self._known))
        self.numbers = mesh.nodes.total + np.arange(self.blocks.first, self.blocks.end)
        """Node numbers of the midpoints of the edges at home here."""
        low, high = np.divmod(self._known, self._nodes.total)
        (far,) = self._nodes.fetch(high, mesh.points)
        self.middle: FloatArray = 0.5 * (mesh.points[low - self._nodes.first] + far)
        self.of_cells: IntArray = route.back(self.numbers[number])[place].reshape(self._shape)
        """Node numbers of the midpoints of each cell's edges."""

    def _keys(self, simplices: Simplices) -> tuple[IntArray, tuple[int, int]]:
        wide = simplices.astype(np.int64)
        pairs = list(combinations(range(simplices.shape[1]), 2))
        ends = [(np.minimum(wide[:, i], wide[:, j]), np.maximum(wide[:, i], wide[:, j])) for i, j in pairs]
        keys = np.stack([low * self._nodes.total + high for low, high in ends], axis=1)
        return keys.ravel(), keys.shape

    def midpoints(self, facets: Simplices, name: str) -> IntArray:
        """Return the node numbers of the midpoints of each facet's edges. Collective.

        Raises:
            MeshError: an edge of a facet belongs to no cell.
        """
        keys, shape = self._keys(facets)
        route = self._nodes.route(keys // self._nodes.total)
        asked = route.send(keys)
        place = np.minimum(np.searchsorted(self._known, asked), max(0, len(self._known) - 1))
        lost = int((self._known[place] != asked).sum()) if len(self._known) else len(asked)
        lost = self._nodes.comm.allreduce(lost)
        if lost:
            raise MeshError(f"surface '{name}' has {lost} edges of facets that belong to no cell of the mesh")
        return np.asarray(route.back(self.numbers[place])).reshape(shape)


def _divided(simplices: Simplices, midpoints: IntArray, kind: Any = None) -> Simplices:
    """Return the children of simplices, of each in turn; `kind` selects one of several divisions."""
    every = np.concatenate([simplices, midpoints], axis=1)
    table = _CHILDREN[simplices.shape[1]]
    children = every[:, table[0]] if kind is None else np.take_along_axis(every[:, None, :], table[kind], axis=2)
    return np.asarray(children.reshape(-1, simplices.shape[1]))


def _shortest(mesh: MeshSlice) -> IntArray:
    """Return the shortest diagonal of the octahedron of each tetrahedron, by its place in `_RINGS`. Collective."""
    numbers, cells = compact(mesh.cells)
    (x,) = mesh.nodes.fetch(numbers, mesh.points)
    a, b, c, d = (x[corner] for corner in cells.T)
    sums = (a + b - c - d, a + c - b - d, a + d - b - c)  # twice the diagonals
    return np.argmin(np.stack([(each**2).sum(axis=1) for each in sums]), axis=0)


def _header(header: MeshHeader, n_points: int, children: int) -> MeshHeader:
    facets = {name: (children // 2) * n for name, n in header.n_facets.items()}
    remark = "refined uniformly: the facets of curved surfaces are divided, not moved onto them"
    remarks = header.remarks if remark in header.remarks else (*header.remarks, remark)
    cells = children * header.n_cells
    return replace(header, n_points=n_points, n_cells=cells, n_facets=facets, remarks=remarks)
