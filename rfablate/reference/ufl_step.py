"""One time step as UFL forms, assembled and solved by DOLFINx and PETSc: the reference of the C kernels.

If you know FEniCS, read this file first. It contains the equations that a run solves, without the code that makes them
fast. `tests/physics/test_ufl_reference.py` compares the kernels with it: matrix entries, right-hand sides, whole runs.
Try a new term here first; then write it as a kernel. The test checks that both are equal.

Notation. T [degC], phi potential for 1 V [1], V voltage [V RMS], u and v trial and test function in P1 (`self.V`),
`self.Q` functions constant in a cell (DG0). In the half plane (r, z) every integral has the weight
w = 2 pi r; in 3-D w = 1.

    electric    integral sigma grad phi . grad v  w dx = 0      phi = 1 on active tips and in metal, 0 on the return;
                                                                natural condition: no flux through insulation
    heat        rho c dT/dt = div(k grad T) - omega_b rho_b c_b alive (T - T_b) + q_m + V^2 sigma |grad phi|^2
                k dT/dn = h (T_c - T) at a cooled wall; T fixed on the outer surface; no flux elsewhere
    damage      dOmega/dt = A exp(-Ea / (R (T + 273.15))),   alive falls linearly to 0 before Omega = stop

Coefficients. A law gives a factor at each node, which is interpolated in P1; a region multiplies it by its value at
37 degC. With a lumped mass, sigma and k are the mean over the cell (DG0); with a consistent mass they stay linear.

Time. Backward Euler. sigma, k and alive are those of the last step, so the step is linear in T:

    (C/dt + K + W + H) T = C/dt T_n + W T_b + H T_c + Q_m + V^2 Q_1

Lumped means row sums: C_ii = integral rho c N_i w dx, the assembled form of `rho c v`, not vertex quadrature (the two
differ in the half plane). `solver.mass = "consistent"` integrates C and W fully.

| here                   | term                   | in the solver                                             |
|------------------------|------------------------|-----------------------------------------------------------|
| `law`                  | sigma(T), k(T)         | physics/laws.py                                           |
| `_coefficient`         | sigma, k of a cell     | fem/coefficients.py, kernels.c `cell_values`              |
| `electric_form`        | stiffness of sigma     | linalg/matrix.py, kernels.c `assemble_both`               |
| `potential`            | phi, G                 | fem/electric_problem.py                                   |
| `joule_form`           | sigma abs(grad phi)^2  | kernels.c `heat_of_nodes`, `consistent_heat_of_nodes`     |
| `conduction_form`      | stiffness of k         | linalg/matrix.py, kernels.c `assemble_both`               |
| `capacity`, `perfusion`| C, W                   | fem/mass_matrix.py, kernels.c `renew_consistent_mass`     |
| `_wall`                | H                      | fem/wall_convection.py                                    |
| `heat_system`          | the linear system      | fem/heat_problem.py                                       |
| `solve_with_fixed`     | conjugate gradients    | linalg/conjugate_gradients.py                             |
| `advance`              | the order of the step  | solve/step.py, solve/bioheat_step.py, solve/loop.py       |

Not contained: boiling of water, anisotropic sigma, flowing liquids, contact layers, several electrodes, perfusion that
rises with temperature, steps of higher order. The file is for small meshes: every rank stores the whole input mesh.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import ufl
from dolfinx import fem
from dolfinx.mesh import entities_to_geometry, exterior_facet_indices, meshtags
from mpi4py import MPI
from petsc4py import PETSc
from ufl import dot, grad

from rfablate.arrays import BoolArray, FloatArray
from rfablate.case.tables.schema import Case
from rfablate.mesh._compat import interpolation_points
from rfablate.mesh.mesh_data import MeshData
from rfablate.physics.damage import GAS_CONSTANT, ZERO_CELSIUS, Arrhenius
from rfablate.physics.laws import LEAST, T_CAP, T_REFERENCE, Drying, Exponential, Law, Linear, TabulatedLaw
from rfablate.physics.library import damage_set
from rfablate.problem.materials import region_tissues
from rfablate.reference.dolfinx_system import (
    assembled_matrix,
    assembled_vector,
    distributed_mesh,
    input_nodes,
    product,
    solve_with_fixed,
)


def law(kind: Law, T: fem.Function) -> Any:
    """Return the factor of sigma or k at T [degC] as a UFL expression; 1 at 37 degC.

    Raises:
        NotImplementedError: the law is not one of those of `physics.laws`.
    """
    wet = ufl.min_value(T, T_CAP) - T_REFERENCE
    slope = fem.Constant(T.function_space.mesh, np.float64(kind.slope))  # not a number: a zero would lose the mesh
    if isinstance(kind, Linear):
        return ufl.max_value(1.0 + slope * wet, LEAST)
    if isinstance(kind, Exponential):
        return ufl.exp(slope * wet)
    if isinstance(kind, TabulatedLaw):  # linear between the points, constant outside them
        points = list(zip(kind.temperatures, kind.factors, strict=True))
        value: Any = points[0][1]
        for (T0, f0), (T1, f1) in zip(points[:-1], points[1:], strict=True):
            value += (f1 - f0) / (T1 - T0) * (ufl.min_value(ufl.max_value(T, T0), T1) - T0)
        return value
    if isinstance(kind, Drying):  # ln sigma falls linearly from 100 degC over the window
        dried = ufl.min_value(ufl.max_value((T - T_CAP) / kind.window, 0.0), 1.0)
        return law(kind.wet, T) * ufl.exp(float(np.log(kind.left)) * dried)
    raise NotImplementedError(f"found the law {kind}; expected one of physics.laws")


class UflStep:
    """The fields of a run, advanced by backward Euler steps at a given voltage."""

    def __init__(
        self, case: Case, data: MeshData | None, comm: MPI.Comm, *, coolant: tuple[float, float] | None = None
    ) -> None:
        """Set up the forms. Collective.

        Args:
            case: tissues, body temperature, blood, damage and `solver.mass`.
            data: the mesh on rank 0; its surfaces are `active`, `return`, optionally `body_temperature` and `coolant`.
            comm: the ranks over which DOLFINx distributes the mesh.
            coolant: h [W/(m2 K)] and temperature [degC] of the liquid at the surface `coolant`.

        Raises:
            NotImplementedError: the case has a term that this file does not contain.
        """
        mesh = comm.bcast(data)
        assert mesh is not None
        self.case, self.data, self.consistent = case, mesh, case.solver.mass == "consistent"
        self.mesh = distributed_mesh(mesh, comm)
        self.V, self.Q = fem.functionspace(self.mesh, ("Lagrange", 1)), fem.functionspace(self.mesh, ("DG", 0))
        self.node = input_nodes(self.V)
        """Number of each local degree of freedom in the input mesh."""
        self.T, self.phi, self.alive, self.omega = (fem.Function(self.V) for _ in range(4))
        self.dt, self.V2 = fem.Constant(self.mesh, np.float64(1.0)), fem.Constant(self.mesh, np.float64(0.0))
        r = ufl.SpatialCoordinate(self.mesh)[0]
        self._w = 2.0 * np.pi * r if mesh.axisymmetric else fem.Constant(self.mesh, np.float64(1.0))
        self._materials()
        self._boundaries()
        self._make_forms(coolant)
        self.T.x.array[:] = case.body.temperature

    def _materials(self) -> None:
        """Set tissue values (DG0), laws (one P1 function each) and the damage kinetics."""
        self.tissues = region_tissues(self.case)
        if any(t.water_fraction or t.perfusion_rise != 1.0 or t.damage_set for t in self.tissues.values()):
            raise NotImplementedError("found boiling, rising perfusion or a tissue's own damage set; expected none")
        if self.case.damage.perfusion_law != "fade":
            raise NotImplementedError('found another damage.perfusion_law; expected "fade"')
        body, damage = self.case.body, self.case.damage
        blood = body.blood_density * body.blood_heat_capacity
        self.rho_c = self._of_region({name: t.volumetric_heat_capacity for name, t in self.tissues.items()})
        self.w_b = self._of_region({name: t.perfusion * blood for name, t in self.tissues.items()})
        self.q_m = self._of_region({name: t.metabolic_heat for name, t in self.tissues.items()})
        self._updates: list[tuple[fem.Function, fem.Expression]] = []
        sigma_37 = {name: 0.0 if t.is_metal else t.sigma for name, t in self.tissues.items()}
        self.sigma = self._coefficient(sigma_37, {name: t.sigma_law for name, t in self.tissues.items()})
        k_37 = {name: t.k for name, t in self.tissues.items()}
        self.k = self._coefficient(k_37, {name: t.k_law for name, t in self.tissues.items()})
        given = damage.A is not None and damage.Ea is not None
        self.kinetics = Arrhenius(damage.A, damage.Ea) if given else Arrhenius(*damage_set(damage.set)[:2])  # type: ignore[arg-type]

    def _of_region(self, value: dict[str, float]) -> fem.Function:
        """Return a DG0 function from one value per region name."""
        table = np.zeros(max(self.data.region_names) + 1)
        for tag, name in self.data.region_names.items():
            table[tag] = value[name]
        function = fem.Function(self.Q)
        of_cell = self.data.region[np.asarray(self.mesh.topology.original_cell_index)]
        function.x.array[self.Q.dofmap.list[:, 0]] = table[of_cell]
        return function

    def _coefficient(self, value: dict[str, float], laws: dict[str, Law]) -> Any:
        """Return sigma or k as a UFL expression: the sum over laws of (value of its regions) times (its factor in P1).

        With a lumped mass, the mean over the cell instead: the value at the centroid, interpolated in DG0.
        """
        total: Any = 0
        for kind in dict.fromkeys(laws[name] for name in self.data.region_names.values()):
            base = self._of_region({name: each if laws[name] == kind else 0.0 for name, each in value.items()})
            factor = fem.Function(self.V)
            self._updates.append((factor, fem.Expression(law(kind, self.T), interpolation_points(self.V))))
            total += base * factor
        if self.consistent:
            return total
        mean = fem.Function(self.Q)
        self._updates.append((mean, fem.Expression(total, interpolation_points(self.Q))))
        return mean

    def _boundaries(self) -> None:
        """Set the nodes with given values; inner nodes of metal have the potential of the tip."""
        metal = [tag for tag, name in self.data.region_names.items() if self.tissues[name].is_metal]
        tissue = np.unique(self.data.cells[~np.isin(self.data.region, metal)])
        in_tissue, on = np.isin(self.node, tissue), self._on_surface
        self.fixed_phi = on("active") | on("return") | ~in_tissue
        self.phi.x.array[:] = np.where(on("active") | ~in_tissue, 1.0, 0.0)
        self.fixed_T = on("body_temperature")

    def _on_surface(self, role: str) -> BoolArray:
        return np.isin(self.node, self.data.surfaces.get(role, np.empty(0, dtype=np.int64)))

    def _make_forms(self, coolant: tuple[float, float] | None) -> None:
        """Write the weak forms; each is compiled once."""
        u, v, w, dx = ufl.TrialFunction(self.V), ufl.TestFunction(self.V), self._w, ufl.dx
        self.electric_form = fem.form(self.sigma * dot(grad(u), grad(v)) * w * dx)
        self.conduction_form = fem.form(self.k * dot(grad(u), grad(v)) * w * dx)
        self.joule_form = fem.form(self.sigma * dot(grad(self.phi), grad(self.phi)) * v * w * dx)
        self.metabolic_form = fem.form(self.q_m * v * w * dx)
        self._conductance = fem.form(self.sigma * dot(grad(self.phi), grad(self.phi)) * w * dx)
        if self.consistent:
            self.capacity = fem.form(self.rho_c * u * v * w * dx)
            self.perfusion = fem.form(self.w_b * self.alive * u * v * w * dx)
        else:  # row sums; a node's perfusion is multiplied by its own `alive`
            self.capacity = fem.form(self.rho_c * v * w * dx)
            self.perfusion = fem.form(self.w_b * v * w * dx)
        self._wall = None
        if coolant is not None:
            h, self._liquid = coolant
            self._wall = fem.form(fem.Constant(self.mesh, np.float64(h)) * v * w * self._surface_measure("coolant"))

    def _surface_measure(self, role: str) -> Any:
        """Return ds over the outer facets of a surface of the input mesh."""
        topology, dim = self.mesh.topology, self.mesh.topology.dim - 1
        topology.create_connectivity(dim, dim + 1)
        topology.create_connectivity(dim, 0)
        topology.create_connectivity(dim + 1, dim)
        facets = exterior_facet_indices(topology)
        corners = entities_to_geometry(self.mesh, dim, facets)
        found = np.sort(np.asarray(self.mesh.geometry.input_global_indices)[corners], axis=1)
        wanted = {tuple(row) for row in np.sort(self.data.surfaces[role], axis=1).tolist()}
        chosen = np.sort(facets[[tuple(row) in wanted for row in found.tolist()]].astype(np.int32))
        tags = meshtags(self.mesh, dim, chosen, np.ones(len(chosen), dtype=np.int32))
        return ufl.Measure("ds", domain=self.mesh, subdomain_data=tags)(1)

    # --- the step ---------------------------------------------------------------------------------

    def advance(self, V: float, dt: float) -> float:
        """Advance T and Omega by dt [s] at the voltage V [V RMS]; return the conductance G [S]. Collective."""
        self.update_coefficients()
        G = self.potential()
        self.dt.value, self.V2.value = dt, V * V
        A, b = self.heat_system()
        solve_with_fixed(A, b, self.fixed_T, self.T, "heat")
        T = self.T.x.array
        self.omega.x.array[:] += dt * self.kinetics.A * np.exp(-self.kinetics.Ea / (GAS_CONSTANT * (T + ZERO_CELSIUS)))
        return G

    def update_coefficients(self) -> None:
        """Evaluate sigma and k at T, and alive at Omega."""
        for function, expression in self._updates:
            function.interpolate(expression)
            function.x.scatter_forward()
        damage = self.case.damage
        if damage.perfusion_stops:
            stop = damage.perfusion_stop_omega
            over = max(damage.perfusion_fade * stop, 1e-30)  # 0 stops perfusion at once
            self.alive.x.array[:] = np.clip((stop - self.omega.x.array) / over, 0.0, 1.0)
        else:
            self.alive.x.array[:] = 1.0

    def potential(self) -> float:
        """Solve for phi; return G = integral sigma |grad phi|^2, the power at 1 V [S]. Collective."""
        A = assembled_matrix(self.electric_form)
        solve_with_fixed(A, A.createVecLeft(), self.fixed_phi, self.phi, "potential")
        return float(self.mesh.comm.allreduce(fem.assemble_scalar(self._conductance)))

    def heat_system(self) -> tuple[PETSc.Mat, PETSc.Vec]:
        """Return matrix and right-hand side of the step, before fixed values are set. Collective.

        A = C/dt + K + W + H,   b = C/dt T_n + W T_b + H T_c + Q_m + V^2 Q_1
        """
        A, dt, T_b = assembled_matrix(self.conduction_form), float(self.dt.value), self.case.body.blood_temperature
        T_n = self.T.x.petsc_vec
        b = assembled_vector(self.metabolic_form)
        b.axpy(float(self.V2.value), assembled_vector(self.joule_form))
        if self.consistent:
            C, W = assembled_matrix(self.capacity), assembled_matrix(self.perfusion)
            A.axpy(1.0 / dt, C)
            A.axpy(1.0, W)
            blood = T_n.duplicate()
            blood.set(T_b)
            b.axpy(1.0 / dt, C * T_n)
            b.axpy(1.0, W * blood)
            diagonal = b.duplicate()
            diagonal.set(0.0)
        else:
            C, W = assembled_vector(self.capacity), assembled_vector(self.perfusion)
            W.pointwiseMult(W, self.alive.x.petsc_vec)
            diagonal = C / dt + W
            b.axpy(1.0 / dt, product(C, T_n))
            b.axpy(T_b, W)
        if self._wall is not None:
            H = assembled_vector(self._wall)
            diagonal.axpy(1.0, H)
            b.axpy(self._liquid, H)
        A.setDiagonal(diagonal, addv=PETSc.InsertMode.ADD_VALUES)
        A.assemble()
        return A, b

    # --- fields in the order of the input mesh ----------------------------------------------------

    def whole(self, local: FloatArray) -> FloatArray:
        """Return a field in the order of the input nodes, from values at the degrees of freedom. Collective."""
        owned, values = self.V.dofmap.index_map.size_local, np.empty(len(self.data.points))
        for where, what in self.mesh.comm.allgather((self.node[:owned], local[:owned])):
            values[where] = what
        return values

    def matrix_entries(self, A: PETSc.Mat) -> dict[tuple[int, int], float]:
        """Return the entries of a matrix by the input numbers of row and column, on every rank. Collective."""
        first = A.getOwnershipRange()[0]
        owned = self.V.dofmap.index_map.size_local
        number = np.concatenate(self.mesh.comm.allgather(self.node[:owned]))
        indptr, columns, values = A.getValuesCSR()
        rows = number[first + np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))]
        mine = dict(zip(zip(rows.tolist(), number[columns].tolist(), strict=True), values.tolist(), strict=True))
        return {key: value for part in self.mesh.comm.allgather(mine) for key, value in part.items()}
