"""Mesh, assembly and linear solve of the reference by DOLFINx and PETSc; `ufl_step` has the equations."""

from __future__ import annotations

import basix.ufl
import numpy as np
import numpy.typing as npt
from dolfinx import fem
from dolfinx.fem.petsc import assemble_matrix, assemble_vector
from dolfinx.mesh import Mesh, create_mesh
from mpi4py import MPI
from petsc4py import PETSc

from rfablate.arrays import BoolArray
from rfablate.errors import SolveError
from rfablate.mesh._compat import cell_nodes
from rfablate.mesh.mesh_data import MeshData

RTOL = 1e-13
"""Relative tolerance of both linear solves."""


def distributed_mesh(data: MeshData, comm: MPI.Comm) -> Mesh:
    """Return the mesh, distributed by DOLFINx from rank 0. Collective."""
    dim = 2 if data.axisymmetric else 3
    element = basix.ufl.element("Lagrange", "triangle" if dim == 2 else "tetrahedron", 1, shape=(dim,))
    end = None if comm.rank == 0 else 0
    points = np.ascontiguousarray(data.points[:end, :dim])
    return create_mesh(comm, cells=np.ascontiguousarray(data.cells[:end]), x=points, e=element)


def input_nodes(V: fem.FunctionSpace) -> npt.NDArray[np.int64]:
    """Return the input number of each local degree of freedom: P1 has one per geometry node, in another order."""
    index_map = V.dofmap.index_map
    node = np.zeros(index_map.size_local + index_map.num_ghosts, dtype=np.int64)
    node[V.dofmap.list] = np.asarray(V.mesh.geometry.input_global_indices)[cell_nodes(V.mesh)]
    return node


def assembled_matrix(form: fem.Form) -> PETSc.Mat:
    """Return the matrix of a bilinear form. Collective."""
    A = assemble_matrix(form)
    A.assemble()
    return A


def assembled_vector(form: fem.Form) -> PETSc.Vec:
    """Return the vector of a linear form, summed over ranks. Collective."""
    b = assemble_vector(form)
    b.ghostUpdate(addv=PETSc.InsertMode.ADD_VALUES, mode=PETSc.ScatterMode.REVERSE)
    return b


def product(a: PETSc.Vec, b: PETSc.Vec) -> PETSc.Vec:
    """Return the product of two vectors, entry by entry."""
    out = a.duplicate()
    out.pointwiseMult(a, b)
    return out


def solve_with_fixed(A: PETSc.Mat, b: PETSc.Vec, fixed: BoolArray, x: fem.Function, what: str) -> None:
    """Solve A x = b where x keeps its values at fixed nodes; changes A and b. Collective.

    Raises:
        SolveError: it does not converge; `what` names the equation.
    """
    V = x.function_space
    owned = V.dofmap.index_map.size_local
    rows = V.dofmap.index_map.local_to_global(np.flatnonzero(fixed[:owned]).astype(np.int32))
    A.zeroRowsColumns(rows.astype(PETSc.IntType), diag=1.0, x=x.x.petsc_vec, b=b)
    solver = PETSc.KSP().create(V.mesh.comm)
    solver.setOperators(A)
    solver.setType("cg")
    solver.getPC().setType("jacobi")
    solver.setTolerances(rtol=RTOL, max_it=20000)
    solver.setInitialGuessNonzero(True)
    solver.solve(b, x.x.petsc_vec)
    if solver.getConvergedReason() <= 0:
        raise SolveError(f"the {what} solve of the reference did not converge: {solver.getConvergedReason()}")
    x.x.scatter_forward()
