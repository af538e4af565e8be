"""Element numbers where tissue conducts better along a direction than across it.

    j = sigma A E,    A = 1 + (ratio - 1) t t^T        sigma across, ratio = sigma along / sigma across, t a unit vector

    g_ij = integral grad N_i . A grad N_j = integral grad N_i . grad N_j + (ratio - 1) V (t . grad N_i)(t . grad N_j)

t and the ratio are constant in a cell and in time; sigma follows the temperature as everywhere.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rfablate.mesh.elements import Elements

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def directed_stiffness(x: FloatArray, elements: Elements, ratio: FloatArray, direction: FloatArray) -> FloatArray:
    """Return g_ij of all cells [m], shape like `Elements.stiffness`.

    Args:
        x: coordinates of the nodes [m], shape (n, 3); (r, z, 0) when axisymmetric.
        elements: the cells.
        ratio: conductivity along over that across, above 0, one a cell; 1 where they are equal.
        direction: unit vectors t, shape (n_cells, 3), in the coordinates of x; read where the ratio is not 1.
    """
    stiffness = elements.stiffness.copy()
    rows = np.flatnonzero(ratio != 1.0)
    slope = _slopes(x[elements.cells[rows]], direction[rows])
    weight = (ratio[rows] - 1.0) * elements.volume[rows]
    for number, (i, j) in enumerate(elements.pairs):
        stiffness[rows, number] += weight * slope[:, i] * slope[:, j]
    return stiffness


def _slopes(corners: FloatArray, t: FloatArray) -> FloatArray:
    """Return t . grad N_i of each corner [1/m]; corners of shape (n, corners, 3).

    A linear function of the edges e_k from corner 0: with t = sum s_k e_k it is s_k, and less their sum at corner 0.
    """
    size = corners.shape[1] - 1
    edges = (corners[:, 1:] - corners[:, :1])[:, :, :size]
    s = np.linalg.solve(np.swapaxes(edges, 1, 2), t[:, :size, None])[:, :, 0]
    return np.concatenate([-s.sum(axis=1, keepdims=True), s], axis=1)
