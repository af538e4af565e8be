"""The C kernels compared with the equations of a step in UFL (`rfablate/reference/ufl_step.py`), solved by DOLFINx.

Both run the same case: metal with a cooled wall, four tissues with all laws of sigma and k, perfusion that damage
stops, metabolic heat, 110 degC at the end. DOLFINx distributes the mesh independently.

| law                                                            | allowed            |
|----------------------------------------------------------------|--------------------|
| entries of both stiffness matrices and of the heat operator    | 1e-10 of the row   |
| Joule heat, right-hand side of the heat step                   | 1e-10              |
| six backward Euler steps: T, Omega, G                          | 1e-6               |
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from mpi4py import MPI

from rfablate.case.read.case_file import parse_case
from rfablate.case.tables.schema import Case
from rfablate.evidence.closed_forms import RHO, C
from rfablate.evidence.structured_meshes import geometric, shell_half_plane, shell_octant
from rfablate.evidence.verification_problems import constant_voltage, fixed_step, frames
from rfablate.fem.heat_problem import HeatSinks
from rfablate.fem.wall_convection import surface_convection
from rfablate.linalg.linear_system import SolverOptions
from rfablate.linalg.matrix import Matrix
from rfablate.mesh.domain import Domain, distribute
from rfablate.mesh.facets import facets_between
from rfablate.mesh.mesh_data import MeshData
from rfablate.problem.problem import Problem, build_problem
from rfablate.reference.dolfinx_system import assembled_matrix, assembled_vector
from rfablate.reference.ufl_step import UflStep
from tests.build import with_sinks

pytestmark = pytest.mark.mpi
FloatArray = npt.NDArray[np.float64]

MM = 1e-3
COOLANT = (3000.0, 20.0)
STEPS, DT = 6, 0.5
BASE: dict[str, Any] = {"density_kg_per_m3": RHO, "heat_capacity_J_per_kgK": C, "source": "test"}
TISSUES: dict[str, dict[str, Any]] = {
    "steel": {
        "base": "stainless_steel", "source": "test",
    },
    "straight": {
        **BASE, "k_W_per_mK": 0.5, "k_slope_per_K": 0.0012, "sigma_S_per_m": 0.33, "sigma_slope_per_K": 0.02,
        "perfusion_per_s": 0.02, "metabolic_heat_W_per_m3": 5e4,
    },
    "curved": {
        **BASE, "k_W_per_mK": 0.45, "k_law": "exponential", "k_slope_per_K": 0.002, "sigma_S_per_m": 0.4,
        "sigma_law": "exponential", "sigma_slope_per_K": 0.013, "perfusion_per_s": 0.01,
    },
    "dried": {
        **BASE, "k_W_per_mK": 0.55, "k_slope_per_K": 0.001, "sigma_S_per_m": 0.3, "sigma_slope_per_K": 0.015,
        "sigma_dry_fraction": 0.01, "perfusion_per_s": 0.0,
    },
    "measured": {
        **BASE, "k_table_degC": [37, 60, 100], "k_table_W_per_mK": [0.5, 0.55, 0.6], "perfusion_per_s": 0.005,
        "sigma_table_degC": [37, 50, 70, 90], "sigma_table_S_per_m": [0.3, 0.42, 0.5, 0.45],
    },
}  # fmt: skip
KINDS = ["axisymmetric lumped", "3-D lumped", "3-D consistent"]
VOLTAGE = {"axisymmetric lumped": 40.0, "3-D lumped": 38.0, "3-D consistent": 38.0}


def _mesh(axisymmetric: bool) -> MeshData:
    """Return a shell: metal inside r = 1 mm, then one tissue per sector."""
    radii = np.concatenate([[0.6, 0.8], geometric(1.0, 20.0, 9, 20.0)]) * MM
    mesh = shell_half_plane(radii, 12) if axisymmetric else shell_octant(radii, 4)
    centre = mesh.points[mesh.cells].mean(axis=1)
    distance = np.linalg.norm(centre, axis=1)
    height = centre[:, 1 if axisymmetric else 2] / distance
    sector = 2 + np.digitize(height, [-0.5, 0.0, 0.5] if axisymmetric else [0.3, 0.55, 0.75])
    region = np.where(distance < 1.0 * MM, 1, sector).astype(np.int32)
    tip = facets_between(mesh.cells, region == 1, region > 1)
    surfaces = {
        "active": tip, "coolant": mesh.surfaces["inner"], "return": mesh.surfaces["outer"],
        "body_temperature": mesh.surfaces["outer"],
    }  # fmt: skip
    names = dict(enumerate(TISSUES, start=1))
    return dataclasses.replace(mesh, region=region, region_names=names, surfaces=surfaces)


def _case(kind: str) -> Case:
    dimension, mass = kind.split()
    return parse_case(
        {
            "domain": {
                "kind": "mesh", "file": __file__, "length_unit": "mm", "axisymmetric": dimension == "axisymmetric",
                "regions": [{"tag": name, "name": name, "tissue": name} for name in TISSUES],
                "surfaces": [{"tag": "tip", "name": "tip", "roles": ["active"]},
                             {"tag": "outer", "name": "outside", "roles": ["return", "body_temperature"]}],
            },
            "tissues": TISSUES,
            "applicators": [{"outer_diameter_mm": 2.0, "active_tip_mm": 1.0, "tip_mm": [0.0, 0.0, 1.2],
                             "sensor_offset_mm": 0.0}],
            "generator": constant_voltage(VOLTAGE[kind], STEPS * DT),
            "time": fixed_step(DT, order=1),
            "solver": {"mass": mass, "heat_rtol": 1e-13, "potential_rtol": 1e-13},
            "output": {"report": False},
        }
    )  # fmt: skip


def _native(case: Case, domain: Domain) -> Problem:
    """Return the problem with convection at the inner wall of the metal. Collective."""
    problem = build_problem(case, domain)
    sinks = HeatSinks(case.body.blood_temperature, surface_convection(domain, "coolant", *COOLANT))
    return with_sinks(problem, sinks, SolverOptions(case.solver.heat_rtol, 2000))


@pytest.fixture(scope="module", params=KINDS)
def both(request: pytest.FixtureRequest, comm: MPI.Comm) -> tuple[Case, Domain, UflStep]:
    """The same case in the solver and in UFL."""
    case = _case(request.param)
    data = _mesh(request.param.startswith("axisymmetric")) if comm.rank == 0 else None
    return case, distribute(data, comm), UflStep(case, data, comm, coolant=COOLANT)


def _whole(domain: Domain, local: FloatArray) -> FloatArray:
    """Return a nodal field in the order of the input nodes, on every rank. Collective."""
    whole, owned = np.empty(domain.nodes.total), domain.nodes.owned
    for where, what in domain.comm.allgather((domain.input_node[:owned], local[:owned])):
        whole[where] = what
    return whole


def _entries(domain: Domain, matrix: Matrix) -> dict[tuple[int, int], float]:
    """Return the entries of a matrix by the input numbers of row and column, on every rank. Collective."""
    pattern, number = matrix.pattern, domain.input_node
    places = pattern.joined()
    rows = np.concatenate([np.repeat(np.arange(pattern.n), pattern.length), np.arange(pattern.n)])
    columns = np.concatenate([pattern.columns.unpacked()[places], np.arange(pattern.n)])
    values = np.concatenate([matrix.values[places], matrix.diagonal])
    mine = dict(zip(zip(number[rows].tolist(), number[columns].tolist(), strict=True), values.tolist(), strict=True))
    return {key: value for part in domain.comm.allgather(mine) for key, value in part.items()}


def _same_entries(ours: dict[tuple[int, int], float], theirs: dict[tuple[int, int], float]) -> None:
    assert ours.keys() == theirs.keys()
    for (row, column), value in theirs.items():
        assert abs(ours[row, column] - value) <= 1e-10 * abs(theirs[row, row]), (row, column)


def _some_state(step: UflStep, domain: Domain) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Give both a state with every law in use: T from 30 to 110 degC, Omega from 0 to 1.5, phi from 0 to 1.

    Half of the nodes have 98 to 110 degC, where tissue dries.
    """
    numbers = np.random.default_rng(16).random((4, domain.nodes.total))
    T = np.where(numbers[3] < 0.5, 30.0 + 68.0 * numbers[0], 98.0 + 12.0 * numbers[0])
    omega, phi = 1.5 * numbers[1], numbers[2]
    for function, whole in ((step.T, T), (step.omega, omega), (step.phi, phi)):
        function.x.array[:] = whole[step.node]
    return tuple(whole[domain.input_node] for whole in (T, omega, phi))  # type: ignore[return-value]


def test_matrices_and_right_hand_sides_are_those_of_the_weak_forms(both: tuple[Case, Domain, UflStep]) -> None:
    case, domain, step = both
    problem, w0, V2 = _native(case, domain), 1.0 / DT, 900.0
    assert problem.solvers.electric is not None
    T, omega, phi = _some_state(step, domain)
    problem.solvers.assemble(T)
    step.update_coefficients()
    _same_entries(
        _entries(domain, problem.solvers.electric.matrix), step.matrix_entries(assembled_matrix(step.electric_form))
    )
    _same_entries(
        _entries(domain, problem.solvers.heat.stiffness), step.matrix_entries(assembled_matrix(step.conduction_form))
    )
    joule, theirs = (
        problem.solvers.electric._load(phi, problem.solvers.coefficients),
        step.whole(assembled_vector(step.joule_form).array),
    )
    assert _whole(domain, joule) == pytest.approx(theirs, rel=1e-10, abs=1e-13 * theirs.max())

    problem.solvers.heat.prepare(w0, problem.blood_flow.left(omega, T), problem.fixed)
    step.dt.value, step.V2.value = DT, V2
    A, b = step.heat_system()
    operator, T_b = problem.solvers.heat._operator, case.body.blood_temperature
    _same_entries(_entries(domain, operator), step.matrix_entries(A))
    _, of_rise = problem.solvers.heat._system(w0 * T, problem.fixed_value, T, problem.metabolic + V2 * joule)
    ours = _whole(domain, of_rise + operator.times(np.full(domain.nodes.local, T_b)))
    theirs = step.whole(b.array)
    assert np.abs(ours - theirs).max() <= 1e-10 * np.abs(theirs).max()
    assert ours == pytest.approx(theirs, rel=1e-10)


def test_a_whole_run_is_that_of_the_weak_forms(both: tuple[Case, Domain, UflStep]) -> None:
    case, domain, step = both
    for function in (step.T, step.omega):
        function.x.array[:] = case.body.temperature if function is step.T else 0.0
    step.phi.x.array[:] = np.where(step.fixed_phi, np.where(step._on_surface("return"), 0.0, 1.0), 0.0)
    problem, V = _native(case, domain), case.generator.voltage  # type: ignore[union-attr]
    native = list(frames(problem))[1:]
    assert len(native) == STEPS
    for frame in native:
        G = step.advance(V, DT)
        assert frame.conductance == pytest.approx(G, rel=1e-6)
    last, T = native[-1], step.whole(step.T.x.array)
    rise = T.max() - case.body.temperature
    region = {name: tag for tag, name in step.data.region_names.items()}["dried"]
    assert 101.0 < T[step.data.cells[step.data.region == region]].max() < 140.0
    assert np.abs(_whole(domain, last.T) - T).max() <= 1e-6 * rise
    omega = step.whole(step.omega.x.array)
    assert omega.max() > 1.0  # perfusion has stopped somewhere
    assert _whole(domain, last.omega) == pytest.approx(omega, rel=1e-4, abs=1e-9)
