"""A mesh in slices: each rank has consecutive nodes, cells and facets of the input, in the order of the input.

A source deals its slices: the arrays of a mesh that rank 0 has generated or read, or a file of `mesh_file.py`. Every
later step works on slices, so no rank needs memory for the whole mesh.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from rfablate.arrays import FloatArray
from rfablate.mesh.mesh_header import SURFACE, MeshHeader
from rfablate.mesh.root_tasks import on_root
from rfablate.mesh.row_blocks import Blocks

Simplices = npt.NDArray[np.int32] | npt.NDArray[np.int64]

TAG = 4712


class SliceSource(Protocol):
    """A mesh whose rows can be read in parts."""

    @property
    def header(self) -> MeshHeader:
        """Sizes, names and notes."""

    def rows(self, name: str, first: int, end: int) -> npt.NDArray[Any]:
        """Return the rows from `first` to before `end` of an array of `MeshHeader.lengths`."""


@dataclass(frozen=True)
class MeshSlice:
    """This rank's slice of a mesh. Cells and facets have the numbers of nodes in the input, in 32 or 64 bits."""

    header: MeshHeader
    nodes: Blocks
    cells_of: Blocks
    points: FloatArray
    cells: Simplices
    region: npt.NDArray[np.int32]
    facets: Mapping[str, Simplices]

    @property
    def comm(self) -> MPI.Comm:
        """All ranks."""
        return self.nodes.comm


def deal_slices(source: SliceSource | None, comm: MPI.Comm) -> MeshSlice:
    """Return each rank's slice of the source that rank 0 has; the others pass None. Collective.

    Rank 0 reads and sends one slice at a time.
    """
    header: MeshHeader = comm.bcast(source.header if source is not None else None)
    lengths = header.lengths()
    blocks = {n: Blocks.even(comm, n) for n in lengths.values()}
    arrays = {name: _deal(source, name, blocks[n]) for name, n in lengths.items()}
    facets = {name: arrays[SURFACE + name] for name in header.n_facets}
    nodes, cells_of = blocks[header.n_points], blocks[header.n_cells]
    return MeshSlice(header, nodes, cells_of, arrays["points"], arrays["cells"], arrays["region"], facets)


def _deal(source: SliceSource | None, name: str, blocks: Blocks) -> Any:
    """Return this rank's rows of an array; rank 0 sends them, or None where it cannot read them, before it raises."""
    comm, starts = blocks.comm, blocks.starts

    def send() -> Any:
        assert source is not None
        sent = 0
        try:
            for rank in range(1, comm.size):
                comm.send(source.rows(name, int(starts[rank]), int(starts[rank + 1])), rank, TAG)
                sent = rank
            return source.rows(name, 0, int(starts[1]))
        finally:
            for rank in range(sent + 1, comm.size):
                comm.send(None, rank, TAG)

    received = comm.recv(source=0, tag=TAG) if comm.rank else None
    mine = on_root(comm, send)
    return received if comm.rank else mine
