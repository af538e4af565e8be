"""Pieces that several tests use: observed orders of convergence, a problem with other heat sinks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rfablate.evidence.verification_results import observed_orders
from rfablate.fem.heat_problem import HeatProblem, HeatSinks
from rfablate.linalg.linear_system import SolverOptions
from rfablate.problem.problem import Problem


def orders(sizes: Sequence[float], errors: Sequence[float]) -> list[float]:
    """Return the observed order between each two successive sizes, and print it (`pytest -rP` shows it)."""
    found = observed_orders(sizes, errors)
    print("errors", *(f"{e:.3g}" for e in errors), " orders", *(f"{o:.2f}" for o in found))
    return found


def with_sinks(problem: Problem, sinks: HeatSinks, options: SolverOptions) -> Problem:
    """Return the problem with another heat equation on the same matrices. Collective."""
    solvers = problem.solvers
    heat = HeatProblem(problem.domain, solvers.pattern, solvers.heat.mass, sinks, options)
    return replace(problem, solvers=replace(solvers, heat=heat))
