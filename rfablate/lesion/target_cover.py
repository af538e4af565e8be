"""Coverage of targets with a margin: the tissue within a distance of the target, and its fraction inside the lesion.

The tissue within the margin m of a target (target included, metal not, inside the domain) is where d <= m, with the
distance d from the target. In a cell, d is taken as linear; cells near d = m that are large compared with m are split.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from mpi4py import MPI

from rfablate.arrays import BoolArray, FloatArray, IntArray
from rfablate.lesion.clipped_cells import clip, split, volumes
from rfablate.mesh.domain import Domain
from rfablate.mesh.facets import boundary_facets

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

MARGINS = (5e-3, 10e-3)
"""Margins of `covered_fraction_5mm` and `covered_fraction_10mm` [m]."""
_LARGEST = 0.3
"""Largest edge of a cell near the margin relative to the margin, except after `_SPLITS`."""
_SPLITS = 3


class TargetMargins:
    """The tissue around one target, in cells of this rank."""

    def __init__(self, domain: Domain, target: int, tissue: BoolArray) -> None:
        """Compute the distances from the region with the number `target` in the tissue around it. Collective."""
        self._domain = domain
        from scipy.spatial import cKDTree  # a tenth of a second: only cases with targets need it

        points = _surface_of(domain, target)
        surface = cKDTree(points)
        low, high = points.min(axis=0) - max(MARGINS), points.max(axis=0) + max(MARGINS)
        near = ((domain.x >= low) & (domain.x <= high)).all(axis=1)
        cells = domain.elements.cells
        touched = np.flatnonzero(tissue & (near[cells].any(axis=1) | (domain.region == target)))
        nodes = np.unique(cells[touched])
        distance = np.zeros(domain.nodes.local)
        if len(nodes):
            distance[nodes] = surface.query(domain.x[nodes])[0]
        distance[cells[domain.region == target]] = 0.0
        self._cells = touched
        self._zones = [self._zone(distance, margin, surface) for margin in MARGINS]

    def _zone(self, distance: FloatArray, margin: float, surface: cKDTree) -> tuple[FloatArray, IntArray]:
        """Return the parts within a margin: points and barycentric weights, shape (n, corners, 3 + corners); cells."""
        cells = self._domain.elements.cells[self._cells]
        corners = cells.shape[1]
        weights = np.broadcast_to(np.eye(corners), (len(cells), corners, corners))
        slack = (margin - distance[cells])[:, :, None]
        pieces = np.concatenate([self._domain.x[cells], slack, weights], axis=2)
        owner = np.arange(len(cells))

        def measure(middle: FloatArray) -> None:
            outside = middle[:, :, 3] != margin  # inside the target the distance is zero, and remains so
            middle[outside, 3] = margin - surface.query(middle[outside][:, :3])[0]

        for _ in range(_SPLITS):
            size = np.linalg.norm(pieces[:, :, :3] - np.roll(pieces[:, :, :3], 1, axis=1), axis=2).max(axis=1)
            low, high = pieces[:, :, 3].min(axis=1), pieces[:, :, 3].max(axis=1)
            bend = size**2 / (4.0 * margin)  # d deviates from a linear function by half of this at most
            large = (low < bend) & (high > -bend) & (size > _LARGEST * margin)
            if not large.any():
                break
            finer = split(pieces[large], measure)
            pieces = np.concatenate([pieces[~large], finer])
            owner = np.concatenate([owner[~large], np.tile(owner[large], len(finer) // int(large.sum()))])
        inside, part = clip(pieces, 3)
        return np.delete(inside, 3, axis=2), owner[part]

    def covered(self, level: FloatArray) -> list[float]:
        """Return, for each of `MARGINS`, the fraction of the tissue within it where the level is positive."""
        found = np.zeros((len(self._zones), 2))
        for row, (pieces, owner) in zip(found, self._zones, strict=True):
            value = np.einsum("nkc,nc->nk", pieces[:, :, 3:], level[self._domain.elements.cells[self._cells[owner]]])
            row[0] = volumes(pieces).sum()
            row[1] = volumes(clip(np.concatenate([pieces[:, :, :3], value[:, :, None]], axis=2), 3)[0]).sum()
        self._domain.comm.Allreduce(MPI.IN_PLACE, found, op=MPI.SUM)
        return [float(min(1.0, inside / whole)) if whole > 0.0 else 0.0 for whole, inside in found]


def _surface_of(domain: Domain, target: int) -> FloatArray:
    """Return points of the surface of a region on every rank [m], shape (n, 3). Collective.

    Nodes, midpoints of edges and centres of facets of edge h: the nearest of them is farther from a point at the
    distance d than the surface itself by at most h^2 / (24 d), which is 0.01 mm for 1 mm and 5 mm.
    """
    cells = domain.elements.cells[domain.region == target]
    gathered = domain.comm.allgather((domain.nodes.global_index[cells], domain.x[cells]))
    nodes = np.concatenate([each for each, _ in gathered])
    points: Sequence[FloatArray] = [each.reshape(-1, 3) for _, each in gathered]
    numbers, first = np.unique(nodes, return_index=True)
    packed = np.searchsorted(numbers, nodes)
    corner = np.concatenate(points)[first][boundary_facets(packed)]
    middles = 0.5 * (corner + np.roll(corner, 1, axis=1))
    return np.unique(
        np.concatenate([corner, middles, corner.mean(axis=1, keepdims=True)], axis=1).reshape(-1, 3), axis=0
    )
