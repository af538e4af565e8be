"""Element numbers of linear tetrahedra and of linear triangles of revolution, computed once a mesh.

With linear shape functions N_i, whose gradients are constant in a cell, every matrix of this package is made of

    stiffness   g_ij = integral grad N_i . grad N_j        (only i < j is kept: the rows sum to zero)
    share       s_i  = integral N_i                        (lumped mass; a source constant in the cell goes by it too)

over the cell, times a coefficient that is constant in the cell. In the (r, z) half plane integrals carry 2 pi r; for
the stiffness that is exact with r at the centroid; the shares follow from  int N_i r = A (r_i + sum r_j) / 12.
The forms these numbers stand for are written out in UFL in `tests/physics/test_elements.py` and compared to 1e-12.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Elements:
    """Cells of this rank and their element numbers."""

    cells: IntArray
    """Local node numbers, shape (n_cells, 4) or (n_cells, 3)."""
    stiffness: FloatArray
    """g_ij for the pairs i < j of `pairs` [m], shape (n_cells, 6) or (n_cells, 3)."""
    share: FloatArray
    """s_i [m3], shape like `cells`."""

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Pairs (i, j), i < j, of a cell's corners in the order of `stiffness`."""
        return list(combinations(range(self.cells.shape[1]), 2))

    @cached_property
    def corners(self) -> list[IntArray]:
        """The columns of `cells`: gathering corner by corner is several times faster than by rows."""
        return [np.ascontiguousarray(column) for column in self.cells.T]

    @cached_property
    def volume(self) -> FloatArray:
        """Volume of each cell, of the ring it sweeps when axisymmetric [m3]."""
        return np.asarray(self.share.sum(axis=1))

    def mean(self, nodal: FloatArray) -> FloatArray:
        """Return the value of a nodal field at each cell's centroid."""
        total = nodal[self.corners[0]]
        for corner in self.corners[1:]:
            total += nodal[corner]
        return total / len(self.corners)

    def dirichlet_energy(self, nodal: FloatArray) -> FloatArray:
        """Return the integral of |grad u|^2 over each cell, shape (n_cells,)."""
        value = [nodal[corner] for corner in self.corners]
        energy = np.zeros(len(self.cells))
        for number, (i, j) in enumerate(self.pairs):
            energy -= self.stiffness[:, number] * (value[i] - value[j]) ** 2
        return energy

    def to_nodes(self, density: FloatArray, n_nodes: int) -> FloatArray:
        """Return the integral of density * N_i over this rank's cells, density [1/m3] constant in each cell."""
        weights = (self.share * density[:, None]).ravel()
        return np.bincount(self.cells.ravel(), weights, n_nodes).astype(np.float64)


def make_elements(x: FloatArray, cells: IntArray, *, axisymmetric: bool) -> Elements:
    """Return the element numbers of `cells` at node coordinates x [m], shape (n, 3); (r, z, 0) when axisymmetric."""
    if axisymmetric:
        return _triangles_of_revolution(x, cells)
    return _tetrahedra(x, cells)


def _tetrahedra(x: FloatArray, cells: IntArray) -> Elements:
    corner = x[cells]
    edges = corner[:, 1:] - corner[:, :1]
    a, b, c = edges[:, 0], edges[:, 1], edges[:, 2]
    six_volume = np.einsum("ci,ci->c", a, np.cross(b, c))
    # rows of the inverse edge matrix are the gradients of N_1, N_2, N_3; N_0 takes the rest
    gradient = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=1) / six_volume[:, None, None]
    gradient = np.concatenate([-gradient.sum(axis=1, keepdims=True), gradient], axis=1)
    volume = np.abs(six_volume) / 6.0
    return Elements(cells, _pair_products(gradient, volume), np.repeat(volume[:, None] / 4.0, 4, axis=1))


def _triangles_of_revolution(x: FloatArray, cells: IntArray) -> Elements:
    corner = x[cells][:, :, :2]
    a, b = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    two_area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    gradient = np.stack([np.stack([b[:, 1], -b[:, 0]], axis=1), np.stack([-a[:, 1], a[:, 0]], axis=1)], axis=1)
    gradient /= two_area[:, None, None]
    gradient = np.concatenate([-gradient.sum(axis=1, keepdims=True), gradient], axis=1)
    area = np.abs(two_area) / 2.0
    r = corner[:, :, 0]
    ring = 2.0 * np.pi * area * r.mean(axis=1)
    share = 2.0 * np.pi * area[:, None] * (r + r.sum(axis=1, keepdims=True)) / 12.0
    return Elements(cells, _pair_products(gradient, ring), share)


def _pair_products(gradient: FloatArray, measure: FloatArray) -> FloatArray:
    pairs = combinations(range(gradient.shape[1]), 2)
    products = [np.einsum("ci,ci->c", gradient[:, i], gradient[:, j]) * measure for i, j in pairs]
    return np.ascontiguousarray(np.stack(products, axis=1))
