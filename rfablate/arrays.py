"""Types of NumPy arrays in signatures, and arrays that are read in blocks of rows."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

BLOCK = 1 << 17
"""Rows that are read at once: 1 MB of a nodal field."""


class RowArray(Protocol):
    """An array, or rows that are read from a file or gathered from other ranks when they are requested."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole array."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of its elements."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def __getitem__(self, rows: slice, /) -> Any:
        """Return some consecutive rows as an array."""


def blocks(rows: RowArray) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """Yield the first row and the rows of each block."""
    for first in range(0, len(rows), BLOCK):
        yield first, np.asarray(rows[first : first + BLOCK])


class MappedRows:
    """Rows of another array after a conversion, which is made when they are read."""

    def __init__(self, rows: RowArray, convert: Callable[[Any], npt.NDArray[Any]]) -> None:
        """Set up; `convert` maps each row independently of the others."""
        self._rows, self._convert = rows, convert
        none = convert(np.empty((0, *rows.shape[1:]), rows.dtype))
        self.shape: tuple[int, ...] = (len(rows), *none.shape[1:])
        self.dtype = none.dtype

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.shape[0]

    def __getitem__(self, rows: slice) -> npt.NDArray[Any]:
        """Return some consecutive rows."""
        return self._convert(np.asarray(self._rows[rows]))


def as_rows(given: Any) -> RowArray:
    """Return rows as they are, and other sequences as an array."""
    rows: RowArray = given if hasattr(given, "shape") and hasattr(given, "dtype") else np.asarray(given)
    return rows
