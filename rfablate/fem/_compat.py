"""Every difference between DOLFINx 0.9, 0.10 and 0.11 that this package meets."""

from __future__ import annotations

from typing import Any

import basix.ufl
import dolfinx
import numpy as np
import numpy.typing as npt
from dolfinx.mesh import GhostMode, Mesh, create_cell_partitioner, create_mesh
from mpi4py import MPI

DOLFINX_VERSION: str = dolfinx.__version__  # type: ignore[attr-defined]
_VERSION = tuple(int(part) for part in DOLFINX_VERSION.split(".")[:2])


def distribute_mesh(
    comm: MPI.Comm, cells: npt.NDArray[np.int64], points: npt.NDArray[np.float64], cell_name: str
) -> Mesh:
    """Return the linear mesh that rank 0 holds, partitioned without ghost cells. Collective.

    Other ranks pass empty arrays.
    """
    element = basix.ufl.element("Lagrange", cell_name, 1, shape=(points.shape[1],), dtype=np.float64)
    options: dict[str, Any] = {"partitioner": _partitioner()}
    return create_mesh(comm, cells=cells, x=points, e=element, **options)  # keywords: 0.10 swapped x and e


def _partitioner() -> Any:
    if _VERSION >= (0, 11):  # a second argument appeared: most cells a facet may join
        return create_cell_partitioner(GhostMode.none, 2)
    return create_cell_partitioner(GhostMode.none)


def cell_nodes(mesh: Mesh) -> npt.NDArray[np.int32]:
    """Return the geometry nodes of this rank's cells, shape (n_cells, corners)."""
    geometry: Any = mesh.geometry
    if _VERSION >= (0, 11):  # `dofmap` is deprecated there
        return np.asarray(geometry.dofmaps[0], dtype=np.int32)
    return np.asarray(geometry.dofmap, dtype=np.int32)
