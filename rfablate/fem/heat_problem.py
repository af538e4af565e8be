"""Pennes' bioheat equation in tissue and metal.

    rho c dT/dt = div( k grad T ) - omega_b rho_b c_b (T - T_b) alive + V^2 q_1

T [degC]; q_1 Joule heat of 1 V [W/(m3 V2)]; alive decreases to 0 in dead tissue. Boundary conditions: T prescribed on
fixed nodes, k dT/dn = h (T_c - T) at a wall with a liquid (`fem.wall_convection`), zero flux elsewhere. Time
discretisation: dT/dt ~ w0 T(n+1) + w1 T(n) + w2 T(n-1) + w3 T(n-2),  coefficients at an extrapolated temperature,
so that the step is linear and splits into a part without voltage and a part for 1 V:   T(n+1) = T_a + V^2 T_b.
The unknown is the rise above blood temperature, so that the solver tolerance is relative to the rise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rfablate.arrays import BoolArray, FloatArray
from rfablate.fem.mass_matrix import Mass, Rows
from rfablate.fem.wall_convection import WallConvection
from rfablate.linalg.engine import make_solver
from rfablate.linalg.initial_guess import ProjectionSpace
from rfablate.linalg.linear_system import LinearSystem, SolverOptions
from rfablate.linalg.matrix import Matrix, Pattern
from rfablate.linalg.multigrid import CachedHierarchy, HierarchyMemory
from rfablate.mesh.domain import Domain

SLOW = 5.0
"""Iterations with the diagonal preconditioner per factor of ten in the energy of the error, above which V-cycles are
used. A cycle costs as much as 4.2 iterations on 146,000 nodes and 2.7 on 589,000 (larger than the cache) and reduces
the energy by a factor of ten or more. Break-even is at 2.3 to 3.8 iterations, without the cost of the hierarchy."""
REMEMBERED = 3
"""Stored responses per channel for initial guesses; each reduces the energy of the error by a factor of ten or more."""


@dataclass(frozen=True)
class HeatSinks:
    """The liquids that take heat from the tissue: blood in it, and liquids at walls."""

    blood_temperature: float
    """[degC]"""
    wall_convection: WallConvection | None = None


@dataclass(frozen=True)
class HeatFlows:
    """Heat flows out of the tissue at one instant [W], and the energy stored since the start [J]."""

    perfused: float
    boundary: float
    stored: float


@dataclass(frozen=True)
class HeatMemory:
    """The solver state that is kept between steps."""

    diagonal_needs: float
    fixed: BoolArray
    hierarchy: HierarchyMemory
    iterations: int
    responses: tuple[tuple[FloatArray, ...], ...] = ()


class HeatProblem:
    """The bioheat operator of a step, solved for the temperature and for the response to 1 V."""

    def __init__(self, domain: Domain, pattern: Pattern, mass: Mass, sinks: HeatSinks, options: SolverOptions) -> None:
        """Set up with heat capacity and perfusion of the nodes; `options` of the linear solver. Collective."""
        self._domain, self.mass = domain, mass
        self._blood, self._walls = sinks.blood_temperature, sinks.wall_convection
        self.stiffness = Matrix(pattern)
        """Stiffness of k; `Pattern.assemble` computes it before each step."""
        self._operator = Matrix(pattern, self.stiffness if mass.lumped else None)
        self.solver = make_solver(domain.nodes, self._operator, "heat", options)
        self._hierarchy = CachedHierarchy(domain.nodes, self.stiffness, mass.capacity, coarse=options.coarse_levels)
        self._diagonal_needs = 0.0
        """Iterations above one with the inverse diagonal, per factor of ten in energy, times sqrt(w0) [1/s^0.5]."""
        self._w0 = 0.0
        self._inverse = np.zeros(domain.nodes.owned)
        self._fixed = np.zeros(domain.nodes.local, dtype=bool)
        self._responses: list[tuple[FloatArray, ...]] = []
        """The last responses of each channel, newest first."""
        self._answered: set[int] = set()
        """Channels whose newest response belongs to the current operator."""
        self._past: Sequence[tuple[float, FloatArray]] = ()
        self._known: ProjectionSpace | None = None

    def memory(self) -> HeatMemory:
        """Return the data that `restore` requires."""
        solver = self.solver
        return HeatMemory(
            self._diagonal_needs, self._fixed, self._hierarchy.memory(), solver.iterations, tuple(self._responses)
        )

    def restore(self, memory: HeatMemory, assemble: Callable[[FloatArray], None]) -> None:
        """Restore a saved state; `assemble` computes the stiffness at a temperature. Collective."""
        self._diagonal_needs, self._fixed = memory.diagonal_needs, memory.fixed
        self._responses = list(memory.responses)
        self._hierarchy.restore(memory.hierarchy, ~memory.fixed[: len(self._inverse)], assemble)
        self.solver.iterations = memory.iterations

    def prepare(
        self, w0: float, alive: FloatArray, fixed: BoolArray, past: Sequence[tuple[float, FloatArray]] = ()
    ) -> None:
        """Set the operator w0 C + K + W(alive) and its fixed nodes; alive at the local nodes. Collective.

        All ranks pass the same array `fixed` as before, or all pass a new one: only then are the nodes compared. The
        differences between the last temperatures in `past` are used for initial guesses (`initial_guess.py`).
        """
        if fixed is not self._fixed and self._domain.nodes.max_of(float(not np.array_equal(fixed, self._fixed)))[0]:
            self._hierarchy.drop()
        self._w0, self._fixed = w0, fixed
        self._past, self._known, self._answered = past, None, set()
        self.mass.add(self._operator, self.stiffness, w0, alive)
        if self._walls is not None:
            self._operator.diagonal += self._walls.transfer
        free = ~fixed[: len(self._inverse)]
        self._inverse[:] = np.divide(1.0, self._operator.diagonal, out=np.zeros(len(free)), where=free)

    def nearest(self, past: FloatArray, fixed_value: FloatArray, guess: FloatArray, source: FloatArray) -> FloatArray:
        """Return the projected initial guess [degC] for `step` with the same arguments. Collective."""
        rise, b = self._system(past, fixed_value, guess, source)
        return rise + self._known_fields().nearest(b - self._operator.times(rise)) + self._blood

    def step(self, past: FloatArray, fixed_value: FloatArray, guess: FloatArray, source: FloatArray) -> FloatArray:
        """Return the temperature at the end of the step [degC]. Collective.

        Args:
            past: -(w1 T(n) + w2 T(n-1) + ...) at the local nodes [K/s].
            fixed_value: temperature of the fixed nodes [degC].
            guess: initial guess [degC].
            source: Joule and other heat at the nodes [W].
        """
        rise, b = self._system(past, fixed_value, guess, source)
        self._solve(rise, b)
        return rise + self._blood

    def nearest_response(self, unit_load: FloatArray) -> FloatArray:
        """Return the projected initial guess for `response`. Collective."""
        return self._known_fields().nearest(unit_load[: self._domain.nodes.owned])

    def response(self, number: int, unit_load: FloatArray, start: FloatArray, coarser: float = 1.0) -> FloatArray:
        """Return T_b [K/V2], the temperature rise for the Joule heat of 1 V. Collective.

        Args:
            number: index of the channel.
            unit_load: Joule heat of 1 V at the nodes [W/V2].
            start: initial guess, zero at fixed nodes.
            coarser: tolerance as a multiple of that of the temperature.
        """
        response = start.copy()
        self._solve(response, unit_load[: self._domain.nodes.owned], coarser)
        self._responses += [()] * (number + 1 - len(self._responses))
        earlier = self._responses[number][1 if number in self._answered else 0 :]
        self._responses[number] = (response, *earlier)[:REMEMBERED]
        self._answered.add(number)
        return response

    def _known_fields(self) -> ProjectionSpace:
        """Return the space of the last changes and responses, with this operator. Collective."""
        if self._known is None:
            changes = [new - old for (_, new), (_, old) in zip(self._past[:3], self._past[1:3], strict=False)]
            fields = [*changes, *(each for channel in self._responses for each in channel)]
            free = np.where(self._fixed, 0.0, np.reshape(fields, (len(fields), self._domain.nodes.local)))
            self._known = ProjectionSpace(self._domain.nodes, self._operator, free)
        return self._known

    def _solve(self, x: FloatArray, b: FloatArray, coarser: float = 1.0) -> None:
        """Solve in place with the faster preconditioner, the diagonal or V-cycles, or that of the engine. Collective.

        With the diagonal, the number of iterations is proportional to the square root of the step length (diffusion).
        """
        root = np.sqrt(self._w0)
        system = LinearSystem(b, self._inverse, self._energy(x, b) * coarser**2, add_start=True)
        if self.solver.own_preconditioner:
            self.solver.solve(x, system)
        elif 1.0 + self._diagonal_needs / max(root, 1e-12) > SLOW:
            cycle = self._hierarchy.get(self._inverse > 0.0, self._w0)
            used = self.solver.solve(x, system, cycle)
            self._hierarchy.note(used, self.solver.digits)
        else:
            used = self.solver.solve(x, system)
            self._diagonal_needs = max(0.0, used / max(self.solver.digits, 1.0) - 1.0) * root

    def _system(
        self, past: FloatArray, fixed_value: FloatArray, guess: FloatArray, source: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return the initial guess of the rise above blood temperature, and the right-hand side at the owned nodes."""
        b = self.mass.heat(past - self._w0 * self._blood) + source[: self._domain.nodes.owned]
        if self._walls is not None:
            b += self._walls.transfer * (self._walls.temperature - self._blood)
        return np.where(self._fixed, fixed_value, guess) - self._blood, b

    def _energy(self, guess: FloatArray, b: FloatArray) -> float:
        """Return an estimate of the energy b . x of the solution, from the guess or, if larger, from the diagonal."""
        return float(max(self._domain.nodes.total_of(float(b @ (self._inverse * b)), float(b @ guess[: len(b)]))))

    def reaction(self, rows: Rows, T: FloatArray, rate: FloatArray, load: FloatArray) -> FloatArray:
        """Return the power [W] absorbed by fixed owned nodes, the residual of their equations.

        load - C dT/dt - K T - W (T - T_b); arguments as in `flows`.
        """
        rise = T - self._blood
        power = load[rows] - self._operator.rows_times(rows, rise) + self.mass.heat_at(rows, self._w0 * rise - rate)
        if self._walls is not None:
            power += self._walls.transfer[rows] * (self._walls.temperature[rows] - self._blood)
        return np.asarray(power)

    def flows(
        self, T: FloatArray, rate: FloatArray, load: FloatArray, start: FloatArray, boiling: BoolArray | None = None
    ) -> HeatFlows:
        """Return perfused and boundary power and stored energy. Collective.

        The boundary power is the reaction of the fixed nodes, except those in `boiling`, plus the heat transferred to
        liquids at walls.
        Args:
            T: temperature at the end of the step [degC].
            rate: dT/dt at that time [K/s].
            load: Joule and other heat at the nodes [W].
            start: temperature at the start of the run [degC].
            boiling: fixed nodes whose reaction is latent heat.
        """
        nodes, mass = self._domain.nodes, self.mass
        fixed = self._fixed if boiling is None else self._fixed & ~boiling
        reaction = self.reaction(np.flatnonzero(fixed[: nodes.owned]), T, rate, load)
        lost = mass.perfused(T - self._blood)
        drawn = self._walls.drawn(T) if self._walls is not None else 0.0
        perfused, boundary, stored = nodes.total_of(
            float(lost.sum()), float(reaction.sum()) + drawn, float(mass.capacity @ (T - start)[: nodes.owned])
        )
        return HeatFlows(float(perfused), float(boundary), float(stored))
