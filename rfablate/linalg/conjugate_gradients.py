"""Conjugate gradients: the solver of linear systems unless a case chooses another, with a convergence check.

A x = b is solved at the free nodes; at fixed nodes x keeps its initial value. The initial residual contains these
values, and a preconditioner that is zero at fixed nodes keeps every search direction zero there. No matrix is modified
for its fixed nodes.

The convergence criterion is in energy:   r . M r  <=  rtol^2 reference.   r . M r approximates the square of the energy
norm of the error, because M approximates the inverse of A; `reference` approximates that of the solution. Unlike the
norm of the residual, it does not depend on local mesh refinement.

Two preconditioners, chosen by measured speed: the inverse diagonal, with one reduction per iteration (Chronopoulos and
Gear, J. Comput. Appl. Math. 25, 1989), and a V-cycle (multigrid.py) with two. r . D^-1 r after a step, from which the
energy is extrapolated, follows from the sums before it; all are computed anew in each iteration, which keeps it exact.
"""

from __future__ import annotations

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.errors import SolveError
from rfablate.kernels.loader import bind
from rfablate.linalg.linear_system import LinearSystem, Preconditioner, SolverOptions
from rfablate.linalg.matrix import Matrix
from rfablate.mesh.domain import Nodes

SAFETY = 0.25
"""Safety factor on the squared tolerance for a residual energy that is extrapolated, not computed with a V-cycle."""


class ConjugateGradients:
    """Solver for one matrix with changing values; its vectors are allocated once."""

    own_preconditioner = False

    def __init__(self, nodes: Nodes, matrix: Matrix, what: str, options: SolverOptions) -> None:
        """Set up; `what` names the equation in messages."""
        self.matrix, self.rtol = matrix, options.rtol
        self._nodes, self._what, self._limit = nodes, what, options.max_iterations
        self.iterations, self.solves, self.cycles = 0, 0, 0
        self.digits = 0.0
        """Powers of ten by which the last solve had to reduce the energy of the error."""
        self._work = _Work(nodes, matrix)

    def solve(self, x: FloatArray, system: LinearSystem, preconditioner: Preconditioner | None = None) -> int:
        """Solve in place; return the number of iterations. Collective.

        Args:
            x: initial guess, with the values at fixed nodes, and result, shape (nodes.local,).
            system: right-hand side, inverse of the diagonal and reference of the tolerance.
            preconditioner: used instead of the inverse diagonal.

        Raises:
            SolveError: no convergence, or breakdown; the message gives the error reached.
        """
        work = self._work
        work.start(x, system.b)
        if preconditioner is None:
            used, energy, target = self._single_reduction(system)
        else:
            used, energy, target = self._preconditioned(system, preconditioner)
        x[:] = work.x.array
        self.iterations += used
        self.cycles += 0 if preconditioner is None else used
        self.solves += 1
        if used > self._limit:
            raise SolveError(
                f"the {self._what} solve did not converge: after {self._limit} iterations the relative error in energy "
                f"norm is about {np.sqrt(energy / (target + 1e-300)) * self.rtol:.3g}, expected {self.rtol:g}; try a "
                "larger solver.max_iterations or check the mesh for degenerate cells"
            )
        return used

    def _target(self, system: LinearSystem, energy: float) -> float:
        """Return the target for an initial residual of this energy, and store the required reduction."""
        target = self.rtol**2 * system.reference
        target += self.rtol**2 * energy if system.add_start else 0.0
        self.digits = max(0.0, float(np.log10(max(energy, 1e-300) / max(target, 1e-300))))
        return target

    def _single_reduction(self, system: LinearSystem) -> tuple[int, float, float]:
        """Return the iterations (limit + 1 without convergence), the last energy of the residual and the target."""
        work, target = self._work, np.inf
        advance = work.bind_advance(system.inverse)
        work.u.array[: self._nodes.owned] = work.r * system.inverse
        alpha, beta, old = 1.0, 0.0, 1.0
        for iteration in range(self._limit + 1):
            work.u.scatter_forward()
            work.multiply()
            energy, curvature = self._nodes.total_of(*work.sums)
            self._refuse_broken(energy)
            if iteration == 0:
                target = self._target(system, energy)
            if energy <= target:
                work.x.scatter_forward()
                return iteration, energy, target
            if iteration > 0:
                beta = energy / old
                curvature -= beta * energy / alpha
            alpha, old = energy / curvature, energy
            advance(alpha, beta)
        return self._limit + 1, energy, target

    def _preconditioned(self, system: LinearSystem, preconditioner: Preconditioner) -> tuple[int, float, float]:
        work, total = self._work, self._nodes.total_of
        curvature = work.bind_curvature(system.inverse)
        r, u = work.r, work.u.array
        energy = total(preconditioner.apply(r, u))[0]
        target = self._target(system, energy)
        beta = 0.0
        for iteration in range(self._limit + 1):
            self._refuse_broken(energy)
            if energy <= target:
                work.x.scatter_forward()
                return iteration, energy, target
            work.turn(beta)
            work.p.scatter_forward()
            curvature()
            pq, rr, rq, qq = total(*work.curvatures)
            alpha = energy / pq
            work.descend(alpha)
            left = energy * max(0.0, 1.0 - alpha * (2.0 * rq - alpha * qq) / rr)  # r . D^-1 r falls by this factor
            if left <= SAFETY * target:  # converged by extrapolation, without a V-cycle to confirm it
                work.x.scatter_forward()
                return iteration + 1, left, target
            old, energy = energy, total(preconditioner.apply(r, u))[0]
            beta = energy / old
        return self._limit + 1, energy, target

    def _refuse_broken(self, energy: float) -> None:
        if not 0.0 <= energy < np.inf:
            raise SolveError(
                f"the {self._what} solve broke down: found {energy:g} for the energy of the residual, expected a "
                "positive number; check the mesh for degenerate cells and the tissues for non-finite values"
            )


class _Work:
    """The vectors of the solver, with kernels bound to them."""

    def __init__(self, nodes: Nodes, matrix: Matrix) -> None:
        self._nodes, self._matrix = nodes, matrix
        self.x, self.u, self.p = (nodes.vector() for _ in range(3))
        self.r, self.w, self._s = (np.zeros(nodes.owned) for _ in range(3))
        self.sums = np.zeros(2)
        self.multiply = bind("multiply_and_dot", *matrix.layout, self.u.array, self.r, self.w, self.sums)
        self.turn = bind("new_direction", nodes.owned, self.u.array, self.p.array)
        self.curvatures = np.zeros(4)
        self.descend = bind("descend", nodes.owned, self.p.array, self.w, self.x.array, self.r)

    def start(self, x: FloatArray, b: FloatArray | None) -> None:
        """Set the initial guess and compute its residual."""
        self.x.array[:] = x
        self.p.array[:] = 0.0
        self._s[:] = 0.0
        product = self._matrix.times(x)
        self.r[:] = -product if b is None else b - product

    def bind_advance(self, inverse: FloatArray):  # type: ignore[no-untyped-def]
        vectors = (self.u.array, self.p.array, self._s, self.x.array, self.r)
        return bind("advance", self._nodes.owned, inverse, self.w, *vectors)

    def bind_curvature(self, inverse: FloatArray):  # type: ignore[no-untyped-def]
        vectors = (self.p.array, self.w, inverse, self.r)
        return bind("curvature", *self._matrix.layout, *vectors, self.curvatures)
