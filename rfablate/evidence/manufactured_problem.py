"""A manufactured solution of the coupled nonlinear problem between two spheres.

With x = (r - r0) / (R - r0):

    T(r, t)  = 37 + 40 (1 - exp(-t / 10 s)) (1 - x)^2 (1 + 2 x)         no flux at r0, body temperature at R
    sigma(T), k(T) linear,  perfusion on,  V = 12 V on r0
    phi(r, t): the current is the same through every sphere, so  dphi/dr = -I(t) / (4 pi r^2 sigma(T))  is exact
               for this T, with I(t) from the voltage by quadrature: no source is needed in the electric problem
    heat source  s = rho c dT/dt - div(k(T) grad T) + W (T - T_b) - sigma(T) |grad phi|^2

T and phi solve the whole coupled problem exactly if s is added to the heat problem.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from mpi4py import MPI
from scipy.special import roots_legendre

from rfablate.arrays import FloatArray
from rfablate.evidence.closed_forms import OMEGA, RHO, SIGMA, T_A, C, K, W
from rfablate.evidence.structured_meshes import shell_half_plane, shell_octant
from rfablate.evidence.verification_problems import (
    MeshSource,
    constant_voltage,
    fixed_step,
    largest,
    last_frame,
    mesh_case,
    norm_L2,
    on_mesh,
    problem_on,
    with_source,
)
from rfablate.evidence.verification_results import Measurement, observed_orders
from rfablate.mesh.domain import Domain
from rfablate.mesh.mesh_data import MeshData
from rfablate.problem.problem import Problem
from rfablate.solve.state import Frame

INNER, OUTER, V, END = 1e-3, 6e-3, 12.0, 20.0
RISE, TAU = 40.0, 10.0
SIGMA_SLOPE, K_SLOPE = 0.02, 0.003
LAWS = {"sigma_slope_per_K": SIGMA_SLOPE, "k_slope_per_K": K_SLOPE, "perfusion_per_s": OMEGA}


# --- the solution ---------------------------------------------------------------------------------


def _shape(r: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return g(r) and its first two derivatives."""
    L = OUTER - INNER
    x = (r - INNER) / L
    return (1.0 - x) ** 2 * (1.0 + 2.0 * x), -6.0 * x * (1.0 - x) / L, (12.0 * x - 6.0) / L**2


def temperature(r: FloatArray, t: float) -> FloatArray:
    """Return T [degC]."""
    return np.asarray(T_A + RISE * (1.0 - np.exp(-t / TAU)) * _shape(r)[0])


def sigma(r: FloatArray, t: float) -> FloatArray:
    """Return sigma(T) [S/m]."""
    return SIGMA * (1.0 + SIGMA_SLOPE * (temperature(r, t) - T_A))


@lru_cache(maxsize=4096)
def total_resistance(t: float) -> float:
    """Return the integral of dr / (4 pi r^2 sigma) [ohm] by Gauss's rule, exact to rounding."""
    return float(_partial_resistance(np.array([INNER]), t)[0])


def _partial_resistance(r: FloatArray, t: float) -> FloatArray:
    """Return the resistance from r to the outer sphere [ohm]."""
    node, weight = roots_legendre(60)
    half = 0.5 * (OUTER - r)
    s = r + half + half * node[:, None]
    return np.asarray((weight[:, None] / (4.0 * np.pi * s**2 * sigma(s, t))).sum(axis=0) * half)


def potential(r: FloatArray, t: float) -> FloatArray:
    """Return phi for 1 V."""
    return _partial_resistance(r, t) / total_resistance(t)


def heat_source(r: FloatArray, t: float) -> FloatArray:
    """Return s [W/m3]."""
    g, g_r, g_rr = _shape(r)
    a, a_t = RISE * (1.0 - np.exp(-t / TAU)), RISE / TAU * np.exp(-t / TAU)
    k = K * (1.0 + K_SLOPE * a * g)
    conduction = K * K_SLOPE * (a * g_r) ** 2 + k * a * (g_rr + 2.0 * g_r / r)
    current = V / total_resistance(t)
    joule = current**2 / (sigma(r, t) * (4.0 * np.pi * r**2) ** 2)
    return np.asarray(RHO * C * a_t * g - conduction + W * a * g - joule)


def shell_domain(comm: MPI.Comm, mesh: Callable[[], MeshData]) -> Domain:
    """Return the domain of a shell between INNER and OUTER. Collective."""
    return on_mesh(comm, mesh, active="inner", returned="outer", body_temperature="outer")


def manufactured_problem(domain: Domain, time: dict[str, Any]) -> Problem:
    """Return the problem with its heat source, for the time table `time`. Collective."""
    case = mesh_case(
        constant_voltage(V, END),
        tissue=LAWS,
        mesh=MeshSource(axisymmetric=domain.axisymmetric),
        time=time,
        applicator={"tip_mm": [0.0, 0.0, 1.0]},
    )
    r = np.linalg.norm(domain.x, axis=1)
    volume = domain.nodes.accumulate(domain.elements.to_nodes(np.ones(len(domain.region)), domain.nodes.local))
    problem = problem_on(case, domain)
    return with_source(problem, lambda t: volume * heat_source(r, t), duration=END, voltage=V)


def half_plane_shell(n: int) -> Callable[[], MeshData]:
    """Return the maker of an axisymmetric mesh with n cells outwards."""
    return lambda: shell_half_plane(np.linspace(INNER, OUTER, n + 1), n, quarter=True)


def octant_shell(n: int) -> Callable[[], MeshData]:
    """Return the maker of a 3-D mesh with n cells outwards."""
    return lambda: shell_octant(np.linspace(INNER, OUTER, n + 1), n)


@dataclass(frozen=True)
class SolutionErrors:
    """Errors of temperature, unit potential and conductance at the end of a run."""

    T: float
    """L2 [K]"""
    T_worst: float
    """Largest at any node [K]."""
    phi: float
    """L2 [1]"""
    G: float
    """Relative [1]."""


def errors_of(domain: Domain, frame: Frame) -> SolutionErrors:
    """Return the errors of the last frame. Collective."""
    assert frame.t == END and frame.unit is not None
    r = np.linalg.norm(domain.x, axis=1)
    T, phi = frame.T - temperature(r, END), frame.unit.phi - potential(r, END)
    share = 0.5 if domain.axisymmetric else 0.125
    conductance = frame.unit.conductance * total_resistance(END) / share - 1.0
    return SolutionErrors(norm_L2(domain, T), largest(domain, T), norm_L2(domain, phi), abs(conductance))


SHELLS = {
    # mesh, cells outwards on the coarsest mesh, largest deviation of an order from 2
    "axisymmetric": (half_plane_shell, 16, 0.15),
    "3-D": (octant_shell, 6, 0.25),
}


def check_manufactured(comm: MPI.Comm, shape: str, *, levels: int = 3) -> list[Measurement]:
    """Observed orders of T, phi and G at 20 s in h and dt together; 2 is expected. Collective.

    The method of manufactured solutions judges orders; the error on the finest mesh is shown with each. The largest
    error of T at any node is measured in the axisymmetric form only. Each of the `levels` halves h and dt.
    """
    mesh, coarsest, within = SHELLS[shape]
    counts = [coarsest * 2**level for level in range(levels)]
    found = []
    for n in counts:
        problem = manufactured_problem(shell_domain(comm, mesh(n)), fixed_step(8.0 / n))
        found.append(errors_of(problem.domain, last_frame(problem)))
    rows = [
        ("T, L2", " K", [each.T for each in found], within),
        ("unit potential, L2", "", [each.phi for each in found], within),
        ("G", "", [each.G for each in found], within),
    ]
    if shape == "axisymmetric":
        rows.insert(1, ("T, largest", " K", [each.T_worst for each in found], 0.25))
    sizes = [1.0 / n for n in counts]
    return [
        Measurement(
            f"order of {name} (error {errors[-1]:.2g}{unit})", "1", observed_orders(sizes, errors)[-1], 2.0, slack
        )
        for name, unit, errors, slack in rows
    ]
