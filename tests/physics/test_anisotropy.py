"""Anisotropic conductivity along and across a structure.

| law                                                             | mesh             | allowed      |
|-----------------------------------------------------------------|------------------|--------------|
| matrix and Joule heat of random tensors: the forms in UFL        | half plane, 3-D  | 1e-12        |
| stretched by sqrt(ratio) along t, a sphere's conductance times  | half plane, 3-D  | 1e-9         |
| sqrt(ratio), for any direction                                  |                  |              |
| spheroid r0, r0, r0 sqrt(ratio): G = 4 pi sqrt(s_t s_l) r0      | half plane       | 1 %, order 2 |
| ratio 1 along a structure changes nothing                       | tube in 3-D      | exact        |
| energies add up                                                 | tube in 3-D      | 1 %          |
| current and heat follow the tube                                | tube in 3-D      |              |
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import ufl
from mpi4py import MPI

from rfablate.case.read.case_file import parse_case
from rfablate.case.tables.schema import Case
from rfablate.evidence.structured_meshes import geometric, shell_half_plane, shell_octant
from rfablate.evidence.verification_problems import frames, on_mesh, set_cells
from rfablate.fem.anisotropy import directed_stiffness
from rfablate.fem.conductor import Conductor
from rfablate.fem.electric_problem import ElectricProblem
from rfablate.linalg.linear_system import SolverOptions
from rfablate.linalg.matrix import Matrix, Pattern
from rfablate.mesh.build import build_domain
from rfablate.mesh.domain import Domain
from rfablate.mesh.mesh_data import MeshData
from rfablate.mesh.point_location import make_probe
from rfablate.problem.problem import build_problem
from tests.build import orders
from tests.physics import test_elements
from tests.physics.test_elements import Reference, _cells, _close, _nodal

reference = test_elements.reference
FloatArray = npt.NDArray[np.float64]
MM = 1e-3
R0, R1 = 0.5 * MM, 10.0 * MM
RATIO, ACROSS = 6.0, 0.1


def stretched(mesh: MeshData, t: FloatArray) -> MeshData:
    """Return the mesh stretched by sqrt(RATIO) along t."""
    along = mesh.points @ t
    return dataclasses.replace(mesh, points=mesh.points + (np.sqrt(RATIO) - 1.0) * np.outer(along, t))


def conductance(domain: Domain, ratio: float, t: FloatArray) -> float:
    n = len(domain.stencil.cells)
    stiffness = directed_stiffness(domain.x, domain.stencil, np.full(n, ratio), np.tile(t, (n, 1)))
    pattern = Pattern(domain)
    pattern.direct(domain.stencil, stiffness)
    electric = ElectricProblem(
        domain,
        pattern,
        Conductor(np.ones(len(domain.stencil_region), dtype=bool), stiffness),
        SolverOptions(1e-13, 2000),
    )
    coefficients = set_cells(domain, np.full(n, ACROSS), np.full(n, 1.0))
    pattern.assemble(coefficients.values, electric.matrix, None)
    return electric.solve(coefficients).conductance


def shells(kind: str, n: int) -> tuple[Callable[[], MeshData], FloatArray]:
    radii = geometric(R0, R1, n, 20.0)
    if kind == "half plane":
        return lambda: shell_half_plane(radii, n), np.array([0.0, 1.0, 0.0])
    t = np.array([2.0, -1.0, 3.0])
    return lambda: shell_octant(radii, n // 2), t / np.linalg.norm(t)


@pytest.mark.mpi
@pytest.mark.parametrize("kind", ["half plane", "3-D"])
def test_a_direction_is_a_stretch_of_space(comm: MPI.Comm, kind: str) -> None:
    make, t = shells(kind, 12)
    plain = conductance(on_mesh(comm, make, active="inner", returned="outer"), 1.0, t)
    pulled = on_mesh(comm, lambda: stretched(make(), t), active="inner", returned="outer")
    assert conductance(pulled, RATIO, t) == pytest.approx(np.sqrt(RATIO) * plain, rel=1e-9)
    assert conductance(pulled, 1.0, t) != pytest.approx(np.sqrt(RATIO) * plain, rel=0.1)


@pytest.mark.mpi
def test_a_spheroid_has_the_conductance_of_the_closed_form(comm: MPI.Comm) -> None:
    errors, counts = [], (12, 24, 48)
    exact = 4.0 * np.pi * ACROSS * np.sqrt(RATIO) / (1.0 / R0 - 1.0 / R1)
    for n in counts:
        make, t = shells("half plane", n)
        domain = on_mesh(comm, lambda make=make, t=t: stretched(make(), t), active="inner", returned="outer")
        errors.append(abs(conductance(domain, RATIO, t) / exact - 1.0))
    assert errors[-1] < 0.01
    assert min(orders([1.0 / n for n in counts], errors)) > 1.8


# --- element matrices, compared with UFL -------------------------------------------------------------------


def _directed(domain: Domain) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return a ratio and a direction of each cell of the stencil, a third of the cells isotropic, and their g_ij."""
    ratio = np.where(_cells(domain, 20) < 0.43, 1.0, 0.2 + 8.0 * _cells(domain, 21))
    direction = np.stack([_cells(domain, seed) - 0.6 for seed in (22, 23, 24)], axis=1)
    direction[:, 2] *= not domain.axisymmetric
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return ratio, direction, directed_stiffness(domain.x, domain.stencil, ratio, direction)


def _tensor(reference: Reference, ratio: FloatArray, direction: FloatArray) -> ufl.core.expr.Expr:
    size = 2 if reference.domain.axisymmetric else 3
    t = ufl.as_vector([reference.in_cells(component) for component in direction.T[:size]])
    return ufl.Identity(size) + (reference.in_cells(ratio) - 1.0) * ufl.outer(t, t)


@pytest.mark.mpi
def test_directed_stiffness_is_that_of_the_weak_form(reference: Reference) -> None:
    """The tensor applies to the electric matrix only; both matrices assembled together and separately."""
    domain = reference.domain
    pattern = Pattern(domain)
    ratio, direction, stiffness = _directed(domain)
    pattern.direct(domain.stencil, stiffness)
    sigma, k, u = _cells(domain, 2), _cells(domain, 4), _nodal(domain, 3)
    values = set_cells(domain, sigma, k).values
    electric, thermal, alone = Matrix(pattern), Matrix(pattern), Matrix(pattern)
    pattern.assemble(values, electric, thermal)
    pattern.assemble(values, alone, None)
    grad_u, grad_v = ufl.grad(reference.nodal(u)), ufl.grad(reference.v)
    flux = reference.in_cells(sigma) * ufl.dot(_tensor(reference, ratio, direction), grad_u)
    _close(domain, electric.times(u), reference.vector(ufl.inner(flux, grad_v)))
    _close(domain, alone.times(u), electric.times(u))
    _close(domain, thermal.times(u), reference.vector(reference.in_cells(k) * ufl.inner(grad_u, grad_v)))


@pytest.mark.mpi
def test_directed_joule_heat_is_E_times_j(reference: Reference) -> None:
    domain = reference.domain
    sigma, phi = _cells(domain, 7), _nodal(domain, 8)
    ratio, direction, stiffness = _directed(domain)
    coefficients = set_cells(domain, sigma, sigma)
    conducting = np.ones(len(domain.stencil_region), dtype=bool)
    electric = ElectricProblem(domain, Pattern(domain), Conductor(conducting, stiffness), SolverOptions(1e-12, 500))
    grad = ufl.grad(reference.nodal(phi))
    q = reference.in_cells(sigma) * ufl.inner(ufl.dot(_tensor(reference, ratio, direction), grad), grad)
    _close(domain, electric._load(phi, coefficients), reference.vector(q * reference.v))
    heating = electric.heating(phi, coefficients)
    assert domain.nodes.total_of(float(heating.sum()))[0] == pytest.approx(reference.scalar(q), rel=1e-12)


# --- a nerve in a case ----------------------------------------------------------------------------


def on_a_nerve(along: float | None, **changes: Any) -> Case:
    nerve = {"name": "trunk", "kind": "tube", "path_mm": [[-20, 0, 0], [20, 0, 0]], "diameter_mm": 8, "tissue": "nerve"}
    return parse_case(
        {
            "domain": {"kind": "cylinder", "radius_mm": 20, "height_mm": 40, "tissue": "muscle"},
            "structures": [{**nerve, **({} if along is None else {"sigma_along_S_per_m": along})}],
            "applicators": [{"model": "cannula-22g-5mm-blunt", "tip_mm": [0, 0, -2.5]}],
            "generator": {"kind": "power", "power_W": 1, "duration_s": 30},
            "damage": {"perfusion_stops": False},
            "mesh": {"accuracy": "draft", "size_structure_mm": 1.5},
            **changes,
        }
    )


@pytest.mark.mpi
def test_heat_follows_the_nerve(comm: MPI.Comm) -> None:
    """0.57 along and 0.083 S/m across: frog sciatic nerve, at low frequency (Weerasuriya 1984, from memory)."""
    domain, found = build_domain(on_a_nerve(None), comm), {}
    probe = make_probe(domain, np.array([[2.5 * MM, 0, 0], [0, 2.5 * MM, 0]]), "along and across")
    own = {"nerve": {"sigma_S_per_m": 0.083, "sigma_slope_per_K": 0.0}}
    for along in (None, 0.083, 0.57):
        problem = build_problem(on_a_nerve(along, tissues=own), domain)
        last = list(frames(problem))[-1]
        assert last.ledger.residual_fraction < 0.01
        rise = probe.values(last.T) - 37.0
        found[along] = np.array([1.0 / last.conductance, *rise])
        print(f"along {along}: {found[along][0]:.1f} ohm, {rise[0]:.2f} K along, {rise[1]:.2f} K across")
    assert found[0.083] == pytest.approx(found[None], rel=1e-12)
    assert found[0.57][0] < 0.9 * found[None][0]
    assert found[0.57][1] / found[0.57][2] > 1.05 * found[None][1] / found[None][2]
