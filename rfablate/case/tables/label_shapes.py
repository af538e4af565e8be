"""The geometry of a structure that is a label of an image: inside, distance, samples, thickness, volume. Pure.

Lengths in m. The surface lies midway between the centres of voxels inside and outside.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from rfablate.arrays import FloatArray
from rfablate.case.tables.label_image import LabelImage
from rfablate.case.tables.label_reader import LabelSource, label_image

_PAD = 3
"""Width of the border around a label in which distances are sampled [voxels]."""
_SMOOTHING = 0.8
"""Ratio of the standard deviation of the smoothing of distances to the mean voxel edge."""
_REACHED = 0.8
"""Fraction of a label's volume that is at least as thick as its thickness."""
_WIDER = 1.2
"""Ratio of successive trial radii."""
_MOST_OPENED = 1e6
"""Largest number of voxels of the block for the opening; of a larger block every second, third ... is used."""


def label_contains(shape: LabelSource, points: FloatArray) -> npt.NDArray[np.bool_]:
    """Return which points lie in a voxel of the label."""
    return np.isin(label_image(shape).at(points), shape.values)


def label_distance(shape: LabelSource, points: FloatArray) -> FloatArray:
    """Return the signed distance to the label's surface, negative inside, smoothed over about half a voxel."""
    from scipy import ndimage  # imported late: most cases do not use it

    image = label_image(shape)
    start, distance = _drawn(image, shape.values)
    if distance.size == 0:
        return np.full(len(points), np.inf)
    index = image.index(points) - start
    near = np.clip(index, 0.0, np.array(distance.shape) - 1.0)
    beyond = np.linalg.norm((index - near) * image.spacing, axis=1)
    return np.asarray(ndimage.map_coordinates(distance, near.T, order=1) + beyond)


@lru_cache(maxsize=64)
def _drawn(image: LabelImage, values: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    from scipy import ndimage  # imported late: most cases do not use it

    start, distance = _distances(image, values)
    if distance.size == 0:
        return start, distance
    return start, ndimage.gaussian_filter(distance, 0.5 * image.spacing.mean() / image.spacing, mode="nearest")


@lru_cache(maxsize=64)
def _distances(image: LabelImage, values: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    """Return the first index of a label's padded block and the signed distance at its voxels."""
    from scipy import ndimage  # imported late: most cases do not use it

    start, mask = image.block(values, _PAD)
    if mask.size == 0:
        return start, np.zeros((0, 0, 0))
    inside, outside = (ndimage.distance_transform_edt(each, sampling=image.spacing) for each in (mask, ~mask))
    half = 0.5 * float(image.spacing.mean())
    return start, np.where(mask, half - inside, outside - half)


def smooth_label_distance(shape: LabelSource, points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the signed distance smoothed over the steps of voxels, and the unit normal that points outwards.

    Valid for points within a few voxels of the surface.
    """
    from scipy import ndimage  # imported late: most cases do not use it

    image = label_image(shape)
    start, smooth, *slopes = _smoothed(image, shape.values)
    index = np.clip(image.index(points) - start, 0.0, np.array(smooth.shape) - 1.0).T
    distance = ndimage.map_coordinates(smooth, index, order=1)
    # by index, then by x, y, z: the gradient of a function of the index is the inverse transpose of the axes times it
    by_index = np.stack([ndimage.map_coordinates(slope, index, order=1) for slope in slopes], axis=1)
    normal = by_index @ np.linalg.inv(image.axes)
    return np.asarray(distance), np.asarray(normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-30))


@lru_cache(maxsize=64)
def _smoothed(image: LabelImage, values: tuple[int, ...]) -> tuple[FloatArray, ...]:
    """Return the first index of a label's block, the smoothed signed distance there, and its three differences."""
    from scipy import ndimage  # imported late: most cases do not use it

    start, distance = _distances(image, values)
    smooth = ndimage.gaussian_filter(distance, _SMOOTHING * image.spacing.mean() / image.spacing, mode="nearest")
    return (start, smooth, *np.gradient(smooth))


def label_corners(shape: LabelSource) -> FloatArray:
    """Return lower and upper corner of the box along x, y, z around the label, shape (2, 3)."""
    return label_image(shape).corners(shape.values)


def label_samples(shape: LabelSource, spread: FloatArray) -> FloatArray:
    """Return points in the label's voxels, half of them next to its surface; no points where no voxel has the label.

    Args:
        shape: the label.
        spread: points spread over the unit cube, shape (n, 3), from which voxels and positions in them are computed.
    """
    from scipy import ndimage  # imported late: most cases do not use it

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
    """Return twice the radius of the largest ball whose opening still contains most of the label."""
    from scipy import ndimage  # imported late: most cases do not use it

    start, mask = image.block(values, 1)
    step = float(image.spacing.mean())
    if mask.size == 0:
        return step
    stride = 1 + int((mask.size / _MOST_OPENED) ** (1 / 3))
    mask, spacing = mask[(slice(None, None, stride),) * 3], image.spacing * stride
    if not mask.any():
        return step
    depth = ndimage.distance_transform_edt(mask, sampling=spacing)
    half, radius, found = 0.5 * float(spacing.mean()), 0.5 * float(spacing.mean()), 0.5 * step
    while radius < depth.max():
        core = depth - half >= radius - 0.5 * half
        if not core.any():
            break
        reached = ndimage.distance_transform_edt(~core, sampling=spacing) <= radius + half
        if (reached & mask).sum() < _REACHED * mask.sum():
            break
        found, radius = radius, radius * _WIDER
    return max(step, 2.0 * found)


def label_thickness(shape: LabelSource) -> float:
    """Return the thickness of the label's thinner parts: a fifth of its volume may be thinner."""
    return _thickness(label_image(shape), shape.values)


def label_voxels(shape: LabelSource) -> int:
    """Return how many voxels have the label."""
    counts = label_image(shape).counts
    return sum(counts.get(value, 0) for value in set(shape.values))


def label_volume(shape: LabelSource) -> float:
    """Return the volume of the label's voxels [m3]."""
    return label_voxels(shape) * label_image(shape).voxel


def label_spacing(shape: LabelSource) -> float:
    """Return the shortest edge of the image's voxels [m]."""
    return float(label_image(shape).spacing.min())
