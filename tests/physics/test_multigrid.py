"""The V-cycle is a symmetric positive preconditioner whose quality does not depend on the mesh."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import scipy.sparse.linalg as spla
from mpi4py import MPI

from rfablate.evidence.structured_meshes import box
from rfablate.evidence.verification_problems import on_mesh
from rfablate.linalg.aggregation import fine_rows, largest_eigenvalue
from rfablate.linalg.conjugate_gradients import ConjugateGradients
from rfablate.linalg.linear_system import LinearSystem, SolverOptions
from rfablate.linalg.matrix import Matrix, Pattern
from rfablate.linalg.multigrid import VCycle
from rfablate.mesh.domain import Domain

FloatArray = npt.NDArray[np.float64]


def _cube(comm: MPI.Comm, n: int) -> tuple[Domain, Matrix, npt.NDArray[np.bool_]]:
    """Return a graded cube, its stiffness for a rough coefficient, and its free owned nodes."""
    line = np.linspace(-1.0, 1.0, n + 1)
    domain = on_mesh(comm, lambda: box(*[0.01 * line * np.abs(line) ** 0.5] * 3))
    pattern = Pattern(domain)
    matrix = Matrix(pattern)
    centre = domain.x[domain.stencil.cells].mean(axis=1)
    values = np.where(np.sin(900.0 * centre[:, 0]) > 0.0, 1.0, 5.0)
    pattern.assemble(np.stack([values, values], axis=1), matrix, None)
    return domain, matrix, np.abs(domain.x[: domain.nodes.owned, 2]) < 0.0099


@pytest.mark.parametrize("n", [6, 16])
def test_the_largest_eigenvalue_is_found_within_2_percent_and_not_above(n: int) -> None:
    domain, matrix, free = _cube(MPI.COMM_SELF, n)
    root = np.where(free, 1.0 / np.sqrt(matrix.diagonal), 0.0)
    A = fine_rows(matrix, root)
    exact = spla.eigsh(A, k=1, which="LA", return_eigenvectors=False)[0]
    found = largest_eigenvalue(domain.nodes, A, root)
    assert 0.98 * exact < found <= exact * (1.0 + 1e-12)


@pytest.mark.parametrize("w0", [0.0, 3e-6])
def test_it_is_symmetric_and_positive(w0: float) -> None:
    domain, matrix, free = _cube(MPI.COMM_SELF, 12)
    cycle = VCycle(domain.nodes, matrix, free, np.ones(domain.nodes.owned))
    cycle.weigh(w0)
    random = np.random.default_rng(3)
    a, b = (np.where(free, random.standard_normal(len(free)), 0.0) for _ in range(2))
    Ma, Mb = np.zeros_like(a), np.zeros_like(b)
    assert cycle.apply(a, Ma) == pytest.approx(a @ Ma)
    assert cycle.apply(b, Mb) > 0.0
    assert a @ Mb == pytest.approx(b @ Ma, rel=1e-4)  # single precision
    assert (Ma[~free] == 0.0).all()


@pytest.mark.mpi
def test_iterations_do_not_grow_with_the_mesh(comm: MPI.Comm) -> None:
    """From 1,300 to 29,000 unknowns: within a factor 1.5; with the inverse diagonal they double and more."""
    used = {}
    for n in (10, 30):
        domain, matrix, free = _cube(comm, n)
        solver = ConjugateGradients(domain.nodes, matrix, "test", SolverOptions(1e-8, 500))
        inverse = np.where(free, 1.0 / matrix.diagonal, 0.0)
        cycle = VCycle(domain.nodes, matrix, free)
        cycle.weigh(0.0)
        for name, preconditioner in (("cycle", cycle), ("diagonal", None)):
            x = np.where(np.abs(domain.x[:, 2]) < 0.0099, 0.0, np.sign(domain.x[:, 2]))
            start = domain.nodes.total_of(float(x[: len(free)] @ matrix.times(x)))[0]
            used[name, n] = solver.solve(x, LinearSystem(None, inverse, start), preconditioner)
    assert used["cycle", 30] <= 1.5 * used["cycle", 10]
    assert used["diagonal", 30] > 2.0 * used["diagonal", 10]
