"""Column numbers of sliced matrices (see kernels.c), packed into 16 bits where the columns of a slice are close.

The nodes are numbered so that neighbours have close numbers: on 589,000 nodes the columns of a slice span 31,000. A
product then reads two bytes per column instead of four. Slices with a larger span keep four bytes: those with ghosts,
whose numbers follow all others, and those in meshes with millions of nodes per rank.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rfablate.kernels.loader import SLICE, call

IntArray = npt.NDArray[np.int32]


class Columns:
    """The column number of each position in a sliced matrix."""

    def __init__(self, start: npt.NDArray[np.int64], column: IntArray) -> None:
        """Pack the columns of all positions; slice s is at positions start[s] to start[s + 1]."""
        self.start, slices = start, len(start) - 1
        self._base, self._packed = np.empty(slices, dtype=np.int32), np.empty(len(column), dtype=np.uint16)
        wide = call("pack_columns", slices, start, column, self._base, self._packed, None)
        self._wide = np.empty(wide, dtype=np.int32)
        if wide:
            call("pack_columns", slices, start, column, self._base, self._packed, self._wide)

    def __len__(self) -> int:
        """Return the number of positions."""
        return len(self._packed)

    @property
    def layout(self) -> tuple[npt.NDArray[np.int64], IntArray, npt.NDArray[np.uint16], IntArray]:
        """The kernel arguments of the pattern."""
        return self.start, self._base, self._packed, self._wide

    @property
    def nbytes(self) -> int:
        """Bytes read per product [B]."""
        return int(sum(array.nbytes for array in self.layout))

    def unpacked(self) -> IntArray:
        """Return the column of every position."""
        column = np.empty(len(self), dtype=np.int32)
        call("unpack_columns", len(self._base), *self.layout, column)
        return column


def slice_starts(length: IntArray) -> npt.NDArray[np.int64]:
    """Return the start of each slice for rows of these lengths, and the end of the last slice."""
    padded = np.zeros(-(-len(length) // SLICE) * SLICE, dtype=np.int64)
    padded[: len(length)] = length
    return np.concatenate([[0], np.cumsum(SLICE * padded.reshape(-1, SLICE).max(axis=1, initial=0))])


def padding_columns(n: int, start: npt.NDArray[np.int64]) -> IntArray:
    """Return valid columns for all positions of a sliced matrix: the number of the row, to be multiplied by zero."""
    lanes = np.minimum(np.arange(SLICE * (len(start) - 1), dtype=np.int32), max(n - 1, 0)).reshape(-1, SLICE)
    return np.ascontiguousarray(np.repeat(lanes, np.diff(start) // SLICE, axis=0).ravel())
