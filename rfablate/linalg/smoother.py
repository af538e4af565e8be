"""The operations of a V-cycle on one level, in single precision: Chebyshev smoothing and transfer between levels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from mpi4py import MPI

from rfablate.arrays import FloatArray
from rfablate.kernels.loader import SLICE, bind, call
from rfablate.linalg.packed_columns import Columns, slice_starts
from rfablate.mesh.domain import Nodes

SingleArray = npt.NDArray[np.float32]
ShortArray = npt.NDArray[np.int16]
"""Entries of a matrix with unit diagonal in 16 bits, see kernels.c."""

DEGREE = 2
"""Degree of the Chebyshev polynomial before and after the coarse-level correction."""
LOWEST = 0.25
"""Lower end of the smoothing interval, as a fraction of the largest eigenvalue."""
HIGHEST = 1.1
"""Upper end of the smoothing interval, as a multiple of the estimated largest eigenvalue, which is a lower bound."""


class Rows:
    """Distribution over ranks of the rows of a level that every rank stores; each rank computes its own rows."""

    def __init__(self, n: int, comm: MPI.Comm) -> None:
        """Distribute n rows in whole slices."""
        slices = -(-n // SLICE)
        bounds = np.minimum(SLICE * (slices * np.arange(comm.size + 1) // comm.size), n)
        self.first, self.end = int(bounds[comm.rank]), int(bounds[comm.rank + 1])
        self._comm, self._counts, self._starts = comm, np.diff(bounds), bounds[:-1]

    def share(self, x: SingleArray) -> None:
        """Gather the rows of x from all ranks, in place. Collective."""
        if self._comm.size > 1:
            self._comm.Allgatherv(MPI.IN_PLACE, [x, self._counts, self._starts, MPI.FLOAT])


@dataclass(frozen=True)
class ScaledMatrix:
    """The matrix of a level, scaled to a unit diagonal, which is not stored."""

    n: int
    """Number of rows."""
    columns: Columns
    values: ShortArray
    largest: float
    """Estimate of the largest eigenvalue, a lower bound."""


class Smoother:
    """The Chebyshev smoother of a level."""

    def __init__(self, matrix: ScaledMatrix, *, nodes: Nodes | None = None, rows: Rows | None = None) -> None:
        """Allocate for all rows: those of `nodes`, with ghost exchange, or those distributed as `rows`."""
        n = self.n = matrix.n
        self._nodes, self._rows = nodes, rows
        if nodes is None:
            self._x = [np.zeros(n, dtype=np.float32) for _ in range(2)]
        else:
            self._vectors = [nodes.vector(np.float32) for _ in range(2)]
            self._x = [vector.array for vector in self._vectors]
        self.b, self._d, self._r = (np.zeros(n, dtype=np.float32) for _ in range(3))
        first, end = (0, n) if rows is None else (rows.first, rows.end)
        layout = (first, end, *matrix.columns.layout, matrix.values, self.b)
        self._smooth = [bind("smooth", *layout, self._x[k], self._d, self._x[1 - k]) for k in range(2)]
        self._residual = [bind("residual_f", *layout, self._x[k], self._r) for k in range(2)]
        self._from_zero = bind("smooth_from_zero", n, self.b, self._d, self._x[0])
        self.set_largest(matrix.largest)
        self._now = 0

    def set_largest(self, largest: float) -> None:
        """Set the largest eigenvalue that the smoother has to reduce."""
        self._first, self._steps = _chebyshev(LOWEST * largest, HIGHEST * largest, DEGREE)

    @property
    def x(self) -> SingleArray:
        """The current solution; its ghosts are updated before they are read."""
        return self._x[self._now]

    def update(self) -> None:
        """Update the ghosts of x. Collective."""
        if self._nodes is not None and self._nodes.comm.size > 1:
            self._vectors[self._now].scatter_forward()

    def _step(self, old: float, new: float) -> None:
        self.update()
        self._smooth[self._now](old, new)
        self._now = 1 - self._now
        if self._rows is not None:
            self._rows.share(self.x)

    def smooth_down(self) -> None:
        """Smooth with the initial guess x = 0. Collective."""
        self._now = 0
        self._from_zero(self._first)
        for old, new in self._steps:
            self._step(old, new)

    def residual(self) -> SingleArray:
        """Return b - A x. Collective."""
        self.update()
        self._residual[self._now]()
        if self._rows is not None:
            self._rows.share(self._r)
        return self._r

    def smooth_up(self) -> None:
        """Smooth with the current x as initial guess. Collective."""
        self._step(0.0, self._first)
        for old, new in self._steps:
            self._step(old, new)


class Transfer:
    """Prolongation and its transpose as sliced matrices, scaled on both sides."""

    def __init__(self, P: sp.csr_matrix) -> None:
        """Set up the layout of P and its transpose; `scale` sets the values."""
        rows = sp.csr_matrix(P)
        number = sp.csr_matrix((np.arange(1, rows.nnz + 1), rows.indices, rows.indptr), shape=rows.shape)
        data = np.concatenate([[0.0], rows.data])
        self._up, self._up_raw = _filled(number, data)
        self._down, self._down_raw = _filled(sp.csr_matrix(number.T), data)
        self._up_n, self._down_n = rows.shape
        self._bound: dict[tuple[int, int], Callable[[], None]] = {}

    def scale(self, of_rows: FloatArray, of_columns: FloatArray) -> None:
        """Set the values to P times a factor for each row and each column."""
        rows, columns = of_rows.astype(np.float32), of_columns.astype(np.float32)
        call("scale_entries", self._up_n, *self._up[0].layout, self._up_raw, rows, columns, self._up[1])
        call("scale_entries", self._down_n, *self._down[0].layout, self._down_raw, columns, rows, self._down[1])

    def down(self, x: SingleArray, y: SingleArray) -> None:
        """Write P^T x into y."""
        self._transfer(self._down_n, self._down, x, y, 0.0)

    def add_up(self, x: SingleArray, y: SingleArray) -> None:
        """Add P x to y."""
        self._transfer(self._up_n, self._up, x, y, 1.0)

    def _transfer(self, n: int, layout, x: SingleArray, y: SingleArray, keep: float) -> None:  # type: ignore[no-untyped-def]
        pair = (id(x), id(y))  # bound arrays are kept alive, so their ids remain valid
        if pair not in self._bound:
            self._bound[pair] = bind("transfer", 0, n, *layout[0].layout, layout[1], x, y, keep)
        self._bound[pair]()


def _filled(numbers: sp.csr_matrix, data: FloatArray):  # type: ignore[no-untyped-def]
    """Return ((columns, values), raw): a matrix in slices with zero values, and `data` in the order of its entries."""
    layout, number = sliced(numbers)
    return layout, data[number].astype(np.float32)


def sliced(numbers: sp.csr_matrix):  # type: ignore[no-untyped-def]
    """Return ((columns, values), number): a matrix in slices with zero values, and the entry number at each position.

    The matrix contains the numbers 1, 2, ... of its entries; 0 marks padding of short rows.
    """
    length = np.diff(numbers.indptr).astype(np.int32)
    start = slice_starts(length)
    rows = np.repeat(np.arange(numbers.shape[0], dtype=np.int64), length)
    first = np.zeros(len(start) - 1, dtype=np.int32)
    first[rows[::-1] // SLICE] = numbers.indices[::-1]
    column, number = np.repeat(first, np.diff(start)), np.zeros(start[-1], dtype=np.int32)
    k = np.arange(len(rows)) - np.repeat(numbers.indptr[:-1].astype(np.int64), length)
    place = start[rows // SLICE] + rows % SLICE + SLICE * k
    column[place], number[place] = numbers.indices, numbers.data
    return (Columns(start, column), np.zeros(start[-1], dtype=np.float32)), number


def _chebyshev(low: float, high: float, degree: int) -> tuple[float, list[tuple[float, float]]]:
    """Return the factor of the first step, and the factors (old, new) of the following steps."""
    middle, half = 0.5 * (high + low), 0.5 * (high - low)
    rho, steps = half / middle, []
    for _ in range(degree - 1):
        following = 1.0 / (2.0 * middle / half - rho)
        steps.append((following * rho, 2.0 * following / half))
        rho = following
    return 1.0 / middle, steps
