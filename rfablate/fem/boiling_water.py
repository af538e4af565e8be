"""Water that boils: latent heat at the nodes, so that energy is conserved at any length of step.

A node that holds water has an enthalpy C T + Lambda f: f runs from 0 to 1 while T stays at 100 degC, Lambda [J] is the
latent heat of its water. With the lumped mass each node keeps its own account. In a step

    a node that boils (0 < f < 1) is held at 100 degC; the power its equation then lacks or has left changes f
    a node whose water is used up by that is freed, and the step solved again
    a node that comes out beyond 100 degC with water left, or below it with steam, is put back to 100 degC: the heat of
    the difference, w0 dt C (T - 100), changes f
    what is more than Lambda can take, or less than 0, heats or cools the node again

so the step stays linear in V^2. Steps are backward Euler while tissue is hot: only their sum
over time is exactly the change of heat. Steam condenses where it was made, none of it moves; nodes of given
temperature, of a held surface too, do not boil. What has boiled dries: sigma falls with f (`drying`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rfablate.mesh.domain import Domain
from rfablate.physics.boiling import BOILING
from rfablate.physics.laws import DRY_WINDOW

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

RELEASES = 20
"""Times a step is solved again to free nodes; beyond them the account still closes, but nodes overshoot."""


def drying(T: FloatArray, fraction: FloatArray) -> FloatArray:
    """Return the temperature [degC] at which laws are looked up: T, and 100 + 5 f where water boils.

    The fall of sigma from 100 to 105 degC stands for the water that leaves, and that is what f says: a node at 100 degC
    with half of its water boiled has dried by half, ln sigma between wet and dry. Beyond, where f = 1, it is T again.
    """
    return np.asarray(np.where(fraction > 0.0, np.maximum(T, BOILING + DRY_WINDOW * fraction), T))


@dataclass(frozen=True)
class Settled:
    """A step after water has boiled or condensed."""

    T: FloatArray
    fraction: FloatArray
    sensible: float
    """Heat that the correction took out of the temperature field, on all ranks [J]."""
    latent: float
    """Latent heat gained on all ranks since the start [J]."""


class Vapour:
    """Latent heat of the nodes."""

    def __init__(self, domain: Domain, latent: FloatArray, capacity: FloatArray, fixed: BoolArray) -> None:
        """Take the latent heat of each cell of the stencil [J/m3], the heat capacity of the owned nodes [J/K].

        Nodes that are `fixed` do not boil.
        """
        n = domain.nodes.owned
        self._nodes, self._capacity = domain.nodes, capacity
        heat = domain.stencil.to_nodes(latent[domain.stencil_region], domain.nodes.local)[:n]
        self._latent = np.where(fixed[:n], 0.0, heat)
        self._held = 0.0

    def begin(self, fraction: FloatArray) -> None:
        """Take the vapour fractions at the start of a run: latent heat is counted from there. Collective."""
        self._held = float(self._nodes.total_of(float(self._latent @ fraction[: self._nodes.owned]))[0])

    @property
    def has_water(self) -> BoolArray:
        """Which owned nodes have water that can boil."""
        return np.asarray(self._latent > 0.0)

    def boiling(self, fraction: FloatArray) -> BoolArray:
        """Return the local nodes that boil: held at 100 degC in the next step."""
        return (fraction > 0.0) & (fraction < 1.0)

    def release(
        self, fraction: FloatArray, gained: FloatArray, boiling: BoolArray, dt: float
    ) -> tuple[FloatArray, FloatArray, BoolArray] | None:
        """Return what the step is to be solved again with, None where it stands. Collective.

        A boiling node that gained more heat in dt [s] than its water takes, or lost more than its steam gives, is held
        no more: all of its water boils, or condenses, and takes its heat from the node's equation.

        Returns:
            The vapour fractions with those nodes at 1 or 0, that heat as a source [W], and the nodes that still boil.
        """
        n = self._nodes.owned
        f = fraction[:n]
        heat = f * self._latent + gained
        over, under = boiling[:n] & (heat > self._latent), boiling[:n] & (heat < 0.0)
        if self._nodes.total_of(float(np.count_nonzero(over | under)))[0] == 0.0:
            return None
        source = np.zeros_like(fraction)
        source[:n] = np.where(over, (f - 1.0) * self._latent, np.where(under, f * self._latent, 0.0)) / dt
        fraction = fraction.copy()
        fraction[:n][over], fraction[:n][under] = 1.0, 0.0
        self._nodes.update_ghosts(fraction)
        return fraction, source, boiling & self.boiling(fraction)

    def settle(
        self, T: FloatArray, fraction: FloatArray, gained: FloatArray, boiling: BoolArray, steps: float
    ) -> Settled:
        """Return the step's temperature and vapour fractions. Collective.

        Args:
            T: temperature that the step came to [degC].
            fraction: vapour fractions at its start.
            gained: heat that the boiling owned nodes took up in the step, 0 at others [J].
            boiling: the nodes that were held at 100 degC.
            steps: w0 dt, what a kelvin of the step's end counts in its heat balance: 1 for backward Euler.
        """
        n = self._nodes.owned
        T, fraction = T.copy(), fraction.copy()
        own, f = T[:n], fraction[:n]
        weight = steps * self._capacity
        crossed = (((own > BOILING) & (f < 1.0)) | ((own < BOILING) & (f > 0.0))) & (self._latent > 0.0)
        changing = np.flatnonzero(crossed | (boiling[:n] & (self._latent > 0.0)))
        room, before = self._latent[changing], own[changing].copy()
        heat = f[changing] * room + gained[changing] + weight[changing] * (before - BOILING)
        f[changing] = np.clip(heat / room, 0.0, 1.0)
        own[changing] = BOILING + (heat - f[changing] * room) / weight[changing]
        taken = float(self._capacity[changing] @ (before - own[changing]))
        sensible, latent = self._nodes.total_of(taken, float(self._latent @ f))
        self._nodes.update_ghosts(T)
        self._nodes.update_ghosts(fraction)
        return Settled(T, fraction, float(sensible), float(latent) - self._held)
