"""The matrices of `matrix.py` as matrices of PETSc: each rank sets the complete rows of its own nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
from petsc4py import PETSc

from rfablate.arrays import BoolArray, FloatArray
from rfablate.linalg.matrix import Matrix
from rfablate.mesh.domain import Nodes


class PetscSystem:
    """Matrix, residual and correction in PETSc; rows and columns of fixed nodes are those of the identity."""

    def __init__(self, nodes: Nodes, matrix: Matrix, prefix: str = "") -> None:
        """Set up the rows; the first `update` makes the matrix, with the options under `prefix`. Collective."""
        self._prefix = prefix
        self._nodes, self._matrix = nodes, matrix
        self._rows, self._columns, self._indptr, self._places, self._order = _compressed(nodes, matrix)
        self._global = nodes.global_index[self._columns].astype(PETSc.IntType)
        self._data = np.zeros(len(self._order))
        self._free: FloatArray | None = None
        self._inside = np.zeros(0, dtype=bool)
        self._built = np.zeros(nodes.owned)
        """Diagonal for which the preconditioner was built."""
        self.A: Any = None
        self.r: Any = None
        self.d: Any = None

    def update(self, free: BoolArray, grown: float) -> tuple[bool, bool]:
        """Set the matrix to the current values; return whether they have changed, and whether by more than a factor.

        The second also holds if the fixed nodes have changed. Collective.
        """
        nodes, diagonal = self._nodes, self._matrix.diagonal
        moved = self._free is None or not np.array_equal(free, self._free[: nodes.owned] > 0.0)
        if nodes.max_of(float(moved))[0]:
            self._fix(free)
        every = np.concatenate([self._matrix.values[self._places], diagonal])[self._order]
        data = np.where(self._inside, every, self._rows == self._columns)
        known = free & (self._built > 0.0)
        ratio = diagonal[known] / self._built[known]
        different = float(not np.array_equal(data, self._data))
        most, least = float(ratio.max(initial=1.0)), float(ratio.min(initial=1.0))
        numbers = nodes.max_of(float(moved), different, most, 1.0 / least)
        if numbers[1] or self.A is None:
            self._data = data
            self._set()
        return bool(numbers[1]), bool(numbers[0]) or bool(max(numbers[2], numbers[3]) > grown)

    def remember(self) -> None:
        """Note that the preconditioner is built for the current values."""
        self._built = self._matrix.diagonal.copy()

    def _fix(self, free: BoolArray) -> None:
        nodes = self._nodes
        self._free = np.zeros(nodes.local)
        self._free[: nodes.owned] = free
        nodes.update_ghosts(self._free)
        self._inside = (self._free[self._rows] > 0.0) & (self._free[self._columns] > 0.0)

    def _set(self) -> None:
        csr = (self._indptr, self._global, self._data)
        if self.A is None:
            size = (self._nodes.owned, self._nodes.total)
            self.A = PETSc.Mat().create(self._nodes.comm)
            self.A.setOptionsPrefix(self._prefix)
            self.A.setSizes((size, size))
            self.A.setType("aij")
            self.A.setFromOptions()  # e.g. a type for GPUs
            self.A.setPreallocationCSR(csr)
            self.A.setOption(PETSc.Mat.Option.SPD, flag=True)
            self.r, self.d = self.A.createVecs()
        else:
            self.A.setValuesCSR(*csr)
        self.A.assemble()

    def residual(self, x: FloatArray, b: FloatArray | None, free: BoolArray) -> None:
        """Set r = b - A x, zero at fixed nodes."""
        product = self._matrix.times(x)
        self.r.setArray(np.where(free, -product if b is None else b - product, 0.0))

    def correct(self, x: FloatArray) -> None:
        """Add d to x. Collective."""
        x[: self._nodes.owned] += self.d.getArray(readonly=True)
        self._nodes.update_ghosts(x)


def _compressed(nodes: Nodes, matrix: Matrix):  # type: ignore[no-untyped-def]
    """Return (rows, columns, indptr, places, order) of compressed rows with diagonal, in local numbers.

    `places` are the positions of off-diagonal entries in a sliced matrix; `order` sorts them, followed by the diagonal,
    into compressed rows with ascending global columns, as PETSc requires.
    """
    pattern = matrix.pattern
    places = pattern.joined()
    own = np.arange(pattern.n)
    rows = np.concatenate([np.repeat(own, pattern.length), own])
    columns = np.concatenate([pattern.columns.unpacked()[places].astype(np.int64), own])
    order = np.lexsort((nodes.global_index[columns], rows))
    indptr = np.concatenate([[0], np.cumsum(pattern.length.astype(np.int64) + 1)]).astype(PETSc.IntType)
    return rows[order], columns[order], indptr, places, order
