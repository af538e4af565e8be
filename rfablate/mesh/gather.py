"""Distributed rows in the order of the input mesh, which does not depend on the number of ranks.

Rank 0 writes and reads files of the whole mesh in blocks: while it works, the other ranks answer its requests for the
rows of a block. No rank needs memory for a whole array, unless the work asks for one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from rfablate.arrays import FloatArray, RowArray, blocks
from rfablate.mesh.domain import Domain
from rfablate.mesh.root_tasks import on_root

Rows = npt.NDArray[Any]
Value = TypeVar("Value")


class InputOrder:
    """The rows that this rank contributes to arrays in the order of the input."""

    def __init__(self, numbers: npt.NDArray[np.int64], total: int) -> None:
        """Set up with the number of each local row in the input, and the number of rows of all ranks."""
        self.places = np.argsort(numbers)
        self.numbers, self.total = numbers[self.places], total

    @classmethod
    def of_nodes(cls, domain: Domain) -> InputOrder:
        """Return the order of the owned nodes."""
        return cls(domain.input_node[: domain.nodes.owned], domain.nodes.total)

    @classmethod
    def of_cells(cls, domain: Domain) -> InputOrder:
        """Return the order of the cells of this rank. Collective."""
        return cls(domain.input_cell, domain.n_cells)


@dataclass(frozen=True)
class LocalRows:
    """This rank's rows of an array."""

    order: InputOrder
    values: Rows
    """Local rows; those that the order does not name, such as ghosts, are not used."""
    number_of: Rows | None = None
    """If given, values are indices into this array, and its entries are the rows."""

    def within(self, first: int, end: int) -> tuple[Rows, Rows]:
        """Return the places in a block of input rows, and the rows, of this rank."""
        low, high = np.searchsorted(self.order.numbers, [first, end])
        rows = self.values[self.order.places[low:high]]
        return self.order.numbers[low:high] - first, rows if self.number_of is None else self.number_of[rows]


class GatheredRows:
    """Rows in the order of the input, gathered from all ranks when rank 0 reads them. Root only."""

    def __init__(self, comm: MPI.Comm, name: str, mine: LocalRows) -> None:
        """Set up for one array of `on_root_with`."""
        self._comm, self._name, self._mine = comm, name, mine
        self.shape = (mine.order.total, *mine.values.shape[1:])
        self.dtype: np.dtype[Any] = (mine.values if mine.number_of is None else mine.number_of).dtype

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Rows:
        """Return consecutive rows."""
        first, end, step = rows.indices(len(self))
        assert step == 1, "rows are gathered in blocks"
        self._comm.bcast((self._name, first, end))
        block = np.empty((max(0, end - first), *self.shape[1:]), dtype=self.dtype)
        parts = self._comm.gather(self._mine.within(first, end))
        assert parts is not None
        for places, values in parts:
            block[places] = values
        return block


def on_root_with(
    comm: MPI.Comm, local: Mapping[str, LocalRows], work: Callable[[dict[str, GatheredRows]], Value]
) -> Value | None:
    """Return the result of `work` on rank 0, which may read the rows of all ranks; None elsewhere. Collective.

    If it raises, all ranks raise its error.
    """

    def with_rows() -> Value:
        try:
            return work({name: GatheredRows(comm, name, rows) for name, rows in local.items()})
        finally:
            comm.bcast(None)

    if comm.rank > 0:
        while (request := comm.bcast(None)) is not None:
            name, first, end = request
            comm.gather(local[name].within(first, end))
    return on_root(comm, with_rows)


def mesh_rows(domain: Domain) -> dict[str, LocalRows]:
    """Return points, cells and region of the mesh. Collective."""
    nodes, cells = InputOrder.of_nodes(domain), InputOrder.of_cells(domain)
    return {
        "points": LocalRows(nodes, domain.x),
        "cells": LocalRows(cells, domain.elements.cells, domain.input_node),
        "region": LocalRows(cells, domain.region),
    }


def gather_nodal(domain: Domain, nodal: FloatArray) -> FloatArray | None:
    """Return a nodal field in the order of the input nodes on rank 0, None elsewhere. Collective."""
    return on_root_with(domain.comm, {"it": LocalRows(InputOrder.of_nodes(domain), nodal)}, lambda rows: rows["it"][:])


def scatter_many(domain: Domain, whole: Mapping[str, RowArray] | None) -> dict[str, Rows]:
    """Return the local part of nodal arrays that rank 0 has in the order of the input nodes. Collective."""
    comm = domain.comm
    order = InputOrder(domain.input_node, domain.nodes.total)
    kinds = None if whole is None else {name: (rows.dtype, rows.shape[1:]) for name, rows in whole.items()}
    scattered: dict[str, Rows] = {}
    for name, (dtype, tail) in comm.bcast(kinds).items():
        scattered[name] = np.empty((domain.nodes.local, *tail), dtype)
        for first, block in _spread(comm, whole[name] if whole is not None else None):
            low, high = np.searchsorted(order.numbers, [first, first + len(block)])
            scattered[name][order.places[low:high]] = block[order.numbers[low:high] - first]
    return scattered


def _spread(comm: MPI.Comm, rows: RowArray | None):  # type: ignore[no-untyped-def]
    """Yield the first row and the rows of each block, which rank 0 reads, on every rank. Collective."""
    reader = blocks(rows) if rows is not None else None
    while True:
        block = on_root(comm, lambda: next(reader, None) if reader is not None else None)
        block = comm.bcast(block)
        if block is None:
            return
        yield block
