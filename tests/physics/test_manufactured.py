"""Orders of the coupled nonlinear problem by a manufactured solution.

The solution is that of `rfablate.evidence.manufactured_problem`; its source is added to the real solver at the nodes.

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

"dt" alone is measured by the difference between runs with dt and dt / 2 on one mesh, which leaves h out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pytest
from mpi4py import MPI

from rfablate.evidence.closed_forms import RHO, T_A, C, K, W
from rfablate.evidence.manufactured_problem import (
    END,
    INNER,
    K_SLOPE,
    OUTER,
    V,
    check_manufactured,
    errors_of,
    half_plane_shell,
    heat_source,
    manufactured_problem,
    potential,
    shell_domain,
    sigma,
    temperature,
)
from rfablate.evidence.verification_problems import fixed_step, last_frame, norm_L2
from rfablate.evidence.verification_results import Measurement
from rfablate.problem.step_control import StepControl, StepMemory
from tests.build import orders

FloatArray = npt.NDArray[np.float64]


def test_the_manufactured_solution_solves_the_equations() -> None:
    """Source and potential against finite differences of T and phi."""
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


def _assert_orders(sizes: Sequence[float], errors: Sequence[float], expected: float, slack: float) -> None:
    found = orders(sizes, errors)
    assert found[-1] == pytest.approx(expected, abs=slack), (found, list(errors))


def _assert_second_order(found: list[Measurement], slack: dict[str, float]) -> None:
    print(*(f"{each.quantity}: {each.computed:.2f}" for each in found), sep="; ")
    assert len(found) == len(slack)
    for each, (name, allowed) in zip(found, slack.items(), strict=True):
        assert each.quantity.startswith(f"order of {name} ")
        assert each.computed == pytest.approx(2.0, abs=allowed) and each.passed, each


@pytest.mark.mpi
@pytest.mark.mpi3
def test_second_order_in_h_and_dt_together_in_the_half_plane(comm: MPI.Comm) -> None:
    slack = {"T, L2": 0.15, "T, largest": 0.25, "unit potential, L2": 0.15, "G": 0.15}
    _assert_second_order(check_manufactured(comm, "axisymmetric"), slack)


@pytest.mark.mpi
def test_second_order_in_h_and_dt_together_in_3_d(comm: MPI.Comm) -> None:
    _assert_second_order(check_manufactured(comm, "3-D"), {"T, L2": 0.25, "unit potential, L2": 0.25, "G": 0.25})


def test_second_order_in_h(comm: MPI.Comm) -> None:
    counts, found = (6, 12, 24), []
    for n in counts:
        problem = manufactured_problem(shell_domain(comm, half_plane_shell(n)), fixed_step(0.1))
        found.append(errors_of(problem.domain, last_frame(problem)).T)
    _assert_orders([1.0 / n for n in counts], found, 2.0, 0.15)


@dataclass(frozen=True)
class Growing(StepControl):
    """Steps that double from a 64th of the fixed length up to it: a first step by backward Euler counts little."""

    def next_time(self, t: float, stops: Sequence[float], memory: StepMemory) -> float:
        """Return the end of the next step [s]; see `StepControl.next_time`."""
        assert self.fixed is not None
        end = min(2.0 * t, t + self.fixed) if t > 0.0 else self.fixed / 64.0
        return next((s for s in stops if s < end + 1e-9), end)


@dataclass(frozen=True)
class Alternating(StepControl):
    """Fixed steps, long and short by turns."""

    short: float = 0.0

    def next_time(self, t: float, stops: Sequence[float], memory: StepMemory) -> float:
        """Return the end of the next step [s]; see `StepControl.next_time`."""
        assert self.fixed is not None
        end = t + (self.short if memory.accepted % 2 else self.fixed)
        return next((s for s in stops if abs(s - end) < 1e-9), end)


def _halved_steps(comm: MPI.Comm, order: int, ratio: float) -> tuple[list[float], list[float]]:
    """Return mean steps and the differences of T between runs with them and with their halves."""
    domain = shell_domain(comm, half_plane_shell(10))
    steps, temperatures = [2.0, 1.0, 0.5, 0.25, 0.125], []
    for dt in steps:
        problem = manufactured_problem(domain, fixed_step(dt, order))
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
    domain, temperatures = shell_domain(comm, half_plane_shell(10)), []
    for dt in (2.0, 1.0, 0.5, 0.25, 0.125):
        problem = manufactured_problem(domain, fixed_step(dt, 3))
        problem = replace(problem, control=Growing(**vars(problem.control)))
        temperatures.append(last_frame(problem).T)
    pairs = zip(temperatures[:-1], temperatures[1:], strict=True)
    found = orders([2.0, 1.0, 0.5, 0.25], [norm_L2(domain, coarse - fine) for coarse, fine in pairs])
    assert min(found) > 2.85, found


def test_bdf3_comes_nearer_than_bdf2_with_the_same_tolerance(comm: MPI.Comm) -> None:
    domain = shell_domain(comm, half_plane_shell(10))

    def solved(tolerance: float, order: int) -> FloatArray:
        time = {"tolerance_K": tolerance, "first_step_s": 1e-3, "order": order}
        return last_frame(manufactured_problem(domain, time)).T

    exact = solved(2e-6, 3)
    for tolerance in (0.1, 0.1 / 8):
        third, second = (norm_L2(domain, solved(tolerance, order) - exact) for order in (3, 2))
        assert third < 0.4 * second, (tolerance, third, second)


@pytest.mark.parametrize(("order", "expected"), [(2, 2.0 / 3.0), (1, 0.5)], ids=["BDF2", "Euler"])
def test_adaptive_steps_converge_with_their_tolerance(comm: MPI.Comm, order: int, expected: float) -> None:
    """A step's error goes with dt^(order + 1), the error at the end with dt^order."""
    domain = shell_domain(comm, half_plane_shell(10))
    tolerances, found = [0.1, 0.1 / 8, 0.1 / 64], []
    for tolerance, by in (*((each, order) for each in tolerances), (2e-5, 3)):
        time = {"tolerance_K": tolerance, "first_step_s": 0.1 * tolerance**0.5, "order": by}
        found.append(last_frame(manufactured_problem(domain, time)).T)
    differences = [norm_L2(domain, T - found[-1]) for T in found[:-1]]
    _assert_orders(tolerances, differences, expected, 0.12)
