"""The geometry of a structure that is a label of an image: inside, distance, samples, thickness, volume. Pure.

Lengths in m. The surface lies midway between the centres of voxels inside and outside.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from rfablate.case.geometry.label_image import LabelImage, label_image
from rfablate.case.tables.geometry_tables import Label

FloatArray = npt.NDArray[np.float64]

_PAD = 3
"""Voxels around a label within which distances are sampled."""


def label_contains(shape: Label, points: FloatArray) -> npt.NDArray[np.bool_]:
    """Return which points lie in a voxel of the label."""
    return np.isin(label_image(shape).at(points), shape.values)


def label_distance(shape: Label, points: FloatArray) -> FloatArray:
    """Return the signed distance to the label's surface, negative inside, between voxels linear."""
    image = label_image(shape)
    start, distance = _distances(image, shape.values)
    if distance.size == 0:
        return np.full(len(points), np.inf)
    index = image.index(points) - start
    near = np.clip(index, 0.0, np.array(distance.shape) - 1.0)
    beyond = np.linalg.norm((index - near) * image.spacing, axis=1)
    return np.asarray(ndimage.map_coordinates(distance, near.T, order=1) + beyond)


@lru_cache(maxsize=64)
def _distances(image: LabelImage, values: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    """Return the first index of a label's padded block and the signed distance at its voxels."""
    start, mask = image.block(values, _PAD)
    if mask.size == 0:
        return start, np.zeros((0, 0, 0))
    inside, outside = (ndimage.distance_transform_edt(each, sampling=image.spacing) for each in (mask, ~mask))
    half = 0.5 * float(image.spacing.mean())
    return start, np.where(mask, half - inside, outside - half)


def label_corners(shape: Label) -> FloatArray:
    """Return lower and upper corner of the box along x, y, z around the label, shape (2, 3)."""
    return label_image(shape).corners(shape.values)


def label_samples(shape: Label, spread: FloatArray) -> FloatArray:
    """Return points in the label's voxels, every second one next to its surface; none where no voxel has it.

    Args:
        shape: the label.
        spread: points spread over the unit cube, shape (n, 3): they choose voxels and places in them.
    """
    image = label_image(shape)
    start, mask = image.block(shape.values, 1)
    if mask.size == 0:
        return np.zeros((0, 3))
    rim = np.argwhere(mask & ~ndimage.binary_erosion(mask))
    whole = np.argwhere(mask)
    chosen = np.empty((len(spread), 3))
    for part, voxels in ((slice(0, None, 2), rim), (slice(1, None, 2), whole)):
        chosen[part] = voxels[(spread[part, 0] * len(voxels)).astype(np.int64)]
    offset = np.column_stack([spread[:, 1:], (spread[:, 0] * 997.0) % 1.0]) - 0.5
    return image.world(start + chosen + 0.98 * offset)


@lru_cache(maxsize=256)
def _thickness(image: LabelImage, values: tuple[int, ...]) -> float:
    start, mask = image.block(values, 1)
    if mask.size == 0:
        return float(image.spacing.min())
    depth = ndimage.distance_transform_edt(mask, sampling=image.spacing)
    ridge = depth[mask & (depth >= ndimage.maximum_filter(depth, 3) - 1e-12)]
    step = float(image.spacing.mean())
    return max(step, 2.0 * float(np.percentile(ridge, 25.0)) - step)


def label_thickness(shape: Label) -> float:
    """Return the thickness of the label's thinner parts: twice the depth of the lower quarter of its middle voxels."""
    return _thickness(label_image(shape), shape.values)


def label_voxels(shape: Label) -> int:
    """Return how many voxels have the label."""
    counts = label_image(shape).counts
    return sum(counts.get(value, 0) for value in set(shape.values))


def label_volume(shape: Label) -> float:
    """Return the volume of the label's voxels [m3]."""
    return label_voxels(shape) * label_image(shape).voxel


def label_spacing(shape: Label) -> float:
    """Return the shortest edge of the image's voxels [m]."""
    return float(label_image(shape).spacing.min())
