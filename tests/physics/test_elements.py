"""The element numbers and matrices, which NumPy makes, are those of the weak forms below, assembled by DOLFINx.

w = 1 in 3-D, 2 pi r in the (r, z) half plane; k, c, sigma constant in a cell; v a linear test function.

    stiffness      K u     =  integral  k grad u . grad v  w dx
    capacity       C_i     =  integral  c v  w dx              (row sums of the mass matrix; in 3-D the vertex rule)
    Joule heat     q_i     =  integral  sigma |grad phi|^2 v  w dx
"""

from __future__ import annotations

from collections.abc import Callable

import dolfinx
import numpy as np
import numpy.typing as npt
import pytest
import ufl
from mpi4py import MPI

from meshes.structured import geometric, shell_half_plane, shell_octant
from rfablate.fem.domain import Domain
from rfablate.fem.electric import ElectricProblem
from rfablate.fem.heat import HeatProblem
from rfablate.fem.matrix import Matrix, Pattern
from tests.build import on_mesh

pytestmark = [pytest.mark.mpi, pytest.mark.mpi3]
FloatArray = npt.NDArray[np.float64]


class Reference:
    """The same mesh seen by UFL."""

    def __init__(self, domain: Domain) -> None:
        self.domain, mesh = domain, domain.mesh
        self.V = dolfinx.fem.functionspace(mesh, ("Lagrange", 1))
        self.Q = dolfinx.fem.functionspace(mesh, ("DG", 0))
        self.v = ufl.TestFunction(self.V)
        r = ufl.SpatialCoordinate(mesh)[0]
        self.w = 2 * np.pi * r if domain.axisymmetric else dolfinx.fem.Constant(mesh, 1.0)
        # dof of each node, cell by cell: the space numbers its dofs in its own way
        self.dof = np.zeros(domain.nodes.local, dtype=np.int64)
        self.dof[domain.elements.cells] = self.V.dofmap.list[: len(domain.elements.cells)]
        assert np.allclose(self.V.tabulate_dof_coordinates()[self.dof], domain.x, rtol=0.0, atol=1e-15)

    def nodal(self, values: FloatArray) -> dolfinx.fem.Function:
        u = dolfinx.fem.Function(self.V)
        u.x.array[self.dof] = values
        return u

    def in_cells(self, values: FloatArray) -> dolfinx.fem.Function:
        u = dolfinx.fem.Function(self.Q)
        u.x.array[self.Q.dofmap.list[: len(values), 0]] = values
        return u

    def vector(self, integrand: ufl.core.expr.Expr, measure: ufl.Measure = ufl.dx) -> FloatArray:
        """Return the assembled form at this rank's nodes, complete on owned ones."""
        b = dolfinx.fem.assemble_vector(dolfinx.fem.form(integrand * self.w * measure))
        b.scatter_reverse(dolfinx.la.InsertMode.add)
        b.scatter_forward()
        return np.asarray(b.array[self.dof])

    def scalar(self, integrand: ufl.core.expr.Expr) -> float:
        mine = dolfinx.fem.assemble_scalar(dolfinx.fem.form(integrand * self.w * ufl.dx))
        return float(self.domain.comm.allreduce(mine))


@pytest.fixture(scope="module", params=["axisymmetric", "3-D"])
def reference(request: pytest.FixtureRequest, comm: MPI.Comm) -> Reference:
    radii = geometric(0.5e-3, 20e-3, 12, 30.0)
    make = (lambda: shell_half_plane(radii, 10)) if request.param == "axisymmetric" else lambda: shell_octant(radii, 4)
    return Reference(on_mesh(comm, make, active="inner", returned="outer"))


def _nodal(domain: Domain, seed: int) -> FloatArray:
    """Return numbers between 0 and 1 that go with the input mesh's nodes, on any number of ranks."""
    return np.random.default_rng(seed).random(domain.nodes.total)[domain.input_node]


def _cells(domain: Domain, seed: int) -> FloatArray:
    return 0.1 + np.random.default_rng(seed).random(domain.n_cells)[domain.input_cell]


def _close(domain: Domain, ours: FloatArray, theirs: FloatArray, rtol: float = 1e-12) -> None:
    scale, error = domain.nodes.max_of(float(np.abs(theirs).max()), float(np.abs(ours - theirs).max()))
    assert error <= rtol * scale


def test_lumped_capacity_is_the_integral_of_each_test_function(reference: Reference) -> None:
    domain = reference.domain
    c = _cells(domain, 1)
    ours = domain.nodes.accumulate(domain.elements.to_nodes(c, domain.nodes.local))
    _close(domain, ours, reference.vector(reference.in_cells(c) * reference.v))
    if not domain.axisymmetric:
        vertices = ufl.dx(metadata={"quadrature_rule": "vertex", "quadrature_degree": 1})
        _close(domain, ours, reference.vector(reference.in_cells(c) * reference.v, vertices))


def test_volumes_add_up_to_that_of_the_mesh(reference: Reference) -> None:
    domain = reference.domain
    one = reference.in_cells(np.ones(len(domain.elements.cells)))
    assert domain.nodes.total_of(float(domain.elements.volume.sum()))[0] == pytest.approx(
        reference.scalar(one), rel=1e-12
    )


def test_centroid_values_are_those_of_the_linear_field(reference: Reference) -> None:
    domain = reference.domain
    u = 3.0 * domain.x[:, 0] - 2.0 * domain.x[:, 1] + 0.5
    centroid = domain.x[domain.elements.cells].mean(axis=1)
    assert domain.elements.mean(u) == pytest.approx(3.0 * centroid[:, 0] - 2.0 * centroid[:, 1] + 0.5, rel=1e-12)


def test_the_stiffness_is_that_of_the_weak_form(reference: Reference) -> None:
    domain = reference.domain
    pattern = Pattern(domain)
    k, u = _cells(domain, 2), _nodal(domain, 3)
    edges = pattern.edge_values(k)
    ours = domain.nodes.accumulate(pattern.product(edges, u, np.arange(len(pattern.i))))
    form = reference.in_cells(k) * ufl.inner(ufl.grad(reference.nodal(u)), ufl.grad(reference.v))
    _close(domain, ours, reference.vector(form))


def test_the_petsc_matrix_is_stiffness_plus_diagonal_with_fixed_nodes_taken_out(reference: Reference) -> None:
    domain = reference.domain
    nodes, pattern = domain.nodes, Pattern(domain)
    k, u, diagonal = _cells(domain, 4), _nodal(domain, 5), _nodal(domain, 6)
    fixed = domain.surface_nodes["inner"]
    edges = pattern.edge_values(k)
    matrix = Matrix(domain, pattern)
    matrix.fill(edges, diagonal, fixed)
    x, y = matrix.petsc.createVecs()
    x.array[:] = u[: nodes.owned]
    matrix.petsc.mult(x, y)
    free_u = np.where(fixed, 0.0, u)
    form = reference.in_cells(k) * ufl.inner(ufl.grad(reference.nodal(free_u)), ufl.grad(reference.v))
    theirs = np.where(fixed, u, reference.vector(form) + diagonal * free_u)
    ours = np.zeros(nodes.local)
    ours[: nodes.owned] = y.array
    nodes.update_ghosts(ours)
    _close(domain, ours, theirs)
    # what fixed neighbours would have given stands on the right-hand side, with the other sign
    given = np.where(fixed, u, 0.0)
    form = reference.in_cells(k) * ufl.inner(ufl.grad(reference.nodal(given)), ufl.grad(reference.v))
    lifted = nodes.accumulate(pattern.lift(edges, fixed, u))
    _close(domain, lifted, np.where(fixed, 0.0, -reference.vector(form)))
    assert matrix.petsc.isSymmetric(1e-14 * float(np.abs(edges).max()))


def test_joule_heat_is_sigma_grad_phi_squared(reference: Reference) -> None:
    domain = reference.domain
    sigma, phi = _cells(domain, 7), _nodal(domain, 8)
    heating = sigma * domain.elements.dirichlet_energy(phi)
    load = domain.nodes.accumulate(domain.elements.to_nodes(heating / domain.elements.volume, domain.nodes.local))
    u = reference.nodal(phi)
    q = reference.in_cells(sigma) * ufl.inner(ufl.grad(u), ufl.grad(u))
    _close(domain, load, reference.vector(q * reference.v))
    assert domain.nodes.total_of(float(heating.sum()))[0] == pytest.approx(reference.scalar(q), rel=1e-12)


# --- the solved equations, read in UFL ------------------------------------------------------------


def _residual(domain: Domain, residual: FloatArray, fixed: npt.NDArray[np.bool_], scale: FloatArray) -> float:
    free = np.where(fixed, 0.0, residual)
    left, right = domain.nodes.sum(free**2, scale**2)
    return float(np.sqrt(left / right))


def test_the_solved_potential_conserves_charge_in_the_weak_form(reference: Reference) -> None:
    """No current enters a free node; what enters through the tip leaves through the return and is G for 1 V."""
    domain = reference.domain
    sigma = _cells(domain, 9)
    conducting = np.ones(len(sigma), dtype=bool)
    electric = ElectricProblem(domain, Pattern(domain), conducting=conducting, rtol=1e-12, max_iterations=500)
    unit = electric.solve(sigma)
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
    heat = HeatProblem(
        domain, Pattern(domain), capacity=c, perfusion=w_b, blood_temperature=T_b, rtol=1e-13, max_iterations=2000
    )
    u = reference.nodal(phi)
    q = reference.in_cells(sigma) * ufl.inner(ufl.grad(u), ufl.grad(u))
    load = reference.vector(q * reference.v)
    heat.assemble(w0, k, alive, fixed)
    T = heat.passive(past, value, np.full(nodes.local, 37.0), load)

    # lumped terms: the test function's integral times the value at its node
    capacity = reference.vector(reference.in_cells(c) * reference.v)
    perfusion = reference.vector(reference.in_cells(w_b) * reference.v)
    stiffness = reference.vector(reference.in_cells(k) * ufl.inner(ufl.grad(reference.nodal(T)), ufl.grad(reference.v)))
    residual = capacity * (w0 * T - past) + stiffness + alive * perfusion * (T - T_b) - load
    assert _residual(domain, residual, fixed, capacity * w0 * T) < 1e-11
    _close(domain, np.where(fixed, T, 0.0), np.where(fixed, value, 0.0))

    # the response to 1 V is the same operator's, so that any voltage is passive + V^2 response
    passive = heat.passive(past, value, np.full(nodes.local, 37.0))
    response = heat.response(load, np.zeros(nodes.local))
    _close(domain, passive + response, T, rtol=1e-10)

    # what leaves through the fixed nodes is what their own equations lack
    flows = heat.flows(T, w0 * T - past, load, np.full(nodes.local, 37.0))
    lost, out, stored = nodes.sum(alive * perfusion * (T - T_b), np.where(fixed, -residual, 0.0), capacity * (T - 37.0))
    scale = abs(lost) + abs(out)
    assert flows.perfused == pytest.approx(lost, abs=1e-11 * scale)
    assert flows.boundary == pytest.approx(out, abs=1e-9 * scale)
    assert flows.stored == pytest.approx(stored, rel=1e-10)


@pytest.mark.parametrize("make", [shell_half_plane, shell_octant], ids=["axisymmetric", "3-D"])
def test_volumes_are_positive_whatever_way_a_cell_is_numbered(make: Callable) -> None:
    from rfablate.fem.elements import make_elements

    mesh = make(geometric(1e-3, 2e-3, 3), 3)
    flipped = mesh.cells.copy()
    flipped[::2, [0, 1]] = flipped[::2, [1, 0]]
    a = make_elements(mesh.points, mesh.cells.astype(np.int32), axisymmetric=mesh.axisymmetric)
    b = make_elements(mesh.points, flipped.astype(np.int32), axisymmetric=mesh.axisymmetric)
    assert (a.volume > 0.0).all()
    assert b.volume == pytest.approx(a.volume, rel=1e-12)
    assert b.stiffness.sum(axis=1) == pytest.approx(a.stiffness.sum(axis=1), rel=1e-9)
