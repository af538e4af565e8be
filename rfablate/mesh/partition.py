"""Mesh partition: each rank gets nodes and the cells that touch them, from slices of the mesh on all ranks. Collective.

A time step works row by row, so the cost of a node is that of its row: a constant plus its number of neighbours. Two
partitioners of nodes: recursive coordinate bisection (bisection.py) of this cost, and SCOTCH through DOLFINx on the
graph of the nodes, without costs. Cells follow: a rank stores every cell that touches one of its nodes, so it assembles
its rows alone, and ranks exchange only the values of ghost nodes. (DOLFINx's own distribution of a mesh would partition
cells, with the ghosts of facets only.) Cells at the interface are computed on several ranks; for counts and integrals a
cell belongs to the lowest rank that owns one of its nodes.

On each rank nodes are in reverse Cuthill-McKee order, so that neighbours are close in memory, and sorted by row length
in groups of WINDOW, so that the rows in a slice of a matrix have similar lengths.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from dolfinx import graph
from mpi4py import MPI
from scipy.sparse.csgraph import reverse_cuthill_mckee

from rfablate.arrays import BoolArray, FloatArray, IntArray
from rfablate.mesh.bisection import bisect
from rfablate.mesh.mesh_slices import MeshSlice, Simplices
from rfablate.mesh.row_blocks import Blocks, Route, compact

Partitioner = Literal["bisection", "scotch"]

WINDOW = 64
"""Nodes per group in which rows are sorted by length: 64 give 3 % padding of slices, 8 give 20 %."""
NO_GHOSTS = False
"""Argument of DOLFINx's partitioners, which have no keywords."""
ROW_COST = 8.0
"""Cost of a row in addition to its entries, in entries: vectors that are read and written."""


@dataclass(frozen=True)
class RankMesh:
    """One rank's part of a mesh; local node numbers: owned nodes first, then ghosts sorted by global number."""

    owned: int
    first: int
    """Global number of the first owned node; the owned nodes are numbered consecutively."""
    ghosts: IntArray
    """Global numbers of the ghosts, ascending."""
    ghost_owners: npt.NDArray[np.int32]
    input_node: IntArray
    points: FloatArray
    cells: npt.NDArray[np.int32]
    """Cells of this rank, then cells of other ranks that touch its nodes, in local node numbers."""
    owned_cells: int
    input_cell: IntArray
    region: npt.NDArray[np.int32]
    surfaces: dict[str, npt.NDArray[np.bool_]]


def make_part(mesh: MeshSlice, partitioner: Partitioner = "bisection") -> RankMesh:
    """Return this rank's part of a mesh. Collective."""
    mine = _Corners(mesh.nodes, mesh.cells)
    owner = _bisected(mesh, mine) if partitioner == "bisection" else _by_scotch(mesh, mine)
    received = _received(mesh, mine, owner)
    del mine
    return _arrange(mesh, received)


class _Corners:
    """Cells with compact node numbers, and the input number of each of these nodes, ascending."""

    def __init__(self, nodes: Blocks, cells: Simplices) -> None:
        self.n_corners = cells.shape[1]
        if nodes.comm.size == 1:  # every node belongs to a cell
            self.nodes, self.cells = np.arange(nodes.total), cells.astype(np.int32, copy=False)
            return
        self.nodes, self.cells = compact(cells)

    def graph(self) -> sp.csr_matrix:
        """Return the adjacency of these nodes in these cells."""
        return _graph(self.cells, len(self.nodes))


@dataclass(frozen=True)
class _Received:
    """The cells that touch this rank's nodes, by ascending input number, and the owner of each node of its block."""

    cell: IntArray
    region: npt.NDArray[np.int32]
    corners: _Corners
    owner: npt.NDArray[np.int32]


def _bisected(mesh: MeshSlice, mine: _Corners) -> npt.NDArray[np.int32]:
    """Return the owner of each node of this rank's block, by bisection of the cost of rows. Collective."""
    if mesh.comm.size == 1:
        return np.zeros(mesh.nodes.total, dtype=np.int32)
    count = np.bincount(mine.cells.ravel(), minlength=len(mine.nodes)).astype(np.float64)
    there, (counts,) = mesh.nodes.deliver(mine.nodes, count)
    cells = np.bincount(there, counts, mesh.nodes.length).astype(np.float64)
    cost = row_cost(cells, mine.n_corners)
    return bisect(mesh.points, cost, mesh.comm.size, mesh.comm)


def row_cost(cells: FloatArray, n_corners: int) -> FloatArray:
    """Return the cost of the row of nodes from their number of cells, as if they were inside the mesh.

    An inner node has as many neighbours as triangles, and by Euler's formula 2 more than half the number of tetrahedra.
    """
    return ROW_COST + 1.0 + (cells if n_corners == 3 else 0.5 * cells + 2.0)


def _by_scotch(mesh: MeshSlice, mine: _Corners) -> npt.NDArray[np.int32]:
    """Return the owner of each node of this rank's block, by SCOTCH on the graph of the nodes. Collective."""
    comm, nodes = mesh.comm, mesh.nodes
    local = sp.coo_matrix(mine.graph())
    off = local.row != local.col
    there, (others,) = nodes.deliver(mine.nodes[local.row[off]], mine.nodes[local.col[off]])
    order = np.lexsort((others, there))
    there, others = there[order], others[order]
    new = np.ones(len(there), dtype=bool)
    new[1:] = (there[1:] != there[:-1]) | (others[1:] != others[:-1])
    offsets = np.concatenate([[0], np.cumsum(np.bincount(there[new], minlength=nodes.length))]).astype(np.int32)
    parts = graph.partitioner_scotch()(  # type: ignore[attr-defined]
        comm, comm.size, graph.adjacencylist(others[new], offsets), NO_GHOSTS
    )
    owner = np.asarray(parts.array, dtype=np.int32)
    owned = np.bincount(owner, minlength=comm.size)
    comm.Allreduce(MPI.IN_PLACE, owned)
    # In a tiny mesh SCOTCH may leave a rank without nodes.
    return owner if owned.all() else _bisected(mesh, mine)


def _received(mesh: MeshSlice, mine: _Corners, owner: npt.NDArray[np.int32]) -> _Received:
    """Return the cells that touch this rank's nodes. Collective."""
    numbers = np.arange(mesh.cells_of.first, mesh.cells_of.end)
    if mesh.comm.size == 1:
        return _Received(numbers, mesh.region, mine, owner)
    (of_node,) = mesh.nodes.fetch(mine.nodes, owner)
    ranks = np.sort(of_node[mine.cells], axis=1)
    first = np.ones(ranks.shape, dtype=bool)
    first[:, 1:] = ranks[:, 1:] != ranks[:, :-1]
    rows = np.repeat(np.arange(len(ranks), dtype=np.int32), first.sum(axis=1))
    route = Route(mesh.comm, ranks[first])
    del ranks, first
    cell, region = route.send(numbers[rows]), route.send(mesh.region[rows])
    return _Received(cell, region, _Corners(mesh.nodes, route.send(mesh.cells[rows])), owner)


def _arrange(mesh: MeshSlice, received: _Received) -> RankMesh:
    """Number the nodes and sort the cells. Collective."""
    comm, corners = mesh.comm, received.corners
    of_node, points, marks = mesh.nodes.fetch(corners.nodes, received.owner, mesh.points, _marks(mesh))
    inside = np.flatnonzero(of_node == comm.rank)
    rows = corners.graph()
    near = inside[reverse_cuthill_mckee(rows[inside][:, inside] if comm.size > 1 else rows, symmetric_mode=True)]
    order = _by_row_length(near, np.diff(rows.indptr))
    del rows
    first = Blocks.of_lengths(comm, len(order)).first
    number, ghost = _global_numbers(mesh.nodes, corners.nodes, order, first)
    local = np.empty(len(number), dtype=np.int32)
    places = np.concatenate([order, ghost])
    local[places] = np.arange(len(places))
    cells = corners.cells
    by_number = np.argsort(number[cells].min(axis=1), kind="stable")
    mine = of_node[cells].min(axis=1)[by_number] == comm.rank
    chosen = np.concatenate([by_number[mine], by_number[~mine]])
    names = list(mesh.header.n_facets)
    return RankMesh(
        owned=len(order),
        first=first,
        ghosts=number[ghost],
        ghost_owners=of_node[ghost],
        input_node=corners.nodes[places],
        points=points[places],
        cells=np.ascontiguousarray(local[cells[chosen]]),
        owned_cells=int(mine.sum()),
        input_cell=received.cell[chosen],
        region=received.region[chosen],
        surfaces={name: marks[places, k] for k, name in enumerate(names)},
    )


def _marks(mesh: MeshSlice) -> BoolArray:
    """Return which nodes of this rank's block are on each surface, shape (length, surfaces). Collective."""
    marks = np.zeros((mesh.nodes.length, len(mesh.header.n_facets)), dtype=bool)
    for k, name in enumerate(mesh.header.n_facets):
        there, _ = mesh.nodes.deliver(np.unique(mesh.facets[name]))
        marks[there, k] = True
    return marks


def _global_numbers(nodes: Blocks, inputs: IntArray, order: IntArray, first: int) -> tuple[IntArray, IntArray]:
    """Return the global number of each node of this rank, and the places of its ghosts by ascending number. Collective.

    `inputs` are the input numbers of its nodes, `order` the places of those it owns, whose numbers begin at `first`.
    """
    number = np.full(len(inputs), -1, dtype=np.int64)
    number[order] = first + np.arange(len(order))
    there, (numbers,) = nodes.deliver(inputs[order], number[order])
    block = np.empty(nodes.length, dtype=np.int64)
    block[there] = numbers
    ghost = np.flatnonzero(number < 0)
    (number[ghost],) = nodes.fetch(inputs[ghost], block)
    return number, ghost[np.argsort(number[ghost])]


def _graph(cells: npt.NDArray[np.int32], n: int) -> sp.csr_matrix:
    """Return the node adjacency (shared cells) as a symmetric matrix with a diagonal."""
    corners = cells.shape[1]
    ones = np.ones(cells.size, dtype=np.int16)
    incidence = sp.csr_matrix((ones, cells.ravel(), np.arange(0, cells.size + 1, corners)), (len(cells), n))
    return sp.csr_matrix(incidence.T @ incidence)


def _by_row_length(order: IntArray, degree: npt.NDArray[np.int32]) -> IntArray:
    """Return the order with the nodes of each window sorted by row length."""
    window = np.arange(len(order)) // WINDOW
    return order[np.lexsort((-degree[order], window))]
