"""Benchmark B1 as in the FEniCSx tutorials: UFL forms assembled at every step, CG with BoomerAMG.

    [mpirun -n 2] python -m hpc.bench.baseline small.msh [--steps 120]

Prints one line of JSON. The code is deliberately simple: forms are compiled once and reassembled, solvers are reused.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

import numpy as np
import ufl
from dolfinx import fem, io
from dolfinx.fem.petsc import apply_lifting, assemble_matrix, assemble_vector, create_matrix, create_vector, set_bc
from mpi4py import MPI
from petsc4py import PETSc


def krylov(matrix: PETSc.Mat) -> PETSc.KSP:
    solver = PETSc.KSP().create(matrix.comm)
    solver.setOperators(matrix)
    solver.setType("cg")
    solver.getPC().setType("hypre")
    solver.setTolerances(rtol=1e-8)
    return solver


class Equation:
    """A linear equation that is assembled again and solved in every step."""

    def __init__(self, form: fem.Form, load: fem.Form, bcs: list[fem.DirichletBC]) -> None:
        self._form, self._load, self._bcs = form, load, bcs
        self._matrix, self._vector = create_matrix(form), create_vector(load)
        self._solver = krylov(self._matrix)

    def solve(self, target: fem.Function) -> None:
        matrix, vector, bcs = self._matrix, self._vector, self._bcs
        matrix.zeroEntries()
        assemble_matrix(matrix, self._form, bcs=bcs)
        matrix.assemble()
        with vector.localForm() as local:
            local.set(0.0)
        assemble_vector(vector, self._load)
        apply_lifting(vector, [self._form], [bcs])
        vector.ghostUpdate(addv=PETSc.InsertMode.ADD, mode=PETSc.ScatterMode.REVERSE)
        set_bc(vector, bcs)
        self._solver.solve(vector, target.x.petsc_vec)
        if self._solver.getConvergedReason() <= 0:
            raise RuntimeError("no convergence")
        target.x.scatter_forward()


def run(path: Path, steps: int) -> dict[str, object]:
    comm = MPI.COMM_WORLD
    imported = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    mesh, _, facets = io.gmshio.read_from_msh(str(path), comm, 0, gdim=3)[:3]
    read = time.perf_counter() - start
    V = fem.functionspace(mesh, ("Lagrange", 1))
    T, phi, alive, omega = (fem.Function(V) for _ in range(4))
    u, v = ufl.TrialFunction(V), ufl.TestFunction(V)
    dt, V2 = fem.Constant(mesh, 0.5), fem.Constant(mesh, 100.0)
    T.x.array[:], alive.x.array[:] = 37.0, 1.0
    # coefficients as P1 functions of the temperature at the nodes
    sigma, k = fem.Function(V), fem.Function(V)
    rho_c, w = 1060.0 * 3600.0, 0.0064 * 1000.0 * 4180.0
    electric = fem.form(sigma * ufl.inner(ufl.grad(u), ufl.grad(v)) * ufl.dx)
    nothing = fem.form(fem.Constant(mesh, 0.0) * v * ufl.dx)
    heat = fem.form((rho_c / dt * u * v + k * ufl.inner(ufl.grad(u), ufl.grad(v)) + w * alive * u * v) * ufl.dx)
    joule = V2 * sigma * ufl.inner(ufl.grad(phi), ufl.grad(phi))
    source = fem.form((rho_c / dt * T * v + w * alive * 37.0 * v + joule * v) * ufl.dx)
    conductance = fem.form(sigma * ufl.inner(ufl.grad(phi), ufl.grad(phi)) * ufl.dx)
    mesh.topology.create_connectivity(2, 3)
    tip, outer = (fem.locate_dofs_topological(V, 2, facets.find(tag)) for tag in (1, 3))
    on_tip, on_outer = (fem.dirichletbc(value, dofs, V) for value, dofs in ((1.0, tip), (0.0, outer)))
    warm = fem.dirichletbc(37.0, outer, V)
    potential = Equation(electric, nothing, [on_tip, on_outer])
    bioheat = Equation(heat, source, [warm])
    distance = np.linalg.norm(V.tabulate_dof_coordinates() - [0.0, 0.0, -0.005], axis=1)
    n = V.dofmap.index_map.size_local
    nearest = comm.allreduce((float(distance[:n].min()), comm.rank), op=MPI.MINLOC)[1]
    sensor = int(np.argmin(distance[:n]))

    level, last, G, voltage = 100.0, None, 0.0, 0.0
    setup = time.perf_counter() - start - read
    start = time.perf_counter()
    for _ in range(steps):
        error = 80.0 - comm.bcast(float(T.x.array[sensor]), root=nearest)
        rise = np.minimum(T.x.array, 100.0) - 37.0
        sigma.x.array[:], k.x.array[:] = 0.36 * (1 + 0.02 * rise), 0.51 * (1 + 0.0012 * rise)
        potential.solve(phi)
        G = comm.allreduce(fem.assemble_scalar(conductance), op=MPI.SUM)
        voltage = min(np.sqrt(max(level, 0.0)), 60.0)
        V2.value = voltage**2
        bioheat.solve(T)
        omega.x.array[:] += 0.5 * 7.39e39 * np.exp(-2.577e5 / (8.314 * (T.x.array + 273.15)))
        alive.x.array[:] = omega.x.array < 1.0
        level = max(0.0, level + 3.0 * (error - (error if last is None else last)) + 1.5 * 0.5 * error)
        last = error
    loop = time.perf_counter() - start
    return {
        "loop_s": loop,
        "read_s": read,
        "setup_s": setup,
        "steps": steps,
        "nodes": V.dofmap.index_map.size_global,
        "peak_MiB": comm.allreduce(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024,
        "import_MiB": comm.allreduce(imported) / 1024,
        "T_tip": comm.bcast(float(T.x.array[sensor]), root=nearest),
        "V0": voltage,
        "impedance": 1.0 / G,
        "T_max": comm.allreduce(float(T.x.array.max()), op=MPI.MAX),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mesh", type=Path)
    parser.add_argument("--steps", type=int, default=120)
    arguments = parser.parse_args()
    answers = run(arguments.mesh, arguments.steps)
    if MPI.COMM_WORLD.rank == 0:
        print(json.dumps(answers))
