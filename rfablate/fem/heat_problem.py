"""Pennes' bioheat equation in tissue and metal.

    rho c dT/dt = div( k grad T ) - omega_b rho_b c_b (T - T_b) alive + V^2 q_1

T [degC]; q_1 the Joule heat of 1 V [W/(m3 V2)]; alive falls to 0 where tissue is dead; T given on fixed nodes,
k dT/dn = h (T_c - T) on a wall with a liquid (`fem.film`), no flux through the rest. In time
dT/dt ~ w0 T(n+1) + w1 T(n) + w2 T(n-1) + w3 T(n-2),  coefficients taken at an extrapolated temperature,
so the step is linear and splits into a part without voltage and a part for 1 V:   T(n+1) = T_a + V^2 T_b.
The unknown is the rise above blood: the solver's tolerance then is one of the rise, not of the level.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rfablate.fem.mass_matrix import Mass, Rows
from rfablate.fem.wall_convection import Film
from rfablate.linalg.conjugate_gradients import ConjugateGradients
from rfablate.linalg.initial_guess import Known
from rfablate.linalg.matrix import Matrix, Pattern
from rfablate.linalg.multigrid import HierarchyMemory, KeptHierarchy
from rfablate.mesh.domain import Domain

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

SLOW = 5.0
"""Iterations with the inverse diagonal for a tenth of the error's energy, from which V-cycles are taken. A cycle costs
as much as 4.2 of them on 146,000 nodes and 2.7 on 589,000, out of the cache, for a tenth or a little more: they are
even at 2.3 to 3.8, but a hierarchy has to be built besides."""
REMEMBERED = 3
"""Responses of a channel that solves are started from; each buys a power of ten of the error's energy and more."""


@dataclass(frozen=True)
class HeatFlows:
    """Power [W] that leaves the tissue at one instant, and the energy [J] stored since the start."""

    perfused: float
    boundary: float
    stored: float


@dataclass(frozen=True)
class HeatMemory:
    """All that the solves of one step leave to those of the next."""

    diagonal_needs: float
    fixed: BoolArray
    hierarchy: HierarchyMemory
    iterations: int
    responses: tuple[tuple[FloatArray, ...], ...] = ()


class HeatProblem:
    """One operator, solved for the passive part and for the response to 1 V."""

    def __init__(
        self,
        domain: Domain,
        pattern: Pattern,
        mass: Mass,
        *,
        blood_temperature: float,
        rtol: float,
        max_iterations: int,
        film: Film | None = None,
    ) -> None:
        """Take the heat capacity and perfusion of the nodes, and the film of liquids. Collective."""
        self._domain, self.mass, self._blood, self._film = domain, mass, blood_temperature, film
        self.stiffness = Matrix(pattern)
        """Stiffness of k; `Pattern.assemble` fills it before each step."""
        self._operator = Matrix(pattern, self.stiffness if mass.lumped else None)
        self.solver = ConjugateGradients(
            domain.nodes, self._operator, what="heat", rtol=rtol, max_iterations=max_iterations
        )
        self._hierarchy = KeptHierarchy(domain.nodes, self.stiffness, mass.capacity)
        self._diagonal_needs = 0.0
        """Iterations above one with the inverse diagonal for a tenth of the error's energy, times the root of w0."""
        self._w0 = 0.0
        self._inverse = np.zeros(domain.nodes.owned)
        self._fixed = np.zeros(domain.nodes.local, dtype=bool)
        self._responses: list[tuple[FloatArray, ...]] = []
        """The last ones of each channel, newest first."""
        self._answered: set[int] = set()
        """Channels whose newest response is that of the operator as it is."""
        self._past: Sequence[tuple[float, FloatArray]] = ()
        self._known: Known | None = None

    def memory(self) -> HeatMemory:
        """Return what `restore` needs."""
        solver = self.solver
        return HeatMemory(
            self._diagonal_needs, self._fixed, self._hierarchy.memory(), solver.iterations, tuple(self._responses)
        )

    def restore(self, memory: HeatMemory, assemble: Callable[[FloatArray], None]) -> None:
        """Be as when it was remembered; `assemble` fills the stiffness at a temperature. Collective."""
        self._diagonal_needs, self._fixed = memory.diagonal_needs, memory.fixed
        self._responses = list(memory.responses)
        self._hierarchy.restore(memory.hierarchy, ~memory.fixed[: len(self._inverse)], assemble)
        self.solver.iterations = memory.iterations

    def prepare(
        self, w0: float, alive: FloatArray, fixed: BoolArray, past: Sequence[tuple[float, FloatArray]] = ()
    ) -> None:
        """Set the operator w0 C + K + W(alive) with its fixed nodes; alive at the local nodes. Collective.

        All ranks pass the same array as before, or all another one: only then are its nodes compared. By what the
        last temperatures in `past` differ, among others, drafts of solutions are made (`known.py`).
        """
        if fixed is not self._fixed and self._domain.nodes.max_of(float(not np.array_equal(fixed, self._fixed)))[0]:
            self._hierarchy.drop()
        self._w0, self._fixed = w0, fixed
        self._past, self._known, self._answered = past, None, set()
        self.mass.add(self._operator, self.stiffness, w0, alive)
        if self._film is not None:
            self._operator.diagonal += self._film.transfer
        free = ~fixed[: len(self._inverse)]
        self._inverse[:] = np.divide(1.0, self._operator.diagonal, out=np.zeros(len(free)), where=free)

    def nearest(self, past: FloatArray, fixed_value: FloatArray, guess: FloatArray, source: FloatArray) -> FloatArray:
        """Return the start [degC] that what is known gives `step`, whose arguments are the same. Collective."""
        rise, b = self._system(past, fixed_value, guess, source)
        return rise + self._what_is_known().nearest(b - self._operator.times(rise)) + self._blood

    def step(self, past: FloatArray, fixed_value: FloatArray, guess: FloatArray, source: FloatArray) -> FloatArray:
        """Return the temperature at the end of the step [degC]. Collective.

        Args:
            past: -(w1 T(n) + w2 T(n-1) + ...) at the local nodes [K/s].
            fixed_value: temperature of the fixed nodes [degC].
            guess: starting value [degC].
            source: Joule and other heat at the nodes [W].
        """
        rise, b = self._system(past, fixed_value, guess, source)
        self._solve(rise, b)
        return rise + self._blood

    def nearest_response(self, unit_load: FloatArray) -> FloatArray:
        """Return the start that what is known gives `response`. Collective."""
        return self._what_is_known().nearest(unit_load[: self._domain.nodes.owned])

    def response(self, number: int, unit_load: FloatArray, start: FloatArray, coarser: float = 1.0) -> FloatArray:
        """Return T_b [K/V2], the rise for the Joule heat of 1 V. Collective.

        Args:
            number: of the channel.
            unit_load: Joule heat of 1 V at the nodes [W/V2].
            start: starting value, zero at fixed nodes.
            coarser: by how much the tolerance may be larger than that of the temperature.
        """
        response = start.copy()
        self._solve(response, unit_load[: self._domain.nodes.owned], coarser)
        self._responses += [()] * (number + 1 - len(self._responses))
        earlier = self._responses[number][1 if number in self._answered else 0 :]
        self._responses[number] = (response, *earlier)[:REMEMBERED]
        self._answered.add(number)
        return response

    def _what_is_known(self) -> Known:
        """Return the span of the last changes and responses, with this operator. Collective."""
        if self._known is None:
            changes = [new - old for (_, new), (_, old) in zip(self._past[:3], self._past[1:3], strict=False)]
            fields = [*changes, *(each for channel in self._responses for each in channel)]
            free = np.where(self._fixed, 0.0, np.reshape(fields, (len(fields), self._domain.nodes.local)))
            self._known = Known(self._domain.nodes, self._operator, free)
        return self._known

    def _solve(self, x: FloatArray, b: FloatArray, coarser: float = 1.0) -> None:
        """Solve in place with what is quicker, the inverse diagonal or V-cycles. Collective.

        With the inverse diagonal the iterations grow like the root of the step, as diffusion goes.
        """
        root, reference = np.sqrt(self._w0), self._energy(x, b) * coarser**2
        if 1.0 + self._diagonal_needs / max(root, 1e-12) > SLOW:
            cycle = self._hierarchy.get(self._inverse > 0.0, self._w0)
            used = self.solver.solve(x, b, self._inverse, reference, cycle, add_start=True)
            self._hierarchy.note(used, self.solver.digits)
        else:
            used = self.solver.solve(x, b, self._inverse, reference, add_start=True)
            self._diagonal_needs = max(0.0, used / max(self.solver.digits, 1.0) - 1.0) * root

    def _system(
        self, past: FloatArray, fixed_value: FloatArray, guess: FloatArray, source: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return the start of the rise above blood and the right-hand side at the owned nodes."""
        b = self.mass.heat(past - self._w0 * self._blood) + source[: self._domain.nodes.owned]
        if self._film is not None:
            b += self._film.transfer * (self._film.temperature - self._blood)
        return np.where(self._fixed, fixed_value, guess) - self._blood, b

    def _energy(self, guess: FloatArray, b: FloatArray) -> float:
        """Return about the energy b . x of the solution: with the guess for x, or the inverse diagonal's if larger."""
        return float(max(self._domain.nodes.total_of(float(b @ (self._inverse * b)), float(b @ guess[: len(b)]))))

    def reaction(self, rows: Rows, T: FloatArray, rate: FloatArray, load: FloatArray) -> FloatArray:
        """Return the power [W] that fixed owned nodes take up, what their own equations lack.

        load - C dT/dt - K T - W (T - T_b); arguments as in `flows`.
        """
        rise = T - self._blood
        power = load[rows] - self._operator.rows_times(rows, rise) + self.mass.heat_at(rows, self._w0 * rise - rate)
        if self._film is not None:
            power += self._film.transfer[rows] * (self._film.temperature[rows] - self._blood)
        return np.asarray(power)

    def flows(
        self, T: FloatArray, rate: FloatArray, load: FloatArray, start: FloatArray, boiling: BoolArray | None = None
    ) -> HeatFlows:
        """Return perfused and boundary power and stored energy. Collective.

        The boundary's share is the reaction of the fixed nodes, but for those `boiling`, and what a liquid draws
        through its film.

        Args:
            T: temperature at the end of the step [degC].
            rate: dT/dt there [K/s].
            load: Joule and other heat at the nodes [W].
            start: temperature at the start of the run [degC].
        """
        nodes, mass = self._domain.nodes, self.mass
        fixed = self._fixed if boiling is None else self._fixed & ~boiling
        reaction = self.reaction(np.flatnonzero(fixed[: nodes.owned]), T, rate, load)
        lost = mass.perfused(T - self._blood)
        drawn = self._film.drawn(T) if self._film is not None else 0.0
        perfused, boundary, stored = nodes.total_of(
            float(lost.sum()), float(reaction.sum()) + drawn, float(mass.capacity @ (T - start)[: nodes.owned])
        )
        return HeatFlows(float(perfused), float(boundary), float(stored))
