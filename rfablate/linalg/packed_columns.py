"""Columns of sliced matrices (see kernels.c), packed into 16 bits wherever a slice's columns lie close enough together.

A mesh's nodes are numbered so that neighbours have near numbers: on 589,000 nodes a slice's columns span 31,000. So a
product reads two bytes for a column instead of four. Slices that span more than 65,535 keep four: those with ghosts,
whose numbers come after all others, and those of meshes of some millions of nodes on one rank.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rfablate.kernels.loader import SLICE, call

IntArray = npt.NDArray[np.int32]


class Columns:
    """Which column each place of a sliced matrix belongs to."""

    def __init__(self, start: npt.NDArray[np.int64], column: IntArray) -> None:
        """Pack the columns of all places; slice s is places start[s] to start[s + 1]."""
        self.start, slices = start, len(start) - 1
        self._base, self._packed = np.empty(slices, dtype=np.int32), np.empty(len(column), dtype=np.uint16)
        wide = call("pack_columns", slices, start, column, self._base, self._packed, None)
        self._wide = np.empty(wide, dtype=np.int32)
        if wide:
            call("pack_columns", slices, start, column, self._base, self._packed, self._wide)

    def __len__(self) -> int:
        """Return the number of places."""
        return len(self._packed)

    @property
    def layout(self) -> tuple[npt.NDArray[np.int64], IntArray, npt.NDArray[np.uint16], IntArray]:
        """What the kernels take for a matrix's pattern."""
        return self.start, self._base, self._packed, self._wide

    @property
    def nbytes(self) -> int:
        """Bytes that a product reads [B]."""
        return int(sum(array.nbytes for array in self.layout))

    def unpacked(self) -> IntArray:
        """Return the column of every place."""
        column = np.empty(len(self), dtype=np.int32)
        call("unpack_columns", len(self._base), *self.layout, column)
        return column


def slice_starts(length: IntArray) -> npt.NDArray[np.int64]:
    """Return where each slice of rows of these lengths starts, and where the last one ends."""
    padded = np.zeros(-(-len(length) // SLICE) * SLICE, dtype=np.int64)
    padded[: len(length)] = length
    return np.concatenate([[0], np.cumsum(SLICE * padded.reshape(-1, SLICE).max(axis=1, initial=0))])


def padding_columns(n: int, start: npt.NDArray[np.int64]) -> IntArray:
    """Return columns for every place of a sliced matrix: each row's own number, which zeros may be multiplied with."""
    lanes = np.minimum(np.arange(SLICE * (len(start) - 1), dtype=np.int32), max(n - 1, 0)).reshape(-1, SLICE)
    return np.ascontiguousarray(np.repeat(lanes, np.diff(start) // SLICE, axis=0).ravel())
