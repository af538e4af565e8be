"""Element stiffness for tissue with different conductivities along and across a direction.

    j = sigma A E,    A = 1 + (ratio - 1) t t^T        sigma across, ratio = sigma along / sigma across, t a unit vector

    g_ij = integral grad N_i . A grad N_j = integral grad N_i . grad N_j + (ratio - 1) V (t . grad N_i)(t . grad N_j)

t and the ratio are constant in each cell and in time; sigma has the usual temperature dependence.
"""

from __future__ import annotations

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.mesh.elements import Elements


def directed_stiffness(x: FloatArray, elements: Elements, ratio: FloatArray, direction: FloatArray) -> FloatArray:
    """Return g_ij of all cells [m], with the shape of `Elements.stiffness`.

    Args:
        x: node coordinates [m], shape (n, 3); (r, z, 0) if axisymmetric.
        elements: the cells.
        ratio: conductivity along / across in each cell, above 0; 1 where isotropic.
        direction: unit vectors t, shape (n_cells, 3), in the coordinates of x; used only where the ratio is not 1.
    """
    stiffness = elements.stiffness.copy()
    rows = np.flatnonzero(ratio != 1.0)
    slope = _slopes(x[elements.cells[rows]], direction[rows])
    weight = (ratio[rows] - 1.0) * elements.volume[rows]
    for number, (i, j) in enumerate(elements.pairs):
        stiffness[rows, number] += weight * slope[:, i] * slope[:, j]
    return stiffness


def _slopes(corners: FloatArray, t: FloatArray) -> FloatArray:
    """Return t . grad N_i at each corner [1/m]; corners of shape (n, corners, 3).

    With the edges e_k from corner 0 and t = sum s_k e_k, the slope is s_k at corner k and minus their sum at corner 0.
    """
    size = corners.shape[1] - 1
    edges = (corners[:, 1:] - corners[:, :1])[:, :, :size]
    s = np.linalg.solve(np.swapaxes(edges, 1, 2), t[:, :size, None])[:, :, 0]
    return np.concatenate([-s.sum(axis=1, keepdims=True), s], axis=1)
