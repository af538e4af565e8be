"""Determines the share of each of many ranks on one rank by calling the partitioner; no other rank is started.

    python -m hpc.scaling.parts runs/scaling/million.h5 2 4 ... 1024

Rows, cells (including those computed twice), ghosts and neighbours are those of the partition. Size, ghosts and
neighbours of the first coarse level of the V-cycle follow from aggregating the matrix without couplings between parts,
as in a real run.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from mpi4py import MPI

from hpc.scaling.meshes import CASE
from rfablate.case.read.case_file import load_case
from rfablate.kernels.loader import call
from rfablate.linalg.aggregation import STRONG, fine_rows
from rfablate.mesh.bisection import bisect
from rfablate.mesh.domain import Domain, distribute
from rfablate.mesh.mesh_file import MeshFile
from rfablate.mesh.partition import row_cost
from rfablate.problem.problem import Problem, build_problem

IntArray = npt.NDArray[np.int32]
LongArray = npt.NDArray[np.int64]


def shares(problem: Problem, n_parts: int) -> dict[str, Any]:
    """Return the largest rows, cells, ghosts and neighbours of any part, their means, and the size of level 1."""
    domain, pattern = problem.domain, problem.solvers.pattern
    n, near, far = domain.nodes.total, pattern.near, pattern.far
    cells = np.bincount(domain.elements.cells.ravel(), minlength=n).astype(np.float64)
    owner = bisect(domain.x, row_cost(cells, domain.elements.cells.shape[1]), n_parts)
    cut = owner[near] != owner[far]
    at_home, away = np.concatenate([near[cut], far[cut]]), np.concatenate([far[cut], near[cut]])
    ghosts, neighbours = _border(owner, at_home, away, n_parts)
    total, level_1_ghosts, level_1_neighbours = _level_1(problem, owner, n_parts)
    found = {
        "rows": np.bincount(owner, minlength=n_parts),
        "cells": _cells(domain, owner, n_parts),
        "ghosts": ghosts,
        "neighbours": neighbours,
        "level_1_ghosts": level_1_ghosts,
        "level_1_neighbours": level_1_neighbours,
    }
    most = {name: int(values.max()) for name, values in found.items()}
    return {
        "parts": n_parts,
        **most,
        "mean_ghosts": float(found["ghosts"].mean()),
        "level_1": total,
    }


def _border(owner: IntArray, at_home: IntArray, away: IntArray, n_parts: int) -> tuple[LongArray, LongArray]:
    """Return the ghosts and the neighbours of each part, from couplings between unknowns of different parts."""
    ghost = np.unique(owner[at_home].astype(np.int64) * len(owner) + away)
    pair = np.unique(owner[at_home].astype(np.int64) * n_parts + owner[away])
    return np.bincount(ghost // len(owner), minlength=n_parts), np.bincount(pair // n_parts, minlength=n_parts)


def _cells(domain: Domain, owner: IntArray, n_parts: int) -> npt.NDArray[np.int64]:
    """Return the number of cells that touch each part."""
    corners = np.sort(owner[domain.elements.cells], axis=1)
    first = np.ones(corners.shape, dtype=bool)
    first[:, 1:] = corners[:, 1:] != corners[:, :-1]
    return np.bincount(corners[first], minlength=n_parts)


def _level_1(problem: Problem, owner: IntArray, n_parts: int) -> tuple[int, LongArray, LongArray]:
    """Return the aggregates of the potential matrix, none across parts, and the ghosts and neighbours of each part."""
    assert problem.solvers.electric is not None
    matrix, domain = problem.solvers.electric.matrix, problem.domain
    free = ~(domain.surface_nodes["active"] | domain.surface_nodes["return"]) & (matrix.diagonal > 0.0)
    root = np.sqrt(np.divide(1.0, matrix.diagonal, out=np.zeros(len(free)), where=free))
    order = np.argsort(owner, kind="stable")
    A = sp.csr_matrix(fine_rows(matrix, root)[order][:, order])
    rows = np.repeat(np.arange(len(order)), np.diff(A.indptr))
    of_part = owner[order]
    strong = (np.abs(A.data) > STRONG) & (rows != A.indices) & (of_part[rows] == of_part[A.indices])
    where = np.concatenate([[0], np.cumsum(strong)])[A.indptr].astype(np.int32)
    of, joined = np.empty(len(order), dtype=np.int32), np.empty(len(order), dtype=np.int32)
    count = int(call("aggregate", len(order), where, A.indices[strong].astype(np.int32), of, joined))
    lonely = (of < 0) & free[order]
    of[lonely] = count + np.arange(int(lonely.sum()))
    total = count + int(lonely.sum())
    inside = np.flatnonzero(of >= 0)
    of_aggregate = np.zeros(total, dtype=np.int32)
    of_aggregate[of[inside]] = of_part[inside]
    pattern = sp.csr_matrix((np.ones(A.nnz, dtype=np.float32), A.indices, A.indptr), A.shape)
    ones = np.ones(len(inside), dtype=np.float32)
    P = sp.csr_matrix(pattern @ sp.csr_matrix((ones, (inside, of[inside])), (len(of), total)))
    coarse = sp.csr_matrix(P.T @ sp.csr_matrix(pattern @ P)).tocoo()
    cut = of_aggregate[coarse.row] != of_aggregate[coarse.col]
    return total, *_border(of_aggregate, coarse.row[cut], coarse.col[cut], n_parts)


def main(path: Path, counts: list[int]) -> None:
    """Print one line of JSON."""
    case = load_case(CASE, [f"domain.file={path.resolve()}"])
    domain = distribute(MeshFile(path), MPI.COMM_SELF)
    problem = build_problem(case, domain)
    problem.solvers.assemble(problem.initial)
    rows = [shares(problem, n) for n in counts]
    print(json.dumps({"mesh": path.stem, "nodes": domain.nodes.total, "cells": domain.n_cells, "shares": rows}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(n) for n in sys.argv[2:]])
