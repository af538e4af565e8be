"""Label images (segmentations): integers on a grid in space. Pure.

A point has the value of the nearest voxel, and 0 outside the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from rfablate.arrays import FloatArray

LabelArray = npt.NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class LabelImage:
    """Labels on a grid; coordinates in space in m."""

    labels: LabelArray
    """Shape (i, j, k)."""
    origin: FloatArray
    """Centre of the voxel (0, 0, 0) [m]."""
    axes: FloatArray
    """Step to the next voxel along each index, in columns [m], shape (3, 3)."""
    segments: dict[str, tuple[int, ...]]
    """Values by their names in the file."""

    @property
    def spacing(self) -> FloatArray:
        """Edges of a voxel [m]."""
        return np.asarray(np.linalg.norm(self.axes, axis=0))

    @property
    def voxel(self) -> float:
        """Volume of a voxel [m3]."""
        return float(abs(np.linalg.det(self.axes)))

    def index(self, points: FloatArray) -> FloatArray:
        """Return the grid indices of points [m]; integers are centres of voxels."""
        return np.asarray((np.asarray(points).reshape(-1, 3) - self.origin) @ np.linalg.inv(self.axes).T)

    def world(self, index: npt.ArrayLike) -> FloatArray:
        """Return the points [m] at indices of the grid, shape (n, 3)."""
        return np.asarray(self.origin + np.asarray(index, dtype=np.float64).reshape(-1, 3) @ self.axes.T)

    def at(self, points: FloatArray) -> LabelArray:
        """Return the label at each point [m]: the nearest voxel's, 0 outside the image."""
        index = np.floor(self.index(points) + 0.5).astype(np.int64)
        inside = ((index >= 0) & (index < self.labels.shape)).all(axis=1)
        found = np.zeros(len(index), dtype=np.uint16)
        found[inside] = self.labels[tuple(index[inside].T)]
        return found

    @cached_property
    def counts(self) -> dict[int, int]:
        """Number of voxels of each value except 0."""
        counts = np.bincount(self.labels.ravel())
        return {int(value): int(counts[value]) for value in np.flatnonzero(counts) if value > 0}

    @cached_property
    def _slices(self) -> list[tuple[slice, slice, slice] | None]:
        from scipy import ndimage  # imported late: most cases do not use it

        found: list[tuple[slice, slice, slice] | None] = ndimage.find_objects(self.labels.astype(np.int32))
        return found

    def block(self, values: tuple[int, ...], pad: int = 0) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Return the block of the grid that contains some values: its first index, and which of its voxels have one.

        The block has a border of `pad` voxels, also beyond the edge of the image.
        """
        boxes = [box for value in values if value <= len(self._slices) and (box := self._slices[value - 1]) is not None]
        if not boxes:
            return np.zeros(3), np.zeros((0, 0, 0), dtype=bool)
        whole = tuple(slice(min(b[d].start for b in boxes), max(b[d].stop for b in boxes)) for d in range(3))
        mask = np.isin(self.labels[whole], values)
        return np.array([each.start for each in whole], dtype=np.float64) - pad, np.pad(mask, pad)

    def corners(self, values: tuple[int, ...] | None = None) -> FloatArray:
        """Return lower and upper corner [m] of the box along x, y, z around some values' voxels, or the whole image."""
        if values is None:
            start, shape = np.zeros(3), np.array(self.labels.shape)
        else:
            start, mask = self.block(values)
            if mask.size == 0:
                return np.array([[np.inf] * 3, [-np.inf] * 3])
            shape = np.array(mask.shape)
        ends = np.array(np.meshgrid(*([0.0, 1.0],) * 3)).reshape(3, -1).T
        points = self.world(start - 0.5 + ends * shape)
        return np.array([points.min(axis=0), points.max(axis=0)])
