"""Assignment of mesh cells to labels of images and to surfaces: each cell to the structure with its largest part.

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
from rfablate.case.tables.geometry_tables import Label, MeshDomain, Structure, Surface
from rfablate.case.tables.label_reader import label_image
from rfablate.case.tables.schema import Case
from rfablate.case.tables.shape_math import spread_points
from rfablate.case.tables.surface_shapes import surface_volume
from rfablate.mesh.structure_volumes import cell_volumes

RegionArray = npt.NDArray[np.int32]
Numbered = Sequence[tuple[int, Structure]]

SAMPLES = 35
"""Number of sample points per cell."""
_BLOCK = 50_000
"""Number of cells sampled at a time."""
_SWEEPS = 8
"""Number of iterations for the constants that conserve the volumes."""
_SPREAD = 50_000
"""Number of points in a surface's box from which the part of its volume that remains is computed."""
_VOXELS = 400_000
"""Number of points in a shape's box from which a volume is computed, and largest number of voxels; of more, every
second, third ... is used."""


def assign_labels(
    points: FloatArray,
    cells: npt.NDArray[np.int64],
    region: RegionArray,
    tissue: npt.NDArray[np.bool_],
    by: Numbered,
) -> RegionArray:
    """Return the region of each cell; arguments as `assign_and_measure`."""
    return assign_and_measure(points, cells, region, tissue, by)[0]


def assign_and_measure(
    points: FloatArray,
    cells: npt.NDArray[np.int64],
    region: RegionArray,
    tissue: npt.NDArray[np.bool_],
    by: Numbered,
) -> tuple[RegionArray, dict[int, float]]:
    """Return the region of each cell, and the volume of each structure from the samples in the cells [m3].

    Args:
        points: nodes [m], shape (n, 3); (r, z, 0) of triangles.
        cells: node numbers, shape (m, 4) or (m, 3).
        region: for each cell the structure whose surface the mesh conforms to, or the domain.
        tissue: which cells may be assigned to another structure.
        by: structures with their region numbers; the highest number has priority, also over `region`.
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
    volume = np.abs(cell_volumes(points, cells[own]))
    sampled = {number: float(volume @ (found == number).mean(axis=1)) for number, _ in by}
    for number, shape in by:
        if shape.sampled and cells.shape[1] == 4 and not np.any(region == number):
            _put_one_cell(points[cells].mean(axis=1), region, own, number, shape)
    return region, sampled


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
    middles: FloatArray, region: RegionArray, own: npt.NDArray[np.int64], number: int, shape: Structure
) -> None:
    """Assign a structure without cells to the cell nearest to its middle, unless a later structure has this cell."""
    inner = _spread_in(shape)[0]
    if not len(inner):
        return
    middle = inner[np.argmin(np.linalg.norm(inner - inner.mean(axis=0), axis=1))]
    cell = own[np.argmin(np.linalg.norm(middles[own] - middle, axis=1))]
    region[cell] = max(number, int(region[cell]))


def sampled_volumes(case: Case) -> dict[str, float]:
    """Return the volume of each structure at whose surface the mesh is not cut, as far as it is visible [m3].

    Devices, later structures and what is outside the domain are left out.
    """
    found, dim = {}, 2 if case.domain.kind == "axisymmetric" else 3
    for number, shape in enumerate(case.structures):
        if shape.conforms(dim):
            continue
        x, each = _spread_in(shape)
        kept = sum(_kept(case, number, x[start : start + _VOXELS]) for start in range(0, len(x), _VOXELS))
        found[shape.name] = each * kept
    return found


def _spread_in(shape: Structure) -> tuple[FloatArray, float]:
    """Return points spread evenly over a label or the body of a surface, and the volume that each stands for [m3]."""
    if isinstance(shape, Label):
        image = label_image(shape)
        start, mask = image.block(shape.values)
        index = np.argwhere(mask)
        stride = 1 + len(index) // _VOXELS
        octants = np.array(np.meshgrid(*([-0.25, 0.25],) * 3)).reshape(3, -1).T
        x = image.world((start + index[::stride] + octants[:, None]).reshape(-1, 3))
        return x, stride * image.voxel / len(octants)
    lower, upper = shape.bounds()
    x = lower + spread_points(_SPREAD if isinstance(shape, Surface) else _VOXELS) * (upper - lower)
    x = x[shape.contains(x)]
    if isinstance(shape, Surface):
        return x, surface_volume(shape) / max(1, len(x))
    return x, float(np.prod(upper - lower)) / _VOXELS


def _kept(case: Case, number: int, x: FloatArray) -> int:
    """Return how many points of a structure lie in the domain and outside devices and later structures."""
    assert not isinstance(case.domain, MeshDomain)
    lower, upper = bounding_box(case.domain)
    x = x[((x >= lower) & (x <= upper)).all(axis=1)]
    x = x[contains(case.domain, x)]
    for applicator in case.applicators:
        x = x[~in_metal(applicator, x)] if len(x) else x
    for later in case.structures[number + 1 :]:
        x = x[~contains(later, x)] if len(x) else x
    return len(x)
