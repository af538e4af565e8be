"""A mesh as plain arrays with named regions and surfaces: the output of generators and readers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from rfablate.arrays import FloatArray, IntArray
from rfablate.errors import MeshError
from rfablate.mesh.mesh_header import SURFACE, Conformity, MeshHeader

VOLUME_OF = "the volume of"
"""Start of each note on a structure whose volume in the mesh differs from the exact one."""


@dataclass(frozen=True)
class NumberedMesh:
    """A generated mesh before its regions have names. Lengths in m."""

    points: FloatArray
    """Shape (n, 3)."""
    cells: IntArray
    """Node numbers, shape (n_cells, 4), or (n_cells, 3) when axisymmetric."""
    region: npt.NDArray[np.int32]
    """Region number of each cell."""
    first_device: int
    """Regions from this number on are parts of applicators."""


@dataclass(frozen=True)
class MeshData:
    """An undistributed mesh on rank 0. Lengths in m; axisymmetric meshes contain (r, z, 0)."""

    points: FloatArray
    """Shape (n, 3)."""
    cells: IntArray
    """Node numbers, shape (n_cells, 4), or (n_cells, 3) when axisymmetric."""
    region: npt.NDArray[np.int32]
    """Region number of each cell."""
    region_names: Mapping[int, str]
    surfaces: Mapping[str, IntArray]
    """Node numbers of the facets of each named surface, shape (n_facets, 3), or (n_facets, 2) when axisymmetric."""
    axisymmetric: bool
    notes: tuple[str, ...] = field(default=())
    """Information for the user about the mesh generation: warnings."""
    remarks: tuple[str, ...] = field(default=())
    """Other information about the mesh generation, for the log."""
    conformity: Conformity = Conformity()

    def __post_init__(self) -> None:
        """Reject a mesh that no run can use."""
        _check(self)

    @property
    def header(self) -> MeshHeader:
        """Sizes, names and notes."""
        facets = {name: len(facets) for name, facets in self.surfaces.items()}
        names, sizes = dict(self.region_names), (len(self.points), len(self.cells))
        return MeshHeader(*sizes, names, facets, self.axisymmetric, self.notes, self.remarks, self.conformity)

    def rows(self, name: str, first: int, end: int) -> npt.NDArray[Any]:
        """Return the rows from `first` to before `end` of an array of `MeshHeader.lengths`."""
        whole = self.surfaces[name.removeprefix(SURFACE)] if name.startswith(SURFACE) else getattr(self, name)
        return np.asarray(whole[first:end])


def _check(mesh: MeshData) -> None:
    if len(mesh.cells) == 0:
        raise MeshError("found no cells in the mesh; expected tetrahedra (3-D) or triangles (axisymmetric)")
    if not np.isfinite(mesh.points).all():
        raise MeshError("found nodes with non-finite coordinates in the mesh")
    counts = np.bincount(mesh.region, minlength=1 + max(mesh.region_names))
    for tag, name in mesh.region_names.items():
        if not counts[tag]:
            raise MeshError(
                f"found no cells in region '{name}': it is outside the domain, inside the cannula, covered by a later "
                "structure, or smaller than the surrounding cells; move it, or decrease mesh.size_structure_mm"
            )
    for name, facets in mesh.surfaces.items():
        if len(facets) == 0:
            raise MeshError(f"found no facets of surface '{name}'; expected at least one")
    if mesh.axisymmetric and mesh.points[:, 0].min() < -1e-9:
        raise MeshError(
            f"found r = {mesh.points[:, 0].min() * 1e3:.4g} mm in an axisymmetric mesh; expected r >= 0; "
            "the columns of the file are (r, z)"
        )
    size = np.ptp(mesh.points, axis=0).max()
    if not 1e-3 <= size <= 1.0:
        raise MeshError(
            f"found a domain {size:.4g} m across; expected 0.001 to 1 m; check domain.length_unit of the mesh file"
        )
