"""The distributed mesh with everything a problem on it needs: nodes, cells, regions, surfaces and element numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import dolfinx
import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from rfablate.errors import MeshError
from rfablate.fem._compat import cell_nodes, distribute_mesh
from rfablate.fem.elements import Elements, make_elements
from rfablate.fem.meshdata import MeshData

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


class Nodes:
    """The nodes of this rank: `owned` of them first, then ghosts that other ranks own."""

    def __init__(self, index_map: dolfinx.common.IndexMap, comm: MPI.Comm) -> None:
        """Wrap DOLFINx's index map of the mesh geometry, which for linear cells numbers the unknowns too."""
        self.comm = comm
        self.index_map = index_map
        self.owned: int = index_map.size_local
        self.local: int = index_map.size_local + index_map.num_ghosts
        self.total: int = index_map.size_global
        self.global_index = index_map.local_to_global(np.arange(self.local, dtype=np.int32))
        self._vector = dolfinx.la.vector(index_map, 1)

    def accumulate(self, values: FloatArray) -> FloatArray:
        """Return nodal sums over all ranks' contributions, right on ghosts too. Collective."""
        self._vector.array[:] = values
        self._vector.scatter_reverse(dolfinx.la.InsertMode.add)
        self._vector.scatter_forward()
        return self._vector.array.copy()

    def update_ghosts(self, values: FloatArray) -> None:
        """Overwrite the ghosts' values with their owners'. Collective."""
        self._vector.array[: self.owned] = values[: self.owned]
        self._vector.scatter_forward()
        values[self.owned :] = self._vector.array[self.owned :]

    def sum(self, *values: FloatArray) -> FloatArray:
        """Return the sums of nodal arrays over all owned nodes, in one reduction. Collective."""
        return self.total_of(*(float(v[: self.owned].sum()) for v in values))

    def total_of(self, *numbers: float) -> FloatArray:
        """Return each number summed over ranks, in one reduction. Collective."""
        return np.asarray(self.comm.allreduce(np.array(numbers, dtype=np.float64)))

    def max_of(self, *numbers: float) -> FloatArray:
        """Return each number's largest value over ranks, in one reduction; NaN on any rank gives NaN. Collective."""
        mine = np.array(numbers, dtype=np.float64)
        packed = np.concatenate([np.where(np.isnan(mine), -np.inf, mine), np.isnan(mine).astype(float)])
        self.comm.Allreduce(MPI.IN_PLACE, packed, op=MPI.MAX)
        half = len(numbers)
        return np.where(packed[half:] > 0, np.nan, packed[:half])


@dataclass(frozen=True)
class Domain:
    """This rank's part of the mesh; lengths in m, axisymmetric coordinates (r, z, 0)."""

    comm: MPI.Comm
    mesh: dolfinx.mesh.Mesh
    nodes: Nodes
    x: FloatArray
    """Coordinates of owned and ghost nodes, shape (nodes.local, 3)."""
    elements: Elements
    region: npt.NDArray[np.int32]
    """Region number of each of this rank's cells."""
    region_names: Mapping[int, str]
    surface_nodes: Mapping[str, BoolArray]
    """Nodes that lie on each named surface, shape (nodes.local,)."""
    axisymmetric: bool
    input_node: npt.NDArray[np.int64]
    """Number of each local node in the input mesh: the key of every file."""
    input_cell: npt.NDArray[np.int64]
    notes: tuple[str, ...]

    @cached_property
    def tag_of(self) -> dict[str, int]:
        """Region number of each region name."""
        return {name: tag for tag, name in self.region_names.items()}

    def cells_of(self, *names: str) -> BoolArray:
        """Return which of this rank's cells belong to the named regions."""
        return np.isin(self.region, [self.tag_of[name] for name in names])

    def nodes_of_cells(self, cells: BoolArray) -> BoolArray:
        """Return which local nodes belong to the given cells on any rank. Collective."""
        touched = np.zeros(self.nodes.local)
        touched[self.elements.cells[cells].ravel()] = 1.0
        return self.nodes.accumulate(touched) > 0.0

    def per_cell(self, value_of: Mapping[str, float]) -> FloatArray:
        """Return one value a cell from one value a region name."""
        table = np.full(max(self.region_names) + 1, np.nan)
        for tag, name in self.region_names.items():
            table[tag] = value_of[name]
        return table[self.region]

    @cached_property
    def n_cells(self) -> int:
        """Number of cells on all ranks. Collective at first use."""
        return int(self.comm.allreduce(len(self.region)))


def distribute(data: MeshData | None, comm: MPI.Comm) -> Domain:
    """Return the domain of the mesh that rank 0 holds; other ranks pass None. Collective."""
    shape = comm.bcast((data.axisymmetric, len(data.cells)) if data is not None else None)
    axisymmetric, n_cells = shape
    if comm.size > n_cells:
        raise MeshError(f"{comm.size} ranks for {n_cells} cells; start at most {n_cells} ranks")
    dim = 2 if axisymmetric else 3
    if data is not None:
        cells, points = data.cells, np.ascontiguousarray(data.points[:, :dim])
    else:
        cells, points = np.zeros((0, dim + 1), dtype=np.int64), np.zeros((0, dim))
    mesh = distribute_mesh(comm, cells, points, "triangle" if axisymmetric else "tetrahedron")
    geometry = mesh.geometry
    nodes = Nodes(geometry.index_map(), comm)
    input_node = np.asarray(geometry.input_global_indices, dtype=np.int64)
    input_cell = np.asarray(mesh.topology.original_cell_index, dtype=np.int64)
    n_local_cells = mesh.topology.index_map(dim).size_local
    region_of_input, names, surfaces, notes = comm.bcast(
        (data.region, dict(data.region_names), _node_sets(data), data.notes) if data is not None else None
    )
    x = np.ascontiguousarray(geometry.x, dtype=np.float64)
    local_cells = np.ascontiguousarray(cell_nodes(mesh)[:n_local_cells])
    return Domain(
        comm=comm,
        mesh=mesh,
        nodes=nodes,
        x=x,
        elements=make_elements(x, local_cells, axisymmetric=axisymmetric),
        region=region_of_input[input_cell[:n_local_cells]],
        region_names=names,
        surface_nodes={name: np.isin(input_node, numbers) for name, numbers in surfaces.items()},
        axisymmetric=axisymmetric,
        input_node=input_node,
        input_cell=input_cell[:n_local_cells],
        notes=notes,
    )


def _node_sets(data: MeshData) -> dict[str, npt.NDArray[np.int64]]:
    return {name: np.unique(facets) for name, facets in data.surfaces.items()}
