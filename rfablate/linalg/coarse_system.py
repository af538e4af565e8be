"""The next coarser level of a distributed level: its unknowns, matrices and prolongation, distributed over the ranks.

A rank owns the rows of its aggregates. Its fine rows also contribute to rows of aggregates of other ranks, which are
sent to their owners once, when the level is built. In a cycle a rank exchanges values of ghost aggregates only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from rfablate.arrays import FloatArray
from rfablate.linalg.coarse_limits import Storage
from rfablate.linalg.smoother import SingleArray
from rfablate.mesh.domain import Nodes

LongArray = npt.NDArray[np.int64]


class CoarseSolver(Protocol):
    """Approximate inverse of K + w0 C on a coarse level, symmetric for each w0."""

    sizes: list[int]
    """Unknowns of the level and of all coarser ones."""
    storage: list[Storage]
    """How these levels are stored."""
    P: sp.csr_matrix
    """Prolongation to the owned nodes of the finer level from the coarse unknowns of this rank."""
    b: SingleArray
    """Contribution of this rank to the right-hand side, one element per column of `P`; `solve` may overwrite it."""

    def weigh(self, w0: float) -> FloatArray:
        """Set it to the inverse of K + w0 C; return D^-1/2, one element per column of `P`. Collective."""

    def solve(self) -> SingleArray:
        """Return the solution for the sum of `b` over ranks, one element per column of `P`. Collective."""


@dataclass(frozen=True)
class Coarsening:
    """A level and the prolongation to it from the next one."""

    nodes: Any
    """`Nodes`, or `Serial` for a level that one rank holds."""
    A: sp.csr_matrix
    """Stiffness scaled to a unit diagonal: owned rows over local nodes."""
    root: FloatArray
    """D^-1/2 at the local nodes."""
    mass: sp.csr_matrix
    """The matrix C that w0 multiplies: owned rows over local nodes."""
    scaled: sp.csr_matrix
    """D^1/2 P: local nodes over all aggregates of all ranks."""
    aggregates: int
    """Number of aggregates of this rank."""

    @property
    def total(self) -> int:
        """Unknowns of the coarser level on all ranks."""
        return int(self.scaled.shape[1])

    def products(self, scaled: sp.csr_matrix) -> tuple[sp.csr_matrix, sp.csr_matrix]:
        """Return the contributions of this rank to P^T K P and P^T C P, over the columns of `scaled`."""
        owned = self.nodes.owned
        P = sp.csr_matrix(sp.diags(self.root) @ scaled)
        return scaled[:owned].T @ sp.csr_matrix(self.A @ scaled), P[:owned].T @ sp.csr_matrix(self.mass @ P)

    def unscaled(self, scaled: sp.csr_matrix) -> sp.csr_matrix:
        """Return P at the owned nodes, over the columns of `scaled`."""
        owned = self.nodes.owned
        return sp.csr_matrix(sp.diags(self.root[:owned]) @ scaled[:owned])


@dataclass(frozen=True)
class CoarseSystem:
    """A distributed coarse level: rows of the owned unknowns over the owned and ghost unknowns of this rank."""

    nodes: Nodes
    stiffness: sp.csr_matrix
    mass: sp.csr_matrix
    P: sp.csr_matrix
    """Prolongation to the owned nodes of the finer level."""


def coarse_system(level: Coarsening) -> CoarseSystem:
    """Return the next coarser level. Collective."""
    comm = level.nodes.comm
    ends = np.cumsum(comm.allgather(level.aggregates))
    first = int(ends[comm.rank]) - level.aggregates
    own = np.arange(first, ends[comm.rank], dtype=np.int64)
    scaled = sp.csr_matrix(level.scaled)
    columns = np.union1d(scaled.indices, own).astype(np.int64)
    compressed = sp.csr_matrix(
        (scaled.data, np.searchsorted(columns, scaled.indices), scaled.indptr), (scaled.shape[0], len(columns))
    )
    # Symmetric contributions, summed in the order of the ranks, give exactly symmetric matrices.
    mine = [sp.csr_matrix(0.5 * (each + each.T)) for each in level.products(compressed)]
    parts = _sent_to_owners(comm, ends, columns, mine)
    every = np.concatenate([columns, *(part[1] for matrix in parts for part in matrix)])
    ghosts = np.unique(every[(every < first) | (every >= ends[comm.rank])])
    nodes = Nodes(comm, level.aggregates, ghosts, np.searchsorted(ends, ghosts, side="right").astype(np.int32))

    def local(numbers: LongArray) -> LongArray:
        inside = (numbers >= first) & (numbers < ends[comm.rank])
        return np.where(inside, numbers - first, level.aggregates + np.searchsorted(ghosts, numbers))

    shape = (nodes.owned, nodes.local)
    stiffness, mass = (
        sum(
            (sp.csr_matrix((data, (rows - first, local(there))), shape) for rows, there, data in matrix),
            sp.csr_matrix(shape),
        )
        for matrix in parts
    )
    P = level.unscaled(compressed)
    P = sp.csr_matrix((P.data, local(columns)[P.indices], P.indptr), (P.shape[0], nodes.local))
    P.sort_indices()
    return CoarseSystem(nodes, sp.csr_matrix(stiffness), sp.csr_matrix(mass), P)


Entries = tuple[LongArray, LongArray, FloatArray]
"""Global rows, global columns and values."""


def _sent_to_owners(
    comm: Any, ends: LongArray, columns: LongArray, matrices: Sequence[sp.csr_matrix]
) -> list[list[Entries]]:
    """Return, for each matrix, the entries that the ranks contribute to the rows of this rank. Collective."""
    sent: list[list[Entries]] = [[] for _ in range(comm.size)]
    for matrix in matrices:
        entries = matrix.tocoo()
        rows, there = columns[entries.row], columns[entries.col]
        bounds = np.searchsorted(entries.row, np.searchsorted(columns, [0, *ends]))
        for rank, (a, b) in enumerate(zip(bounds, bounds[1:], strict=False)):
            sent[rank].append((rows[a:b], there[a:b], entries.data[a:b]))
    received = comm.alltoall(sent)
    return [[part[k] for part in received if len(part[k][0])] for k in range(len(matrices))]


def joined_pattern(stiffness: sp.csr_matrix, mass: sp.csr_matrix, diagonal: float) -> tuple[sp.csr_matrix, Any, Any]:
    """Return a matrix with the entries of both, with or without a diagonal (1 or 0), and the values of both in it."""
    both = sp.csr_matrix(abs(stiffness) + abs(mass))
    both.setdiag(diagonal)
    both.eliminate_zeros()
    both.sort_indices()
    rows = np.repeat(np.arange(both.shape[0]), np.diff(both.indptr))
    if both.nnz == 0:  # a rank without rows
        return both, np.zeros(0), np.zeros(0)
    values = (np.asarray(A[rows, both.indices]).ravel() for A in (stiffness, mass))
    return both, *values
