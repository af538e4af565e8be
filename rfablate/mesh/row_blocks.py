"""Arrays whose rows are distributed over ranks in blocks of consecutive numbers, and the exchange of rows. Collective.

The rank that has a row is its home. Rows are requested from their homes by number, so that no rank needs the whole
array: neither its values nor a table of who has what.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from rfablate.arrays import IntArray

Rows = npt.NDArray[Any]

TABLE = 2
"""Largest length of a table of numbers, relative to the count of the numbers."""


class Route:
    """The way of rows to their destinations, for any number of arrays."""

    def __init__(self, comm: MPI.Comm, destination: npt.NDArray[Any]) -> None:
        """Set up with the rank to which each row goes. Collective."""
        self._comm = comm
        if comm.size == 1:
            self.counts = np.array([len(destination)])
            return
        self._order = np.argsort(destination, kind="stable").astype(np.int32)
        self._sent = np.bincount(destination, minlength=comm.size).astype(np.int64)
        self.counts = np.empty_like(self._sent)
        """Rows received from each rank."""
        comm.Alltoall(self._sent, self.counts)

    def send(self, rows: Rows) -> Rows:
        """Return the rows received, in the order of their senders, whose own order they keep. Collective."""
        if self._comm.size == 1:
            return rows
        sent = rows[self._order]
        received = np.empty((int(self.counts.sum()), *rows.shape[1:]), dtype=rows.dtype)
        size = rows.dtype.itemsize * int(np.prod(rows.shape[1:], dtype=np.int64))
        row = MPI.BYTE.Create_contiguous(size).Commit()  # counts of rows, not bytes, which 32 bits may not hold
        away, coming = self._sent, self.counts
        try:
            self._comm.Alltoallv(
                [sent, (away, np.cumsum(away) - away), row], [received, (coming, np.cumsum(coming) - coming), row]
            )
        finally:
            row.Free()
        return received

    def back(self, answers: Rows) -> Rows:
        """Return the answer to each row sent, from one answer per row received. Collective."""
        if self._comm.size == 1:
            return answers
        senders = np.repeat(np.arange(self._comm.size), self.counts)
        found = Route(self._comm, senders).send(answers)
        rows = np.empty_like(found)
        rows[self._order] = found
        return rows


class Blocks:
    """The distribution of consecutive numbers over ranks."""

    def __init__(self, comm: MPI.Comm, starts: IntArray) -> None:
        """Set up with the first number of each rank, and the total as last entry."""
        self.comm, self.starts = comm, starts
        self.first, self.end = int(starts[comm.rank]), int(starts[comm.rank + 1])
        self.total = int(starts[-1])

    @classmethod
    def even(cls, comm: MPI.Comm, total: int) -> Blocks:
        """Return blocks of equal length."""
        return cls(comm, total * np.arange(comm.size + 1, dtype=np.int64) // comm.size)

    @classmethod
    def of_lengths(cls, comm: MPI.Comm, mine: int) -> Blocks:
        """Return blocks of the lengths that the ranks pass. Collective."""
        return cls(comm, np.concatenate([[0], np.cumsum(comm.allgather(mine), dtype=np.int64)]))

    @property
    def length(self) -> int:
        """Number of rows of this rank."""
        return self.end - self.first

    def route(self, numbers: IntArray) -> Route:
        """Return the way of rows with these numbers to their homes. Collective."""
        if self.comm.size == 1:
            return Route(self.comm, numbers)
        return Route(self.comm, np.searchsorted(self.starts, numbers, side="right") - 1)

    def fetch(self, wanted: IntArray, *arrays: Rows) -> list[Rows]:
        """Return the rows `wanted`, in this order, of arrays of which each rank passes its block. Collective."""
        route = self.route(wanted)
        requested = route.send(wanted) - self.first
        return [route.back(values[requested]) for values in arrays]

    def deliver(self, numbers: IntArray, *arrays: Rows) -> tuple[IntArray, list[Rows]]:
        """Send rows to their homes; return the places in this rank's block of the rows received, and these. Collective.

        Rows are in the order of their senders.
        """
        route = self.route(numbers)
        return route.send(numbers) - self.first, [route.send(values) for values in arrays]


def compact(numbers: npt.NDArray[np.int32] | IntArray) -> tuple[IntArray, npt.NDArray[np.int32]]:
    """Return the distinct numbers, ascending, and the place of each of the given numbers among them."""
    first, end = (int(numbers.min()), int(numbers.max()) + 1) if numbers.size else (0, 0)
    if end - first > TABLE * numbers.size:
        distinct, places = np.unique(numbers, return_inverse=True)
        return distinct.astype(np.int64), places.reshape(numbers.shape).astype(np.int32)
    used = np.zeros(end - first, dtype=bool)  # a table takes less time and memory than a sort
    used[numbers - first] = True
    distinct = np.flatnonzero(used) + first
    place = np.cumsum(used, dtype=np.int32) - 1
    return distinct, place[numbers - first].astype(np.int32)
