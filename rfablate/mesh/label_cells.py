"""Assignment of mesh cells to labels of images and to surfaces: each cell to the structure with its largest part.

Each cell is sampled at points inside it. A cell inside one structure is assigned to it. A cell in several structures is
assigned to the one with the largest fraction, after a constant per structure has been added that makes its volume in
the mesh equal to its volume from all samples: thin structures do not vanish, and thick ones do not grow. Root only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rfablate.arrays import FloatArray
from rfablate.case.geometry.applicator_parts import in_metal
from rfablate.case.geometry.shapes import bounding_box, contains
from rfablate.case.tables.geometry_tables import BoxDomain, CylinderDomain, Label, Structure, Surface
from rfablate.case.tables.label_image import label_image
from rfablate.case.tables.schema import Case
from rfablate.case.tables.shape_math import spread_points
from rfablate.case.tables.surface_shapes import surface_volume

RegionArray = npt.NDArray[np.int32]
Numbered = Sequence[tuple[int, Structure]]

SAMPLES = 35
"""Number of sample points per cell."""
_BLOCK = 50_000
"""Number of cells sampled at a time."""
_SWEEPS = 8
"""Number of iterations for the constants that conserve the volumes."""
FEW_CELLS = 10
"""Number of cells below which the volume of a structure is not compared."""
OFF = 0.05
"""Largest relative difference of a structure's volume in the mesh from its exact one without a warning."""
_VOXELS = 400_000
"""Number of points in a surface's box from which a volume is computed, and largest number of voxels; of more, every
second, third ... is used."""


@dataclass(frozen=True)
class LabelVolume:
    """Volume in the mesh, and exact one without devices and later structures, inside the domain [m3]."""

    name: str
    cells: int
    mesh: float
    exact: float
    by_voxels: bool
    """Whether the exact volume is that of voxels of an image, not that inside a surface."""

    @property
    def off(self) -> float:
        """Relative difference of the volume in the mesh from the exact one."""
        return self.mesh / self.exact - 1.0 if self.exact > 0.0 else 0.0


def assign_labels(
    points: FloatArray, cells: npt.NDArray[np.int64], region: RegionArray, tissue: npt.NDArray[np.bool_], by: Numbered
) -> RegionArray:
    """Return the region of each cell.

    Args:
        points: nodes [m], shape (n, 3).
        cells: node numbers, shape (m, 4).
        region: for each cell the structure whose surface the mesh conforms to, or the domain.
        tissue: which cells may be assigned to another structure.
        by: structures with their region numbers; the highest number has priority, also over `region`.
    """
    region = region.copy()
    own = np.flatnonzero(tissue)
    weights = _inside_tetrahedron()
    found = np.empty((len(own), SAMPLES), dtype=np.int32)
    for start in range(0, len(own), _BLOCK):
        block = own[start : start + _BLOCK]
        x = np.einsum("sv,cvd->csd", weights, points[cells[block]]).reshape(-1, 3)
        found[start : start + _BLOCK] = _winners(np.repeat(region[block], SAMPLES), x, by).reshape(-1, SAMPLES)
    alike = (found == found[:, :1]).all(axis=1)
    region[own[alike]] = found[alike, 0]
    mixed = np.flatnonzero(~alike)
    if len(mixed):
        corner = points[cells[own[mixed]]]
        volume = np.abs(np.linalg.det(corner[:, 1:] - corner[:, :1])) / 6.0
        region[own[mixed]] = _shared(found[mixed], volume)
    for number, shape in by:
        if shape.sampled and not np.any(region == number):
            _put_one_cell(points[cells].mean(axis=1), region, own, number, shape)
    return region


def _inside_tetrahedron() -> FloatArray:
    """Return the barycentric coordinates of a lattice of 35 points, whose sums are exact for quadratic functions."""
    steps = [(i, j, k, 4 - i - j - k) for i in range(5) for j in range(5 - i) for k in range(5 - i - j)]
    lattice = (np.array(steps) + 0.5) / 6.0
    wide = np.sqrt((0.1 - 0.0625) / ((lattice[:, 0] ** 2).mean() - 0.0625))
    return np.asarray(0.25 + wide * (lattice - 0.25))


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
    score = np.where(part > 0.0, part + np.random.default_rng(0).uniform(0.0, 0.9 / SAMPLES, part.shape), -np.inf)
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


def label_volumes(case: Case, region: RegionArray, volume: FloatArray, first: int) -> list[LabelVolume]:
    """Return the volumes of the case's labels and surfaces; structures are numbered from `first` in `region`."""
    found = []
    for number, shape in enumerate(case.structures):
        if not shape.sampled:
            continue
        x, each = _spread_in(shape)
        exact = each * sum(_kept(case, number, x[start : start + _VOXELS]) for start in range(0, len(x), _VOXELS))
        own = region == number + first
        by_voxels = isinstance(shape, Label)
        found.append(LabelVolume(shape.name, int(own.sum()), float(volume[own].sum()), exact, by_voxels=by_voxels))
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
    assert isinstance(shape, Surface)
    lower, upper = shape.bounds()
    x = lower + spread_points(_VOXELS) * (upper - lower)
    x = x[shape.contains(x)]
    return x, surface_volume(shape) / max(1, len(x))


def _kept(case: Case, number: int, x: FloatArray) -> int:
    """Return how many points of a structure lie in the domain and outside devices and later structures."""
    assert isinstance(case.domain, BoxDomain | CylinderDomain)
    lower, upper = bounding_box(case.domain)
    x = x[((x >= lower) & (x <= upper)).all(axis=1)]
    x = x[contains(case.domain, x)]
    for applicator in case.applicators:
        x = x[~in_metal(applicator, x)] if len(x) else x
    for later in case.structures[number + 1 :]:
        x = x[~contains(later, x)] if len(x) else x
    return len(x)


def volume_texts(volumes: Sequence[LabelVolume]) -> tuple[str, list[str]]:
    """Return texts on the volumes: the line for the log, and a warning for each large difference."""
    text = ", ".join(
        f"{each.name} {each.mesh * 1e9:.4g} of {each.exact * 1e9:.4g} mm3 ({100 * each.off:+.1f} %)" for each in volumes
    )
    warnings = []
    for each in volumes:
        if each.exact > 0.0 and abs(each.off) > OFF:
            few = f", in {each.cells} cells" if each.cells < FEW_CELLS else ""
            of = "in its voxels" if each.by_voxels else "inside its surface"
            warnings.append(
                f"the volume of '{each.name}' is {each.mesh * 1e9:.3g} mm3 in the mesh{few}, {each.exact * 1e9:.3g} "
                f"{of} ({100 * each.off:+.0f} %): a smaller mesh.size_structure_mm reduces the difference"
            )
    kinds = {"the voxels" if each.by_voxels else "the surfaces" for each in volumes}
    return f"volumes in the mesh and in {' or '.join(sorted(kinds))}: {text}", warnings
