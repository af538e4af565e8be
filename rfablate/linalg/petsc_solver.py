"""Linear systems solved by PETSc, with the options of the case: for an independent check and for tuned PETSc.

The matrix is that of `matrix.py`: each rank sets its own rows. PETSc has no fixed nodes; their rows and
columns become those of the identity, and PETSc solves for the correction of the initial guess,

    A_ff d_f = r_f,    d = 0 at fixed nodes,    x = x + d

The convergence criterion is that of `conjugate_gradients.py`, r . M r <= rtol^2 reference, with M the preconditioner of
PETSc. Conjugate gradients evaluate it in each iteration (the "natural" norm). After other methods it is evaluated with
the residual of the solution, and they are repeated from this solution until it is met.

The preconditioner is reused while coefficients change, and built again when iterations or coefficients have grown.
It is not in a checkpoint: a resumed run agrees to the tolerances of the solver, not bit by bit.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from itertools import count
from typing import Any

import numpy as np
from petsc4py import PETSc

from rfablate.arrays import BoolArray, FloatArray
from rfablate.errors import SolveError
from rfablate.linalg.linear_system import LinearSystem, Preconditioner, SolverOptions
from rfablate.linalg.matrix import Matrix
from rfablate.linalg.petsc_matrix import PetscSystem
from rfablate.mesh.domain import Nodes

DEFAULTS = {"ksp_type": "cg", "pc_type": "gamg"}
"""Default options. GAMG is in every PETSc, and was faster than BoomerAMG (hpc/bench/README.md)."""
NATURAL = ("cg", "groppcg", "pipecg", "fcg")
"""Methods that evaluate r . M r in each iteration."""
DIRECT = "preonly"
"""The method that applies the preconditioner once, which must then be built for the current values."""
GROWN = 1.5
"""Ratio of iterations, or of a diagonal entry, to those of a new preconditioner, above which it is built again."""
FEW = 2
"""Excess iterations that do not count."""
FEW_DIGITS = 5.0
"""Reduction of the energy in powers of ten below which a solve does not indicate the quality of the preconditioner."""
REPEATS = 8
"""Largest number of solves from the residual of the last one, for methods without the natural norm."""
_number = count()


class PetscSolver:
    """Solver for one matrix with changing values."""

    own_preconditioner = True

    def __init__(self, nodes: Nodes, matrix: Matrix, what: str, options: SolverOptions) -> None:
        """Set up; arguments as in `ConjugateGradients`. Collective.

        Options of PETSc apply to every solver; those that begin with `potential_` or `heat_` to that solver only.

        Raises:
            SolveError: PETSc rejects an option, or was built for complex numbers.
        """
        if np.dtype(PETSc.ScalarType).kind == "c":
            raise SolveError(
                'found a PETSc built for complex numbers; expected real numbers; use solver.engine = "native"'
            )
        self.matrix, self.rtol = matrix, options.rtol
        self._nodes, self._what, self._limit = nodes, what, options.max_iterations
        self.iterations, self.solves, self.cycles = 0, 0, 0
        self.digits = 0.0
        self._options = _Options(what, options.petsc_options)
        self._system = PetscSystem(nodes, matrix, self._options.prefix)
        self._ksp: Any = None
        self._fresh: float | None = None
        """Iterations per factor of ten in energy with a new preconditioner."""
        self._stale = True
        self._goal = _Goal()

    def solve(self, x: FloatArray, system: LinearSystem, preconditioner: Preconditioner | None = None) -> int:
        """Solve in place; return the number of iterations. See `ConjugateGradients.solve`. Collective."""
        self._goal.set(self.rtol**2 * system.reference, self.rtol**2 if system.add_start else 0.0)
        try:
            used = self._solve(x, system.b, system.inverse > 0.0)
        except PETSc.Error as error:
            raise SolveError(
                f"PETSc failed in the {self._what} solve: {_reason(error)}; check solver.petsc_options"
            ) from None
        if self.solves == 0:
            self._options.refuse_unused(self._nodes)
        self.digits = self._goal.digits
        self.iterations += used
        self.solves += 1
        return used

    def _solve(self, x: FloatArray, b: FloatArray | None, free: BoolArray) -> int:
        changed, grown = self._system.update(free, GROWN)
        if self._ksp is None:
            self._ksp = self._make()
        ksp = self._ksp
        build = self._stale or grown or (changed and ksp.getType() == DIRECT)
        ksp.getPC().setReusePreconditioner(not build)
        ksp.setOperators(self._system.A)
        if build:
            self._system.remember()
            self._fresh = None
        natural = ksp.getType() in NATURAL
        used = self._natural(x, b, free) if natural else self._repeated(x, b, free)
        self._stale = False
        if self._goal.digits >= FEW_DIGITS:  # a smaller reduction does not indicate the quality
            if self._fresh is None:
                self._fresh = used / self._goal.digits
            self._stale = used > GROWN * self._fresh * self._goal.digits + FEW
        return used

    def _make(self) -> Any:
        ksp = PETSc.KSP().create(self._nodes.comm)
        ksp.setOptionsPrefix(self._options.prefix)
        ksp.setOperators(self._system.A)
        ksp.setFromOptions()
        ksp.setInitialGuessNonzero(False)
        if ksp.getType() in NATURAL:
            ksp.setNormType(PETSc.KSP.NormType.NATURAL)
            ksp.setConvergenceTest(self._goal.test)
        return ksp

    def _natural(self, x: FloatArray, b: FloatArray | None, free: BoolArray) -> int:
        system, ksp = self._system, self._ksp
        system.residual(x, b, free)
        ksp.setTolerances(rtol=1e-300, atol=0.0, divtol=1e300, max_it=self._limit)
        ksp.solve(system.r, system.d)
        self._refuse_unconverged(ksp.getConvergedReason())
        system.correct(x)
        return int(ksp.getIterationNumber())

    def _repeated(self, x: FloatArray, b: FloatArray | None, free: BoolArray) -> int:
        system, ksp, used = self._system, self._ksp, 0
        for repeat in range(REPEATS + 1):
            system.residual(x, b, free)
            ksp.setUp()
            ksp.getPC().apply(system.r, system.d)
            energy = float(system.r.dot(system.d))
            if repeat == 0:
                self._goal.start(energy)
            self._goal.reached = energy
            if abs(energy) <= self._goal.target:
                return used
            if not 0.0 < energy < np.inf:
                self._refuse_unconverged(int(PETSc.KSP.ConvergedReason.DIVERGED_INDEFINITE_PC))
            if repeat == REPEATS or used >= self._limit:
                break
            rtol = 0.5 * np.sqrt(self._goal.target / energy) if self._goal.target > 0.0 else 1e-12
            ksp.setTolerances(rtol=max(rtol, 1e-14), atol=1e-300, max_it=max(1, self._limit - used))
            ksp.solve(system.r, system.d)
            self._refuse_unconverged(ksp.getConvergedReason())
            used += max(1, int(ksp.getIterationNumber()))
            system.correct(x)
        self._refuse_unconverged(int(PETSc.KSP.ConvergedReason.DIVERGED_MAX_IT))
        return used

    def _refuse_unconverged(self, reason: int) -> None:
        if reason > 0:
            return
        names = {value: name for name, value in vars(PETSc.KSP.ConvergedReason).items() if isinstance(value, int)}
        error = np.sqrt(abs(self._goal.reached) / (self._goal.target + 1e-300)) * self.rtol
        raise SolveError(
            f"the {self._what} solve did not converge: PETSc stopped with {names.get(reason, reason)} at a relative "
            f"error in energy norm of about {error:.3g}, expected {self.rtol:g} in {self._limit} iterations; change "
            "solver.petsc_options, or try a larger solver.max_iterations"
        )


class _Goal:
    """The energy of the residual that a solve must reach, and the test that PETSc calls in each iteration."""

    def __init__(self) -> None:
        self.target, self.reached, self.digits, self._of_start = 0.0, np.nan, 0.0, 0.0

    def set(self, target: float, of_start: float) -> None:
        """Set the target of the next solve; `of_start` is the fraction of the initial energy that is added to it."""
        self.target, self._of_start, self.reached = target, of_start, np.nan

    def start(self, energy: float) -> None:
        """Store the energy of the initial residual."""
        self.target += self._of_start * energy
        self.digits = max(0.0, float(np.log10(max(energy, 1e-300) / max(self.target, 1e-300))))

    def test(self, ksp: Any, iteration: int, norm: float) -> int:
        """Return the reason to stop, 0 to continue; `norm` is the root of r . M r."""
        self.reached = float(norm) ** 2
        if iteration == 0:
            self.start(self.reached)
        if not np.isfinite(self.reached):
            return int(PETSc.KSP.ConvergedReason.DIVERGED_NANORINF)
        return int(PETSc.KSP.ConvergedReason.CONVERGED_ATOL) if self.reached <= self.target else 0


class _Options:
    """The options of one solver in PETSc's database, under a separate prefix."""

    def __init__(self, what: str, options: Mapping[str, str]) -> None:
        self.prefix = f"rfablate_{what}_{next(_number)}_"
        own = {key.removeprefix(f"{what}_"): value for key, value in options.items() if key.startswith(f"{what}_")}
        every = {key: value for key, value in options.items() if not key.startswith(("potential_", "heat_"))}
        self._given = {**every, **own}
        database = PETSc.Options(self.prefix)
        for key, value in {**DEFAULTS, **self._given}.items():
            database.setValue(key, value or None)

    def refuse_unused(self, nodes: Nodes) -> None:
        """Raise an error for the options that PETSc has not used in the first solve. Collective.

        Raises:
            SolveError: an option is unknown, or belongs to a method that is not used.
        """
        library, used = ctypes.CDLL(PETSc.__file__), ctypes.c_int()
        found = []
        for key in self._given:
            library.PetscOptionsUsed(None, f"{self.prefix}{key}".encode(), ctypes.byref(used))
            found.append(float(used.value))
        everywhere = nodes.max_of(*found)
        unused = [key for key, each in zip(self._given, everywhere, strict=True) if not each]
        if unused:
            raise SolveError(
                f"solver.petsc_options: PETSc did not use the options {', '.join(unused)}; expected options of the "
                'selected method and preconditioner; check their spelling (ksp_view = "" lists the active ones)'
            )


def _reason(error: Exception) -> str:
    """Return the last line of an error of PETSc, which has the cause."""
    return str(error).strip().splitlines()[-1].split("] ", 1)[-1]
