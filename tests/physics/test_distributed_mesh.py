"""The mesh on many ranks is the mesh of one: slices, partition, mesh files and uniform refinement.

| law                                                                          | allowed              |
|------------------------------------------------------------------------------|----------------------|
| each node and each cell has one owner; a rank has all cells of its nodes     | exact                |
| both partitioners: largest cost of a rank over the mean                      | 1.06                 |
| slices of a file give the domain of the arrays it was written from           | exact                |
| a file of another case, or a damaged one                                     | MeshError            |
| bisection: parts of equal cost, independent of the distribution of nodes     | one cost; exact      |
| refinement: volume of each region, area of each surface                      | 1e-12                |
| the same: cells share facets in pairs; the mesh does not depend on the ranks | exact                |
| energy of a harmonic field on refined meshes                                 | order 2 within 0.15  |
"""

from __future__ import annotations

import dataclasses
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpi4py import MPI

from rfablate.arrays import FloatArray, IntArray
from rfablate.case.read.case_file import parse_case
from rfablate.errors import MeshError
from rfablate.evidence.structured_meshes import box, rectangle
from rfablate.linalg.conjugate_gradients import ConjugateGradients
from rfablate.linalg.linear_system import LinearSystem, SolverOptions
from rfablate.linalg.matrix import Matrix, Pattern
from rfablate.linalg.multigrid import VCycle
from rfablate.mesh.bisection import bisect
from rfablate.mesh.build import build_domain, write_distributed
from rfablate.mesh.domain import Domain, distribute, domain_of
from rfablate.mesh.mesh_data import MeshData
from rfablate.mesh.mesh_file import MeshFile, open_mesh_file, write_mesh_file
from rfablate.mesh.mesh_slices import MeshSlice, deal_slices
from rfablate.mesh.partition import Partitioner
from rfablate.mesh.root_tasks import on_root
from rfablate.mesh.uniform_refinement import refined

pytestmark = pytest.mark.mpi


def cube(n: int) -> MeshData:
    """Return a graded cube of 1 cm with irregular inner nodes and two regions."""
    line = np.linspace(0.0, 1.0, n + 1)
    mesh = box(*[0.01 * line**1.3] * 3)
    inside = ((mesh.points > 1e-9) & (mesh.points < 0.01 - 1e-9)).all(axis=1)
    shift = np.random.default_rng(5).uniform(-0.1, 0.1, mesh.points.shape) * (0.01 / n) * inside[:, None] * 0.5
    region = 1 + (mesh.points[mesh.cells][:, :, 0].mean(axis=1) > 0.004).astype(np.int32)
    return dataclasses.replace(mesh, points=mesh.points + shift, region=region, region_names={1: "left", 2: "right"})


def half_plane(n: int) -> MeshData:
    """Return a rectangle (r, z) of triangles."""
    return rectangle(np.linspace(0.0, 0.01, n + 1), np.linspace(0.0, 0.02, 2 * n + 1))


def slices(comm: MPI.Comm, mesh: MeshData) -> MeshSlice:
    """Return each rank's slice."""
    return deal_slices(mesh if comm.rank == 0 else None, comm)


def whole(mesh: MeshSlice) -> tuple[FloatArray, IntArray, IntArray, dict[str, IntArray]]:
    """Return points, cells, region and facets of all slices, on every rank."""
    every: list[Any] = mesh.comm.allgather((mesh.points, mesh.cells, mesh.region, dict(mesh.facets)))
    points, cells, region = (np.concatenate([each[k] for each in every]) for k in range(3))
    return points, cells, region, {name: np.concatenate([each[3][name] for each in every]) for name in mesh.facets}


def measure(x: FloatArray, simplices: IntArray) -> FloatArray:
    """Return the volume, area or length of simplices, from the Gram determinant of their edges."""
    edges = x[simplices[:, 1:]] - x[simplices[:, :1]]
    gram = np.einsum("nik,njk->nij", edges, edges)
    return np.sqrt(np.linalg.det(gram)) / [1.0, 1.0, 2.0, 6.0][edges.shape[1]]


@pytest.mark.parametrize("partitioner", ["bisection", "scotch"])
@pytest.mark.parametrize("make", [cube, half_plane])
def test_every_node_and_cell_has_one_owner_with_all_its_cells(
    comm: MPI.Comm, make: Any, partitioner: Partitioner
) -> None:
    mesh = make(9)
    domain = domain_of(slices(comm, mesh), partitioner)
    owned = np.concatenate(comm.allgather(domain.input_node[: domain.nodes.owned]))
    assert np.array_equal(np.sort(owned), np.arange(len(mesh.points)))
    cells = np.concatenate(comm.allgather(domain.input_cell))
    assert np.array_equal(np.sort(cells), np.arange(len(mesh.cells)))
    mine = np.isin(mesh.cells, domain.input_node[: domain.nodes.owned]).any(axis=1)
    assert np.array_equal(np.sort(domain.input_stencil_cell), np.flatnonzero(mine))
    assert np.array_equal(domain.x, mesh.points[domain.input_node])
    assert np.array_equal(domain.input_node[domain.stencil.cells], mesh.cells[domain.input_stencil_cell])
    assert np.array_equal(domain.stencil_region, mesh.region[domain.input_stencil_cell])
    for name, facets in mesh.surfaces.items():
        assert np.array_equal(domain.surface_nodes[name], np.isin(domain.input_node, facets)), name
    ghosts = domain.nodes.vector()
    ghosts.array[: domain.nodes.owned] = domain.input_node[: domain.nodes.owned]
    ghosts.scatter_forward()
    assert np.array_equal(ghosts.array, domain.input_node)
    rows = comm.allgather(domain.nodes.owned)
    assert max(rows) <= 1.06 * np.mean(rows) + 5


def test_a_mesh_file_gives_the_domain_of_its_arrays(comm: MPI.Comm, shared_tmp: Path) -> None:
    path, mesh = shared_tmp / "cube.h5", cube(6)
    on_root(comm, lambda: write_mesh_file(path, mesh, "a key"))
    comm.barrier()
    a, b = distribute(mesh if comm.rank == 0 else None, comm), distribute(MeshFile(path), comm)
    for name in ("x", "input_node", "input_cell", "region", "stencil_region"):
        assert np.array_equal(getattr(a, name), getattr(b, name)), name
    assert np.array_equal(a.stencil.cells, b.stencil.cells) and a.region_names == b.region_names
    assert open_mesh_file(path).key == "a key"
    comm.barrier()
    on_root(comm, lambda: path.write_bytes(path.read_bytes()[:-90]))
    with pytest.raises(ValueError, match="checksum"):
        open_mesh_file(path)


NEEDLE: dict[str, Any] = {
    "domain": {"kind": "axisymmetric", "radius_mm": 15, "height_mm": 30, "tissue": "liver"},
    "applicators": [{"model": "cannula-22g-5mm", "tip_shape": "blunt"}],
    "generator": {"kind": "power", "power_W": 1, "duration_s": 5},
    "mesh": {"accuracy": "draft"},
}


def test_a_case_runs_on_its_own_mesh_file_only(comm: MPI.Comm, shared_tmp: Path) -> None:
    path, case = shared_tmp / "needle.h5", parse_case(NEEDLE)
    on_root(comm, lambda: write_distributed(case, path))
    stored = parse_case({**NEEDLE, "mesh": {"accuracy": "draft", "distributed_file": str(path), "refine": 1}})
    plain, refined_one = build_domain(case, comm), build_domain(stored, comm)
    assert refined_one.n_cells == 4 * plain.n_cells
    assert refined_one.comm.allreduce(refined_one.elements.volume.sum()) == pytest.approx(
        plain.comm.allreduce(plain.elements.volume.sum()), rel=1e-12
    )
    other = parse_case({**NEEDLE, "mesh": {"accuracy": "standard", "distributed_file": str(path)}})
    with pytest.raises(MeshError, match="another case"):
        build_domain(other, comm)
    absent = parse_case({**NEEDLE, "mesh": {"accuracy": "draft", "distributed_file": str(path) + "x"}})
    with pytest.raises(MeshError, match="cannot be read"):
        build_domain(absent, comm)


@pytest.mark.parametrize("n_parts", [2, 3, 7])
def test_bisection_gives_parts_of_equal_cost_on_any_ranks(comm: MPI.Comm, n_parts: int) -> None:
    random = np.random.default_rng(2)
    for points in (random.normal(size=(3000, 3)) * [1.0, 2.0, 0.5], np.round(random.normal(size=(3000, 3)), 1)):
        cost = 0.5 * random.integers(20, 60, len(points))
        mine = slice(3000 * comm.rank // comm.size, 3000 * (comm.rank + 1) // comm.size)
        part = np.concatenate(comm.allgather(bisect(points[mine], cost[mine], n_parts, comm)))
        of_part = np.bincount(part, cost, n_parts)
        assert np.ptp(of_part) <= 2.0 * cost.max() * np.log2(n_parts + 1)
        assert np.array_equal(part, bisect(points, cost, n_parts))


@pytest.mark.parametrize("make", [cube, half_plane])
def test_refinement_preserves_volumes_areas_and_tags(comm: MPI.Comm, make: Any) -> None:
    mesh = make(3)
    fine = refined(refined(slices(comm, mesh)))
    points, cells, region, facets = whole(fine)
    children = 64 if mesh.cells.shape[1] == 4 else 16
    assert len(cells) == children * len(mesh.cells) == fine.header.n_cells
    assert fine.header.n_points == len(points) == len(np.unique(cells))
    coarse, sizes = measure(mesh.points, mesh.cells), measure(points, cells)
    assert sizes.min() > 0.0
    for tag in mesh.region_names:
        assert sizes[region == tag].sum() == pytest.approx(coarse[mesh.region == tag].sum(), rel=1e-12)
    for name, each in mesh.surfaces.items():
        areas = measure(points, facets[name])
        assert len(areas) == fine.header.n_facets[name]
        assert areas.sum() == pytest.approx(measure(mesh.points, each).sum(), rel=1e-12), name
    sides = np.sort(
        np.concatenate([cells[:, list(k)] for k in combinations(range(cells.shape[1]), cells.shape[1] - 1)])
    )
    distinct, count = np.unique(sides, axis=0, return_counts=True)
    assert count.max() == 2
    boundary = {tuple(each) for each in distinct[count == 1].tolist()}
    assert all(tuple(sorted(each)) in boundary for name in facets for each in facets[name].tolist())


@pytest.mark.parametrize("make", [cube, half_plane])
def test_the_refined_mesh_does_not_depend_on_the_ranks(comm: MPI.Comm, make: Any) -> None:
    mesh = make(3)
    one = whole(refined(refined(deal_slices(mesh, MPI.COMM_SELF))))
    more = whole(refined(refined(slices(comm, mesh))))
    for left, right in zip(one[:3], more[:3], strict=True):
        assert np.array_equal(left, right)
    assert all(np.array_equal(one[3][name], more[3][name]) for name in one[3])


def energy(domain: Domain) -> float:
    """Return the integral of |grad u|^2 for harmonic u with the values x^2 - y^2 on the boundary of the cube [cm]."""
    matrix = Matrix(pattern := Pattern(domain))
    pattern.assemble(np.ones((len(domain.stencil.cells), 2)), matrix, None)
    fixed = np.any(list(domain.surface_nodes.values()), axis=0)
    x = np.where(fixed, (domain.x[:, 0] ** 2 - domain.x[:, 1] ** 2) * 1e4, 0.0)
    free = ~fixed[: domain.nodes.owned]
    solver = ConjugateGradients(domain.nodes, matrix, "test", SolverOptions(1e-9, 500))
    cycle = VCycle(domain.nodes, matrix, free)
    cycle.weigh(0.0)
    start = float(domain.nodes.total_of(float(x[: len(free)] @ matrix.times(x)))[0])
    solver.solve(x, LinearSystem(None, np.where(free, 1.0 / matrix.diagonal, 0.0), start), cycle)
    return float(domain.nodes.total_of(float(x[: len(free)] @ matrix.times(x)))[0]) * 1e2


def test_the_energy_of_a_harmonic_field_converges_with_order_2(comm: MPI.Comm) -> None:
    mesh, errors = slices(comm, cube(3)), []
    for _ in range(4):
        errors.append(energy(domain_of(mesh)) - 8.0 / 3.0)  # int 4 (x^2 + y^2) over the unit cube
        mesh = refined(mesh)
    orders = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert orders[-1] == pytest.approx(2.0, abs=0.15)
