"""Blood flow in structures.

| law                                                       | mesh              | allowed      |
|-----------------------------------------------------------|-------------------|--------------|
| steady between convection and a fixed wall, closed form   | half plane        | order 2 in h |
| h to 0: an insulated wall; h to infinity: a fixed one     | half plane        | 1e-5 K       |
| power into the liquid = power from the fixed wall         | half plane        | 1e-7         |
| Joule heat in the liquid leaves with the flow             | half plane        | 1e-7         |
| joule = stored + perfused + boundary over a treatment     | vein in 3-D       | 1 %          |
| area of the wall                                          | vein in 3-D       | 3 %          |
| no flow, slow, fast, fixed: decreasing temperature        | vein in 3-D       |              |
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from mpi4py import MPI

from rfablate.case.read.case_file import parse_case
from rfablate.case.resolve.structure_flow import flowing
from rfablate.case.tables.schema import Case
from rfablate.errors import MeshError
from rfablate.evidence.closed_forms import K
from rfablate.evidence.structured_meshes import rectangle
from rfablate.evidence.verification_problems import (
    TISSUE,
    constant_voltage,
    frames,
    largest,
    mesh_case,
    norm_L2,
    on_mesh,
    problem_on,
    steady,
)
from rfablate.fem.heat_problem import HeatSinks
from rfablate.fem.wall_convection import combine_convection
from rfablate.linalg.linear_system import SolverOptions
from rfablate.mesh.build import build_domain
from rfablate.mesh.domain import Domain
from rfablate.mesh.mesh_data import MeshData
from rfablate.mesh.mesh_header import Conformity
from rfablate.mesh.point_location import make_probe
from rfablate.problem.blood_vessels import Vessel, vessels_of, wall_convections
from rfablate.problem.problem import Problem, build_problem
from tests.build import orders, with_sinks

MM = 1e-3
WALL, OUTER, HEIGHT = 2.0 * MM, 12.0 * MM, 4.0 * MM
LIQUID, OUTSIDE = 20.0, 37.0


def tube_in_tissue(n: int) -> MeshData:
    """Return a straight vessel on the axis, 2 mm, in tissue up to 12 mm."""
    r = np.concatenate([np.linspace(0.0, WALL, n // 4 + 1), np.linspace(WALL, OUTER, n + 1)[1:]])
    mesh = rectangle(r, np.linspace(0.0, HEIGHT, 5))
    inside = mesh.points[mesh.cells, 0].mean(axis=1) < WALL
    region = np.where(inside, 2, 1).astype(np.int32)
    return dataclasses.replace(mesh, region=region, region_names={1: "tissue", 2: "vein"})


def tube_domain(comm: MPI.Comm, n: int) -> Domain:
    roles = {"active": "low_z", "returned": "high_z", "body_temperature": "high_r"}
    return on_mesh(comm, lambda: tube_in_tissue(n), **roles)


def tube_case(velocity: float = 0.002, **changes: object) -> Case:
    vein = {"tag": "vein", "name": "vein", "tissue": "liquid", "held_degC": LIQUID}
    flow = {"velocity_m_per_s": velocity, "diameter_mm": 4.0, "length_mm": 4.0}
    case = mesh_case(constant_voltage(1.0, 1.0))
    regions = [{"tag": "tissue", "name": "tissue", "tissue": "sample"}, {**vein, "flow": flow}]
    data = case.model_dump(by_alias=True, exclude_none=True)
    data["domain"]["regions"] = regions
    data["tissues"]["liquid"] = {**TISSUE, "k_W_per_mK": 0.6}
    return parse_case({**data, **changes})


def between_walls(r: np.ndarray, h: float) -> np.ndarray:
    """Return the steady temperature between convection to LIQUID at WALL and OUTSIDE at OUTER [degC]."""
    film, reach = K / (h * WALL), np.log(OUTER / WALL)
    return LIQUID + (OUTSIDE - LIQUID) * (film + np.log(r / WALL)) / (film + reach)


def with_h(problem: Problem, h: float) -> Problem:
    """Return the problem with a different coefficient at the vein's wall."""
    walls = combine_convection(wall_convections(problem.domain, (Vessel("vein", h, LIQUID),)))
    return with_sinks(problem, HeatSinks(37.0, walls), SolverOptions(1e-12, 5000))


@pytest.mark.mpi
def test_a_filmed_wall_is_of_second_order_in_h(comm: MPI.Comm) -> None:
    errors, counts = [], (32, 64, 128)
    case = tube_case()
    h = flowing(case)["vein"][0].h
    assert 0.2 < h * WALL / K < 10.0, "neither held nor insulated"
    for n in counts:
        domain = tube_domain(comm, n)
        T, _ = steady(problem_on(case, domain))
        r = domain.x[:, 0]
        exact = np.where(r < WALL - 1e-9, LIQUID, between_walls(np.maximum(r, WALL), h))
        errors.append(norm_L2(domain, T - exact))
    assert min(orders([1.0 / n for n in counts], errors)) > 1.8
    assert errors[-1] < 5e-3


@pytest.mark.mpi
def test_thick_and_thin_films_are_an_insulated_and_a_held_wall(comm: MPI.Comm) -> None:
    domain = tube_domain(comm, 16)
    problem = problem_on(tube_case(), domain)
    tissue = domain.x[:, 0] > WALL - 1e-9
    T, _ = steady(with_h(problem, 1e-6))
    assert largest(domain, np.where(tissue, T - OUTSIDE, 0.0)) < 1e-5
    T, _ = steady(with_h(problem, 1e10))
    held = tube_case().domain.regions[1].model_copy(update={"flow": None})  # type: ignore[union-attr]
    case = tube_case()
    regions = (case.domain.regions[0], held)  # type: ignore[union-attr]
    case = case.model_copy(update={"domain": case.domain.model_copy(update={"regions": regions})})
    T_held, _ = steady(problem_on(case, domain))
    assert largest(domain, T - T_held) < 1e-5


@pytest.mark.mpi
def test_what_the_liquid_takes_comes_from_the_tissue(comm: MPI.Comm) -> None:
    """Steady, without perfusion: the liquid takes the heat of the fixed wall and, with power, the Joule heat."""
    domain = tube_domain(comm, 16)
    problem = problem_on(tube_case(), domain)
    zero = np.zeros(domain.nodes.local)
    T, _ = steady(problem)
    film = problem.solvers.heat._walls
    assert film is not None
    drawn = domain.nodes.total_of(film.drawn(T))[0]
    assert drawn > 0.0
    assert problem.solvers.heat.flows(T, zero, zero, T).boundary == pytest.approx(0.0, abs=1e-7 * drawn)
    T, unit = steady(problem, voltage=5.0)
    assert unit is not None and 0.01 * unit.conductance < unit.washed < 0.1 * unit.conductance
    boundary = problem.solvers.heat.flows(T, zero, 25.0 * unit.load, T).boundary + 25.0 * unit.washed
    assert boundary == pytest.approx(25.0 * unit.conductance, rel=1e-7)


# --- a vein beside a needle -----------------------------------------------------------------------

NAMES = ("off", "slow", "fast", "held")


def beside_a_vein(kind: str) -> Case:
    vein = {"name": "vein", "kind": "cylinder", "start_mm": [6, 0, -20], "end_mm": [6, 0, 20], "diameter_mm": 5}
    velocity = {"off": 0.0, "slow": 0.005, "fast": 0.3}
    flow = {"flow": {"velocity_m_per_s": velocity[kind]}} if kind in velocity else {}
    return parse_case(
        {
            "domain": {"kind": "cylinder", "radius_mm": 20, "height_mm": 40, "tissue": "liver"},
            "structures": [{**vein, "tissue": "blood", "held_degC": 37.0, **flow}],
            "applicators": [{"model": "cannula-18g-10mm-blunt", "tip_mm": [0, 0, -5]}],
            "generator": {"kind": "power", "power_W": 4, "duration_s": 60},
            "damage": {"perfusion_stops": False},
            "mesh": {"accuracy": "draft", "size_structure_mm": 1.0},
        }
    )


@pytest.mark.mpi
def test_tissue_beside_a_vein_is_the_colder_the_faster_it_flows(comm: MPI.Comm) -> None:
    """On one mesh; the energy balance closes each time."""
    domain, beside = build_domain(beside_a_vein("off"), comm), []
    probe = make_probe(domain, np.array([[3.4 * MM, 0.0, 0.0]]), "beside the vein")
    for kind in NAMES:
        problem = build_problem(beside_a_vein(kind), domain)
        last = list(frames(problem))[-1]
        beside.append(float(probe.values(last.T)[0]))
        ledger = last.ledger
        assert ledger.residual_fraction < 0.01, kind
        assert ledger.boundary > (0.1 if kind != "off" else -0.1) * ledger.joule
    print(dict(zip(NAMES, beside, strict=True)))
    assert (np.diff(beside) < 0.0).all()


def test_the_wall_of_a_vein_has_its_area() -> None:
    case = beside_a_vein("slow")
    domain = build_domain(case, MPI.COMM_SELF)
    (vessel,) = vessels_of(case, domain)
    (film,) = wall_convections(domain, (vessel,))
    assert film.transfer.sum() / vessel.h == pytest.approx(np.pi * 5 * MM * 40 * MM, rel=0.03)


def test_a_wall_that_could_not_be_meshed_is_refused() -> None:
    case = beside_a_vein("slow")
    domain = build_domain(case, MPI.COMM_SELF)
    staircase = dataclasses.replace(domain, conformity=Conformity(shapes=False))
    with pytest.raises(MeshError, match="held_degC without flow"):
        vessels_of(case, staircase)
