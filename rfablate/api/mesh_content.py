"""What is in a user's mesh: tagged regions and surfaces with their sizes, probable roles, and the electrode."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.errors import MeshError
from rfablate.mesh.electrode_fit import MeshNeedle, active_patches, needle_of
from rfablate.mesh.mesh_data import MeshData
from rfablate.mesh.raw_mesh import RawMesh, TaggedSimplices
from rfablate.mesh.user_mesh import METRES, read_raw_mesh

_ACTIVE = ("active", "electrode", "tip", "anode", "bare")
_RETURN = ("outer", "return", "ground", "pad", "boundary", "outside", "cathode", "dispersive")


@dataclass(frozen=True)
class MeshContent:
    """The content of a mesh, as far as a new case needs it."""

    unit: str
    axisymmetric: bool
    extent: FloatArray
    """Extent along x, y, z, or along r, z [mm]."""
    regions: tuple[tuple[int | str, float], ...]
    """Tag or physical name, and volume [mm3] of each region."""
    surfaces: tuple[tuple[int | str, float, tuple[str, ...]], ...]
    """Tag or physical name, area [mm2] and probable roles of each surface."""
    needle: MeshNeedle | None


def mesh_content(file: Path) -> MeshContent:
    """Return the content of a mesh file; raises MeshError if it cannot be read or lacks regions or surfaces."""
    try:
        raw, dim = read_raw_mesh(file, 3), 3
        if not len(raw.cells.simplices):
            raise MeshError(f"{file.name} contains no tetrahedra")
    except MeshError as error:
        try:
            raw, dim = read_raw_mesh(file, 2), 2
        except MeshError:
            raise error from None
    if not len(raw.cells.simplices) or not len(raw.facets.simplices):
        what = "regions" if not len(raw.cells.simplices) else "surfaces"
        raise MeshError(f"{file.name} has no tagged {what} (physical groups)")
    largest = float(np.ptp(raw.points, axis=0).max())
    unit = next((u for u in ("mm", "m", "cm", "um") if 5e-3 <= largest * METRES[u] <= 0.5), "mm")
    raw = replace(raw, points=raw.points * METRES[unit])
    axisymmetric = dim == 2
    regions = _sizes(raw, raw.cells, dim, axisymmetric=axisymmetric)
    areas = _sizes(raw, raw.facets, dim - 1, axisymmetric=axisymmetric)
    roles = _roles([(str(name), size) for _, name, size in areas])
    active = [tag for (tag, _, _), each in zip(areas, roles, strict=True) if "active" in each]
    facets = raw.facets.simplices[np.isin(raw.facets.tags, active)]
    region = np.ones(len(raw.cells.simplices), dtype=np.int32)
    data = MeshData(raw.points, raw.cells.simplices, region, {1: "all"}, {"active": facets}, axisymmetric)
    patches = active_patches(data)
    needle = needle_of(patches[-1].corners) if patches else None
    return MeshContent(
        unit,
        axisymmetric,
        np.ptp(raw.points, axis=0)[:dim] * 1e3,
        tuple((name, size * 1e9) for _, name, size in regions),
        tuple((name, size * 1e6, each) for (_, name, size), each in zip(areas, roles, strict=True)),
        needle if needle is None or axisymmetric else _inwards(needle, raw.points),
    )


def _sizes(
    raw: RawMesh, simplices: TaggedSimplices, dim: int, *, axisymmetric: bool
) -> list[tuple[int, int | str, float]]:
    """Return tag, name (or tag) and size of each group, of a half plane that of the body of revolution."""
    names = {tag: name for (d, name), tag in raw.names.items() if d == dim}
    corners = raw.points[simplices.simplices]
    edges = corners[:, 1:] - corners[:, :1]
    gram = np.linalg.det(edges @ edges.transpose(0, 2, 1))
    size = np.sqrt(np.maximum(gram, 0.0)) / float(np.prod(np.arange(1, dim + 1)))
    if axisymmetric:
        size = size * 2.0 * np.pi * np.abs(corners[:, :, 0].mean(axis=1))
    return [
        (int(tag), names.get(int(tag), int(tag)), float(size[simplices.tags == tag].sum()))
        for tag in np.unique(simplices.tags)
    ]


def _roles(surfaces: list[tuple[str, float]]) -> list[tuple[str, ...]]:
    """Return the roles by the words in the names; without such words the smallest is active, the largest outer."""
    found: list[tuple[str, ...]] = []
    for name, _ in surfaces:
        lower = name.lower()
        outer = any(word in lower for word in _RETURN)
        active = not outer and any(word in lower for word in _ACTIVE)
        found.append(("return", "body_temperature") if outer else ("active",) if active else ("insulated",))
    order = sorted(range(len(surfaces)), key=lambda n: surfaces[n][1])
    if not any("return" in each for each in found):
        found[order[-1]] = ("return", "body_temperature")
    if not any("active" in each for each in found):
        found[next((n for n in order if found[n] == ("insulated",)), order[0])] = ("active",)
    return found


def _inwards(needle: MeshNeedle, points: FloatArray) -> MeshNeedle:
    """Return the needle with its tip at the end that is farther from the outer surface."""
    low, high = points.min(axis=0), points.max(axis=0)
    other = needle.tip + needle.length * needle.axis
    depth, beyond = (float(np.minimum(x - low, high - x).min()) for x in (needle.tip, other))
    return needle if depth >= beyond else replace(needle, tip=other, axis=-needle.axis)
