"""Orders of the coupled nonlinear problem by a manufactured solution.

Between two spheres, x = (r - r0) / (R - r0):

    T(r, t)  = 37 + 40 (1 - exp(-t / 10 s)) (1 - x)^2 (1 + 2 x)         no flux at r0, body temperature at R
    sigma(T), k(T) linear,  perfusion on,  V = 12 V on r0
    phi(r, t): the current is the same through every sphere, so  dphi/dr = -I(t) / (4 pi r^2 sigma(T))  is exact
               for this T, with I(t) from the voltage by quadrature: no source is needed in the electric problem
    heat source  s = rho c dT/dt - div(k(T) grad T) + W (T - T_b) - sigma(T) |grad phi|^2

so that T and phi solve the whole coupled problem exactly, with s added to the real solver at the nodes.

| refined                                    | quantity                   | expected order | found          |
|--------------------------------------------|----------------------------|----------------|----------------|
| h and dt together, half plane              | T, phi (L2), G; T (largest)| 2              | 2              |
| h and dt together, 3-D                     | T, phi (L2), G             | 2              | 2              |
| h, dt small                                | T (L2)                     | 2              | 2              |
| dt, uniform                                | T (L2)                     | 2              | 2              |
| dt, steps 3 : 1 alternately                | T (L2)                     | 2              | 2              |
| dt, backward Euler                         | T (L2)                     | 1              | 1              |
| dt, BDF3 after short first steps           | T (L2)                     | 3              | 3.4 to 3.9     |
| tolerance of adaptive BDF2 steps           | T (L2)                     | 2/3            | 2/3            |
| tolerance of adaptive Euler steps          | T (L2)                     | 1/2            | 1/2            |

"dt" alone: from the difference between runs with dt and dt / 2 on one mesh, which is independent of h.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from mpi4py import MPI

from meshes.structured import shell_half_plane, shell_octant
from rfablate.mesh.domain import Domain
from rfablate.mesh.mesh_data import MeshData
from rfablate.problem.problem import Problem
from rfablate.problem.step_control import StepControl, StepMemory
from rfablate.solve.state import Frame
from tests.build import (
    BLOOD,
    OMEGA,
    RHO,
    SIGMA,
    T_A,
    C,
    K,
    constant_voltage,
    fixed_step,
    largest,
    last_frame,
    mesh_case,
    norm_L2,
    on_mesh,
    orders,
    problem_on,
    with_source,
)

FloatArray = npt.NDArray[np.float64]

INNER, OUTER, V, END = 1e-3, 6e-3, 12.0, 20.0
RISE, TAU = 40.0, 10.0
SIGMA_SLOPE, K_SLOPE = 0.02, 0.003
W = OMEGA * BLOOD[0] * BLOOD[1]
TISSUE = {"sigma_slope_per_K": SIGMA_SLOPE, "k_slope_per_K": K_SLOPE, "perfusion_per_s": OMEGA}


# --- the solution ---------------------------------------------------------------------------------


def _shape(r: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return g(r) and its first two derivatives."""
    L = OUTER - INNER
    x = (r - INNER) / L
    return (1.0 - x) ** 2 * (1.0 + 2.0 * x), -6.0 * x * (1.0 - x) / L, (12.0 * x - 6.0) / L**2


def temperature(r: FloatArray, t: float) -> FloatArray:
    return T_A + RISE * (1.0 - np.exp(-t / TAU)) * _shape(r)[0]


def sigma(r: FloatArray, t: float) -> FloatArray:
    return SIGMA * (1.0 + SIGMA_SLOPE * (temperature(r, t) - T_A))


@lru_cache(maxsize=4096)
def _resistance(t: float) -> float:
    """Return the integral of dr / (4 pi r^2 sigma) [ohm] by Gauss's rule, exact to rounding."""
    return float(_partial_resistance(np.array([INNER]), t)[0])


def _partial_resistance(r: FloatArray, t: float) -> FloatArray:
    """Return the resistance from r to the outer sphere [ohm]."""
    node, weight = np.polynomial.legendre.leggauss(60)
    half = 0.5 * (OUTER - r)
    s = r + half + half * node[:, None]
    return (weight[:, None] / (4.0 * np.pi * s**2 * sigma(s, t))).sum(axis=0) * half


def potential(r: FloatArray, t: float) -> FloatArray:
    """Return phi for 1 V."""
    return _partial_resistance(r, t) / _resistance(t)


def heat_source(r: FloatArray, t: float) -> FloatArray:
    """Return s [W/m3]."""
    g, g_r, g_rr = _shape(r)
    a, a_t = RISE * (1.0 - np.exp(-t / TAU)), RISE / TAU * np.exp(-t / TAU)
    k = K * (1.0 + K_SLOPE * a * g)
    conduction = K * K_SLOPE * (a * g_r) ** 2 + k * a * (g_rr + 2.0 * g_r / r)
    current = V / _resistance(t)
    joule = current**2 / (sigma(r, t) * (4.0 * np.pi * r**2) ** 2)
    return RHO * C * a_t * g - conduction + W * a * g - joule


def test_the_manufactured_solution_solves_the_equations() -> None:
    """Source and potential compared with finite differences of T and phi."""
    r, t, d, dt = np.linspace(1.3e-3, 5.7e-3, 7), 7.0, 1e-6, 1e-3

    def flux(r: FloatArray, field: Callable[[FloatArray, float], FloatArray], law: FloatArray) -> FloatArray:
        return r**2 * law * (field(r + d, t) - field(r - d, t)) / (2.0 * d)

    def k(r: FloatArray) -> FloatArray:
        return K * (1.0 + K_SLOPE * (temperature(r, t) - T_A))

    def divergence(field: Callable[[FloatArray, float], FloatArray], law: Callable[..., FloatArray]) -> FloatArray:
        return (flux(r + d, field, law(r + d)) - flux(r - d, field, law(r - d))) / (2.0 * d * r**2)

    current = divergence(potential, lambda r: sigma(r, t))
    assert np.abs(current).max() < 1e-5 * (sigma(r, t) / r**2).max()
    gradient = V * (potential(r + d, t) - potential(r - d, t)) / (2.0 * d)
    storage = RHO * C * (temperature(r, t + dt) - temperature(r, t - dt)) / (2.0 * dt)
    s = storage - divergence(temperature, k) + W * (temperature(r, t) - T_A) - sigma(r, t) * gradient**2
    assert heat_source(r, t) == pytest.approx(s, rel=1e-4, abs=1e-4 * np.abs(s).max())
    assert potential(np.array([INNER, OUTER]), t) == pytest.approx([1.0, 0.0])


# --- the solver -----------------------------------------------------------------------------------


def _domain(comm: MPI.Comm, mesh: Callable[[], MeshData]) -> Domain:
    return on_mesh(comm, mesh, active="inner", returned="outer", body_temperature="outer")


def _problem(domain: Domain, time: dict[str, Any]) -> Problem:
    case = mesh_case(
        constant_voltage(V, END),
        tissue=TISSUE,
        axisymmetric=domain.axisymmetric,
        time=time,
        applicator={"tip_mm": [0.0, 0.0, 1.0]},
    )
    r = np.linalg.norm(domain.x, axis=1)
    volume = domain.nodes.accumulate(domain.elements.to_nodes(np.ones(len(domain.region)), domain.nodes.local))
    problem = problem_on(case, domain)
    return with_source(problem, lambda t: volume * heat_source(r, t), duration=END, voltage=V)


def _half_plane(n: int) -> Callable[[], MeshData]:
    return lambda: shell_half_plane(np.linspace(INNER, OUTER, n + 1), n, quarter=True)


def _octant(n: int) -> Callable[[], MeshData]:
    return lambda: shell_octant(np.linspace(INNER, OUTER, n + 1), n)


@dataclass(frozen=True)
class Errors:
    """Errors at the end of a run: T [K] in L2 and maximum norm, phi [1] in L2, G relative."""

    T: float
    T_worst: float
    phi: float
    G: float


def _errors(domain: Domain, frame: Frame) -> Errors:
    assert frame.t == END and frame.unit is not None
    r = np.linalg.norm(domain.x, axis=1)
    T, phi = frame.T - temperature(r, END), frame.unit.phi - potential(r, END)
    share = 0.5 if domain.axisymmetric else 0.125
    conductance = frame.unit.conductance * _resistance(END) / share - 1.0
    return Errors(norm_L2(domain, T), largest(domain, T), norm_L2(domain, phi), abs(conductance))


def _assert_orders(sizes: Sequence[float], errors: Sequence[float], expected: float, slack: float) -> None:
    found = orders(sizes, errors)
    assert found[-1] == pytest.approx(expected, abs=slack), (found, list(errors))


@pytest.mark.mpi
@pytest.mark.mpi3
def test_second_order_in_h_and_dt_together_in_the_half_plane(comm: MPI.Comm) -> None:
    counts, found = (16, 32, 64), []
    for n in counts:
        problem = _problem(_domain(comm, _half_plane(n)), fixed_step(8.0 / n))
        found.append(_errors(problem.domain, last_frame(problem)))
    h = [1.0 / n for n in counts]
    _assert_orders(h, [e.T for e in found], 2.0, 0.15)
    _assert_orders(h, [e.T_worst for e in found], 2.0, 0.25)
    _assert_orders(h, [e.phi for e in found], 2.0, 0.15)
    _assert_orders(h, [e.G for e in found], 2.0, 0.15)


@pytest.mark.mpi
def test_second_order_in_h_and_dt_together_in_3_d(comm: MPI.Comm) -> None:
    counts, found = (4, 8, 16), []
    for n in counts:
        problem = _problem(_domain(comm, _octant(n)), fixed_step(8.0 / n))
        found.append(_errors(problem.domain, last_frame(problem)))
    h = [1.0 / n for n in counts]
    _assert_orders(h, [e.T for e in found], 2.0, 0.25)
    _assert_orders(h, [e.phi for e in found], 2.0, 0.25)
    _assert_orders(h, [e.G for e in found], 2.0, 0.25)


def test_second_order_in_h(comm: MPI.Comm) -> None:
    counts, found = (6, 12, 24), []
    for n in counts:
        problem = _problem(_domain(comm, _half_plane(n)), fixed_step(0.1))
        found.append(_errors(problem.domain, last_frame(problem)).T)
    _assert_orders([1.0 / n for n in counts], found, 2.0, 0.15)


@dataclass(frozen=True)
class Growing(StepControl):
    """Steps that double from 1/64 of the fixed length up to it, so that the first backward Euler step is negligible."""

    def next_time(self, t: float, stops: Sequence[float], memory: StepMemory) -> float:
        """Return the end of the next step [s]; see `StepControl.next_time`."""
        assert self.fixed is not None
        end = min(2.0 * t, t + self.fixed) if t > 0.0 else self.fixed / 64.0
        return next((s for s in stops if s < end + 1e-9), end)


@dataclass(frozen=True)
class Alternating(StepControl):
    """Fixed steps, alternately long and short."""

    short: float = 0.0

    def next_time(self, t: float, stops: Sequence[float], memory: StepMemory) -> float:
        """Return the end of the next step [s]; see `StepControl.next_time`."""
        assert self.fixed is not None
        end = t + (self.short if memory.accepted % 2 else self.fixed)
        return next((s for s in stops if abs(s - end) < 1e-9), end)


def _halved_steps(comm: MPI.Comm, order: int, ratio: float) -> tuple[list[float], list[float]]:
    """Return mean steps and the differences of T between runs with them and with their halves."""
    domain = _domain(comm, _half_plane(10))
    steps, temperatures = [2.0, 1.0, 0.5, 0.25, 0.125], []
    for dt in steps:
        problem = _problem(domain, fixed_step(dt, order))
        if ratio != 1.0:
            long, short = (2.0 * dt * part / (1.0 + ratio) for part in (ratio, 1.0))
            control = Alternating(**{**vars(problem.control), "fixed": long}, short=short)
            problem = replace(problem, control=control)
        frame = last_frame(problem)
        assert frame.t == END
        temperatures.append(frame.T)
    pairs = zip(temperatures[:-1], temperatures[1:], strict=True)
    return steps[:-1], [norm_L2(domain, coarse - fine) for coarse, fine in pairs]


@pytest.mark.parametrize(
    ("order", "ratio", "expected"),
    [(2, 1.0, 2.0), (2, 3.0, 2.0), (1, 1.0, 1.0)],
    ids=["uniform", "3:1", "Euler"],
)
def test_order_in_dt(comm: MPI.Comm, order: int, ratio: float, expected: float) -> None:
    steps, differences = _halved_steps(comm, order, ratio)
    _assert_orders(steps, differences, expected, 0.15)


def test_bdf3_is_of_third_order_in_dt_or_better(comm: MPI.Comm) -> None:
    domain, temperatures = _domain(comm, _half_plane(10)), []
    for dt in (2.0, 1.0, 0.5, 0.25, 0.125):
        problem = _problem(domain, fixed_step(dt, 3))
        problem = replace(problem, control=Growing(**vars(problem.control)))
        temperatures.append(last_frame(problem).T)
    pairs = zip(temperatures[:-1], temperatures[1:], strict=True)
    found = orders([2.0, 1.0, 0.5, 0.25], [norm_L2(domain, coarse - fine) for coarse, fine in pairs])
    assert min(found) > 2.85, found


def test_bdf3_comes_nearer_than_bdf2_with_the_same_tolerance(comm: MPI.Comm) -> None:
    domain = _domain(comm, _half_plane(10))

    def solved(tolerance: float, order: int) -> FloatArray:
        time = {"tolerance_K": tolerance, "first_step_s": 1e-3, "order": order}
        return last_frame(_problem(domain, time)).T

    exact = solved(2e-6, 3)
    for tolerance in (0.1, 0.1 / 8):
        third, second = (norm_L2(domain, solved(tolerance, order) - exact) for order in (3, 2))
        assert third < 0.4 * second, (tolerance, third, second)


@pytest.mark.parametrize(("order", "expected"), [(2, 2.0 / 3.0), (1, 0.5)], ids=["BDF2", "Euler"])
def test_adaptive_steps_converge_with_their_tolerance(comm: MPI.Comm, order: int, expected: float) -> None:
    """The error of a step scales with dt^(order + 1), the final error with dt^order."""
    domain = _domain(comm, _half_plane(10))
    tolerances, found = [0.1, 0.1 / 8, 0.1 / 64], []
    for tolerance, by in (*((each, order) for each in tolerances), (2e-5, 3)):
        time = {"tolerance_K": tolerance, "first_step_s": 0.1 * tolerance**0.5, "order": by}
        found.append(last_frame(_problem(domain, time)).T)
    differences = [norm_L2(domain, T - found[-1]) for T in found[:-1]]
    _assert_orders(tolerances, differences, expected, 0.12)
