"""The engine PETSc has the results of the native solver, with any method and preconditioner.

| law                                                                        | allowed |
|----------------------------------------------------------------------------|---------|
| temperature, Omega, conductance, sensor of a run; axisymmetric, 3-D        | 1e-8    |
| one step: potential and temperature with each method and preconditioner    | 1e-8    |
| the matrix in PETSc times a vector, whatever nodes are fixed               | 1e-14   |
| unknown options, methods that do not converge                              | error   |
"""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from mpi4py import MPI
from petsc4py import PETSc

from rfablate.case.read.case_file import load_case
from rfablate.case.tables.schema import Case
from rfablate.errors import SolveError
from rfablate.evidence.structured_meshes import geometric, shell_half_plane, shell_octant
from rfablate.evidence.verification_problems import (
    MeshSource,
    constant_voltage,
    fixed_step,
    frames,
    largest,
    mesh_case,
    on_mesh,
    problem_on,
    set_cells,
)
from rfablate.linalg.matrix import Matrix, Pattern
from rfablate.mesh.build import build_domain
from rfablate.mesh.domain import Domain

CASES = Path(__file__).parents[1] / "mpi" / "cases"
SAME = 1e-8
TIGHT = ("solver.heat_rtol=1e-13", "solver.potential_rtol=1e-13")
SHORT = ("generator.ramp_s=2", "generator.hold_s=2", "time.stepping=fixed", "time.step_s=0.5")
METHODS: dict[str, dict[str, str]] = {
    "default": {},
    "hypre": {"pc_type": "hypre"},
    "jacobi": {"pc_type": "jacobi"},
    "pipelined": {"ksp_type": "groppcg", "pc_type": "bjacobi", "sub_pc_type": "icc"},
    "another type of matrix": {"mat_type": "aijperm", "pc_type": "jacobi"},
    "gmres": {"ksp_type": "gmres", "pc_type": "gamg"},
    "direct heat": {"heat_ksp_type": "preonly", "heat_pc_type": "redundant", "potential_pc_type": "gamg"},
}


def _differ(domain: Domain, one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    return largest(domain, one - other) / largest(domain, one)


@pytest.mark.mpi
@pytest.mark.parametrize(
    ("name", "changes"),
    [("axisymmetric", ()), ("structures", ("generator.cooldown_s=0", "domain.radius_mm=10", "domain.height_mm=20"))],
)
def test_a_run_gives_the_answers_of_the_native_solver(comm: MPI.Comm, name: str, changes: tuple[str, ...]) -> None:
    found, domain = [], None
    for engine in ("native", "petsc"):
        case = load_case(CASES / f"{name}.toml", [*TIGHT, *SHORT, *changes, f"solver.engine={engine}"])
        domain = domain or build_domain(case, comm)
        found.append(list(frames(problem_on(case, domain))))
    assert domain is not None
    native, petsc = found
    assert [frame.t for frame in native] == [frame.t for frame in petsc] and len(native) > 5
    for one, other in zip(native, petsc, strict=True):
        assert other.conductance == pytest.approx(one.conductance, rel=SAME)
        assert other.sensor == pytest.approx(one.sensor, rel=SAME)
        assert _differ(domain, one.T, other.T) < SAME
    assert largest(domain, native[-1].T) > 60.0
    assert _differ(domain, native[-1].omega, petsc[-1].omega) < 100.0 * SAME  # exponential in T


def _domain(comm: MPI.Comm, axisymmetric: bool) -> Domain:
    radii = geometric(0.5e-3, 20e-3, 12, 30.0)
    roles = {"active": "inner", "returned": "outer", "body_temperature": "outer"}
    return on_mesh(comm, lambda: shell_half_plane(radii, 10) if axisymmetric else shell_octant(radii, 4), **roles)


def _case(axisymmetric: bool, options: dict[str, str] | None, **solver: Any) -> Case:
    tissue = {"sigma_slope_per_K": 0.02, "k_slope_per_K": 0.0012, "perfusion_per_s": 0.006}
    table = {"heat_rtol": 1e-12, "potential_rtol": 1e-12, **solver}
    if options is not None:
        table |= {"engine": "petsc", "petsc_options": options}
    generator = constant_voltage(10.0, 1.5)
    mesh = MeshSource(axisymmetric=axisymmetric)
    return mesh_case(generator, mesh=mesh, tissue=tissue, time=fixed_step(0.5), solver=table)


@pytest.mark.mpi
@pytest.mark.parametrize("axisymmetric", [True, False], ids=["axisymmetric", "3-D"])
@pytest.mark.parametrize("name", METHODS)
def test_every_method_reaches_the_tolerance_of_the_case(comm: MPI.Comm, axisymmetric: bool, name: str) -> None:
    if "hypre" in METHODS[name].values() and not PETSc.Sys.hasExternalPackage("hypre"):
        pytest.skip("this PETSc has no hypre")
    domain = _domain(comm, axisymmetric)
    *_, native = frames(problem_on(_case(axisymmetric, None), domain))
    problem = problem_on(_case(axisymmetric, METHODS[name]), domain)
    assert problem.solvers.heat.solver.own_preconditioner
    *_, petsc = frames(problem)
    assert petsc.conductance == pytest.approx(native.conductance, rel=SAME)
    assert _differ(domain, native.T - 37.0, petsc.T - 37.0) < SAME
    assert largest(domain, native.T) > 45.0


@pytest.mark.mpi
def test_the_matrix_has_the_rows_of_free_nodes_and_the_identity(comm: MPI.Comm) -> None:
    from rfablate.linalg.petsc_matrix import PetscSystem

    domain = _domain(comm, axisymmetric=False)
    pattern, n = Pattern(domain), domain.nodes.owned
    matrix = Matrix(pattern)
    system = PetscSystem(domain.nodes, matrix)
    x = domain.nodes.vector()
    for seed in (1, 2, 3):
        whole = np.random.default_rng(seed)
        fixed = (whole.random(domain.nodes.total) < 0.2 * (seed - 1))[domain.input_node]
        values = whole.random(domain.nodes.total)[domain.input_node]
        sigma = 1.0 + whole.random(domain.n_cells)[domain.input_stencil_cell]
        pattern.assemble(set_cells(domain, sigma, sigma).values, matrix, None)
        assert system.update(~fixed[:n], 1.5)[0]
        assert not system.update(~fixed[:n], 1.5)[0]
        system.r.setArray(values[:n])
        product = system.A.createVecLeft()
        system.A.mult(system.r, product)
        x.array[:] = np.where(fixed, 0.0, values)
        expected = np.where(fixed[:n], values[:n], matrix.times(x.array))
        assert np.abs(product.array - expected).max() <= 1e-14 * np.abs(expected).max()


@pytest.mark.mpi
@pytest.mark.parametrize(
    ("options", "solver", "words"),
    [
        ({"pc_typ": "gamg"}, {}, "pc_typ"),
        ({"pc_type": "jacobi", "pc_gamg_threshold": "0.1"}, {}, "pc_gamg_threshold"),
        ({"ksp_type": "nonsense"}, {}, "nonsense"),
        ({"pc_type": "jacobi"}, {"max_iterations": 3}, "did not converge"),
        ({"ksp_type": "gmres", "pc_type": "jacobi"}, {"max_iterations": 3}, "did not converge"),
        ({"ksp_type": "preonly", "pc_type": "jacobi"}, {}, "did not converge"),
    ],
)
def test_bad_options_and_unconverged_solves_are_errors(
    comm: MPI.Comm, options: dict[str, str], solver: dict[str, Any], words: str
) -> None:
    problem = problem_on(_case(True, options, **solver), _domain(comm, axisymmetric=True))
    with pytest.raises(SolveError, match=words) as error:
        list(frames(problem))
    assert "solver.petsc_options" in str(error.value)


@pytest.mark.mpi
def test_the_criterion_is_that_of_the_native_solver(comm: MPI.Comm) -> None:
    """With a tolerance 100 times larger the error is larger, and below the tolerance."""
    domain = _domain(comm, axisymmetric=False)
    exact = list(frames(problem_on(_case(False, None, potential_rtol=1e-13), domain)))[1]
    errors = []
    for rtol in (1e-2, 1e-4, 1e-6):
        problem = problem_on(_case(False, {"pc_type": "jacobi"}, potential_rtol=rtol), domain)
        assert problem.solvers.electric is not None and exact.unit is not None
        problem.solvers.assemble(problem.initial)
        unit = problem.solvers.electric.solve(problem.solvers.coefficients)
        error = unit.phi - exact.unit.phi
        energy = float(
            domain.nodes.total_of(error[: domain.nodes.owned] @ problem.solvers.electric.matrix.times(error))[0]
        )
        errors.append(float(np.sqrt(energy / unit.conductance)))
        assert errors[-1] < 3.0 * rtol
    assert errors[0] > 10.0 * errors[1] > 100.0 * errors[2]


@pytest.mark.mpi
def test_a_problem_that_is_no_longer_used_is_freed(comm: MPI.Comm) -> None:
    """PETSc references a callback of the solver, and the solver objects of PETSc: both must be released."""
    problem = problem_on(_case(True, {}), _domain(comm, axisymmetric=True))
    solver = weakref.ref(problem.solvers.heat.solver)
    assert len(list(frames(problem))) > 1
    del problem
    gc.collect()
    assert solver() is None


def test_the_native_engine_does_not_load_the_solver_of_petsc() -> None:
    code = "import sys, rfablate.problem.problem; sys.exit('rfablate.linalg.petsc_solver' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], timeout=60).returncode == 0


def test_without_petsc4py_the_message_names_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "rfablate.linalg.petsc_solver", raising=False)
    monkeypatch.delitem(sys.modules, "rfablate.linalg.petsc_matrix", raising=False)
    monkeypatch.setitem(sys.modules, "petsc4py", None)
    domain = _domain(MPI.COMM_SELF, axisymmetric=True)
    with pytest.raises(SolveError, match='solver.engine = "petsc"'):
        problem_on(_case(True, {}), domain)
