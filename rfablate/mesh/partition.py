"""Mesh partition: nodes are assigned to ranks by recursive coordinate bisection, cells follow. Root only.

A time step works row by row, so the cost of a node is that of its row: a constant plus its number of neighbours. Each
bisection halves the cost along the direction of largest variance. A rank stores every cell that touches one of its
nodes, so it assembles its rows alone, and ranks exchange only the values of ghost nodes. Cells at the interface are
computed on several ranks; for counts and integrals a cell belongs to the lowest rank that owns one of its nodes.

On each rank nodes are in reverse Cuthill-McKee order, so that neighbours are close in memory, and sorted by row length
in groups of WINDOW, so that the rows in a slice of a matrix have similar lengths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse.csgraph import reverse_cuthill_mckee

from rfablate.arrays import FloatArray, IntArray
from rfablate.mesh.mesh_data import MeshData

WINDOW = 64
"""Nodes per group in which rows are sorted by length: 64 give 3 % padding of slices, 8 give 20 %."""
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


def make_parts(mesh: MeshData, n_parts: int) -> list[RankMesh]:
    """Return the part of a mesh for each rank."""
    graph = _graph(mesh.cells, len(mesh.points))
    degree = np.diff(graph.indptr)
    owner = bisect(mesh.points, degree + ROW_COST, n_parts)
    starts = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=n_parts))])
    near = np.asarray(reverse_cuthill_mckee(graph, symmetric_mode=True), dtype=np.int64)
    near = near[np.argsort(owner[near], kind="stable")]
    order = np.concatenate([_by_row_length(nodes, degree) for nodes in np.split(near, starts[1:-1])])
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.arange(len(order))
    del graph, near
    numbering = _Numbering(
        starts=starts,
        order=order,
        number=number,
        owner=owner,
        owner_of_cell=owner[mesh.cells].min(axis=1),
        cell_order=np.argsort(number[mesh.cells].min(axis=1), kind="stable"),
    )
    on_surface = {name: np.isin(np.arange(len(order)), facets) for name, facets in mesh.surfaces.items()}
    return [_part(mesh, numbering, on_surface, r) for r in range(n_parts)]


def bisect(points: FloatArray, cost: FloatArray, n_parts: int) -> npt.NDArray[np.int32]:
    """Return the part of each point, by recursive coordinate bisection of the cost."""
    part = np.zeros(len(points), dtype=np.int32)
    for number, members in enumerate(_bisect(points, cost, np.arange(len(points)), n_parts)):
        part[members] = number
    return part


def _bisect(points: FloatArray, cost: FloatArray, members: IntArray, n_parts: int) -> list[IntArray]:
    """Return the members of each part."""
    if n_parts == 1:
        return [members]
    low = n_parts // 2
    mine = points[members]
    # The axis of largest variance: in a graded mesh the bounding box does not represent the node distribution.
    axis = int(np.argmax(np.var(mine, axis=0))) if len(members) else 0
    members = members[np.argsort(mine[:, axis], kind="stable")]
    total = np.cumsum(cost[members])
    cut = int(np.searchsorted(total, total[-1] * low / n_parts)) if len(members) else 0
    cut = min(max(cut, low), len(members) - (n_parts - low))  # at least one node per part
    return [*_bisect(points, cost, members[:cut], low), *_bisect(points, cost, members[cut:], n_parts - low)]


def _graph(cells: IntArray, n: int) -> sp.csr_matrix:
    """Return the node adjacency (shared cells) as a symmetric matrix with a diagonal."""
    corners = cells.shape[1]
    ones = np.ones(cells.size, dtype=np.int16)
    incidence = sp.csr_matrix(
        (ones, cells.astype(np.int32).ravel(), np.arange(0, cells.size + 1, corners)), (len(cells), n)
    )
    return sp.csr_matrix(incidence.T @ incidence)


def _by_row_length(order: IntArray, degree: npt.NDArray[np.int32]) -> IntArray:
    """Return the order with the nodes of each window sorted by row length."""
    window = np.arange(len(order)) // WINDOW
    return order[np.lexsort((-degree[order], window))]


@dataclass(frozen=True)
class _Numbering:
    """The global numbering of the nodes and the rank of each node and cell."""

    starts: IntArray
    """First global number of each rank, and the number of nodes."""
    order: IntArray
    """Input number of each node, by global number."""
    number: IntArray
    """Global number of each node, by input number."""
    owner: npt.NDArray[np.int32]
    """Rank of each node, by input number."""
    owner_of_cell: npt.NDArray[np.int32]
    cell_order: IntArray
    """Cells in the order of their lowest node."""


def _part(mesh: MeshData, numbering: _Numbering, on_surface: dict[str, npt.NDArray[np.bool_]], rank: int) -> RankMesh:
    starts, order, number, owner = numbering.starts, numbering.order, numbering.number, numbering.owner
    cell_order, first, end = numbering.cell_order, int(starts[rank]), int(starts[rank + 1])
    if len(starts) == 2:
        chosen, n_owned = cell_order, len(cell_order)
    else:
        touching = (owner[mesh.cells[cell_order]] == rank).any(axis=1)
        mine = numbering.owner_of_cell[cell_order] == rank
        chosen = np.concatenate([cell_order[mine], cell_order[touching & ~mine]])
        n_owned = int(mine.sum())
    cells = number[mesh.cells[chosen]]
    outside = (cells < first) | (cells >= end)
    ghosts = np.unique(cells[outside])
    local = cells - first
    local[outside] = end - first + np.searchsorted(ghosts, cells[outside])
    input_node = np.concatenate([order[first:end], order[ghosts]])
    return RankMesh(
        owned=end - first,
        first=first,
        ghosts=ghosts,
        ghost_owners=owner[order[ghosts]],
        input_node=input_node,
        points=mesh.points[input_node],
        cells=np.ascontiguousarray(local, dtype=np.int32),
        owned_cells=n_owned,
        input_cell=chosen,
        region=mesh.region[chosen],
        surfaces={name: marked[input_node] for name, marked in on_surface.items()},
    )
