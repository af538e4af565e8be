"""Interpolation weights of the nodal fields of one mesh at the points of another. Root only."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from rfablate.arrays import FloatArray, IntArray

NEAREST = (8, 64, 512)
"""Numbers of nearest cells (by centroid) tested for a point; the next number applies if none contains it."""
ROOM = 1e-3
"""Tolerance of barycentric coordinates below zero inside a cell: field files store points in single precision."""
AT_ONCE = 400_000
"""Pairs of point and cell that are processed at once, to limit memory."""


def transfer_weights(x: FloatArray, cells: IntArray, points: FloatArray) -> sp.csr_matrix:
    """Return the matrix that maps nodal values of a mesh to values at points, shape (n_points, n_nodes).

    A point outside all cells gets the value of their nearest node.

    Args:
        x: nodes [m], shape (n_nodes, 3), (r, z, 0) of triangles.
        cells: node numbers of the source cells, shape (n_cells, 4) or (n_cells, 3).
        points: target points [m], shape (n_points, 3), in the coordinates of x.
    """
    from scipy.spatial import cKDTree

    corners = cells.shape[1]
    dim = corners - 1
    origin = x[cells[:, 0], :dim]
    inverse = np.linalg.inv(np.swapaxes(x[cells[:, 1:], :dim] - origin[:, None], 1, 2))
    centroids = cKDTree(x[cells].mean(axis=1)[:, :dim])
    best, weights = np.zeros(len(points), dtype=np.int64), np.full((len(points), corners), -np.inf)
    lost = np.arange(len(points))
    for number in NEAREST:
        count = min(number, len(cells))
        for part in np.array_split(lost, max(1, len(lost) * count // AT_ONCE)):
            near = np.asarray(centroids.query(points[part, :dim], count)[1]).reshape(len(part), count)
            inner = np.einsum("nkij,nkj->nki", inverse[near], points[part, None, :dim] - origin[near])
            found = np.concatenate([1.0 - inner.sum(axis=2, keepdims=True), inner], axis=2)
            which = found.min(axis=2).argmax(axis=1)
            row = np.arange(len(part))
            best[part], weights[part] = near[row, which], found[row, which]
        lost = lost[weights[lost].min(axis=1) < -ROOM]
    columns = cells[best]
    if len(lost):
        nodes = np.unique(cells)
        nearest = nodes[cKDTree(x[nodes, :dim]).query(points[lost, :dim])[1]]
        columns[lost, 0], weights[lost] = nearest, np.eye(corners)[0]
    rows = np.repeat(np.arange(len(points)), corners)
    return sp.csr_matrix((weights.ravel(), (rows, columns.ravel())), shape=(len(points), len(x)))
