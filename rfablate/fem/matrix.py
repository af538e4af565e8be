"""Symmetric matrices on a fixed pattern:  K(c) = sum over cells of c * g,  plus a diagonal, with fixed nodes taken out.

The pattern and the map from cell coefficients to matrix entries never change, so assembling is one sparse product:

    v_ij = sum_c g_ij,c  coefficient_c    on each edge (i, j) of the mesh,      K_ij = v_ij,   K_ii = -sum_j v_ij

because the gradients of the shape functions of a cell sum to zero. Rows and columns of fixed nodes become the identity,
and what they fed into their neighbours' equations moves to the right-hand side (`lift`), so the matrix stays symmetric.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from petsc4py import PETSc

from rfablate.fem.domain import Domain

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


class Pattern:
    """Edges of this rank's cells, where they stand in a local CSR matrix, and the map from cells to edges."""

    def __init__(self, domain: Domain) -> None:
        """Number the edges; nothing is communicated."""
        elements, n = domain.elements, domain.nodes.local
        cells = elements.cells.astype(np.int64)
        keys = np.concatenate(
            [np.minimum(cells[:, i], cells[:, j]) * n + np.maximum(cells[:, i], cells[:, j]) for i, j in elements.pairs]
        )
        unique, edge_of = np.unique(keys, return_inverse=True)
        self.i = (unique // n).astype(np.int32)
        self.j = (unique % n).astype(np.int32)
        self.n = n
        cell = np.tile(np.arange(len(cells), dtype=np.int32), len(elements.pairs))
        weights = elements.stiffness.T.ravel()
        self._from_cells = sp.csr_matrix((weights, (edge_of, cell)), shape=(len(unique), len(cells)))
        self._build_csr()

    def _build_csr(self) -> None:
        """Find the places of (i, j), (j, i) and (i, i) in the local CSR arrays."""
        m, n = len(self.i), self.n
        rows = np.concatenate([self.i, self.j, np.arange(n, dtype=np.int32)])
        columns = np.concatenate([self.j, self.i, np.arange(n, dtype=np.int32)])
        order = np.lexsort((columns, rows))
        slot = np.empty(len(order), dtype=np.int64)
        slot[order] = np.arange(len(order))
        self.indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))]).astype(np.int32)
        self.indices = columns[order].astype(np.int32)
        self.slot_ij, self.slot_ji, self.slot_ii = slot[:m], slot[m : 2 * m], slot[2 * m :]

    def edge_values(self, coefficient: FloatArray) -> FloatArray:
        """Return v_ij of every edge for one coefficient a cell."""
        return np.asarray(self._from_cells @ coefficient)

    def product(self, edge_values: FloatArray, u: FloatArray, edges: npt.NDArray[np.int64]) -> FloatArray:
        """Return this rank's part of K u from the given edges alone, shape (n,)."""
        i, j = self.i[edges], self.j[edges]
        flow = edge_values[edges] * (u[j] - u[i])
        return np.asarray(np.bincount(i, flow, self.n) - np.bincount(j, flow, self.n), dtype=np.float64)

    def edges_touching(self, marked: BoolArray) -> npt.NDArray[np.int64]:
        """Return the edges with at least one end in `marked` (a mask of local nodes)."""
        return np.flatnonzero(marked[self.i] | marked[self.j])

    def lift(self, edge_values: FloatArray, fixed: BoolArray, value: FloatArray) -> FloatArray:
        """Return this rank's part of what fixed nodes at `value` add to the right-hand side of free ones."""
        i, j = self.i, self.j
        out = np.zeros(self.n)
        for a, b in ((i, j), (j, i)):
            edges = np.flatnonzero(fixed[a] & ~fixed[b])
            out -= np.bincount(b[edges], edge_values[edges] * value[a[edges]], self.n)
        return out


class Matrix:
    """A PETSc matrix on the pattern of a domain."""

    def __init__(self, domain: Domain, pattern: Pattern) -> None:
        """Allocate; shared rows get room for what other ranks add to them. Collective."""
        nodes = domain.nodes
        self.pattern = pattern
        self.owned = nodes.owned
        row_length = np.diff(pattern.indptr).astype(np.float64)
        mine = row_length.copy()
        mine[nodes.owned :] = 0.0
        theirs = nodes.accumulate(row_length) - nodes.accumulate(mine)
        diagonal_room = (row_length + theirs)[: nodes.owned].astype(np.int32)
        diagonal_room = np.minimum(diagonal_room, max(nodes.owned, 1)).astype(np.int32)
        ghost_column = (pattern.indices >= nodes.owned).astype(np.float64)
        sums = np.add.reduceat(ghost_column, pattern.indptr[:-1]) if pattern.n else np.zeros(0)
        outside_room = (sums[: nodes.owned] + theirs[: nodes.owned]).astype(np.int32)
        outside_room = np.minimum(outside_room, max(nodes.total - nodes.owned, 0)).astype(np.int32)
        self.petsc = PETSc.Mat().create(domain.comm)
        self.petsc.setSizes(((nodes.owned, nodes.total), (nodes.owned, nodes.total)))
        self.petsc.setType("aij")
        self.petsc.setPreallocationNNZ((diagonal_room, outside_room))
        self.petsc.setLGMap(PETSc.LGMap().create(nodes.global_index.astype(PETSc.IntType), comm=domain.comm))
        self.petsc.setOption(PETSc.Mat.Option.SYMMETRIC, True)
        self.petsc.setOption(PETSc.Mat.Option.SPD, True)

    def fill(self, edge_values: FloatArray, diagonal: FloatArray | None, fixed: BoolArray) -> None:
        """Set the entries from edge values, a nodal `diagonal` (owners' values count) and fixed nodes. Collective."""
        p = self.pattern
        data = np.zeros(len(p.indices))
        free = np.where(fixed[p.i] | fixed[p.j], 0.0, edge_values)
        data[p.slot_ij] = free
        data[p.slot_ji] = free
        own = -(np.bincount(p.i, edge_values, p.n) + np.bincount(p.j, edge_values, p.n)).astype(np.float64)
        if diagonal is not None:
            own[: self.owned] += diagonal[: self.owned]
        own[fixed] = 0.0
        own[: self.owned][fixed[: self.owned]] = 1.0
        data[p.slot_ii] = own
        self.petsc.zeroEntries()
        self.petsc.setValuesLocalCSR(p.indptr, p.indices, data, addv=PETSc.InsertMode.ADD_VALUES)
        self.petsc.assemble()
