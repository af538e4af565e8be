"""Element sizes near labels and surfaces, on a grid over the domain, in which Gmsh interpolates. Root only.

Near a label's surface cells have the label's size, as for all structures (`mesh.size_field`): within a zone around the
active tips; beyond it the size grows. Where this gives more cells than the limit for the accuracy of the case, the
sizes of anatomy are enlarged first, then those of all labels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from rfablate.arrays import FloatArray
from rfablate.case.geometry.element_sizes import Sizes
from rfablate.case.geometry.shapes import bounding_box, contains
from rfablate.case.tables.geometry_tables import BoxDomain, CylinderDomain, Label, Structure
from rfablate.case.tables.label_reader import label_image
from rfablate.case.tables.schema import Case
from rfablate.mesh.size_field import Needle, SizeGrid

_GRID_POINTS = 1.5e6
_MOST_CELLS = {"draft": 80e3, "standard": 250e3, "fine": 700e3}
"""Largest number of cells from the sizes of labels; times 1 / scale^3."""
_CELL = 0.23
"""Mean volume of Gmsh's cells over their size cubed, from three cases; 0.118 for a regular tetrahedron."""
_ANATOMY_FIRST = 4.0
"""Largest factor on the sizes of anatomy before those of targets and protected structures are enlarged too."""
_STEP, _LARGEST = 1.15, 8.0
"""Factor on the labels' sizes per step, and in total."""


def label_sizes(case: Case, sizes: Sizes, needles: Sequence[Needle]) -> SizeGrid | None:
    """Return the sizes at the labels and surfaces; None without any."""
    labels = [shape for shape in case.structures if shape.sampled]
    if not labels or not isinstance(case.domain, BoxDomain | CylinderDomain):  # only objects lie in a half plane
        return None
    lower, upper = bounding_box(case.domain)
    voxel = min(_resolution(shape, sizes) for shape in labels)
    spacing = max(voxel, float(np.prod(upper - lower) / _GRID_POINTS) ** (1 / 3))
    lower = lower - 0.5 * spacing  # for a complete image these are the voxels' centres: no point lies on a voxel's face
    shape = np.ceil((upper - lower) / spacing).astype(int) + 1
    axes = [lower[d] + spacing * np.arange(shape[d]) for d in range(3)]
    x = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    near = {each.name: d for each in labels if (d := _from_surface(each, x, tuple(shape), spacing)) is not None}
    lines = [each.point(s) for each in needles for s in np.linspace(0.0, each.active, 40)]
    active = cKDTree(np.array(lines)).query(x)[0].reshape(shape)
    radius = max(each.radius for each in needles)
    needle = np.minimum(_from_tip(active - radius, sizes), sizes.far)
    most = _MOST_CELLS[case.mesh.accuracy] / case.mesh.scale**3
    factor = 1.0
    while True:
        size = _sizes(near, active, _enlarged(sizes, [each for each in labels if each.name in near], factor))
        cells = float((spacing**3 / (_CELL * np.minimum(size, needle) ** 3)).sum())
        if cells <= most or factor > _LARGEST:
            return SizeGrid(lower, spacing, size, factor)
        factor *= _STEP


def _enlarged(sizes: Sizes, labels: Sequence[Structure], factor: float) -> Sizes:
    factors = {each.name: factor if each.role == "anatomy" else max(1.0, factor / _ANATOMY_FIRST) for each in labels}
    return dataclasses.replace(sizes, structure={name: each * sizes.structure[name] for name, each in factors.items()})


def _resolution(shape: Structure, sizes: Sizes) -> float:
    """Return the spacing of the grid that a structure needs [m]."""
    return float(label_image(shape).spacing.min()) if isinstance(shape, Label) else sizes.structure[shape.name]


def _from_surface(shape: Structure, x: FloatArray, grid: tuple[int, ...], spacing: float) -> FloatArray | None:
    """Return the approximate distance of each grid point to the label's surface; None where no point is inside."""
    inside = contains(shape, x).reshape(grid)
    if not inside.any():
        return None
    rim = inside & ~ndimage.binary_erosion(inside, border_value=1)
    return np.asarray(ndimage.distance_transform_edt(~rim, sampling=spacing))


def _sizes(near: dict[str, FloatArray], active: FloatArray, sizes: Sizes) -> FloatArray:
    smallest = min([sizes.tip, *sizes.structure.values()])
    zone = np.minimum(smallest + sizes.growth_outside * np.maximum(active - sizes.zone, 0.0), sizes.far)
    size = np.full(active.shape, sizes.far)
    for name, distance in near.items():
        own = np.minimum(sizes.structure[name] + sizes.growth_outside * distance, max(sizes.far, sizes.structure[name]))
        np.minimum(size, np.maximum(own, zone), out=size)
    return size


def _from_tip(distance: FloatArray, sizes: Sizes) -> FloatArray:
    """Return the size that grows from the active tips (`size_field`), without the finer sharp edges."""
    d = np.maximum(distance, 0.0)
    outside = sizes.tip + sizes.growth * sizes.lesion + sizes.growth_outside * (d - sizes.lesion)
    return np.maximum(sizes.tip + sizes.growth * d, outside)
