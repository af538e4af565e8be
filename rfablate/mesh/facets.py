"""Facets of a simplex mesh, derived from its cells. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rfablate.arrays import IntArray


def _facets(cells: IntArray) -> tuple[IntArray, IntArray]:
    """Return the facets of all cells with sorted nodes, and the cell of each."""
    corners = cells.shape[1]
    facets = np.concatenate([np.delete(cells, k, axis=1) for k in range(corners)])
    return np.sort(facets, axis=1), np.tile(np.arange(len(cells)), corners)


def _pair_up(facets: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return (order, positions in it of the first of two equal facets, positions of facets that occur once)."""
    order = np.lexsort(facets.T[::-1])
    ranked = facets[order]
    same = (ranked[1:] == ranked[:-1]).all(axis=1)
    first = np.flatnonzero(same)
    twin = np.zeros(len(facets), dtype=bool)
    twin[first] = True
    twin[first + 1] = True
    return order, first, np.flatnonzero(~twin)


def boundary_facets(cells: IntArray) -> IntArray:
    """Return the facets that belong to one cell only, shape (n, corners - 1)."""
    facets, _ = _facets(cells)
    order, _, alone = _pair_up(facets)
    return facets[order[alone]]


def facets_between(cells: IntArray, one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> IntArray:
    """Return the facets between a cell marked in `one` and a cell marked in `other`, shape (n, corners - 1)."""
    facets, cell = _facets(cells)
    order, first, _ = _pair_up(facets)
    a, b = cell[order[first]], cell[order[first + 1]]
    between = (one[a] & other[b]) | (one[b] & other[a])
    return facets[order[first[between]]]


def facet_neighbours(cells: IntArray) -> tuple[IntArray, IntArray, IntArray, int]:
    """Return each facet of two cells, the one, the other, and how many facets belong to three cells or more."""
    facets, cell = _facets(cells)
    order, first, _ = _pair_up(facets)
    more = int((np.diff(first) == 1).sum())
    return facets[order[first]], cell[order[first]], cell[order[first + 1]], more
