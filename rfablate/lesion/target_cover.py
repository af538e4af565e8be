"""Coverage of targets with a margin: the tissue within a distance of the target, and its fraction inside the lesion.

The tissue within the margin m of a target (target included, metal not, inside the domain) is where d <= m, with the
distance d from the target. In a cell, d is taken as linear; cells near d = m that are large compared with m are split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from mpi4py import MPI

from rfablate.arrays import BoolArray, FloatArray, IntArray
from rfablate.lesion.clipped_cells import clip, split, volumes, volumes_above
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
        near = np.logical_and.reduce([(x >= a) & (x <= b) for x, a, b in zip(domain.x.T, low, high, strict=True)])
        cells = domain.elements.cells
        reached = np.logical_or.reduce([near[column] for column in cells.T])
        touched = np.flatnonzero(tissue & (reached | (domain.region == target)))
        nodes = np.unique(cells[touched])
        distance = np.zeros(domain.nodes.local)
        if len(nodes):
            distance[nodes] = surface.query(domain.x[nodes])[0]
        distance[cells[domain.region == target]] = 0.0
        self._zones = [_zone(domain, touched, distance, margin, surface) for margin in MARGINS]

    def covered(self, level: FloatArray) -> list[float]:
        """Return, for each of `MARGINS`, the fraction of the tissue within it where the level is positive."""
        found = np.zeros((len(self._zones), 2))
        for row, zone in zip(found, self._zones, strict=True):
            row[:] = zone.volume(self._domain), zone.volume_above(self._domain, level)
        self._domain.comm.Allreduce(MPI.IN_PLACE, found, op=MPI.SUM)
        return [float(min(1.0, inside / whole)) if whole > 0.0 else 0.0 for whole, inside in found]


@dataclass(frozen=True)
class _Zone:
    """The tissue within one margin: whole cells, and parts of others."""

    whole: IntArray
    """Numbers of the cells."""
    places: FloatArray
    """Corners of the parts, shape (n, corners, 3) [m]."""
    weights: FloatArray
    """Barycentric coordinates of these in their cell, shape (n, corners, corners)."""
    owner: IntArray
    """Cell of each part."""
    volumes: FloatArray
    """Volumes of the parts [m3]."""

    def volume(self, domain: Domain) -> float:
        """Return the volume [m3]."""
        return float(domain.elements.volume[self.whole].sum() + self.volumes.sum())

    def volume_above(self, domain: Domain, level: FloatArray) -> float:
        """Return the volume in which a nodal level is positive [m3]."""
        cells = domain.elements.cells
        whole = cells[self.whole]
        inside = volumes_above(domain.x[whole], domain.elements.volume[self.whole], level[whole])
        value = np.einsum("nkc,nc->nk", self.weights, level[cells[self.owner]])
        return float(inside.sum() + volumes_above(self.places, self.volumes, value).sum())


def _zone(domain: Domain, numbers: IntArray, distance: FloatArray, margin: float, surface: cKDTree) -> _Zone:
    """Return the tissue within a margin.

    Args:
        domain: the mesh.
        numbers: cells of tissue in which there may be some of it.
        distance: distance of each node from the target [m].
        margin: the margin [m].
        surface: points of the surface of the target.
    """
    cells = domain.elements.cells[numbers]
    slack = margin - distance[cells]
    large = _large(domain.x[cells], slack, margin)
    inside = _lowest(slack) >= 0.0
    cut = large | (~inside & (-_lowest(-slack) >= 0.0))
    corners = cells.shape[1]
    weights = np.broadcast_to(np.eye(corners), (int(cut.sum()), corners, corners))
    pieces = np.concatenate([domain.x[cells[cut]], slack[cut][:, :, None], weights], axis=2)
    owner = np.flatnonzero(cut)

    def measure(middle: FloatArray) -> None:
        outside = middle[:, :, 3] != margin  # inside the target the distance is zero, and remains so
        middle[outside, 3] = margin - surface.query(middle[outside][:, :3])[0]

    for _ in range(_SPLITS):
        large = _large(pieces[:, :, :3], pieces[:, :, 3], margin)
        if not large.any():
            break
        finer = split(pieces[large], measure)
        pieces = np.concatenate([pieces[~large], finer])
        owner = np.concatenate([owner[~large], np.tile(owner[large], len(finer) // int(large.sum()))])
    parts, part = clip(pieces, 3)
    return _Zone(
        numbers[inside & ~cut], parts[:, :, :3], parts[:, :, 4:], numbers[owner[part]], volumes(parts[:, :, :3])
    )


def _large(places: FloatArray, slack: FloatArray, margin: float) -> BoolArray:
    """Return whether cells are too large for a linear distance, and near the margin."""
    edges = [places[:, i] - places[:, i - 1] for i in range(places.shape[1])]
    size = np.sqrt(np.maximum.reduce([np.einsum("nk,nk->n", edge, edge) for edge in edges]))
    bend = size**2 / (4.0 * margin)  # the distance deviates from a linear function by half of this at most
    return (_lowest(slack) < bend) & (-_lowest(-slack) > -bend) & (size > _LARGEST * margin)


def _lowest(value: FloatArray) -> FloatArray:
    """Return the lowest value of each row; by columns, which is quicker for a few of them."""
    return np.asarray(np.minimum.reduce(list(value.T)))


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
