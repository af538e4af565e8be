"""Element matrices computed with NumPy agree with the weak forms below, assembled by DOLFINx.

w = 1 in 3-D, 2 pi r in the (r, z) half plane; k, c, sigma constant in a cell; v a linear test function.

    stiffness      K u     =  integral  k grad u . grad v  w dx
    capacity       C_i     =  integral  c v  w dx              (row sums of the mass matrix; in 3-D the vertex rule)
    Joule heat     q_i     =  integral  sigma |grad phi|^2 v  w dx
"""

from __future__ import annotations

from collections.abc import Callable

import basix.ufl
import dolfinx
import numpy as np
import numpy.typing as npt
import pytest
import ufl
from dolfinx.mesh import create_mesh
from mpi4py import MPI

from rfablate.evidence.structured_meshes import geometric, shell_half_plane, shell_octant
from rfablate.evidence.verification_problems import on_mesh, set_cells
from rfablate.fem.coefficients import Coefficients, RegionLaw
from rfablate.fem.conductor import Conductor
from rfablate.fem.electric_problem import ElectricProblem
from rfablate.fem.heat_problem import HeatProblem, HeatSinks
from rfablate.fem.mass_matrix import ConsistentMass, LumpedMass
from rfablate.linalg.linear_system import SolverOptions
from rfablate.linalg.matrix import Matrix, Pattern
from rfablate.mesh._compat import cell_nodes
from rfablate.mesh.domain import Domain
from rfablate.mesh.mesh_data import MeshData

pytestmark = [pytest.mark.mpi, pytest.mark.mpi3]
FloatArray = npt.NDArray[np.float64]


class Reference:
    """The whole mesh in UFL, on every rank separately; results are taken at the nodes and cells of this rank."""

    def __init__(self, domain: Domain, data: MeshData) -> None:
        self.domain = domain
        dim = 2 if data.axisymmetric else 3
        element = basix.ufl.element("Lagrange", "triangle" if dim == 2 else "tetrahedron", 1, shape=(dim,))
        points = np.ascontiguousarray(data.points[:, :dim])
        mesh = create_mesh(MPI.COMM_SELF, cells=data.cells, x=points, e=element)
        self.V = dolfinx.fem.functionspace(mesh, ("Lagrange", 1))
        self.Q = dolfinx.fem.functionspace(mesh, ("DG", 0))
        self.v = ufl.TestFunction(self.V)
        r = ufl.SpatialCoordinate(mesh)[0]
        self.w = 2 * np.pi * r if domain.axisymmetric else dolfinx.fem.Constant(mesh, 1.0)
        # dof of each input node and cell in the numbering of the function space
        self.cell = np.asarray(mesh.topology.original_cell_index)
        self.dof = np.zeros(len(data.points), dtype=np.int64)
        self.dof[np.asarray(mesh.geometry.input_global_indices)[cell_nodes(mesh)]] = self.V.dofmap.list
        assert np.allclose(self.V.tabulate_dof_coordinates()[self.dof], data.points, rtol=0.0, atol=1e-15)

    def _everywhere(self, values: FloatArray, places: npt.NDArray[np.int64], total: int) -> FloatArray:
        """Return this rank's values and those of all others, in the input mesh's order."""
        whole = np.zeros(total)
        for where, what in self.domain.comm.allgather((places, values)):
            whole[where] = what
        return whole

    def nodal(self, values: FloatArray) -> dolfinx.fem.Function:
        u, n = dolfinx.fem.Function(self.V), self.domain.nodes.owned
        u.x.array[self.dof] = self._everywhere(values[:n], self.domain.input_node[:n], len(self.dof))
        return u

    def in_cells(self, values: FloatArray) -> dolfinx.fem.Function:
        u = dolfinx.fem.Function(self.Q)
        whole = self._everywhere(values[: len(self.domain.input_cell)], self.domain.input_cell, len(self.cell))
        u.x.array[self.Q.dofmap.list[:, 0]] = whole[self.cell]
        return u

    def vector(self, integrand: ufl.core.expr.Expr, measure: ufl.Measure = ufl.dx) -> FloatArray:
        """Return the assembled form at this rank's nodes."""
        b = dolfinx.fem.assemble_vector(dolfinx.fem.form(integrand * self.w * measure))
        return np.asarray(b.array[self.dof])[self.domain.input_node]

    def scalar(self, integrand: ufl.core.expr.Expr) -> float:
        return float(dolfinx.fem.assemble_scalar(dolfinx.fem.form(integrand * self.w * ufl.dx)))


@pytest.fixture(scope="module", params=["axisymmetric", "3-D"])
def reference(request: pytest.FixtureRequest, comm: MPI.Comm) -> Reference:
    radii = geometric(0.5e-3, 20e-3, 12, 30.0)
    make = (lambda: shell_half_plane(radii, 10)) if request.param == "axisymmetric" else lambda: shell_octant(radii, 4)
    return Reference(on_mesh(comm, make, active="inner", returned="outer"), make())


def _nodal(domain: Domain, seed: int) -> FloatArray:
    """Return random numbers per node of the input mesh, independent of the rank count."""
    return np.random.default_rng(seed).random(domain.nodes.total)[domain.input_node]


def _cells(domain: Domain, seed: int) -> FloatArray:
    """Return random numbers per cell of the input mesh, for the stencil of this rank."""
    return 0.1 + np.random.default_rng(seed).random(domain.n_cells)[domain.input_stencil_cell]


def _close(domain: Domain, ours: FloatArray, theirs: FloatArray, rtol: float = 1e-12) -> None:
    n = domain.nodes.owned
    scale, error = domain.nodes.max_of(float(np.abs(theirs).max()), float(np.abs(ours[:n] - theirs[:n]).max()))
    assert error <= rtol * scale


def test_lumped_capacity_is_the_integral_of_each_test_function(reference: Reference) -> None:
    domain = reference.domain
    c = _cells(domain, 1)
    ours = LumpedMass(domain, c, c).capacity
    _close(domain, ours, reference.vector(reference.in_cells(c) * reference.v))
    if not domain.axisymmetric:
        vertices = ufl.dx(metadata={"quadrature_rule": "vertex", "quadrature_degree": 1})
        _close(domain, ours, reference.vector(reference.in_cells(c) * reference.v, vertices))


def test_consistent_capacity_and_perfusion_are_those_of_the_weak_form(reference: Reference) -> None:
    domain = reference.domain
    if domain.axisymmetric:
        return  # rejected by the checks of a case
    c, w_b, u, alive = _cells(domain, 1), _cells(domain, 2), _nodal(domain, 3), _nodal(domain, 4)
    pattern = Pattern(domain)
    mass = ConsistentMass(domain, pattern, c, w_b)
    stiffness, operator = Matrix(pattern), Matrix(pattern)
    pattern.assemble(set_cells(domain, c, c).values, None, stiffness)
    for vitality in (np.ones_like(alive), alive):  # the second assembly changes only the perfusion
        mass.add(operator, stiffness, 2.0, vitality)
        U = reference.nodal(u)
        heat = reference.in_cells(c) * U * reference.v
        lost = reference.in_cells(w_b) * reference.nodal(vitality) * U * reference.v
        form = 2.0 * heat + lost + reference.in_cells(c) * ufl.inner(ufl.grad(U), ufl.grad(reference.v))
        _close(domain, mass.heat(u), reference.vector(heat))
        _close(domain, mass.perfused(u), reference.vector(lost))
        _close(domain, operator.times(u), reference.vector(form))


def test_volumes_add_up_to_that_of_the_mesh(reference: Reference) -> None:
    domain = reference.domain
    one = reference.in_cells(np.ones(len(domain.elements.cells)))
    assert domain.nodes.total_of(float(domain.elements.volume.sum()))[0] == pytest.approx(
        reference.scalar(one), rel=1e-12
    )


def test_the_stiffness_is_that_of_the_weak_form(reference: Reference) -> None:
    """Both matrices in one pass, and separately; single rows equal those of the whole product."""
    domain = reference.domain
    pattern = Pattern(domain)
    sigma, k, u = _cells(domain, 2), _cells(domain, 4), _nodal(domain, 3)
    values = set_cells(domain, sigma, k).values
    together, alone = (Matrix(pattern), Matrix(pattern)), (Matrix(pattern), Matrix(pattern))
    pattern.assemble(values, *together)
    pattern.assemble(values, alone[0], None)
    pattern.assemble(values, None, alone[1])
    for coefficient, one, other in zip((sigma, k), together, alone, strict=True):
        form = reference.in_cells(coefficient) * ufl.inner(ufl.grad(reference.nodal(u)), ufl.grad(reference.v))
        _close(domain, one.times(u), reference.vector(form))
        assert np.array_equal(one.times(u), other.times(u))
        rows = np.arange(0, pattern.n, 3)
        assert one.rows_times(rows, u) == pytest.approx(one.times(u)[rows], rel=1e-9, abs=1e-14)


def test_joule_heat_is_sigma_grad_phi_squared(reference: Reference) -> None:
    domain = reference.domain
    sigma, phi = _cells(domain, 7), _nodal(domain, 8)
    coefficients = set_cells(domain, sigma, sigma)
    electric = _electric(domain, Pattern(domain))
    load = electric._load(phi, coefficients)
    u = reference.nodal(phi)
    q = reference.in_cells(sigma) * ufl.inner(ufl.grad(u), ufl.grad(u))
    _close(domain, load, reference.vector(q * reference.v))
    heating = electric.heating(phi, coefficients)
    assert heating == pytest.approx(domain.elements.dirichlet_energy(phi) * sigma[: len(heating)], rel=1e-11)
    assert domain.nodes.total_of(float(heating.sum()))[0] == pytest.approx(reference.scalar(q), rel=1e-12)


def test_consistent_joule_heat_takes_sigma_linear_in_the_cell(reference: Reference) -> None:
    domain = reference.domain
    if domain.axisymmetric:
        return  # rejected by the checks of a case
    sigma, phi = 0.1 + _nodal(domain, 7), _nodal(domain, 8)
    one = RegionLaw(np.ones(max(domain.region_names) + 1), np.zeros(max(domain.region_names) + 1, dtype=np.int32))
    coefficients = Coefficients(domain, [lambda _: sigma], one, one)
    coefficients.update(phi)
    load = _electric(domain, Pattern(domain), consistent=True)._load(phi, coefficients)
    u = reference.nodal(phi)
    form = reference.nodal(sigma) * ufl.inner(ufl.grad(u), ufl.grad(u)) * reference.v
    _close(domain, load, reference.vector(form))


def _electric(domain: Domain, pattern: Pattern, *, consistent: bool = False) -> ElectricProblem:
    conducting = np.ones(len(domain.stencil_region), dtype=bool)
    return ElectricProblem(domain, pattern, Conductor(conducting, linear_sigma=consistent), SolverOptions(1e-12, 500))


# --- the solved equations, compared with UFL ------------------------------------------------------------


def _residual(domain: Domain, residual: FloatArray, fixed: npt.NDArray[np.bool_], scale: FloatArray) -> float:
    free = np.where(fixed, 0.0, residual)
    left, right = domain.nodes.sum(free**2, scale**2)
    return float(np.sqrt(left / right))


def test_the_solved_potential_conserves_charge_in_the_weak_form(reference: Reference) -> None:
    """Free nodes have no net current; the current of the tip equals that of the return, G at 1 V."""
    domain = reference.domain
    sigma = _cells(domain, 9)
    pattern = Pattern(domain)
    electric, coefficients = _electric(domain, pattern), set_cells(domain, sigma, sigma)
    pattern.assemble(coefficients.values, electric.matrix, None)
    unit = electric.solve(coefficients)
    form = reference.in_cells(sigma) * ufl.inner(ufl.grad(reference.nodal(unit.phi)), ufl.grad(reference.v))
    current = reference.vector(form)
    tip, back = domain.surface_nodes["inner"], domain.surface_nodes["outer"]
    assert _residual(domain, current, tip | back, current) < 1e-10
    into, out = domain.nodes.sum(np.where(tip, current, 0.0), np.where(back, -current, 0.0))
    assert into == pytest.approx(unit.conductance, rel=1e-10)
    assert out == pytest.approx(unit.conductance, rel=1e-10)
    q = reference.in_cells(sigma) * ufl.inner(ufl.grad(reference.nodal(unit.phi)), ufl.grad(reference.nodal(unit.phi)))
    _close(domain, unit.load, reference.vector(q * reference.v), rtol=1e-11)


def test_the_solved_temperature_satisfies_the_bioheat_step_in_the_weak_form(reference: Reference) -> None:
    domain = reference.domain
    nodes = domain.nodes
    c, k, w_b, sigma = (scale * _cells(domain, seed) for seed, scale in ((1, 4e6), (2, 0.5), (3, 3e4), (4, 0.3)))
    phi, alive, past = _nodal(domain, 5), _nodal(domain, 6), 40.0 * _nodal(domain, 7)
    fixed, value, w0, T_b = domain.surface_nodes["outer"], 37.0 + 5.0 * _nodal(domain, 8), 2.0, 36.5
    pattern = Pattern(domain)
    mass = LumpedMass(domain, c, w_b)
    heat = HeatProblem(domain, pattern, mass, HeatSinks(T_b), SolverOptions(1e-13, 2000))
    pattern.assemble(set_cells(domain, sigma, k).values, None, heat.stiffness)
    u = reference.nodal(phi)
    q = reference.in_cells(sigma) * ufl.inner(ufl.grad(u), ufl.grad(u))
    load = reference.vector(q * reference.v)
    heat.prepare(w0, alive, fixed)
    T = heat.step(past, value, np.full(nodes.local, 37.0), load)

    # lumped terms: the test function's integral times the value at its node
    capacity = reference.vector(reference.in_cells(c) * reference.v)
    perfusion = reference.vector(reference.in_cells(w_b) * reference.v)
    stiffness = reference.vector(reference.in_cells(k) * ufl.inner(ufl.grad(reference.nodal(T)), ufl.grad(reference.v)))
    residual = capacity * (w0 * T - past) + stiffness + alive * perfusion * (T - T_b) - load
    assert _residual(domain, residual, fixed, capacity * w0 * T) < 1e-11
    _close(domain, np.where(fixed, T, 0.0), np.where(fixed, value, 0.0))

    # the response to 1 V uses the same operator: the field at V is passive + V^2 response
    start, zero = np.full(nodes.local, 37.0), np.zeros(nodes.local)
    passive = heat.step(past, value, start, zero)
    twice, response = heat.step(past, value, start, 2.0 * load), heat.response(0, load, zero)
    _close(domain, passive + response, T, rtol=1e-8)
    _close(domain, twice - response, T, rtol=1e-8)

    # the heat through fixed nodes is the residual of their equations
    flows = heat.flows(T, w0 * T - past, load, np.full(nodes.local, 37.0))
    lost, out, stored = nodes.sum(alive * perfusion * (T - T_b), np.where(fixed, -residual, 0.0), capacity * (T - 37.0))
    scale = abs(lost) + abs(out)
    assert flows.perfused == pytest.approx(lost, abs=1e-11 * scale)
    assert flows.boundary == pytest.approx(out, abs=1e-9 * scale)
    assert flows.stored == pytest.approx(stored, rel=1e-10)


@pytest.mark.parametrize("make", [shell_half_plane, shell_octant], ids=["axisymmetric", "3-D"])
def test_volumes_are_positive_whatever_way_a_cell_is_numbered(make: Callable) -> None:
    from rfablate.mesh.elements import make_elements

    mesh = make(geometric(1e-3, 2e-3, 3), 3)
    flipped = mesh.cells.copy()
    flipped[::2, [0, 1]] = flipped[::2, [1, 0]]
    a = make_elements(mesh.points, mesh.cells.astype(np.int32), axisymmetric=mesh.axisymmetric)
    b = make_elements(mesh.points, flipped.astype(np.int32), axisymmetric=mesh.axisymmetric)
    assert (a.volume > 0.0).all()
    assert b.volume == pytest.approx(a.volume, rel=1e-12)
    assert b.stiffness.sum(axis=1) == pytest.approx(a.stiffness.sum(axis=1), rel=1e-9)
