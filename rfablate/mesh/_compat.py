"""Compatibility with DOLFINx 0.9, 0.10 and 0.11."""

from __future__ import annotations

from typing import Any

import dolfinx
import numpy as np
import numpy.typing as npt
from mpi4py import MPI

DOLFINX_VERSION: str = dolfinx.__version__  # type: ignore[attr-defined]
_VERSION = tuple(int(part) for part in DOLFINX_VERSION.split(".")[:2])

TAG = 4711


def make_index_map(
    comm: MPI.Comm, owned: int, ghosts: npt.NDArray[np.int64], owners: npt.NDArray[np.int32]
) -> dolfinx.common.IndexMap:
    """Return a DOLFINx index map that distributes indices over ranks and exchanges ghost values. Collective."""
    build: Any = dolfinx.common.IndexMap
    try:
        return build(comm, owned, ghosts, owners)
    except TypeError:  # 0.11 requires a message tag for neighbour discovery
        return build(comm, owned, ghosts, owners, TAG)


def cell_nodes(mesh: dolfinx.mesh.Mesh) -> npt.NDArray[np.int32]:
    """Return the geometry nodes of the cells of this rank, shape (n_cells, corners)."""
    geometry: Any = mesh.geometry
    if _VERSION >= (0, 11):  # `dofmap` is deprecated there
        return np.asarray(geometry.dofmaps[0], dtype=np.int32)
    return np.asarray(geometry.dofmap, dtype=np.int32)


def interpolation_points(space: Any) -> npt.NDArray[np.float64]:
    """Return the reference points at which an expression is evaluated to interpolate it in a function space."""
    points = space.element.interpolation_points
    return np.asarray(points() if callable(points) else points)  # a property from 0.10
