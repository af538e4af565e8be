"""The distributed mesh: nodes, cells, regions, surfaces and element matrices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import dolfinx
import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from rfablate.arrays import BoolArray, FloatArray
from rfablate.errors import MeshError
from rfablate.kernels.loader import compile_kernels
from rfablate.mesh._compat import make_index_map
from rfablate.mesh.elements import Elements, make_elements
from rfablate.mesh.mesh_data import VOLUME_OF
from rfablate.mesh.mesh_header import Conformity
from rfablate.mesh.mesh_slices import MeshSlice, SliceSource, deal_slices
from rfablate.mesh.partition import Partitioner, make_part
from rfablate.mesh.root_tasks import on_root

ADD = dolfinx.la.InsertMode.add
"""For `scatter_reverse` of a vector: adds ghost values to those of their owners."""


class Nodes:
    """The nodes of this rank: `owned` nodes first, then ghosts owned by other ranks."""

    def __init__(
        self, comm: MPI.Comm, owned: int, ghosts: npt.NDArray[np.int64], owners: npt.NDArray[np.int32]
    ) -> None:
        """Set up the ghosts from their global numbers and owners. Collective."""
        self.comm = comm
        self.index_map = make_index_map(comm, owned, ghosts, owners)
        self.owned = owned
        self.local = owned + len(ghosts)
        self.total: int = self.index_map.size_global
        self.global_index = self.index_map.local_to_global(np.arange(self.local, dtype=np.int32))
        self._vector = self.vector()

    def vector(self, dtype: type = np.float64) -> dolfinx.la.Vector:
        """Return a zero vector on these nodes with in-place ghost update."""
        return dolfinx.la.vector(self.index_map, 1, dtype=dtype)

    def accumulate(self, values: FloatArray) -> FloatArray:
        """Return the nodal sums of the contributions of all ranks, also at ghosts. Collective."""
        self._vector.array[:] = values
        self._vector.scatter_reverse(ADD)
        self._vector.scatter_forward()
        return self._vector.array.copy()

    def update_ghosts(self, values: FloatArray) -> None:
        """Overwrite ghost values with the values of their owners. Collective."""
        if self.comm.size == 1:
            return
        self._vector.array[: self.owned] = values[: self.owned]
        self._vector.scatter_forward()
        values[self.owned :] = self._vector.array[self.owned :]

    def sum(self, *values: FloatArray) -> FloatArray:
        """Return the sums of nodal arrays over the owned nodes of all ranks, in one reduction. Collective."""
        return self.total_of(*(float(v[: self.owned].sum()) for v in values))

    def total_of(self, *numbers: float) -> FloatArray:
        """Return the sum of each number over ranks, in one reduction. Collective."""
        total = np.array(numbers, dtype=np.float64)
        if self.comm.size > 1:
            self.comm.Allreduce(MPI.IN_PLACE, total)
        return total

    def max_of(self, *numbers: float) -> FloatArray:
        """Return the maximum of each number over ranks, in one reduction; NaN on any rank gives NaN. Collective."""
        mine = np.array(numbers, dtype=np.float64)
        if self.comm.size == 1:
            return mine
        packed = np.concatenate([np.where(np.isnan(mine), -np.inf, mine), np.isnan(mine).astype(float)])
        self.comm.Allreduce(MPI.IN_PLACE, packed, op=MPI.MAX)
        half = len(numbers)
        return np.where(packed[half:] > 0, np.nan, packed[:half])


@dataclass(frozen=True)
class Domain:
    """This rank's part of the mesh; lengths in m, axisymmetric coordinates (r, z, 0)."""

    comm: MPI.Comm
    nodes: Nodes
    x: FloatArray
    """Coordinates of owned and ghost nodes, shape (nodes.local, 3)."""
    stencil: Elements
    """All cells that touch an owned node: the cells of this rank first, then cells of neighbouring ranks."""
    stencil_region: npt.NDArray[np.int32]
    """Region number of each cell in `stencil`."""
    elements: Elements
    """The cells of this rank; each cell of the mesh belongs to one rank."""
    region: npt.NDArray[np.int32]
    """Region number of each cell in `elements`."""
    region_names: Mapping[int, str]
    surface_nodes: Mapping[str, BoolArray]
    """Nodes on each named surface, shape (nodes.local,)."""
    axisymmetric: bool
    input_node: npt.NDArray[np.int64]
    """Number of each local node in the input mesh; files use this numbering."""
    input_stencil_cell: npt.NDArray[np.int64]
    """Number of each cell of `stencil` in the input mesh."""
    input_cell: npt.NDArray[np.int64]
    notes: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    """Information about the mesh generation, for the log."""
    conformity: Conformity = Conformity()

    @property
    def geometry_notes(self) -> tuple[str, ...]:
        """The notes on failed attempts and other surfaces; not those on the volumes of structures."""
        return tuple(note for note in self.notes if not note.startswith(VOLUME_OF))

    @cached_property
    def tag_of(self) -> dict[str, int]:
        """Region number of each region name."""
        return {name: tag for tag, name in self.region_names.items()}

    def cells_of(self, *names: str) -> BoolArray:
        """Return which cells of this rank belong to the named regions."""
        return np.isin(self.region, [self.tag_of[name] for name in names])

    def nodes_of_cells(self, cells: BoolArray) -> BoolArray:
        """Return which local nodes belong to the marked cells of any rank. Collective."""
        touched = np.zeros(self.nodes.local)
        touched[self.elements.cells[cells].ravel()] = 1.0
        return self.nodes.accumulate(touched) > 0.0

    def by_region(self, value_of: Mapping[str, float]) -> FloatArray:
        """Return an array of one value per region number."""
        table = np.full(max(self.region_names) + 1, np.nan)
        for tag, name in self.region_names.items():
            table[tag] = value_of[name]
        return table

    def per_cell(self, value_of: Mapping[str, float]) -> FloatArray:
        """Return one value per cell from one value per region name."""
        return self.by_region(value_of)[self.region]

    @cached_property
    def n_cells(self) -> int:
        """Number of cells on all ranks. Collective at first use."""
        return int(self.comm.allreduce(len(self.region)))


def distribute(source: SliceSource | None, comm: MPI.Comm) -> Domain:
    """Return the domain of the mesh on rank 0; other ranks pass None. Collective.

    Raises:
        MeshError: there are more ranks than cells or nodes.
    """
    return domain_of(deal_slices(source, comm))


def domain_of(mesh: MeshSlice, partitioner: Partitioner = "bisection") -> Domain:
    """Return the domain of a mesh in slices. Collective.

    Raises:
        MeshError: there are more ranks than cells or nodes.
    """
    comm, header = mesh.comm, mesh.header
    most = min(header.n_cells, header.n_points)
    if comm.size > most:
        raise MeshError(f"found {comm.size} ranks for {header.n_cells} cells; expected at most {most} ranks")
    on_root(comm, compile_kernels)
    part = make_part(mesh, partitioner)
    stencil = make_elements(part.points, part.cells, axisymmetric=header.axisymmetric)
    return Domain(
        comm=comm,
        nodes=Nodes(comm, part.owned, part.ghosts, part.ghost_owners),
        x=part.points,
        stencil=stencil,
        stencil_region=part.region,
        elements=stencil.first(part.owned_cells),
        region=part.region[: part.owned_cells],
        region_names=header.region_names,
        surface_nodes=part.surfaces,
        axisymmetric=header.axisymmetric,
        input_node=part.input_node,
        input_stencil_cell=part.input_cell,
        input_cell=part.input_cell[: part.owned_cells],
        notes=header.notes,
        remarks=header.remarks,
        conformity=header.conformity,
    )
