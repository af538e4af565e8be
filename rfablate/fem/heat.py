"""Pennes' bioheat equation in tissue and metal.

    rho c dT/dt = div( k grad T ) - omega_b rho_b c_b (T - T_b) alive + V^2 q_1

T [degC]; q_1 the Joule heat of 1 V [W/(m3 V2)]; alive falls to 0 where tissue is dead; T given on fixed nodes, no flux
through the rest. Capacity and perfusion are lumped at the nodes, which keeps temperatures monotone on short steps and
the order at two. In time  dT/dt ~ w0 T(n+1) + w1 T(n) + w2 T(n-1),  coefficients taken at an extrapolated temperature,
so the step is linear and splits into a part without voltage and a part for 1 V:   T(n+1) = T_a + V^2 T_b.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rfablate.fem.domain import Domain
from rfablate.fem.linear import ConjugateGradients
from rfablate.fem.matrix import Matrix, Pattern

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


RESPONSE_RTOL = 1e-9
"""Tolerance of T_b: it is only multiplied by the change of V^2 from step to step, a tenth of V^2 and less."""


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
        *,
        capacity: FloatArray,
        perfusion: FloatArray,
        blood_temperature: float,
        rtol: float,
        max_iterations: int,
    ) -> None:
        """Take rho c [J/(m3 K)] and omega_b rho_b c_b [W/(m3 K)] of each cell. Collective."""
        self._domain, self._pattern = domain, pattern
        nodes, elements = domain.nodes, domain.elements
        self.capacity = nodes.accumulate(elements.to_nodes(capacity, nodes.local))
        """Heat capacity of each node [J/K]."""
        self.perfusion = nodes.accumulate(elements.to_nodes(perfusion, nodes.local))
        """Heat each node loses to full perfusion, a kelvin above blood [W/K]."""
        self._blood = blood_temperature
        self._matrix = Matrix(domain, pattern)
        self.solver = ConjugateGradients(
            self._matrix.petsc,
            what="heat",
            preconditioner="incomplete Cholesky",
            rtol=rtol,
            max_iterations=max_iterations,
        )
        self._edge_values = np.zeros(0)
        self._diagonal = np.zeros(0)
        self._alive = np.ones(0)
        self._fixed = np.zeros(nodes.local, dtype=bool)
        self._fixed_edges = np.zeros(0, dtype=np.int64)

    def assemble(self, w0: float, k: FloatArray, alive: FloatArray, fixed: BoolArray) -> None:
        """Set the operator w0 C + K(k) + alive W, k of each cell and alive of each node. Collective."""
        if not np.array_equal(fixed, self._fixed) or not len(self._fixed_edges):
            self._fixed, self._fixed_edges = fixed, self._pattern.edges_touching(fixed)
        self._edge_values = self._pattern.edge_values(k)
        self._alive = alive
        self._diagonal = w0 * self.capacity + alive * self.perfusion
        self._matrix.fill(self._edge_values, self._diagonal, fixed)

    def passive(
        self, past: FloatArray, fixed_value: FloatArray, guess: FloatArray, source: FloatArray | float = 0.0
    ) -> FloatArray:
        """Return T_a, the step without voltage. Collective.

        Args:
            past: -(w1 T(n) + w2 T(n-1)) at the nodes [K/s].
            fixed_value: temperature of the fixed nodes [degC].
            guess: starting value [degC].
            source: further heat at the nodes [W].
        """
        load = self.capacity * past + self._alive * self.perfusion * self._blood + source
        # in temperatures above blood: the solver's tolerance then is one of the rise, not of the level
        load -= self._diagonal * self._blood
        rise = np.where(self._fixed, fixed_value - self._blood, 0.0)
        lifted = self._domain.nodes.accumulate(self._pattern.lift(self._edge_values, self._fixed, rise))
        return self._blood + self._solve(load + lifted, rise, guess - self._blood)

    def response(self, load: FloatArray, guess: FloatArray) -> FloatArray:
        """Return T_b [K/V2], the rise at the step's end for the nodal Joule load of 1 V [W/V2]. Collective."""
        return self._solve(load, np.zeros_like(load), guess, RESPONSE_RTOL)

    def _solve(
        self, load: FloatArray, fixed_value: FloatArray, guess: FloatArray, rtol: float | None = None
    ) -> FloatArray:
        nodes, fixed = self._domain.nodes, self._fixed
        # fixed nodes stay out of the right-hand side: the solver's tolerance is relative to its norm
        b, start = np.where(fixed, 0.0, load), np.where(fixed, 0.0, guess)
        result = np.zeros(nodes.local)
        result[: nodes.owned] = self.solver.solve(b[: nodes.owned], start[: nodes.owned], rtol)
        nodes.update_ghosts(result)
        return np.where(fixed, fixed_value, result)

    def flows(self, T: FloatArray, rate: FloatArray, load: FloatArray, start: FloatArray) -> HeatFlows:
        """Return perfused and boundary power and stored energy. Collective.

        The boundary's share is the reaction of the fixed nodes, what their own equations lack:
        load - C dT/dt - K T - W (T - T_b).

        Args:
            T: temperature at the end of the step [degC].
            rate: dT/dt there [K/s].
            load: Joule and other heat at the nodes [W].
            start: temperature at the start of the run [degC].
        """
        nodes = self._domain.nodes
        lost = self._alive * self.perfusion * (T - self._blood)
        conducted = nodes.accumulate(self._pattern.product(self._edge_values, T, self._fixed_edges))
        reaction = np.where(self._fixed, load - self.capacity * rate - conducted - lost, 0.0)
        perfused, boundary, stored = nodes.sum(lost, reaction, self.capacity * (T - start))
        return HeatFlows(float(perfused), float(boundary), float(stored))
