"""Conjugate gradients: the one place where a linear system is solved and its convergence is checked.

A x = b is solved at the free nodes; at fixed ones x keeps the value it comes with. The residual of the start is formed
with these values in place, and a preconditioner that is zero at fixed nodes keeps every direction zero there. So no
matrix is changed for its fixed nodes.

The tolerance is one of energy:   r . M r  <=  rtol^2 reference,   where r . M r is about the square of the error's
energy norm, because M is about the inverse of A, and `reference` about that of the solution. Unlike the norm of the
residual it does not depend on how finely a corner of the domain is meshed.

Two preconditioners, chosen by measurement: the inverse diagonal, for which each iteration needs one reduction only
(Chronopoulos and Gear, J. Comput. Appl. Math. 25, 1989), and a V-cycle (multigrid.py).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from rfablate.errors import SolveError
from rfablate.kernels.loader import bind
from rfablate.linalg.matrix import Matrix
from rfablate.mesh.domain import Nodes

FloatArray = npt.NDArray[np.float64]

SAFETY = 0.25
"""Of the tolerance (squared): the energy of a residual that no V-cycle has seen yet is foretold, not known."""


class Preconditioner(Protocol):
    """An approximate inverse, symmetric and positive, zero at fixed nodes."""

    def apply(self, r: FloatArray, u: FloatArray) -> float:
        """Write M r at the owned nodes into u; return this rank's part of r . M r. Collective."""


class ConjugateGradients:
    """Solves with one matrix, whose values change from step to step; its vectors are allocated once."""

    def __init__(self, nodes: Nodes, matrix: Matrix, *, what: str, rtol: float, max_iterations: int) -> None:
        """Set up; `what` names the equation in messages and `rtol` is relative, in energy."""
        self.matrix, self.rtol = matrix, rtol
        self._nodes, self._what, self._limit = nodes, what, max_iterations
        self.iterations, self.solves, self.cycles = 0, 0, 0
        self.digits = 0.0
        """By how many powers of ten the last solve had to reduce the error's energy."""
        self._work = _Work(nodes, matrix)

    def solve(
        self,
        x: FloatArray,
        b: FloatArray | None,
        inverse: FloatArray,
        reference: float,
        preconditioner: Preconditioner | None = None,
        *,
        add_start: bool = False,
    ) -> int:
        """Solve in place, x at the local nodes with a start and the fixed values; return the iterations. Collective.

        Args:
            x: start and result, shape (nodes.local,).
            b: right-hand side at the owned nodes; None for zero.
            inverse: of the diagonal at the owned nodes, zero at fixed ones.
            reference: square of the energy norm that the tolerance is relative to.
            preconditioner: better than the inverse diagonal.
            add_start: add the energy of the start's residual to the reference: where fixed values alone drive.

        Raises:
            SolveError: not converged, or broken down; says how far it came.
        """
        target, work = self.rtol**2 * reference, self._work
        work.start(x, b)
        if preconditioner is None:
            used, energy, target = self._single_reduction(inverse, target, add_start)
        else:
            used, energy, target = self._preconditioned(inverse, target, preconditioner, add_start)
        x[:] = work.x.array
        self.iterations += used
        self.cycles += 0 if preconditioner is None else used
        self.solves += 1
        if used > self._limit:
            raise SolveError(
                f"the {self._what} solve did not converge: after {self._limit} iterations the error is about "
                f"{np.sqrt(energy / (target + 1e-300)) * self.rtol:.3g} of the solution, in energy, expected "
                f"{self.rtol:g}; try a larger solver.max_iterations or look for degenerate cells"
            )
        return used

    def _start_from(self, energy: float, target: float, *, add_start: bool) -> float:
        """Return the target for a start with this energy of the residual, and note how far it is."""
        target += self.rtol**2 * energy if add_start else 0.0
        self.digits = max(0.0, float(np.log10(max(energy, 1e-300) / max(target, 1e-300))))
        return target

    def _single_reduction(self, inverse: FloatArray, target: float, add_start: bool) -> tuple[int, float, float]:
        """Return the iterations used, limit + 1 if they did not suffice, the residual's last energy and the target."""
        work = self._work
        advance = work.bind_advance(inverse)
        work.u.array[: self._nodes.owned] = work.r * inverse
        alpha, beta, old = 1.0, 0.0, 1.0
        for iteration in range(self._limit + 1):
            work.u.scatter_forward()
            work.multiply()
            energy, curvature = self._nodes.total_of(*work.sums)
            self._refuse_broken(energy)
            if iteration == 0:
                target = self._start_from(energy, target, add_start=add_start)
            if energy <= target:
                work.x.scatter_forward()
                return iteration, energy, target
            if iteration > 0:
                beta = energy / old
                curvature -= beta * energy / alpha
            alpha, old = energy / curvature, energy
            advance(alpha, beta)
        return self._limit + 1, energy, target

    def _preconditioned(
        self, inverse: FloatArray, target: float, preconditioner: Preconditioner, add_start: bool
    ) -> tuple[int, float, float]:
        work, total = self._work, self._nodes.total_of
        descend = work.bind_descend(inverse)
        r, u = work.r, work.u.array
        plain = float(r @ (inverse * r))
        energy, plain = total(preconditioner.apply(r, u), plain)
        target = self._start_from(energy, target, add_start=add_start)
        beta = 0.0
        for iteration in range(self._limit + 1):
            self._refuse_broken(energy)
            if energy <= target:
                work.x.scatter_forward()
                return iteration, energy, target
            work.turn(beta)
            work.p.scatter_forward()
            alpha = energy / total(work.curvature())[0]
            ratio = energy / plain
            plain = total(descend(alpha))[0]
            if ratio * plain <= SAFETY * target:  # good enough already, without a V-cycle to confirm it
                work.x.scatter_forward()
                return iteration + 1, ratio * plain, target
            old, energy = energy, total(preconditioner.apply(r, u))[0]
            beta = energy / old
        return self._limit + 1, energy, target

    def _refuse_broken(self, energy: float) -> None:
        if not 0.0 <= energy < np.inf:
            raise SolveError(
                f"the {self._what} solve broke down: the energy of the residual is {energy:g}, expected a "
                "positive number; look for degenerate cells and for non-finite tissue values"
            )


class _Work:
    """The solver's vectors with the kernels bound to them."""

    def __init__(self, nodes: Nodes, matrix: Matrix) -> None:
        self._nodes, self._matrix = nodes, matrix
        self.x, self.u, self.p = (nodes.vector() for _ in range(3))
        self.r, self.w, self._s = (np.zeros(nodes.owned) for _ in range(3))
        self.sums = np.zeros(2)
        self.multiply = bind("multiply_and_dot", *matrix.layout, self.u.array, self.r, self.w, self.sums)
        self.turn = bind("new_direction", nodes.owned, self.u.array, self.p.array)
        self.curvature = bind("curvature", *matrix.layout, self.p.array, self.w)

    def start(self, x: FloatArray, b: FloatArray | None) -> None:
        """Take the start and form its residual."""
        self.x.array[:] = x
        self.p.array[:] = 0.0
        self._s[:] = 0.0
        product = self._matrix.times(x)
        self.r[:] = -product if b is None else b - product

    def bind_advance(self, inverse: FloatArray):  # type: ignore[no-untyped-def]
        vectors = (self.u.array, self.p.array, self._s, self.x.array, self.r)
        return bind("advance", self._nodes.owned, inverse, self.w, *vectors)

    def bind_descend(self, inverse: FloatArray):  # type: ignore[no-untyped-def]
        return bind("descend", self._nodes.owned, inverse, self.p.array, self.w, self.x.array, self.r)
