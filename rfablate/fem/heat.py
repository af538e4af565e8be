"""Pennes' bioheat equation in tissue and metal.

    rho c dT/dt = div( k grad T ) - omega_b rho_b c_b (T - T_b) alive + V^2 q_1

T [degC]; q_1 the Joule heat of 1 V [W/(m3 V2)]; alive falls to 0 where tissue is dead; T given on fixed nodes,
k dT/dn = h (T_c - T) on a wall with a coolant (`fem.film`), no flux through the rest. In time
dT/dt ~ w0 T(n+1) + w1 T(n) + w2 T(n-1),  coefficients taken at an extrapolated temperature,
so the step is linear and splits into a part without voltage and a part for 1 V:   T(n+1) = T_a + V^2 T_b.
The unknown is the rise above blood: the solver's tolerance then is one of the rise, not of the level.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rfablate.fem.domain import Domain
from rfablate.fem.film import Film
from rfablate.fem.linear import ConjugateGradients
from rfablate.fem.mass import Mass
from rfablate.fem.matrix import Matrix, Pattern
from rfablate.fem.multigrid import KeptHierarchy

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MANY = 50
"""Iterations with the inverse diagonal from which V-cycles are quicker."""
COARSER_RESPONSE = 1e2
"""T_b is only multiplied by the change of V^2 from step to step: its tolerance, squared, may be larger by this."""


@dataclass(frozen=True)
class HeatFlows:
    """Power [W] that leaves the tissue at one instant, and the energy [J] stored since the start."""

    perfused: float
    boundary: float
    stored: float


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
        """Take the heat capacity and perfusion of the nodes, and a coolant's film. Collective."""
        self._domain, self.mass, self._blood, self._film = domain, mass, blood_temperature, film
        self.stiffness = Matrix(pattern)
        """Stiffness of k; `Pattern.assemble` fills it before each step."""
        self._operator = Matrix(pattern, self.stiffness if mass.lumped else None)
        self.solver = ConjugateGradients(
            domain.nodes, self._operator, what="heat", rtol=rtol, max_iterations=max_iterations
        )
        self._hierarchy = KeptHierarchy(domain.nodes, self.stiffness, mass.capacity)
        self._diagonal_needs = 0.0
        """Iterations with the inverse diagonal, times the root of w0."""
        self._w0 = 0.0
        self._inverse = np.zeros(domain.nodes.owned)
        self._fixed = np.zeros(domain.nodes.local, dtype=bool)

    def prepare(self, w0: float, alive: FloatArray, fixed: BoolArray) -> None:
        """Set the operator w0 C + K + W(alive) with its fixed nodes; alive at the local nodes."""
        if not np.array_equal(fixed, self._fixed):
            self._hierarchy.drop()
        self._w0, self._fixed = w0, fixed
        self.mass.add(self._operator, self.stiffness, w0, alive)
        if self._film is not None:
            self._operator.diagonal += self._film.transfer
        self._inverse[:] = np.where(fixed[: len(self._inverse)], 0.0, 1.0 / self._operator.diagonal)

    def step(self, past: FloatArray, fixed_value: FloatArray, guess: FloatArray, source: FloatArray) -> FloatArray:
        """Return the temperature at the end of the step [degC]. Collective.

        Args:
            past: -(w1 T(n) + w2 T(n-1)) at the local nodes [K/s].
            fixed_value: temperature of the fixed nodes [degC].
            guess: starting value [degC].
            source: Joule and other heat at the nodes [W].
        """
        rise, b = self._system(past, fixed_value, guess, source)
        self._solve([rise], [b], self._scale(b))
        return rise + self._blood

    def step_and_response(  # noqa: PLR0913
        self,
        past: FloatArray,
        fixed_value: FloatArray,
        guess: FloatArray,
        source: FloatArray,
        unit_load: FloatArray,
        response_guess: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """Return the temperature as `step` does, and T_b [K/V2], the rise for the Joule heat of 1 V. Collective."""
        rise, b = self._system(past, fixed_value, guess, source)
        response = np.where(self._fixed, 0.0, response_guess)
        load = unit_load[: len(b)]
        self._solve([rise, response], [b, load], self._scale(b, load) * [1.0, COARSER_RESPONSE])
        return rise + self._blood, response

    def _solve(self, x: list[FloatArray], b: list[FloatArray], reference: FloatArray) -> None:
        """Solve in place, by what is quicker: the inverse diagonal for both at once, or a V-cycle for each. Collective.

        With the inverse diagonal the iterations grow like the root of the step, as diffusion goes.
        """
        root = np.sqrt(self._w0)
        if self._diagonal_needs / root > MANY:
            cycle = self._hierarchy.get(self._inverse > 0.0, self._w0)
            for n, (each, load) in enumerate(zip(x, b, strict=True)):
                used = self.solver.solve(each, load, self._inverse, reference[n], cycle, add_start=True)
                if n == 0:
                    self._hierarchy.note(used)
            return
        both = np.stack(x, axis=1) if len(x) > 1 else x[0]
        used = self.solver.solve(
            both, np.stack(b, axis=1) if len(b) > 1 else b[0], self._inverse, reference, add_start=True
        )
        self._diagonal_needs = used * root
        if len(x) > 1:
            for n, each in enumerate(x):
                each[:] = both[:, n]

    def _system(
        self, past: FloatArray, fixed_value: FloatArray, guess: FloatArray, source: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return the start of the rise above blood and the right-hand side at the owned nodes."""
        b = self.mass.heat(past - self._w0 * self._blood) + source[: self._domain.nodes.owned]
        if self._film is not None:
            b += self._film.transfer * (self._film.temperature - self._blood)
        return np.where(self._fixed, fixed_value, guess) - self._blood, b

    def _scale(self, *loads: FloatArray) -> FloatArray:
        """Return about the energy of each solution."""
        return self._domain.nodes.total_of(*(float(b @ (self._inverse * b)) for b in loads))

    def flows(self, T: FloatArray, rate: FloatArray, load: FloatArray, start: FloatArray) -> HeatFlows:
        """Return perfused and boundary power and stored energy. Collective.

        The boundary's share is the reaction of the fixed nodes, what their own equations lack,
        load - C dT/dt - K T - W (T - T_b),  and what a coolant draws through its film.

        Args:
            T: temperature at the end of the step [degC].
            rate: dT/dt there [K/s].
            load: Joule and other heat at the nodes [W].
            start: temperature at the start of the run [degC].
        """
        nodes, mass = self._domain.nodes, self.mass
        rise = T - self._blood
        rows = np.flatnonzero(self._fixed[: nodes.owned])
        reaction = load[rows] - self._operator.rows_times(rows, rise) + mass.heat_at(rows, self._w0 * rise - rate)
        drawn = 0.0
        if self._film is not None:
            reaction += self._film.transfer[rows] * (self._film.temperature - self._blood)
            drawn = self._film.drawn(T)
        lost = mass.perfused(rise)
        perfused, boundary, stored = nodes.total_of(
            float(lost.sum()), float(reaction.sum()) + drawn, float(mass.capacity @ (T - start)[: nodes.owned])
        )
        return HeatFlows(float(perfused), float(boundary), float(stored))
