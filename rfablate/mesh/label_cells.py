"""Assignment of mesh cells to the labels of an image: each cell to the structure with the largest part of the cell.

Each cell is sampled at points inside it. A cell inside one structure is assigned to it. A cell in several structures is
assigned to the one with the largest fraction, after a constant per structure has been added that makes its volume in
the mesh equal to its volume from all samples: thin structures do not vanish, and thick ones do not grow. Root only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rfablate.arrays import FloatArray
from rfablate.case.geometry.applicator_parts import in_metal
from rfablate.case.geometry.shapes import bounding_box, contains
from rfablate.case.tables.geometry_tables import BoxDomain, CylinderDomain, Label, Structure
from rfablate.case.tables.label_image import label_image
from rfablate.case.tables.schema import Case
from rfablate.mesh.structure_volumes import cell_volumes

RegionArray = npt.NDArray[np.int32]
Numbered = Sequence[tuple[int, Structure]]

SAMPLES = 35
"""Number of sample points per cell."""
_BLOCK = 50_000
"""Number of cells sampled at a time."""
_SWEEPS = 8
"""Number of iterations for the constants that conserve the volumes."""
_VOXELS = 400_000
"""Largest number of voxels from which a label's volume is computed; of more, every second, third ... is used."""


def assign_labels(
    points: FloatArray,
    cells: npt.NDArray[np.int64],
    region: RegionArray,
    tissue: npt.NDArray[np.bool_],
    by: Numbered,
    sampled: dict[int, float] | None = None,
) -> RegionArray:
    """Return the region of each cell.

    Args:
        points: nodes [m], shape (n, 3); (r, z, 0) of triangles.
        cells: node numbers, shape (m, 4) or (m, 3).
        region: for each cell the structure whose surface the mesh conforms to, or the domain.
        tissue: which cells may be assigned to another structure.
        by: structures with their region numbers; the highest number has priority, also over `region`.
        sampled: filled with the volume of each structure from the samples in the cells [m3].
    """
    region = region.copy()
    own = np.flatnonzero(tissue)
    weights = _inside_tetrahedron() if cells.shape[1] == 4 else _inside_triangle()
    count = len(weights)
    found = np.empty((len(own), count), dtype=np.int32)
    for start in range(0, len(own), _BLOCK):
        block = own[start : start + _BLOCK]
        x = np.einsum("sv,cvd->csd", weights, points[cells[block]]).reshape(-1, 3)
        x = x if cells.shape[1] == 4 else x[:, [0, 2, 1]]
        found[start : start + _BLOCK] = _winners(np.repeat(region[block], count), x, by).reshape(-1, count)
    alike = (found == found[:, :1]).all(axis=1)
    region[own[alike]] = found[alike, 0]
    mixed = np.flatnonzero(~alike)
    if len(mixed):
        region[own[mixed]] = _shared(found[mixed], np.abs(cell_volumes(points, cells[own[mixed]])))
    if sampled is not None:
        volume = np.abs(cell_volumes(points, cells[own]))
        sampled.update({number: float(volume @ (found == number).mean(axis=1)) for number, _ in by})
    for number, shape in by:
        if isinstance(shape, Label) and cells.shape[1] == 4 and not np.any(region == number):
            _put_one_cell(points[cells].mean(axis=1), region, own, number, shape)
    return region


def _inside_tetrahedron() -> FloatArray:
    """Return the barycentric coordinates of a lattice of 35 points, whose sums are exact for quadratic functions."""
    steps = [(i, j, k, 4 - i - j - k) for i in range(5) for j in range(5 - i) for k in range(5 - i - j)]
    lattice = (np.array(steps) + 0.5) / 6.0
    wide = np.sqrt((0.1 - 0.0625) / ((lattice[:, 0] ** 2).mean() - 0.0625))
    return np.asarray(0.25 + wide * (lattice - 0.25))


def _inside_triangle() -> FloatArray:
    """Return the barycentric coordinates of a lattice of 36 points, each in the middle of an equal triangle."""
    n = 6
    upward = [(3 * i + 1, 3 * j + 1) for i in range(n) for j in range(n - i)]
    downward = [(3 * i + 2, 3 * j + 2) for i in range(n - 1) for j in range(n - 1 - i)]
    first = np.array(upward + downward) / (3.0 * n)
    return np.asarray(np.column_stack([first, 1.0 - first.sum(axis=1)]))


def _winners(region: RegionArray, x: FloatArray, by: Numbered) -> RegionArray:
    """Return the structure of each point: the highest number of those that contain it, or `region`."""
    winner = region.copy()
    tables: dict[tuple[str, str], RegionArray] = {}
    for number, shape in by:
        if isinstance(shape, Label):
            table = tables.setdefault((shape.file, shape.coordinates), np.zeros(65536, dtype=np.int32))
            table[list(shape.values)] = np.maximum(table[list(shape.values)], number)
        else:
            np.maximum(winner, np.where(contains(shape, x), number, 0), out=winner, casting="unsafe")
    for (file, coordinates), table in tables.items():
        shape = next(s for _, s in by if isinstance(s, Label) and (s.file, s.coordinates) == (file, coordinates))
        np.maximum(winner, table[label_image(shape).at(x)], out=winner)
    return winner


def _shared(found: RegionArray, volume: FloatArray) -> RegionArray:
    """Return the structure of each cell that lies in several, so that the volume of each structure is conserved.

    Args:
        found: the structure at each sample, shape (cells, samples).
        volume: of each cell [m3].
    """
    numbers = np.unique(found)
    part = np.stack([(found == number).mean(axis=1) for number in numbers], axis=1)
    wanted = volume @ part
    # a fixed noise below one sample distinguishes equal fractions
    noise = np.random.default_rng(0).uniform(0.0, 0.9 / found.shape[1], part.shape)
    score = np.where(part > 0.0, part + noise, -np.inf)
    bias = np.zeros(len(numbers))
    for _ in range(_SWEEPS):
        for n in range(1, len(numbers)):
            others = np.delete(score + bias, n, axis=1).max(axis=1)
            near = np.flatnonzero(part[:, n] > 0.0)
            gap = others[near] - score[near, n]
            order = np.argsort(gap, kind="stable")
            filled = np.cumsum(volume[near][order])
            last = int(np.searchsorted(filled - 0.5 * volume[near][order], wanted[n]))
            low = gap[order[last - 1]] if last > 0 else gap[order[0]] - 1.0
            high = gap[order[last]] if last < len(order) else gap[order[-1]] + 1.0
            bias[n] = 0.5 * (low + high)
    return np.asarray(numbers[np.argmax(score + bias, axis=1)], dtype=np.int32)


def _put_one_cell(
    middles: FloatArray, region: RegionArray, own: npt.NDArray[np.int64], number: int, shape: Label
) -> None:
    """Assign a label without cells to the cell nearest to its middle voxel, unless a later structure has this cell."""
    image = label_image(shape)
    start, mask = image.block(shape.values)
    voxels = image.world(start + np.argwhere(mask))
    if not len(voxels):
        return
    middle = voxels[np.argmin(np.linalg.norm(voxels - voxels.mean(axis=0), axis=1))]
    cell = own[np.argmin(np.linalg.norm(middles[own] - middle, axis=1))]
    region[cell] = max(number, int(region[cell]))


def voxel_volumes(case: Case) -> dict[str, float]:
    """Return the volume of the voxels of each label, without devices and later structures, inside the domain [m3]."""
    found = {}
    assert isinstance(case.domain, BoxDomain | CylinderDomain)
    lower, upper = bounding_box(case.domain)
    for number, shape in enumerate(case.structures):
        if not isinstance(shape, Label):
            continue
        image = label_image(shape)
        start, mask = image.block(shape.values)
        index = np.argwhere(mask)
        stride = 1 + len(index) // _VOXELS
        index = index[::stride]
        octants = np.array(np.meshgrid(*([-0.25, 0.25],) * 3)).reshape(3, -1).T
        kept = 0
        for octant in octants:
            x = image.world(start + index + octant)
            x = x[((x >= lower) & (x <= upper)).all(axis=1)]
            x = x[contains(case.domain, x)]
            for applicator in case.applicators:
                x = x[~in_metal(applicator, x)] if len(x) else x
            for later in case.structures[number + 1 :]:
                x = x[~contains(later, x)] if len(x) else x
            kept += len(x)
        found[shape.name] = kept * stride * image.voxel / len(octants)
    return found
