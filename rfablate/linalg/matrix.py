"""Symmetric matrices on one sparsity pattern, assembled in one pass over the edges of the mesh.

The gradients of the shape functions of a cell sum to zero, so its edges define a stiffness matrix:

    K_ij = sum over the cells of edge (i, j) of g_ij,c coefficient_c,      K_ii = - sum over j of K_ij

The pattern stores the cells of each edge and their g contiguously. Assembly reads them once, in memory order, and
writes each entry once. The electric and the thermal stiffness are assembled in the same pass. Anisotropic sigma has
other g (`anisotropy`); the two are then assembled separately.
A rank stores the complete rows of its own nodes, because its stencil contains every cell that touches them.

Fixed nodes are not eliminated: the solver keeps their values (see conjugate_gradients.py). A matrix therefore serves
any set of fixed nodes, and the row of a fixed node gives the reaction there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rfablate.arrays import FloatArray
from rfablate.kernels.loader import SLICE, call
from rfablate.linalg.packed_columns import Columns, padding_columns, slice_starts
from rfablate.mesh.domain import Domain
from rfablate.mesh.elements import Elements

IntArray = npt.NDArray[np.int32]


EDGE_WINDOW = 256
"""Edges per window in which edges are sorted by their number of cells."""


@dataclass(frozen=True)
class _Edges:
    """The edges of the rows of this rank, row by row."""

    near: IntArray
    far: IntArray
    """Ends of each edge: local node numbers, `near` owned and smaller."""
    cell_start: npt.NDArray[np.int64]
    """First entry of each edge in `cell` and `weight`, and the number of entries."""
    cell: IntArray
    weight: FloatArray
    """g of each cell of an edge."""
    place_ij: IntArray
    place_ji: IntArray
    """Positions of the two entries of each edge in a sliced matrix; `place_ji` is negative for a ghost."""


class Pattern:
    """The edges of the rows of this rank: their positions in a sliced matrix, and their cells."""

    def __init__(self, domain: Domain) -> None:
        """Number the edges; without communication."""
        nodes, stencil = domain.nodes, domain.stencil
        n, corners, cells = nodes.owned, stencil.cells.shape[1], stencil.cells
        self.n = n
        self.local = nodes.local
        where = np.zeros(nodes.local + 1, dtype=np.int64)
        where[1:] = np.cumsum(np.bincount(cells.ravel(), minlength=nodes.local))
        where = where[: n + 1].copy()
        members = np.empty(where[-1], dtype=np.int32)
        call("cells_of_nodes", len(cells), corners, cells, n, where, members)
        seen, found = np.full(nodes.local, -1, dtype=np.int32), np.empty(nodes.local, dtype=np.int32)
        self.length, upper = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int32)
        call("row_lengths", n, corners, cells, where, members, seen, found, self.length, upper)
        start = slice_starts(self.length)
        first = np.concatenate([[0], np.cumsum(upper, dtype=np.int64)])
        column = padding_columns(n, start)
        far, cell_start = np.empty(first[-1], dtype=np.int32), np.empty(first[-1] + 1, dtype=np.int64)
        n_pairs = _owned_pairs(cells, n)
        cell, weight = np.empty(n_pairs, dtype=np.int32), np.empty(n_pairs)
        place_ij, place_ji = np.empty(first[-1], dtype=np.int32), np.empty(first[-1], dtype=np.int32)
        seen[:] = -1
        call(
            "edges", n, corners, cells, stencil.stiffness, where, members, seen, found, self.length, start, first,
            column, far, cell_start, cell, weight, place_ij, place_ji,
        )  # fmt: skip
        self.start, self.columns = start, Columns(start, column)
        del where, members, seen, found, column
        near = np.repeat(np.arange(n, dtype=np.int32), np.diff(first))
        self._slice_edges(_Edges(near, far, cell_start, cell, weight, place_ij, place_ji))

    def _slice_edges(self, edges: _Edges) -> None:
        """Arrange the edges in slices like the rows of a matrix, sorted by the number of cells."""
        count = np.diff(edges.cell_start).astype(np.int32)
        window = np.arange(len(count)) // EDGE_WINDOW
        order = np.lexsort((-count, window)).astype(np.int64)
        start = slice_starts(count[order])
        sliced_cell, sliced_weight = np.zeros(start[-1], dtype=np.int32), np.zeros(start[-1])
        call(
            "slice_edges",
            len(order),
            order,
            edges.cell_start,
            edges.cell,
            edges.weight,
            start,
            sliced_cell,
            sliced_weight,
        )
        n_slices, nowhere = len(start) - 1, len(self.columns)
        self._count = np.zeros(SLICE * n_slices, dtype=np.int32)
        self._count[: len(order)] = count[order]
        places = np.full((2, SLICE * n_slices), nowhere, dtype=np.int32)
        places[0, : len(order)] = edges.place_ij[order]
        places[1, : len(order)] = np.where(edges.place_ji[order] < 0, nowhere, edges.place_ji[order])
        self.near, self.far = edges.near[order], edges.far[order]
        """Ends of each edge: local node numbers, `near` owned and smaller."""
        self._place_ij, self._place_ji = np.ascontiguousarray(places[0]), np.ascontiguousarray(places[1])
        self._edges = self._sigma_edges = (n_slices, start, sliced_cell, sliced_weight)

    @property
    def directed(self) -> bool:
        """Whether the first matrix has its own g_ij."""
        return self._sigma_edges is not self._edges

    def direct(self, stencil: Elements, stiffness: FloatArray) -> None:
        """Set other g_ij for the first matrix of `assemble`: `stiffness`, with the shape of that of the stencil.

        The two matrices then have different weights and are assembled in separate passes.
        """
        n_slices, start, cell, weight = self._edges
        changed = (stiffness != stencil.stiffness).any(axis=1)
        place = np.flatnonzero(changed[cell])
        s = np.searchsorted(start, place, side="right") - 1
        layer, lane = np.divmod(place - start[s], SLICE)
        edge = SLICE * s + lane
        inside = layer < self._count[edge]  # the rest is padding
        place, edge = place[inside], edge[inside]
        corners = stencil.cells[cell[place]]
        directed = weight.copy()
        for number, (i, j) in enumerate(stencil.pairs):
            ends = np.sort(corners[:, [i, j]], axis=1)
            here = (ends[:, 0] == self.near[edge]) & (ends[:, 1] == self.far[edge])
            directed[place[here]] = stiffness[cell[place[here]], number]
        self._sigma_edges = (n_slices, start, cell, directed)

    def assemble(self, values: FloatArray, *matrices: Matrix | None) -> None:
        """Assemble stiffness matrices of values (n_stencil_cells, 2): one matrix per column, None to skip a column."""
        wanted = [matrix for matrix in matrices if matrix is not None]
        places = (self._place_ij, self._place_ji, values)
        if len(wanted) == 2 and not self.directed:
            call("assemble_both", *self._edges, *places, wanted[0].room, wanted[1].room)
        else:
            for matrix in wanted:
                which = matrices.index(matrix)
                edges = self._sigma_edges if which == 0 else self._edges
                call("assemble_one", *edges, *places, which, matrix.room)
        for matrix in wanted:
            call("negative_row_sums", self.n, self.start, matrix.values, matrix.diagonal)

    def joined(self) -> npt.NDArray[np.int64]:
        """Return the positions of a sliced matrix that contain entries, row by row."""
        rows = np.repeat(np.arange(self.n, dtype=np.int64), self.length)
        k = np.arange(len(rows)) - np.repeat(np.cumsum(self.length, dtype=np.int64) - self.length, self.length)
        return self.start[rows // SLICE] + rows % SLICE + SLICE * k


class Matrix:
    """Matrix values on a pattern: the rows of the owned nodes over all local nodes."""

    def __init__(self, pattern: Pattern, off_diagonal: Matrix | None = None) -> None:
        """Initialise with zeros, or share the off-diagonal entries of another matrix."""
        self.pattern = pattern
        self.room: FloatArray = np.zeros(len(pattern.columns) + 1) if off_diagonal is None else off_diagonal.room
        """`values` plus one element, which receives entries that belong to no row of this rank."""
        self.values = self.room[:-1]
        """Off-diagonal entries in slices, see kernels.c."""
        self.diagonal = np.zeros(pattern.n)
        self.at: FloatArray | None = None
        """Nodal temperature [degC] at which the values were evaluated, if `Problem.assemble` computed them."""

    @property
    def layout(self) -> tuple[int | npt.NDArray[Any], ...]:
        """The kernel arguments of the matrix."""
        return (self.pattern.n, *self.pattern.columns.layout, self.values, self.diagonal)

    def times(self, x: FloatArray) -> FloatArray:
        """Return A x at the owned nodes, x at the local nodes."""
        y = np.empty(self.pattern.n)
        call("multiply", *self.layout, x, y)
        return y

    def rows_times(self, rows: npt.NDArray[np.int64], x: FloatArray) -> FloatArray:
        """Return (A x) at the given owned nodes."""
        y = np.empty(len(rows))
        call("multiply_rows", len(rows), rows, *self.layout[1:], x, y)
        return y


def _owned_pairs(cells: IntArray, n: int) -> int:
    """Return the number of corner pairs of the cells with an owned end; ghosts have numbers from n."""
    corners = cells.shape[1]
    ghosts = (cells >= n).sum(axis=1, dtype=np.int64)
    return int((corners * (corners - 1) // 2 - ghosts * (ghosts - 1) // 2).sum())
