"""Conjugate gradients: the one place where a linear system is solved and its convergence is checked.

A x = b is solved at the free nodes; at fixed ones x keeps the value it comes with. The residual of the start is formed
with these values in place, and a preconditioner that is zero at fixed nodes keeps every direction zero there. So no
matrix is changed for its fixed nodes.

The tolerance is one of energy:   r . M r  <=  rtol^2 reference,   where r . M r is about the square of the error's
energy norm, because M is about the inverse of A, and `reference` about that of the solution. Unlike the norm of the
residual it does not depend on how finely a corner of the domain is meshed.

Two preconditioners, chosen by measurement: the inverse diagonal, for which each iteration needs one reduction only
(Chronopoulos and Gear, J. Comput. Appl. Math. 25, 1989), and a V-cycle (multigrid.py). Two right-hand sides are solved
side by side: the matrix is read once for both.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from rfablate.errors import SolveError
from rfablate.fem.domain import Nodes
from rfablate.fem.kernels import bind
from rfablate.fem.matrix import Matrix

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
        self.iterations, self.solves = 0, 0
        self.digits = 0.0
        """By how many powers of ten the last solve had to reduce the error's energy."""
        self._work = {1: _Work(nodes, matrix, 1)}

    def solve(
        self,
        x: FloatArray,
        b: FloatArray | None,
        inverse: FloatArray,
        reference: float | FloatArray,
        preconditioner: Preconditioner | None = None,
        *,
        add_start: bool = False,
    ) -> int:
        """Solve in place, x at the local nodes with a start and the fixed values; return the iterations. Collective.

        Args:
            x: start and result, shape (nodes.local,), or (nodes.local, 2) for two right-hand sides.
            b: right-hand side at the owned nodes, like x; None for zero.
            inverse: of the diagonal at the owned nodes, zero at fixed ones.
            reference: square of the energy norm that the tolerance is relative to, one a right-hand side.
            preconditioner: better than the inverse diagonal, for one right-hand side.
            add_start: add the energy of the start's residual to the reference: where fixed values alone drive.

        Raises:
            SolveError: not converged, or broken down; says how far it came.
        """
        target = np.atleast_1d(self.rtol**2 * np.asarray(reference, dtype=np.float64))
        work = self._vectors(x.size // len(x))
        work.start(x, b)
        if preconditioner is None:
            used, energy = self._single_reduction(work, inverse, target, add_start)
        else:
            used, energy = self._preconditioned(work, inverse, float(target[0]), preconditioner, add_start)
        x[:] = work.x.array.reshape(x.shape)
        self.iterations += used
        self.solves += 1
        if used > self._limit:
            raise SolveError(
                f"the {self._what} solve did not converge: after {self._limit} iterations the error is about "
                f"{np.sqrt(np.max(energy / (target + 1e-300))) * self.rtol:.3g} of the solution, in energy, expected "
                f"{self.rtol:g}; try a larger solver.max_iterations or look for degenerate cells"
            )
        return used

    def _vectors(self, width: int) -> _Work:
        if width not in self._work:
            self._work[width] = _Work(self._nodes, self.matrix, width)
        return self._work[width]

    def _single_reduction(
        self, work: _Work, inverse: FloatArray, target: FloatArray, add_start: bool
    ) -> tuple[int, FloatArray]:
        """Return the iterations used, limit + 1 if they did not suffice, and the last energy of the residual."""
        advance = work.bind_advance(inverse)
        work.u.array[: work.size] = work.r * np.repeat(inverse, work.width)
        alpha = old = np.ones(work.width)
        beta = np.zeros(work.width)
        for iteration in range(self._limit + 1):
            work.u.scatter_forward()
            work.multiply()
            sums = self._nodes.total_of(*work.sums)
            energy, curvature = sums[0::2], sums[1::2]
            self._refuse_broken(energy)
            if iteration == 0:
                target = target + self.rtol**2 * energy if add_start else target
                self.digits = _digits(energy, target)
            if (energy <= target).all():
                work.x.scatter_forward()
                return iteration, energy
            going = energy > 1e-2 * target  # a right-hand side that is done rests
            if iteration > 0:
                beta = np.where(going, energy / np.where(old > 0.0, old, 1.0), 0.0)
                curvature = curvature - beta * energy / np.where(alpha != 0.0, alpha, 1.0)
            alpha = np.where(going & (curvature > 0.0), energy / np.where(curvature > 0.0, curvature, 1.0), 0.0)
            old = energy
            advance(*alpha, *beta) if work.width == 1 else advance(alpha[0], beta[0], alpha[1], beta[1])
        return self._limit + 1, energy

    def _preconditioned(
        self, work: _Work, inverse: FloatArray, target: float, preconditioner: Preconditioner, add_start: bool
    ) -> tuple[int, FloatArray]:
        descend, total = work.bind_descend(inverse), self._nodes.total_of
        r, u = work.r, work.u.array
        plain = float(r @ (inverse * r))
        energy, plain = total(preconditioner.apply(r, u), plain)
        target += self.rtol**2 * energy if add_start else 0.0
        self.digits = _digits(np.array([energy]), np.array([target]))
        beta = 0.0
        for iteration in range(self._limit + 1):
            self._refuse_broken(np.array([energy]))
            if energy <= target:
                work.x.scatter_forward()
                return iteration, np.array([energy])
            work.turn(beta)
            work.p.scatter_forward()
            alpha = energy / total(work.curvature())[0]
            ratio = energy / plain
            plain = total(descend(alpha))[0]
            if ratio * plain <= SAFETY * target:  # good enough already, without a V-cycle to confirm it
                work.x.scatter_forward()
                return iteration + 1, np.array([ratio * plain])
            old, energy = energy, total(preconditioner.apply(r, u))[0]
            beta = energy / old
        return self._limit + 1, np.array([energy])

    def _refuse_broken(self, energy: FloatArray) -> None:
        if not np.isfinite(energy).all() or (energy < 0.0).any():
            raise SolveError(
                f"the {self._what} solve broke down: the energy of the residual is {float(energy.min()):g}, expected a "
                "positive number; look for degenerate cells and for non-finite tissue values"
            )


def _digits(energy: FloatArray, target: FloatArray) -> float:
    return float(np.log10(np.max(energy / np.maximum(target, 1e-300), initial=1.0)))


class _Work:
    """Vectors of one width with the kernels bound to them."""

    def __init__(self, nodes: Nodes, matrix: Matrix, width: int) -> None:
        self.width, self.size = width, nodes.owned * width
        self._nodes, self._matrix = nodes, matrix
        self.x, self.u, self.p = (nodes.vector(width) for _ in range(3))
        self.r, self.w, self._s = (np.zeros(self.size) for _ in range(3))
        self.sums = np.zeros(2 * width)
        name = "multiply_and_dot" if width == 1 else "multiply_and_dot_2"
        self.multiply = bind(name, *matrix.layout, self.u.array, self.r, self.w, self.sums)
        self.turn = bind("new_direction", nodes.owned, self.u.array, self.p.array)
        self.curvature = bind("curvature", *matrix.layout, self.p.array, self.w)

    def start(self, x: FloatArray, b: FloatArray | None) -> None:
        """Take the start and form its residual."""
        self.x.array[:] = x.ravel()
        self.p.array[:] = 0.0
        self._s[:] = 0.0
        for k in range(self.width):
            column = np.ascontiguousarray(x.reshape(-1, self.width)[:, k])
            product = self._matrix.times(column)
            self.r[k :: self.width] = -product if b is None else b.reshape(-1, self.width)[:, k] - product

    def bind_advance(self, inverse: FloatArray):  # type: ignore[no-untyped-def]
        name = "advance" if self.width == 1 else "advance_2"
        vectors = (self.u.array, self.p.array, self._s, self.x.array, self.r)
        return bind(name, self._nodes.owned, inverse, self.w, *vectors)

    def bind_descend(self, inverse: FloatArray):  # type: ignore[no-untyped-def]
        return bind("descend", self._nodes.owned, inverse, self.p.array, self.w, self.x.array, self.r)
