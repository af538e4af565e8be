"""Estimated memory and disk space of a run, from the number of its nodes. Pure.

    memory of a rank = BASE + (NODE nodes) / ranks + SHARED nodes,    in meshing MESH_BASE + MESH_CELL cells on rank 0
    disk             = (NODE_FRAME nodes) frames + NODE_FILES nodes

The constants were measured on 1 rank with the native solver, linear elements and float32 fields; docs/faults.md has the
runs and their date. PETSc was not measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from rfablate.case.geometry.cell_estimate import estimate_cells
from rfablate.case.tables.generator_tables import on_time
from rfablate.case.tables.geometry_tables import AxisymmetricDomain, MeshDomain
from rfablate.case.tables.schema import Case

MIB = 1024.0**2
BASE = 215 * MIB
"""Memory of a rank before it has a mesh: interpreter, libraries, MPI [bytes]."""
CELLS_PER_NODE = {2: 1.9, 3: 5.9}
NODE = 4.0e3
"""Memory of a solver per node, divided between the ranks [bytes]."""
SHARED = 300.0
"""Memory per node on every rank: coarse levels and point location [bytes]."""
COARSER = 1.15
"""Factor for the second, coarser run of the error bar, which exists beside the first."""
MESH_BASE = 300 * MIB
"""Memory of rank 0 with Gmsh before it has a mesh [bytes]."""
MESH_CELL = 470.0
"""Memory of mesh generation per cell on rank 0 [bytes]."""
NODE_FRAME = 90.0
"""Disk space of a frame per node, in fields.vtkhdf and in the store of frames of a run in progress [bytes]."""
NODE_FILES = 500.0
"""Disk space per node of the mesh in fields.vtkhdf and of three checkpoints: two, and one being written [bytes]."""
PAGE = 6e6
"""Disk space of report, log and history [bytes]."""
FRAMES = 10
"""Frames where the case does not state their interval."""


@dataclass(frozen=True)
class RunSize:
    """Estimated size of a run."""

    cells: float
    nodes: float
    ranks: int
    frames: int
    mesh_memory: float
    """Memory of rank 0 during mesh generation; 0 if the mesh exists [bytes]."""
    rank_memory: float
    """Memory of each rank during the solve [bytes]."""
    disk: float
    """Disk space of the run directory during the run [bytes]."""

    def memory(self, local_ranks: int) -> float:
        """Return the memory of a machine that has `local_ranks` of the ranks, rank 0 among them [bytes]."""
        meshing = self.mesh_memory + (local_ranks - 1) * BASE if self.mesh_memory else 0.0
        return max(meshing, local_ranks * self.rank_memory)

    def text(self) -> str:
        """Return the size as one line."""
        meshing = f", {gib(self.mesh_memory)} in meshing" if self.mesh_memory else ""
        ranks = "1 rank" if self.ranks == 1 else f"{self.ranks} ranks"
        return (
            f"about {self.nodes:.2g} nodes and {self.cells:.2g} cells: {gib(self.rank_memory)} per rank on "
            f"{ranks}{meshing}; {gib(self.disk)} on disk with {self.frames} frames"
        )


def gib(size: float) -> str:
    """Return a number of bytes in MiB or GiB."""
    return f"{size / MIB:.3g} MiB" if size < 1000 * MIB else f"{size / 1024 / MIB:.3g} GiB"


def estimated_size(case: Case, ranks: int = 1) -> RunSize | None:
    """Return the size of a run before its mesh exists, accurate to a factor of two; None for a user's mesh."""
    if isinstance(case.domain, MeshDomain):
        return None
    cells = estimate_cells(case.domain, case.mesh, case.applicators, case.structures)
    dim = 2 if isinstance(case.domain, AxisymmetricDomain) else 3
    fine = cells * (2**dim) ** case.mesh.refine
    size = _size(case, fine, fine / CELLS_PER_NODE[dim], ranks)
    return replace(size, mesh_memory=MESH_BASE + MESH_CELL * cells)


def size_of_mesh(case: Case, cells: int, nodes: int, ranks: int) -> RunSize:
    """Return the size of a run on an existing mesh."""
    return _size(case, float(cells), float(nodes), ranks)


def _size(case: Case, cells: float, nodes: float, ranks: int) -> RunSize:
    end = on_time(case.generator) + case.generator.cooldown
    frames = FRAMES + 1 if case.output.fields_interval is None else math.ceil(end / case.output.fields_interval) + 1
    bars = COARSER if case.output.error_bar else 1.0
    return RunSize(
        cells=cells,
        nodes=nodes,
        ranks=ranks,
        frames=frames,
        mesh_memory=0.0,
        rank_memory=BASE + bars * nodes * (NODE / ranks + SHARED),
        disk=NODE_FRAME * nodes * frames + NODE_FILES * nodes + PAGE,
    )
