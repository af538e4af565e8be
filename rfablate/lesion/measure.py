"""Lesion volume, extents and surface with sub-cell accuracy, independent of the number of ranks.

A rule gives a nodal level, positive inside the lesion. The level is linear in a cell, so the lesion surface cuts a
tetrahedron in a plane and a triangle in a line: volumes and intersection points are computed exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from rfablate.arrays import FloatArray
from rfablate.case.tables.shape_math import perpendicular_axes
from rfablate.kernels.loader import call
from rfablate.mesh.domain import Domain

LOOK_AHEAD = 1.3
"""Radius of the cell selection relative to the extent of the lesion, so that it is not updated in every step."""
DIRECTIONS = 90
"""Directions across the axis in which the width is measured; the largest error is 1 - cos(1 degree) = 0.015 %."""


@dataclass(frozen=True)
class LesionAxis:
    """The axis of the applicator, or the mean axis of several, along and across which extents are measured."""

    tip: FloatArray
    """Distal end [m]."""
    direction: FloatArray
    """Unit vector from the tip along the shaft."""
    active_tip: float
    """[m]"""

    def across(self) -> tuple[FloatArray, FloatArray]:
        """Return two unit vectors that span the plane across the axis."""
        return perpendicular_axes(self.direction)


@dataclass(frozen=True)
class MeasuredLesion:
    """The lesion of one rule. Lengths in m; all zero without a lesion."""

    width: float = 0.0
    """Largest extent across the axis."""
    width_min: float = 0.0
    """Smallest extent across the axis."""
    length: float = 0.0
    """Extent along the axis."""
    depth_distal: float = 0.0
    """Extent distal to the tip; negative where the lesion ends proximal to it."""
    depth_proximal: float = 0.0
    """Extent along the shaft proximal to the active tip."""
    effective_radius: float = 0.0
    """Radius of a ball of equal volume."""
    roundness: float = 0.0
    """Ratio of width to length or its inverse, whichever is at most 1."""
    volume: float = 0.0
    """[m3]"""


class LesionMeter:
    """Measures lesions in the tissue cells of a domain."""

    def __init__(self, domain: Domain, tissue: npt.NDArray[np.bool_], axis: LesionAxis) -> None:
        """Set up with the marked tissue cells of this rank; metal does not count as lesion."""
        self._domain, self._axis = domain, axis
        self._tissue = np.flatnonzero(tissue).astype(np.int32)
        self._n_regions = max(domain.region_names) + 1
        self._distance = np.linalg.norm(
            domain.x - axis.tip[[0, 2, 1]] if domain.axisymmetric else domain.x - axis.tip, axis=1
        )
        angle = np.pi * np.arange(1 if domain.axisymmetric else DIRECTIONS) / DIRECTIONS
        self._frame, self._cosine, self._sine = self._make_frame(), np.cos(angle), np.sin(angle)
        self._look_within(0.0)

    def _make_frame(self) -> FloatArray:
        """Return tip, direction along the shaft and two directions across, in mesh coordinates, shape (4, 3)."""
        axis = self._axis
        if not self._domain.axisymmetric:
            return np.stack([axis.tip, axis.direction, *axis.across()])
        return np.array([[0.0, axis.tip[2], 0.0], [0.0, axis.direction[2], 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])

    def _look_within(self, radius: float) -> None:
        """Select the tissue cells with a node within `radius` [m] of the tip."""
        elements = self._domain.elements
        self._radius = radius
        near = self._distance <= radius
        touched = np.zeros(len(elements.cells), dtype=bool)
        for corner in elements.corners:
            touched |= near[corner]
        self._cells = self._tissue[touched[self._tissue]]
        in_tissue = np.zeros(len(near), dtype=bool)
        in_tissue[elements.cells[self._cells]] = True
        self._nodes = np.flatnonzero(in_tissue).astype(np.int32)

    def _cover(self, levels: Sequence[FloatArray]) -> None:
        """Extend the cell selection if a lesion extends beyond it."""
        reach = 0.0
        for level in levels:
            reach = max(reach, float(self._distance[level >= 0.0].max(initial=0.0)))
        if reach > self._radius:
            self._look_within(LOOK_AHEAD * reach)

    def measure(self, levels: Sequence[FloatArray]) -> tuple[list[MeasuredLesion], FloatArray]:
        """Return the lesion of each level, and its volume by region [m3], shape (n_levels, n_regions). Collective."""
        self._cover(levels)
        volumes = np.zeros((len(levels), self._n_regions))
        extents = np.full((len(levels), 2 + 2 * len(self._cosine)), -np.inf)
        domain, elements = self._domain, self._domain.elements
        for level, inside, extent in zip(levels, volumes, extents, strict=True):
            call(
                "lesion", len(self._cells), self._cells, elements.cells.shape[1], elements.cells, len(self._nodes),
                self._nodes, domain.x, elements.volume, domain.region, np.ascontiguousarray(level), self._frame,
                len(self._cosine), self._cosine, self._sine, inside, extent,
            )  # fmt: skip
        domain.comm.Allreduce(MPI.IN_PLACE, volumes, op=MPI.SUM)
        domain.comm.Allreduce(MPI.IN_PLACE, extents, op=MPI.MAX)
        lesions = [self._lesion(float(v.sum()), e) for v, e in zip(volumes, extents, strict=True)]
        return lesions, volumes

    def _lesion(self, volume: float, extents: FloatArray) -> MeasuredLesion:
        if not np.isfinite(extents).all() or volume <= 0.0:
            return MeasuredLesion()
        distal, proximal = float(extents[0]), float(extents[1])
        n = len(self._cosine)
        widths = 2.0 * extents[2:3] if self._domain.axisymmetric else extents[2 : 2 + n] + extents[2 + n :]
        width, length = float(widths.max()), distal + proximal
        return MeasuredLesion(
            width=width,
            width_min=float(widths.min()),
            length=length,
            depth_distal=distal,
            depth_proximal=proximal - self._axis.active_tip,
            effective_radius=float((3.0 * volume / (4.0 * np.pi)) ** (1.0 / 3.0)),
            roundness=min(width, length) / max(width, length) if min(width, length) > 0.0 else 0.0,
            volume=volume,
        )

    def surface(self, level: FloatArray) -> FloatArray:
        """Return the lesion surface on rank 0 [m]: triangles (n, 3, 3) or segments (n, 2, 3). Collective.

        Other ranks get an empty array.
        """
        self._cover([level])
        cells = self._domain.elements.cells[self._cells]
        f, corner = level[cells], self._domain.x[cells]
        pieces = _cut_segments(f, corner) if self._domain.axisymmetric else _cut_triangles(f, corner)
        gathered = self._domain.comm.gather(pieces)
        return np.concatenate(gathered) if gathered is not None else pieces[:0]


def _crossings(f: FloatArray, corner: FloatArray, i: int, j: int) -> FloatArray:
    span = f[:, i] - f[:, j]
    t = f[:, i] / np.where(span == 0.0, 1.0, span)
    return np.asarray(corner[:, i] + t[:, None] * (corner[:, j] - corner[:, i]))


def _cut_segments(f: FloatArray, corner: FloatArray) -> FloatArray:
    inside = f >= 0.0
    pieces = []
    for k in range(3):
        i, j = (n for n in range(3) if n != k)
        cut = (inside[:, i] == inside[:, j]) & (inside[:, k] != inside[:, i])
        ends = [_crossings(f[cut], corner[cut], k, other) for other in (i, j)]
        pieces.append(np.stack(ends, axis=1))
    return np.concatenate(pieces)


def _cut_triangles(f: FloatArray, corner: FloatArray) -> FloatArray:
    inside = f >= 0.0
    count = inside.sum(axis=1)
    pieces = []
    for k in range(4):
        others = [n for n in range(4) if n != k]
        cut = np.where(inside[:, k], count == 1, count == 3)
        pieces.append(np.stack([_crossings(f[cut], corner[cut], k, n) for n in others], axis=1))
    for a, b in combinations(range(4), 2):
        c, d = (n for n in range(4) if n not in (a, b))
        cut = inside[:, a] & inside[:, b] & ~inside[:, c] & ~inside[:, d]
        ac, ad, bc, bd = (_crossings(f[cut], corner[cut], p, q) for p, q in ((a, c), (a, d), (b, c), (b, d)))
        pieces.append(np.stack([ac, ad, bd], axis=1))
        pieces.append(np.stack([ac, bd, bc], axis=1))
    return np.concatenate(pieces)
