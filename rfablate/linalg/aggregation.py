"""Setup of smoothed aggregation: aggregates, prolongation and coarse matrices. multigrid.py contains the cycle."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from mpi4py import MPI
from scipy.linalg import eigvalsh_tridiagonal

from rfablate.arrays import FloatArray
from rfablate.kernels.loader import call
from rfablate.linalg.matrix import Matrix
from rfablate.mesh.domain import Nodes

STRONG = 0.02
"""Threshold of |a'_ij| for strong couplings on the fine level; halved on each coarser level."""
LANCZOS_STEPS = 15
"""Lanczos steps for the largest eigenvalue. On 589,000 nodes, as many power iterations gave a value 11 % too low, which
made the V-cycle indefinite."""


class Serial:
    """A replacement of `Nodes` for matrices that one rank holds completely."""

    comm = MPI.COMM_SELF

    def __init__(self, n: int) -> None:
        """Set up for n owned rows."""
        self.owned = self.local = self.total = n

    def update_ghosts(self, values: FloatArray) -> None:
        """Do nothing: there are no ghosts."""

    def total_of(self, *numbers: float) -> FloatArray:
        """Return the numbers as an array."""
        return np.array(numbers)

    max_of = total_of


def fine_rows(matrix: Matrix, root: FloatArray) -> sp.csr_matrix:
    """Return D^-1/2 A D^-1/2 for the owned rows over the local nodes."""
    pattern = matrix.pattern
    places = pattern.joined()
    indptr = np.concatenate([[0], np.cumsum(pattern.length, dtype=np.int64)])
    rows = np.repeat(np.arange(pattern.n), pattern.length)
    columns = pattern.columns.unpacked()[places]
    data = matrix.values[places] * root[rows] * root[columns]
    off = sp.csr_matrix((data, columns, indptr), shape=(pattern.n, pattern.local))
    unit = sp.csr_matrix(sp.diags((root[: pattern.n] > 0.0).astype(np.float64), shape=off.shape))
    off.eliminate_zeros()
    return sp.csr_matrix(off + unit)


def largest_eigenvalue(nodes, A: sp.csr_matrix, candidate: FloatArray) -> float:  # type: ignore[no-untyped-def]
    """Return a lower estimate of the largest eigenvalue of a unit-diagonal matrix, by Lanczos steps. Collective."""
    owned = nodes.owned
    v = np.where(candidate > 0.0, np.random.default_rng(7).standard_normal(len(candidate)), 0.0)
    v /= np.sqrt(nodes.total_of(float(v[:owned] @ v[:owned]))[0]) or 1.0
    before, beta = np.zeros(owned), 0.0
    alphas: list[float] = []
    betas: list[float] = []
    for _ in range(LANCZOS_STEPS):
        nodes.update_ghosts(v)
        w = A @ v - beta * before
        alpha = float(nodes.total_of(float(w @ v[:owned]))[0])
        w -= alpha * v[:owned]
        beta = float(np.sqrt(nodes.total_of(float(w @ w))[0]))
        alphas.append(alpha)
        betas.append(beta)
        if beta <= 1e-12 * abs(alpha):
            break
        before = v[:owned].copy()
        v[:owned] = w / beta
    largest = float(eigvalsh_tridiagonal(np.array(alphas), np.array(betas[:-1]))[-1])
    return largest if largest > 0.0 else 1.0  # without free nodes


class SpectralBound:
    """A bound for the largest eigenvalue of K + w0 C, scaled to a unit diagonal, on a coarse level.

    K <= a D_K and C <= b D_C, with the largest eigenvalues a and b of both scaled alone, so K + w0 C is at most
    a D_K + w0 b D_C. On coarse levels C is not diagonal, and b (2 to 4) is larger than a.
    """

    def __init__(self, nodes, stiffness: sp.csr_matrix, mass: sp.csr_matrix, a: float) -> None:  # type: ignore[no-untyped-def]
        """Compute b for the owned rows of C; `a` is known. Collective."""
        self._nodes, self._a = nodes, a
        self._diagonals = stiffness.diagonal(), mass.diagonal()
        root = np.zeros(nodes.local)
        root[: nodes.owned] = inverse_root(self._diagonals[1])
        nodes.update_ghosts(root)
        A = sp.csr_matrix(sp.diags(root[: nodes.owned]) @ mass @ sp.diags(root))
        self._b = largest_eigenvalue(nodes, A, root) if nodes.total_of(float(root.any()))[0] else 0.0

    def at(self, w0: float) -> float:
        """Return the bound. Collective."""
        K, C = self._diagonals
        total = K + w0 * C
        share = np.divide(w0 * C, total, out=np.zeros_like(total), where=total > 0.0).max(initial=0.0)
        return float(self._a + self._nodes.max_of(float(share))[0] * max(0.0, self._b - self._a))


def prolongation(  # type: ignore[no-untyped-def]
    nodes, A: sp.csr_matrix, candidate: FloatArray, largest: float, threshold: float
) -> tuple[sp.csr_matrix, int]:
    """Return the prolongation P from all aggregates to the local nodes, including ghosts. Collective.

    The second value is the number of aggregates of this rank.
    """
    n = nodes.owned
    mine = sp.csr_matrix(A[:, :n]) if nodes.local > n else A
    strong = np.abs(mine.data) > threshold
    strong &= np.repeat(np.arange(n), np.diff(mine.indptr)) != mine.indices
    kept = np.concatenate([[0], np.cumsum(strong)])
    where, columns = kept[mine.indptr].astype(np.int32), mine.indices[strong].astype(np.int32)
    # A node with weak couplings only forms its own aggregate; fixed nodes belong to none.
    of, joined = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int32)
    count = int(call("aggregate", n, where, columns, of, joined))
    lonely = (of < 0) & (candidate[:n] > 0.0)
    of[lonely] = count + np.arange(int(lonely.sum()))
    count += int(lonely.sum())
    counts = nodes.comm.allgather(count)
    number = np.full(nodes.local, -1.0)
    number[:n] = np.where(of >= 0, of + sum(counts[: nodes.comm.rank]), -1)
    nodes.update_ghosts(number)
    inside = np.flatnonzero(number >= 0)
    shape = (nodes.local, sum(counts))
    T = sp.csr_matrix((candidate[inside], (inside, number[inside].astype(np.int64))), shape=shape)
    P = sp.csr_matrix(T[:n] - (4.0 / (3.0 * largest)) * (A @ T))
    if nodes.comm.size > 1:
        P = sp.csr_matrix(sp.vstack([P, _rows_of_ghosts(nodes, P)]))
    return P, count


def _rows_of_ghosts(nodes: Nodes, P: sp.csr_matrix) -> sp.csr_matrix:
    """Return the rows of P at the ghosts of this rank, which other ranks own. Collective."""
    comm, ghosts = nodes.comm, nodes.global_index[nodes.owned :]
    firsts = np.cumsum([0, *comm.allgather(nodes.owned)])
    owner = np.searchsorted(firsts, ghosts, side="right") - 1
    requested = comm.alltoall([ghosts[owner == rank] - firsts[rank] for rank in range(comm.size)])
    answers = comm.alltoall([P[rows] for rows in requested])
    order = np.argsort(np.concatenate([np.flatnonzero(owner == rank) for rank in range(comm.size)]))
    return sp.csr_matrix(sp.vstack(answers, format="csr")[order])


def coarse_matrix(nodes, A: sp.csr_matrix, P: sp.csr_matrix) -> sp.csr_matrix:  # type: ignore[no-untyped-def]
    """Return P^T A P, summed over ranks and stored on each rank. Collective."""
    total = sum_over_ranks(nodes, P[: nodes.owned].T @ sp.csr_matrix(A @ P))
    return sp.csr_matrix(0.5 * (total + total.T))


def sum_over_ranks(nodes, mine: sp.spmatrix) -> sp.csr_matrix:  # type: ignore[no-untyped-def]
    """Return the sum over ranks of a matrix. Collective."""
    parts = nodes.comm.allgather(sp.csr_matrix(mine))
    return sp.csr_matrix(sum(parts[1:], parts[0]))


def inverse_root(diagonal: FloatArray) -> FloatArray:
    """Return D^-1/2, zero where the diagonal is not positive."""
    return np.sqrt(np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0.0))
