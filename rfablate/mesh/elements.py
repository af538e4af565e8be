"""Element matrices of linear tetrahedra and of linear triangles of revolution, computed once per mesh.

With linear shape functions N_i, whose gradients are constant in a cell, all matrices of this package are assembled from

    stiffness   g_ij = integral grad N_i . grad N_j        (only i < j is stored: the rows sum to zero)
    share       s_i  = integral N_i                        (lumped mass; nodal load of a source constant in the cell)

over the cell, times a coefficient that is constant in the cell or the mean of a linear one. In the (r, z) half plane
the integrals contain 2 pi r. For the stiffness, r at the centroid is exact; the shares follow from
int N_i r = A (r_i + sum r_j) / 12.
`tests/physics/test_elements.py` compares them with the corresponding UFL forms to 1e-12.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import numpy.typing as npt

from rfablate.arrays import FloatArray
from rfablate.kernels.loader import call

IntArray = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Elements:
    """Cells of this rank and their element matrices."""

    cells: IntArray
    """Local node numbers, shape (n_cells, 4) or (n_cells, 3)."""
    stiffness: FloatArray
    """g_ij for the pairs i < j of `pairs` [m], shape (n_cells, 6) or (n_cells, 3)."""
    volume: FloatArray
    """Volume of each cell; for axisymmetric cells that of the ring [m3]."""
    ring_share: FloatArray | None = None
    """s_i of triangles [m3], shape (n_cells, 3); None for tetrahedra, whose shares are equal."""

    def first(self, n: int) -> Elements:
        """Return the first n cells as views."""
        ring = None if self.ring_share is None else self.ring_share[:n]
        return Elements(self.cells[:n], self.stiffness[:n], self.volume[:n], ring)

    @property
    def share(self) -> FloatArray:
        """s_i [m3], with the shape of `cells`."""
        if self.ring_share is not None:
            return self.ring_share
        return np.broadcast_to(0.25 * self.volume[:, None], self.cells.shape)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Pairs (i, j), i < j, of the corners of a cell, in the order of `stiffness`."""
        return list(combinations(range(self.cells.shape[1]), 2))

    @cached_property
    def corners(self) -> list[IntArray]:
        """The columns of `cells`; gathering by corner is several times faster than by row."""
        return [np.ascontiguousarray(column) for column in self.cells.T]

    def dirichlet_energy(self, nodal: FloatArray) -> FloatArray:
        """Return the integral of |grad u|^2 over each cell, shape (n_cells,)."""
        value = [nodal[corner] for corner in self.corners]
        energy = np.zeros(len(self.cells))
        for number, (i, j) in enumerate(self.pairs):
            energy -= self.stiffness[:, number] * (value[i] - value[j]) ** 2
        return energy

    def to_nodes(self, density: FloatArray, n_nodes: int) -> FloatArray:
        """Return the nodal integrals of density * N_i over these cells; density [1/m3] constant in each cell."""
        total = np.zeros(n_nodes)
        for number, corner in enumerate(self.corners):
            total += np.bincount(corner, self.share[:, number] * density, n_nodes)
        return total


def make_elements(x: FloatArray, cells: IntArray, *, axisymmetric: bool) -> Elements:
    """Return the element matrices of `cells`; x are node coordinates [m], shape (n, 3), (r, z, 0) if axisymmetric."""
    x = np.ascontiguousarray(x, dtype=np.float64)
    n, corners = cells.shape
    stiffness = np.empty((n, corners * (corners - 1) // 2))
    if axisymmetric:
        share = np.empty((n, 3))
        call("triangles_of_revolution", n, cells, x, stiffness, share)
        return Elements(cells, stiffness, share.sum(axis=1), share)
    volume = np.empty(n)
    call("tetrahedra", n, cells, x, stiffness, volume)
    return Elements(cells, stiffness, volume)
