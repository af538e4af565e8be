"""A Gmsh session with guaranteed finalisation, and conversion of its mesh to arrays. Root only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import gmsh
import numpy as np
import numpy.typing as npt

from rfablate.signals import preserved_handlers


@contextmanager
def gmsh_session() -> Iterator[None]:
    """Run the block in a new, silent Gmsh session that takes element sizes from the background field only."""
    with preserved_handlers():  # Gmsh resets SIGTERM to its default, which would end a run without a checkpoint
        gmsh.initialize(readConfigFiles=False, interruptible=False)
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        gmsh.option.setNumber("General.NumThreads", 1)  # meshes of surfaces and volumes depend on it
        gmsh.option.setNumber("Geometry.OCCParallel", 1)  # cases/vertebral_metastasis: 8 s instead of 18 s
        gmsh.option.setNumber("Geometry.OCCBooleanPreserveNumbering", 1)
        gmsh.option.setNumber("Mesh.LcIntegrationPrecision", 1e-5)  # 1e-9: same nodes, ten times the time
        for source in ("ExtendFromBoundary", "FromPoints", "FromCurvature"):
            gmsh.option.setNumber(f"Mesh.MeshSize{source}", 0)
        gmsh.model.add("rfablate")
        yield
    finally:
        gmsh.finalize()


def mesh_arrays(
    dim: int,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return (points, simplices, entity of each simplex) of the current model, without unused nodes."""
    tags, coordinates, _ = gmsh.model.mesh.getNodes()
    if len(tags) == 0:
        raise ValueError("Gmsh returned no cells")
    number = np.zeros(int(tags.max()) + 1, dtype=np.int64)
    number[tags.astype(np.int64)] = np.arange(len(tags))
    cells, entity = [], []
    simplex = {2: 2, 3: 4}[dim]
    for _, tag in gmsh.model.getEntities(dim):
        types, _, nodes = gmsh.model.mesh.getElements(dim, tag)
        for kind, numbers in zip(types, nodes, strict=True):
            if kind != simplex:
                raise ValueError(f"found element type {kind} in volume {tag}; expected linear simplices")
            cells.append(number[numbers.astype(np.int64)].reshape(-1, dim + 1))
            entity.append(np.full(len(cells[-1]), tag, dtype=np.int64))
    if not cells:
        raise ValueError("Gmsh returned no cells")
    every = np.concatenate(cells)
    used, packed = np.unique(every, return_inverse=True)
    return (
        coordinates.reshape(-1, 3)[used],
        packed.reshape(every.shape).astype(np.int64),
        np.concatenate(entity),
    )
