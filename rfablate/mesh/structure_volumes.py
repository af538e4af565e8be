"""Volumes of structures in a mesh against their exact ones, and curved surfaces moved to keep them. Root only.

The nodes of a conforming mesh lie on the structures' surfaces, so that its flat facets cut volume off convex bodies:
with edges h, a sphere of diameter D loses 1.25 (h / D)^2 of its volume, a cylinder 0.67 (h / D)^2. The nodes of such a
surface are moved outwards by the same distance, a small fraction of h, until the volume is the exact one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rfablate.arrays import BoolArray, FloatArray, IntArray
from rfablate.mesh.facets import boundary_facets, facets_between
from rfablate.mesh.mesh_data import VOLUME_OF, NumberedMesh

RegionArray = npt.NDArray[np.int32]

OFF = 0.05
"""Largest relative difference of a structure's volume from the exact one without a warning."""
_AIM = 0.04
"""Difference at the element size that a warning suggests."""
FEW_CELLS = 10
"""Number of cells below which the warning states the number."""
_ALIKE = 0.005
"""Relative difference below which a surface is not moved: the exact volumes are accurate to 0.1 %."""
_LARGEST = 0.35
"""Relative difference above which a surface is not moved: the mesh does not resolve the structure."""
_FLATTEST = 0.4
"""Smallest volume of a cell relative to that before its nodes were moved."""
_ROUNDS, _TRIES = 4, 6
"""Secant iterations for the distance, and attempts, each without the nodes of cells that the last one flattened."""


@dataclass(frozen=True)
class StructureVolume:
    """A structure's volume in the mesh and the exact one, without devices and later structures [m3]."""

    name: str
    cells: int
    mesh: float
    exact: float
    size: float
    """Mean edge of its surface [m]."""
    source: str = "exact"
    """What `exact` is the volume of, in messages."""

    @property
    def off(self) -> float:
        """Relative difference of the volume in the mesh from the exact one."""
        return self.mesh / self.exact - 1.0 if self.exact > 0.0 else 0.0


def volume_texts(volumes: Sequence[StructureVolume]) -> tuple[str, list[str]]:
    """Return texts on the volumes: the line for the log, and a warning for each large difference."""
    source = volumes[0].source if volumes else "exact"
    text = ", ".join(
        f"{each.name} {each.mesh * 1e9:.4g} of {each.exact * 1e9:.4g} mm3 ({100 * each.off:+.1f} %)" for each in volumes
    )
    warnings = []
    for each in volumes:
        if each.exact > 0.0 and abs(each.off) > OFF:
            few = f", in {each.cells} cells" if each.cells < FEW_CELLS else ""
            mend = mending_size(each)
            warnings.append(
                f"{VOLUME_OF} '{each.name}' is {each.mesh * 1e9:.3g} mm3 in the mesh{few}, {each.exact * 1e9:.3g} "
                f"{each.source} ({100 * each.off:+.0f} %): mesh.size_structure_mm = {mend * 1e3:.2g} reduces the "
                f"difference to about {100 * _AIM:.0f} %"
            )
    return f"volumes in the mesh and {source}: {text}", warnings


def mending_size(each: StructureVolume) -> float:
    """Return the element size at which the difference is `_AIM` [m]; the difference is of second order in the size."""
    return each.size * float(np.sqrt(_AIM / max(abs(each.off), _AIM)))


def cell_volumes(points: FloatArray, cells: IntArray) -> FloatArray:
    """Return the volume of each cell, of triangles (r, z) that of the ring, with the sign of its orientation [m3]."""
    first, *others = (points[column] for column in cells.T)
    (ax, ay, az), (bx, by, bz), *third = ((other - first).T for other in others)
    if third:
        cx, cy, cz = third[0]
        triple = ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
        return np.asarray(triple / 6.0)
    radius = (first[:, 0] + others[0][:, 0] + others[1][:, 0]) / 3.0
    return np.asarray(np.pi * radius * (ax * by - ay * bx))


def measure(
    points: FloatArray, cells: IntArray, region: RegionArray, exact: Mapping[int, tuple[str, float]], source: str
) -> list[StructureVolume]:
    """Return the volumes of regions; `exact` has the name and the exact volume of each by its number."""
    volume, found = np.abs(cell_volumes(points, cells)), []
    for number, (name, wanted) in exact.items():
        own = region == number
        facets = boundary_facets(cells[own]) if own.any() else np.zeros((0, 3), dtype=np.int64)
        edges = np.linalg.norm(points[facets] - points[np.roll(facets, 1, axis=1)], axis=2) if len(facets) else [0.0]
        mean = float(np.mean(edges))
        found.append(StructureVolume(name, int(own.sum()), float(volume[own].sum()), wanted, mean, source))
    return found


def restore_volumes(mesh: NumberedMesh, exact: Mapping[int, float]) -> FloatArray:
    """Return the nodes, with those on curved surfaces of structures moved outwards until the volumes are exact.

    Nodes on the outer surface, on devices and where three regions meet stay. The last structures are first, and no node
    moves twice: the surface between two nested structures belongs to the inner one.

    Args:
        mesh: nodes, cells and their regions; nodes (r, z, 0) of triangles.
        exact: exact volume of each structure by its region number [m3].
    """
    points, cells, region = mesh.points, mesh.cells, mesh.region
    fixed = np.zeros(len(points), dtype=bool)
    fixed[boundary_facets(cells).ravel()] = True
    if cells.shape[1] == 3:
        fixed &= points[:, 0] > 1e-9  # nodes on the axis move along it
    fixed[cells[region >= mesh.first_device].ravel()] = True
    fixed |= _regions_at(cells, region, len(points)) > 2
    volume = cell_volumes(points, cells)
    for number in sorted(exact, reverse=True):
        own, wanted = region == number, exact[number]
        now = float(np.abs(volume[own]).sum())
        if wanted <= 0.0 or not _ALIKE < abs(now / wanted - 1.0) < _LARGEST:
            continue
        normal = _normals(points, cells, own, ~own)
        normal[fixed] = 0.0
        moved = normal.any(axis=1)
        points = _moved(points, cells, own, normal, wanted - now)
        fixed |= moved
        volume = cell_volumes(points, cells)
    return points


def touching_cells(cells: IntArray, marked: BoolArray) -> BoolArray:
    """Return whether each cell has a marked node."""
    return np.asarray(np.logical_or.reduce([marked[column] for column in cells.T]))


def _regions_at(cells: IntArray, region: RegionArray, n: int) -> IntArray:
    """Return the number of different regions at each node."""
    pairs = np.unique(cells.astype(np.int64) * (int(region.max()) + 1) + region[:, None])
    return np.bincount(pairs // (int(region.max()) + 1), minlength=n)


def _normals(points: FloatArray, cells: IntArray, own: BoolArray, other: BoolArray) -> FloatArray:
    """Return unit normals out of the marked cells at the nodes of their surface, zero elsewhere; weighted by area."""
    touching = np.zeros(len(points), dtype=bool)
    touching[cells[own].ravel()] = True
    near = touching_cells(cells, touching)
    facets = facets_between(cells[near], own[near], other[near])
    corner = points[facets]
    if cells.shape[1] == 4:
        vector = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    else:
        along = corner[:, 1] - corner[:, 0]
        vector = np.stack([along[:, 1], -along[:, 0], np.zeros(len(along))], axis=1)
    vector *= _outward(points, cells[near & own], facets, corner.mean(axis=1), vector)[:, None]
    total = np.zeros_like(points)
    for column in facets.T:
        np.add.at(total, column, vector)
    if cells.shape[1] == 3:
        total[points[:, 0] <= 1e-9, 0] = 0.0
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.asarray(total / np.where(length > 0.0, length, 1.0))


def _outward(
    points: FloatArray, cells: IntArray, facets: IntArray, middle: FloatArray, vector: FloatArray
) -> FloatArray:
    """Return 1 or -1 for each facet, so that its vector points out of the cells behind it."""
    corners = cells.shape[1]
    sides = np.sort(np.concatenate([np.delete(cells, k, axis=1) for k in range(corners)]), axis=1)
    opposite = np.concatenate([cells[:, k] for k in range(corners)])
    size = len(points)
    keys = np.zeros(len(sides), dtype=object if float(size) ** (corners - 1) > 2.0**62 else np.int64)
    wanted = np.zeros(len(facets), dtype=keys.dtype)
    ordered = np.sort(facets, axis=1)
    for n in range(corners - 1):
        keys, wanted = keys * size + sides[:, n], wanted * size + ordered[:, n]
    order = np.argsort(keys, kind="stable")
    behind = opposite[order[np.searchsorted(keys[order], wanted)]]
    return np.where(((points[behind] - middle) * vector).sum(axis=1) < 0.0, 1.0, -1.0)


def _moved(points: FloatArray, cells: IntArray, own: BoolArray, normal: FloatArray, missing: float) -> FloatArray:
    """Return the nodes moved along `normal` by the distance that adds the volume `missing` [m3] to the marked cells.

    Nodes of cells that would lose more than `_FLATTEST` allows stay.
    """
    normal = normal.copy()
    for _ in range(_TRIES):
        moving = touching_cells(cells, normal.any(axis=1))
        near, inside = cells[moving], cells[moving & own]
        distance = _distance(points, inside, normal, missing)
        ratio = cell_volumes(points + distance * normal, near) / cell_volumes(points, near)
        if ratio.min(initial=1.0) >= _FLATTEST:
            return points + distance * normal
        normal[near[ratio < _FLATTEST].ravel()] = 0.0
    return points


def _distance(points: FloatArray, cells: IntArray, normal: FloatArray, missing: float) -> float:
    """Return the distance along `normal` at which cells have the volume `missing` [m3] more; 0 without such nodes."""
    if not len(cells):
        return 0.0
    start = np.abs(cell_volumes(points, cells)).sum()

    def gain(distance: float) -> float:
        return float(np.abs(cell_volumes(points + distance * normal, cells)).sum() - start)

    step = 1e-3 * float(np.ptp(points[cells].reshape(-1, 3), axis=0).max())
    distance = 0.0
    for _ in range(_ROUNDS):
        slope = (gain(distance + step) - gain(distance)) / step
        if not slope > 0.0:
            return 0.0
        distance += (missing - gain(distance)) / slope
    return distance
