"""Checks of the solver against the closed forms A0 to A7. Functions are collective.

Temperatures must be within 0.5 % of the rise or 0.05 K, whichever is larger; of several points the worst is shown.
Orders are those of the last halving of the cell size h; in A3, A4 and A6 h and dt are halved together. The error norm
is L2 over the whole domain, in A5 the maximum, in A6 L2 beyond 1 mm from the source, where the solution is smooth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from mpi4py import MPI

from rfablate.arrays import FloatArray
from rfablate.evidence import closed_forms as exact
from rfablate.evidence.closed_forms import OMEGA, R0, T_A
from rfablate.evidence.structured_meshes import geometric, rectangle, shell_half_plane, shell_octant
from rfablate.evidence.verification_problems import (
    HEATED,
    MeshSource,
    at_points,
    constant_voltage,
    fixed_step,
    frames,
    largest,
    last_frame,
    mesh_case,
    norm_L2,
    on_mesh,
    on_rays,
    problem_on,
    set_cells,
    steady,
    with_source,
)
from rfablate.evidence.verification_results import Measurement, with_order, worst
from rfablate.fem.heat_problem import HeatProblem, HeatSinks
from rfablate.fem.mass_matrix import LumpedMass
from rfablate.linalg.linear_system import SolverOptions
from rfablate.linalg.matrix import Pattern
from rfablate.mesh.domain import Domain
from rfablate.mesh.mesh_data import MeshData
from rfablate.problem.problem import Problem

MM = 1e-3
RADII = np.array([0.5, 1.0, 2.0, 4.0, 8.0]) * MM
PERFUSED = {"perfusion_per_s": OMEGA}
OUTER = 20.0 * MM
"""Outer radius of the spherical shells of A0, A1 and A2."""
SHELLS: dict[str, tuple[Callable[[FloatArray, int], MeshData], float, tuple[int, ...]]] = {
    # mesh, its share of the full sphere's conductance, cells outwards
    "axisymmetric": (lambda radii, n: shell_half_plane(radii, n, quarter=True), 0.5, (16, 32, 64)),
    "3-D": (lambda radii, n: shell_octant(radii, n // 2), 0.125, (12, 24, 48)),
}


def worst_temperature(
    positions: Sequence[float] | FloatArray, computed: FloatArray, rise: FloatArray, name: str = "r"
) -> Measurement:
    """Return the worst of computed rises [K], shape (..., n), against exact ones, shape (n,), as temperatures."""
    found = []
    for row in np.atleast_2d(computed):
        for place, ours, theirs in zip(positions, row, rise, strict=True):
            quantity = f"T at {name} = {place / MM:g} mm"
            limit = max(0.05, 0.005 * abs(float(theirs)))
            found.append(Measurement(quantity, "degC", float(ours) + T_A, float(theirs) + T_A, limit))
    return worst(found)


def check_joule_spheres(comm: MPI.Comm, shape: str, *, perfused: bool) -> list[Measurement]:
    """A0 with A1, or A2 if `perfused`: resistance and steady temperature around a sphere at constant voltage."""
    make, share, counts = SHELLS[shape]
    closed_form = exact.joule_perfused_sphere if perfused else exact.joule_sphere
    table = closed_form(fine := geometric(R0, OUTER, 2000, 40.0), OUTER)
    resistance, rise, rays = [], [], np.zeros(0)
    for n in counts:
        domain = on_mesh(
            comm,
            lambda n=n: make(geometric(R0, OUTER, n, 40.0), n),  # type: ignore[misc]
            active="inner",
            returned="outer",
            body_temperature="outer",
        )
        tissue = PERFUSED if perfused else {}
        mesh = MeshSource(axisymmetric=domain.axisymmetric)
        case = mesh_case(constant_voltage(1.0, 1.0), tissue=tissue, mesh=mesh)
        T, unit = steady(problem_on(case, domain), voltage=exact.applied(OUTER))
        assert unit is not None
        radius = np.linalg.norm(domain.x, axis=1)
        rise.append(norm_L2(domain, T - T_A - np.interp(radius, fine, table)))
        resistance.append(share / unit.conductance)
        rays = on_rays(domain, T, RADII.tolist()) - T_A
    whole = exact.resistance(OUTER)
    temperature = worst_temperature(RADII, rays, closed_form(RADII, OUTER))
    found = [with_order(temperature, counts, rise, 0.15)]
    if not perfused:
        ohm = Measurement("resistance", "ohm", resistance[-1], whole, 0.005 * whole)
        found.insert(0, with_order(ohm, counts, [abs(each - whole) for each in resistance], 0.15))
    return found


def check_held_sphere(comm: MPI.Comm) -> list[Measurement]:
    """A1b: steady Joule heat around a sphere held at 80 degC, axisymmetric."""
    errors, counts, rays = [], (16, 32, 64), np.zeros(0)
    for n in counts:
        domain = on_mesh(
            comm,
            lambda n=n: shell_half_plane(geometric(R0, OUTER, n, 40.0), n, quarter=True),  # type: ignore[misc]
            active="inner",
            returned="outer",
            body_temperature="outer",
        )
        problem = problem_on(mesh_case(constant_voltage(1.0, 1.0)), domain)
        active = domain.surface_nodes["active"]
        fixed, value = problem.fixed | active, np.where(active, 80.0, T_A)
        T, _ = steady(problem, voltage=exact.applied(OUTER), fixed=fixed, value=value)
        radius = np.linalg.norm(domain.x, axis=1)
        errors.append(norm_L2(domain, T - T_A - exact.joule_held_sphere(radius, 43.0, OUTER)))
        rays = on_rays(domain, T, RADII.tolist()) - T_A
    found = worst_temperature(RADII, rays, exact.joule_held_sphere(RADII, 43.0, OUTER))
    return [with_order(found, counts, errors, 0.15)]


def check_stepped_sphere(comm: MPI.Comm) -> list[Measurement]:
    """A3: surface of a sphere steps to 80 degC, perfusion; at 10 s and 60 s, axisymmetric."""
    errors, counts, seen = [], (16, 32, 64), {}
    radii = RADII[1:4]
    for n in counts:
        domain = on_mesh(
            comm,
            lambda n=n: shell_half_plane(geometric(R0, 30.0 * MM, n, 60.0), n // 2, quarter=True),  # type: ignore[misc]
            active="inner",
            body_temperature="outer",
        )
        problem = problem_on(mesh_case(HEATED, tissue=PERFUSED, time=fixed_step(16.0 / n)), domain)
        for frame in frames(problem, stops=[10.0]):
            if frame.t in (10.0, 60.0):
                seen[frame.t] = on_rays(domain, frame.T, radii.tolist()) - T_A
        radius = np.linalg.norm(domain.x, axis=1)
        errors.append(norm_L2(domain, frame.T - T_A - exact.stepped_sphere(radius, 60.0)))
    early, late = (worst_temperature(radii, seen[t], exact.stepped_sphere(radii, t)) for t in (10.0, 60.0))
    early = replace(early, quantity=f"{early.quantity}, t = 10 s")
    return [early, replace(with_order(late, counts, errors, 0.2), quantity=f"{late.quantity}, t = 60 s")]


def half_space(comm: MPI.Comm, n: int) -> Domain:
    """Return a half space with n cells in depth, its surface at z = 0."""
    z = geometric(0.0, 40.0 * MM, n, 20.0)
    return on_mesh(comm, lambda: rectangle(np.linspace(0.0, 1.0, 3) * MM, z), active="low_z", body_temperature="high_z")


def half_space_problem(domain: Domain, **tables: Any) -> Problem:
    """Return the problem of A4: the surface of the half space steps to 80 degC and is held for 60 s."""
    case = mesh_case(HEATED, tissue=PERFUSED, applicator={"tip_mm": [0.0, 0.0, 0.0]}, **tables)
    return problem_on(case, domain)


def check_stepped_half_space(comm: MPI.Comm) -> list[Measurement]:
    """A4: surface of a half space steps to 80 degC, perfusion; at 60 s, axisymmetric; value with adaptive steps."""
    errors, counts = [], (80, 160, 320)
    for n in counts:
        domain = half_space(comm, n)
        frame = last_frame(half_space_problem(domain, time=fixed_step(160.0 / n)))
        errors.append(norm_L2(domain, frame.T - T_A - exact.stepped_half_space(domain.x[:, 1], 60.0)))
    domain = half_space(comm, counts[0])
    frame = last_frame(half_space_problem(domain))
    depth = np.array([1.0, 3.0, 5.0, 8.0]) * MM
    points = np.stack([np.full(4, 0.3 * MM), depth, np.zeros(4)], axis=1)
    rise = at_points(domain, frame.T, points) - T_A
    found = worst_temperature(depth, rise, exact.stepped_half_space(depth, 60.0), "x")
    return [with_order(found, counts, errors, 0.2)]


def held_cylinder(comm: MPI.Comm, n: int) -> tuple[Domain, FloatArray]:
    """Return the domain around a held cylinder with n cells outwards, and the steady rise."""
    radii = geometric(R0, 50.0 * MM, n, 150.0)
    domain = on_mesh(comm, lambda: rectangle(radii, [0.0, 0.5 * MM, MM]), active="low_r", body_temperature="high_r")
    active, cells = domain.surface_nodes["active"], np.ones(len(domain.stencil.cells))
    pattern = Pattern(domain)
    mass = LumpedMass(domain, cells, exact.W * cells)
    heat = HeatProblem(domain, pattern, mass, HeatSinks(blood_temperature=0.0), SolverOptions(1e-10, 2000))
    pattern.assemble(set_cells(domain, cells, exact.K * cells).values, None, heat.stiffness)
    zero = np.zeros(domain.nodes.local)
    heat.prepare(0.0, zero + 1.0, active | domain.surface_nodes["body_temperature"])
    return domain, heat.step(zero, np.where(active, 43.0, 0.0), zero, zero)


def check_held_cylinder(comm: MPI.Comm) -> list[Measurement]:
    """A5: steady heat around a cylinder held at 80 degC, perfusion, axisymmetric."""
    errors, counts = [], (20, 40, 80)
    for n in counts:
        domain, rise = held_cylinder(comm, n)
        errors.append(largest(domain, rise - exact.held_cylinder(domain.x[:, 0])))
    points = np.stack([RADII[1:], np.full(4, 0.3 * MM), np.zeros(4)], axis=1)
    found = worst_temperature(RADII[1:], at_points(domain, rise, points), exact.held_cylinder(RADII[1:]))
    return [with_order(found, counts, errors, 0.15)]


def point_source(comm: MPI.Comm, n: int, step: float) -> tuple[Domain, FloatArray]:
    """Return a ball with 1 W in its centre for 60 s, n cells outwards, and the rise at the end."""
    radii = geometric(0.0, 50.0 * MM, n, 150.0)
    domain = on_mesh(comm, lambda: shell_half_plane(radii, n // 2), active="outer", body_temperature="outer")
    problem = problem_on(mesh_case(HEATED, tissue=PERFUSED, time=fixed_step(step)), domain)
    centre = np.where(np.linalg.norm(domain.x, axis=1) < 1e-9, 1.0, 0.0)
    assert domain.nodes.sum(centre) == [1.0]
    with np.errstate(over="ignore", invalid="ignore"):  # avoids damage at the 10,000 degC near the point
        frame = last_frame(with_source(problem, lambda t: centre, duration=60.0, voltage=0.0))
    return domain, frame.T - T_A


def check_point_source(comm: MPI.Comm) -> list[Measurement]:
    """A6: 1 W in a point from t = 0, perfusion; at 60 s, axisymmetric."""
    errors, counts = [], (16, 32, 64)
    for n in counts:
        domain, rise = point_source(comm, n, 16.0 / n)
        radius = np.linalg.norm(domain.x, axis=1)
        off = radius > 1.0 * MM
        theirs = exact.point_source(np.where(off, radius, 1.0), 60.0)
        errors.append(norm_L2(domain, np.where(off, rise - theirs, 0.0)))
    radii = np.array([2.0, 5.0, 10.0]) * MM
    domain, rise = point_source(comm, 80, 0.5)
    found = worst_temperature(radii, on_rays(domain, rise, radii.tolist()), exact.point_source(radii, 60.0))
    return [with_order(found, counts, errors, 0.25)]


def _bar_nodes() -> FloatArray:
    return geometric(1e-9, 30.0 * MM, 150, 40.0) - 1e-9


def boiling_bar(comm: MPI.Comm) -> Domain:
    """Return a bar of tissue along z, held at its lower end."""
    return on_mesh(
        comm,
        lambda: rectangle(np.linspace(0.0, 0.5 * MM, 3), _bar_nodes()),
        active="low_z",
        body_temperature="high_z",
    )


def boiling_problem(domain: Domain, time: dict[str, object]) -> Problem:
    """Return the problem of A7 on a bar: its end at 140 degC for 60 s, water of the tissue boils at 100 degC."""
    generator = {"kind": "surface_temperature", "target_degC": exact.HELD, "hold_s": 60.0}
    return problem_on(mesh_case(generator, tissue={"water_fraction": exact.WATER_FRACTION}, time=time), domain)


def boiled_depth(latent: float) -> float:
    """Return the depth of boiled nodes [m] from the latent heat [J] of the bar. Not collective.

    The nodes of the held surface do not boil: half a cell of water is missing.
    """
    return latent / (exact.LATENT * np.pi * (0.5 * MM) ** 2)


def check_boiling_front(comm: MPI.Comm) -> list[Measurement]:
    """A7: boiling front at 60 s by its latent heat, 0.5 % allowed, and the temperature ahead of it, axisymmetric."""
    domain = boiling_bar(comm)
    frame = last_frame(boiling_problem(domain, {"tolerance_K": 0.05}))
    half_cell = 0.5 * float(_bar_nodes()[1])
    depth, front = boiled_depth(frame.ledger.latent) + half_cell, exact.stefan_front(60.0)
    found = [Measurement("front, t = 60 s", "mm", depth / MM, front / MM, 0.005 * front / MM)]
    places = np.array([3.0, 5.0]) * MM
    points = np.stack([np.full(2, 0.1 * MM), places, np.zeros(2)], axis=1)
    rise = at_points(domain, frame.T, points) - T_A
    ahead = worst_temperature(places, rise, exact.stefan_rise(places, 60.0), "x")
    return [*found, replace(ahead, quantity=f"{ahead.quantity}, t = 60 s")]
