"""Small problems with known solutions and functions that solve them. Functions are collective unless stated otherwise.

The tissue has the data of `closed_forms`. A problem is a case on a mesh made in memory (`structured_meshes`), or on a
mesh file. The surfaces of a mesh get their roles by name: `active`, `return`, `body_temperature`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from rfablate.arrays import FloatArray
from rfablate.case.read.case_file import parse_case
from rfablate.case.tables.schema import Case
from rfablate.evidence.closed_forms import BLOOD, RHO, SIGMA, C, K
from rfablate.fem.coefficients import Coefficients, RegionLaw
from rfablate.fem.electric_problem import UnitField
from rfablate.fem.heat_problem import HeatProblem
from rfablate.mesh.domain import Domain, distribute
from rfablate.mesh.mesh_data import MeshData
from rfablate.mesh.point_location import make_probe
from rfablate.physics.generator import Channels, Command, ConstantVoltageControl, Limits, StepPrediction
from rfablate.problem.problem import Problem, build_problem
from rfablate.solve.loop import steps
from rfablate.solve.state import Frame, initial_state
from rfablate.timing import Stopwatch

Table = dict[str, Any]

TISSUE: Table = {
    "density_kg_per_m3": RHO,
    "heat_capacity_J_per_kgK": C,
    "k_W_per_mK": K,
    "k_slope_per_K": 0.0,
    "sigma_S_per_m": SIGMA,
    "sigma_slope_per_K": 0.0,
    "perfusion_per_s": 0.0,
    "source": "closed forms of rfablate verify",
}
BODY: Table = {"blood_density_kg_per_m3": BLOOD[0], "blood_heat_capacity_J_per_kgK": BLOOD[1]}
HEATED: Table = {"kind": "surface_temperature", "target_degC": 80.0, "hold_s": 60.0}
UNLIMITED: Table = {"max_power_W": 1e6, "max_voltage_V": 1e6, "max_current_A": 1e6}


def constant_voltage(voltage: float, duration: float) -> Table:
    """Return the generator table of a constant voltage without limits."""
    return {"kind": "voltage", "voltage_V": voltage, "duration_s": duration, **UNLIMITED}


def constant_power(power: float, duration: float) -> Table:
    """Return the generator table of a constant power without limits."""
    return {"kind": "power", "power_W": power, "duration_s": duration, **UNLIMITED}


def fixed_step(step: float, order: int = 2) -> Table:
    """Return the time table of fixed steps."""
    return {"stepping": "fixed", "step_s": step, "order": order}


@dataclass(frozen=True)
class MeshSource:
    """The mesh of a case on a user's mesh of one region, `tissue`."""

    file: Path | None = None
    """None for a mesh made in memory: the case then names a file that is never read."""
    axisymmetric: bool = True
    surfaces: Sequence[Table] = ()
    """Tables of the surfaces; by default `electrode` is the active tip and `outer` the return."""


HALF_PLANE = MeshSource()
IN_SPACE = MeshSource(axisymmetric=False)


def mesh_case(
    generator: Table,
    *,
    mesh: MeshSource = HALF_PLANE,
    tissue: Table | None = None,
    applicator: Table | None = None,
    **tables: Any,
) -> Case:
    """Return a case on a mesh, with changes to the tissue and the applicator, and other tables of the case."""
    default = [
        {"tag": "electrode", "name": "electrode", "roles": ["active"]},
        {"tag": "outer", "name": "outside", "roles": ["return", "body_temperature"]},
    ]
    return parse_case(
        {
            "domain": {
                "kind": "mesh",
                "file": str(mesh.file or __file__),
                "length_unit": "mm",
                "axisymmetric": mesh.axisymmetric,
                "regions": [{"tag": "tissue", "name": "tissue", "tissue": "sample"}],
                "surfaces": list(mesh.surfaces) or default,
            },
            "tissues": {"sample": {**TISSUE, **(tissue or {})}},
            "applicators": [
                {
                    "outer_diameter_mm": 1.0,
                    "active_tip_mm": 1.0,
                    "tip_mm": [0.0, 0.0, 0.5],
                    "sensor_offset_mm": 0.0,
                    **(applicator or {}),
                }
            ],
            "generator": generator,
            "damage": {"perfusion_stops": False},
            "body": BODY,
            "output": {"report": False},
            **tables,
        }
    )


def with_roles(mesh: MeshData, **roles: Sequence[str] | str) -> MeshData:
    """Return the mesh with surfaces named by role: active="inner", body_temperature=("low_z", "high_z")."""
    surfaces = dict(mesh.surfaces)
    for role, names in roles.items():
        given = [names] if isinstance(names, str) else list(names)
        surfaces[{"returned": "return"}.get(role, role)] = np.concatenate([mesh.surfaces[name] for name in given])
    return dataclasses.replace(mesh, surfaces=surfaces)


def on_mesh(comm: MPI.Comm, make: Callable[[], MeshData], **roles: Sequence[str] | str) -> Domain:
    """Return the distributed domain of a mesh that rank 0 makes. Collective."""
    return distribute(with_roles(make(), **roles) if comm.rank == 0 else None, comm)


def problem_on(case: Case, domain: Domain, **changes: Any) -> Problem:
    """Return the problem of the case on the domain, with some parts replaced. Collective."""
    return dataclasses.replace(build_problem(case, domain), **changes)


def frames(problem: Problem, stops: Sequence[float] = ()) -> Iterator[Frame]:
    """Yield the start and every accepted step. Collective."""
    return steps(problem, initial_state(problem), stops, Stopwatch())


def last_frame(problem: Problem) -> Frame:
    """Return the last frame of a run. Collective."""
    *_, last = frames(problem)
    return last


def at_points(domain: Domain, nodal: FloatArray, points: FloatArray) -> FloatArray:
    """Return a nodal field at points [m], shape (n, 3). Collective."""
    return make_probe(domain, points, "test").values(nodal)


def on_rays(domain: Domain, nodal: FloatArray, radii: Sequence[float]) -> FloatArray:
    """Return a field at each radius [m] along three rays, shape (3, n). Collective."""
    s = np.sqrt(0.5)
    t = np.sqrt(1 / 3)
    # in an octant of space, and the upper half of (r, z)
    rays = [(0.0, 1.0, 0.0), (s, s, 0.0), (1.0, 0.0, 0.0)]
    if not domain.axisymmetric:
        rays = [(0.0, 0.0, 1.0), (s, s, 0.0), (t, t, t)]
    points = np.concatenate([np.outer(radii, ray) for ray in rays])
    return at_points(domain, nodal, points).reshape(3, -1)


def steady(
    problem: Problem,
    *,
    voltage: float = 0.0,
    fixed: npt.NDArray[np.bool_] | None = None,
    value: FloatArray | None = None,
) -> tuple[FloatArray, UnitField | None]:
    """Return the steady temperature for constant tissue values, and the unit field. Collective."""
    problem.solvers.assemble(problem.initial)
    unit = (
        problem.solvers.electric.solve(problem.solvers.coefficients)
        if problem.solvers.electric is not None and voltage
        else None
    )
    fixed = problem.fixed if fixed is None else fixed
    value = problem.fixed_value if value is None else value
    zero = np.zeros(problem.domain.nodes.local)
    problem.solvers.heat.prepare(0.0, zero + 1.0, fixed)
    load = voltage**2 * unit.load if unit is not None else zero
    return problem.solvers.heat.step(zero, value, problem.initial, load), unit


def set_cells(domain: Domain, sigma: FloatArray, k: FloatArray) -> Coefficients:
    """Return coefficients with one sigma and one k for each cell of the stencil, whatever the temperature."""
    one = RegionLaw(np.ones(max(domain.region_names) + 1), np.zeros(max(domain.region_names) + 1, dtype=np.int32))
    coefficients = Coefficients(domain, [], one, one)
    coefficients.values[:, 0], coefficients.values[:, 1] = sigma, k
    return coefficients


def norm_L2(domain: Domain, nodal: FloatArray) -> float:
    """Return the root of the volume's mean of the square of a nodal field. Collective."""
    nodes, elements = domain.nodes, domain.elements
    volume = nodes.accumulate(elements.to_nodes(np.ones(len(elements.cells)), nodes.local))
    square, total = nodes.sum(volume * nodal**2, volume)
    return float(np.sqrt(square / total))


def largest(domain: Domain, nodal: FloatArray) -> float:
    """Return the largest magnitude of a nodal field on all ranks. Collective."""
    return float(domain.nodes.max_of(float(np.abs(nodal).max(initial=0.0)))[0])


# --- a further heat source ------------------------------------------------------------------------


@dataclass(frozen=True)
class Clocked(ConstantVoltageControl):
    """A constant voltage that records the end of each step for which it decides."""

    clock: list[float]

    def decide(self, offer: StepPrediction, state: Any) -> tuple[Command, Any]:
        """Record the time; see `Generator.decide`."""
        self.clock[:] = [offer.t]
        return super().decide(offer, state)


@dataclass(frozen=True)
class WithSource:
    """A heat problem with a further source at the nodes, source(t) [W]; the rest is that of the base class."""

    heat: HeatProblem
    source: Callable[[float], FloatArray]
    clock: list[float]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.heat, name)

    def step(self, past: FloatArray, fixed_value: FloatArray, guess: FloatArray, source: FloatArray) -> FloatArray:
        """See `HeatProblem.step`."""
        return self.heat.step(past, fixed_value, guess, source + self.source(self.clock[0]))


def with_source(problem: Problem, source: Callable[[float], FloatArray], *, duration: float, voltage: float) -> Problem:
    """Return the problem with `source` [W] at the nodes in addition to the Joule heat of a constant voltage [V]."""
    clock = [0.0]
    generator = Channels((Clocked(Limits(1e9, 1e9, 1e9), duration, 0.0, voltage, clock),))
    return dataclasses.replace(
        problem,
        solvers=dataclasses.replace(
            problem.solvers, heat=cast(HeatProblem, WithSource(problem.solvers.heat, source, clock))
        ),
        generator=generator,
        surface=None,
    )
