"""Coarse levels that are distributed over the ranks: the levels of one rank, symmetric, with the same answers.

| law                                                                        | allowed            |
|----------------------------------------------------------------------------|--------------------|
| the distributed Galerkin products are those of whole matrices              | 1e-12              |
| they are symmetric                                                         | exact              |
| x . M y = y . M x, r . M r > 0, zero at fixed nodes                        | 1e-5 (32-bit)      |
| solutions with replicated and distributed levels                           | 1e-8               |
| iterations with distributed levels, above those with replicated ones       | 3                  |
| the bound of the largest eigenvalue of K + w0 C, over the exact one         | 0.98 to 1.5        |
| a new w0 gives the preconditioner of a new hierarchy                       | 1e-4               |
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from mpi4py import MPI

from rfablate.arrays import BoolArray, FloatArray
from rfablate.evidence.structured_meshes import box
from rfablate.evidence.verification_problems import on_mesh
from rfablate.linalg import coarse_limits
from rfablate.linalg.aggregation import (
    STRONG,
    SpectralBound,
    fine_rows,
    largest_eigenvalue,
    prolongation,
    sum_over_ranks,
)
from rfablate.linalg.coarse_limits import CoarseLevels
from rfablate.linalg.coarse_system import Coarsening, coarse_system
from rfablate.linalg.conjugate_gradients import ConjugateGradients
from rfablate.linalg.distributed_level import DistributedLevel
from rfablate.linalg.linear_system import LinearSystem, SolverOptions
from rfablate.linalg.matrix import Matrix, Pattern
from rfablate.linalg.multigrid import VCycle
from rfablate.mesh.domain import Domain

pytestmark = pytest.mark.mpi
NEVER = 10**9
"""Rows of a rank from which a level has the smoother of the fine one; with this value PETSc solves the first level."""


def cube(comm: MPI.Comm, n: int) -> tuple[Domain, Matrix, BoolArray]:
    """Return a graded cube, its stiffness for a rough coefficient, and its free owned nodes."""
    line = np.linspace(-1.0, 1.0, n + 1)
    domain = on_mesh(comm, lambda: box(*[0.01 * line * np.abs(line) ** 0.5] * 3))
    matrix = Matrix(pattern := Pattern(domain))
    centre = domain.x[domain.stencil.cells].mean(axis=1)
    values = np.where(np.sin(900.0 * centre[:, 0]) > 0.0, 1.0, 5.0)
    pattern.assemble(np.stack([values, values], axis=1), matrix, None)
    return domain, matrix, np.abs(domain.x[: domain.nodes.owned, 2]) < 0.0099


def same_on_all_ranks(domain: Domain, seed: int) -> FloatArray:
    """Return one random number a node at the owned nodes, independent of the partition."""
    every = np.random.default_rng(seed).standard_normal(domain.nodes.total)
    return np.asarray(every[domain.input_node[: domain.nodes.owned]])


def cycle_of(comm: MPI.Comm, n: int, how: CoarseLevels, w0: float = 0.0) -> tuple[Domain, Matrix, BoolArray, VCycle]:
    """Return a cube with its V-cycle."""
    domain, matrix, free = cube(comm, n)
    cycle = VCycle(domain.nodes, matrix, free, np.ones(domain.nodes.owned), coarse=how)
    cycle.weigh(w0)
    return domain, matrix, free, cycle


def coarsening(comm: MPI.Comm) -> Coarsening:
    """Return the fine level of a cube with its prolongation, and a rough diagonal C."""
    domain, matrix, free = cube(comm, 12)
    nodes = domain.nodes
    root = np.zeros(nodes.local)
    root[: nodes.owned] = np.where(free, 1.0 / np.sqrt(matrix.diagonal), 0.0)
    nodes.update_ghosts(root)
    A = fine_rows(matrix, root)
    candidate = np.divide(1.0, root, out=np.zeros_like(root), where=root > 0.0)
    scaled, own = prolongation(nodes, A, candidate, largest_eigenvalue(nodes, A, candidate), STRONG)
    mass = sp.csr_matrix(sp.diags(same_on_all_ranks(domain, 4) ** 2, shape=(nodes.owned, nodes.local)))
    return Coarsening(nodes, A, root, mass, scaled, own)


def test_the_products_are_those_of_whole_matrices(comm: MPI.Comm) -> None:
    level = coarsening(comm)
    nodes, system = level.nodes, coarse_system(level)
    wanted = [sum_over_ranks(nodes, each).toarray() for each in level.products(level.scaled)]
    for found, whole in zip((system.stiffness, system.mass), wanted, strict=True):
        rows = sp.csr_matrix(found).tocoo()
        numbers = system.nodes.global_index
        full = sp.coo_matrix((rows.data, (numbers[rows.row], numbers[rows.col])), whole.shape)
        total = sum_over_ranks(nodes, full).toarray()
        assert np.abs(total - whole).max() <= 1e-12 * np.abs(whole).max()
        assert np.array_equal(total, total.T)


def test_the_smoother_reaches_the_largest_eigenvalue_for_any_w0() -> None:
    """That of K alone, used before, is too small: the smoother then amplifies, and the V-cycle is indefinite."""
    system = coarse_system(coarsening(MPI.COMM_SELF))

    def exact(A: Any) -> float:
        root = 1.0 / np.sqrt(A.diagonal())
        return float(np.linalg.eigvalsh(root[:, None] * A.toarray() * root)[-1])

    alone = exact(system.stiffness)
    bound = SpectralBound(system.nodes, system.stiffness, system.mass, alone)
    ratio = system.stiffness.diagonal().sum() / system.mass.diagonal().sum()
    for w0 in ratio * np.array([0.0, 1e-3, 0.1, 1.0, 10.0, 1e4]):
        assert 0.98 < bound.at(w0) / exact(system.stiffness + w0 * system.mass) < 1.5
    assert 1.1 * alone < exact(system.mass)


@pytest.mark.parametrize("w0", [0.0, 3e-6])
@pytest.mark.parametrize("rows", [NEVER, 50])
def test_it_is_symmetric_and_positive(comm: MPI.Comm, rows: int, w0: float, monkeypatch: Any) -> None:
    monkeypatch.setattr(coarse_limits, "ROWS", rows)
    domain, _, free, cycle = cycle_of(comm, 20, "distributed", w0)
    assert isinstance(cycle.coarse, DistributedLevel) == (rows != NEVER)
    total = domain.nodes.total_of
    a, b = (np.where(free, same_on_all_ranks(domain, seed), 0.0) for seed in (3, 5))
    Ma, Mb = np.zeros_like(a), np.zeros_like(b)
    assert total(cycle.apply(a, Ma))[0] == pytest.approx(total(float(a @ Ma))[0])
    assert total(cycle.apply(b, Mb))[0] > 0.0
    x, y = total(float(a @ Mb), float(b @ Ma))
    size = np.sqrt(np.prod(total(float(a @ Ma), float(b @ Mb))))
    assert abs(x - y) <= 1e-5 * size
    assert (Ma[~free] == 0.0).all()


@pytest.mark.parametrize("rows", [NEVER, 50])
def test_answers_and_iterations_are_those_of_replicated_levels(comm: MPI.Comm, rows: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(coarse_limits, "ROWS", rows)
    found, used = {}, {}
    choices: tuple[CoarseLevels, ...] = ("replicated", "distributed")
    for how in choices:
        domain, matrix, free, cycle = cycle_of(comm, 20, how)
        solver = ConjugateGradients(domain.nodes, matrix, "test", SolverOptions(1e-10, 500))
        x = np.where(np.abs(domain.x[:, 2]) < 0.0099, 0.0, np.sign(domain.x[:, 2]))
        start = float(domain.nodes.total_of(float(x[: len(free)] @ matrix.times(x)))[0])
        inverse = np.where(free, 1.0 / matrix.diagonal, 0.0)
        used[how] = solver.solve(x, LinearSystem(None, inverse, start), cycle)
        found[how] = x
    assert np.abs(found["replicated"] - found["distributed"]).max() <= 1e-8
    assert used["distributed"] <= used["replicated"] + 3


def test_a_new_w0_gives_the_preconditioner_of_a_new_hierarchy(comm: MPI.Comm) -> None:
    domain, _, free, cycle = cycle_of(comm, 14, "distributed", 1e-7)
    again = cycle_of(comm, 14, "distributed", 3e-6)[3]
    cycle.weigh(3e-6)
    r = np.where(free, same_on_all_ranks(domain, 7), 0.0)
    changed, fresh = np.zeros_like(r), np.zeros_like(r)
    energies = domain.nodes.total_of(cycle.apply(r, changed), again.apply(r, fresh))
    assert energies[0] == pytest.approx(energies[1], rel=1e-4)
    assert np.abs(changed - fresh).max(initial=0.0) <= 1e-4 * np.abs(fresh).max(initial=1e-300)
