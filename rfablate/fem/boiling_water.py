"""Boiling of tissue water: latent heat at the nodes, which conserves energy at any step length.

A node with water has the enthalpy C T + Lambda f. The vapour fraction f increases from 0 to 1 while T stays at 100
degC; Lambda [J] is the latent heat of its water. The lumped mass matrix makes the balance local to each node. In a step

    a boiling node (0 < f < 1) is fixed at 100 degC; the residual power of its equation changes f
    a node whose water is used up in the step is freed, and the step is solved again
    a node that ends above 100 degC with water left, or below it with vapour, is reset to 100 degC: the heat of the
    difference, w0 dt C (T - 100), changes f
    heat that exceeds Lambda, or a negative remainder, changes the temperature of the node again

so the step remains linear in V^2. Steps are backward Euler while tissue is hot, because only then is their sum over
time exactly the change of heat. Vapour condenses where it forms; it does not move. Nodes with a prescribed temperature
do not boil. Evaporation desiccates tissue: sigma decreases with f (`law_temperature`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rfablate.arrays import BoolArray, FloatArray
from rfablate.mesh.domain import Domain
from rfablate.physics.boiling import BOILING
from rfablate.physics.laws import DRY_WINDOW

RELEASES = 20
"""Largest number of repeated solves of a step to free nodes; beyond it, energy is conserved but nodes overshoot."""


def law_temperature(T: FloatArray, fraction: FloatArray) -> FloatArray:
    """Return the temperature [degC] at which laws are evaluated: T, or 100 + 5 f where water boils.

    The decrease of a law from 100 to 105 degC represents evaporation, in proportion to f: at f = 0.5, ln sigma is
    halfway between wet and dry. If T exceeds this value (f = 1), T is used again.
    """
    return np.asarray(np.where(fraction > 0.0, np.maximum(T, BOILING + DRY_WINDOW * fraction), T))


@dataclass(frozen=True)
class BoilingCorrection:
    """The state after evaporation and condensation of a step."""

    T: FloatArray
    fraction: FloatArray
    sensible: float
    """Heat that the correction removed from the temperature field, on all ranks [J]."""
    latent: float
    """Latent heat absorbed on all ranks since the start [J]."""


@dataclass(frozen=True)
class FreedNodes:
    """The data of a step that is solved again because nodes ran out of water or of vapour."""

    fraction: FloatArray
    """Vapour fractions at the start of the step; 1 or 0 at the freed nodes."""
    source: FloatArray
    """Power of the latent heat of this change [W]."""
    boiling: BoolArray
    """Nodes that still boil."""


class BoilingWater:
    """Latent heat of the water at the nodes."""

    def __init__(self, domain: Domain, latent: FloatArray, capacity: FloatArray, fixed: BoolArray) -> None:
        """Set up the nodal latent heat.

        Args:
            domain: the mesh.
            latent: latent heat by region number [J/m3].
            capacity: heat capacity of the owned nodes [J/K].
            fixed: nodes with a prescribed temperature, which do not boil.
        """
        n = domain.nodes.owned
        self._nodes, self._capacity = domain.nodes, capacity
        heat = domain.stencil.to_nodes(latent[domain.stencil_region], domain.nodes.local)[:n]
        self._latent = np.where(fixed[:n], 0.0, heat)
        self._latent_at_start = 0.0

    def set_initial(self, fraction: FloatArray) -> None:
        """Set the vapour fractions at the start of a run, from which latent heat is counted. Collective."""
        self._latent_at_start = float(self._nodes.total_of(float(self._latent @ fraction[: self._nodes.owned]))[0])

    @property
    def has_water(self) -> BoolArray:
        """Owned nodes with water that can boil."""
        return np.asarray(self._latent > 0.0)

    def boiling(self, fraction: FloatArray) -> BoolArray:
        """Return the boiling local nodes, which are fixed at 100 degC in the next step."""
        return (fraction > 0.0) & (fraction < 1.0)

    def release(self, fraction: FloatArray, gained: FloatArray, boiling: BoolArray, dt: float) -> FreedNodes | None:
        """Return the data for a repeated solve of the step; None if none is needed. Collective.

        A boiling node that absorbed more heat in dt [s] than its water can take, or released more than its vapour can
        give, is freed: its fraction becomes 1 or 0, and the latent heat of this change is a source of its equation.
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
        return FreedNodes(fraction, source, boiling & self.boiling(fraction))

    def settle(
        self, T: FloatArray, fraction: FloatArray, gained: FloatArray, boiling: BoolArray, steps: float
    ) -> BoilingCorrection:
        """Return the temperature and the vapour fractions at the end of the step. Collective.

        Args:
            T: temperature solution of the step [degC].
            fraction: vapour fractions at the start of the step.
            gained: heat absorbed by the boiling owned nodes in the step, 0 at others [J].
            boiling: nodes that were fixed at 100 degC.
            steps: w0 dt, the weight of the final temperature in the heat balance: 1 for backward Euler.
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
        return BoilingCorrection(T, fraction, float(sensible), float(latent) - self._latent_at_start)
