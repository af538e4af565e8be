"""Energy balance: the energy delivered by the generator and its distribution. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Powers:
    """Heat flows at one instant [W]."""

    joule: float = 0.0
    perfused: float = 0.0
    """Removed by perfusion, net of the heat that blood brings in."""
    boundary: float = 0.0
    """Outflow through surfaces and structures of fixed temperature, and with flowing liquids."""
    metabolic: float = 0.0
    """Metabolic heat of the tissue."""
    channels: tuple[float, ...] = ()
    """Joule heat of each generator channel."""


@dataclass(frozen=True)
class EnergyLedger:
    """Energies since the start [J]:  joule + metabolic = stored + perfused + boundary + latent + residual.

    The heat flows are integrated over time; the stored heat is computed from the temperature field. The residual is
    therefore a measure of the error of time steps and linear solves.
    """

    joule: float = 0.0
    perfused: float = 0.0
    boundary: float = 0.0
    stored: float = 0.0
    latent: float = 0.0
    metabolic: float = 0.0
    channels: tuple[float, ...] = ()
    """Joule heat of each generator channel."""
    last: Powers = Powers()

    @property
    def residual(self) -> float:
        """Energy not accounted for [J]."""
        return self.joule + self.metabolic - self.stored - self.perfused - self.boundary - self.latent

    @property
    def residual_fraction(self) -> float:
        """|residual| as a fraction of the largest energy in the balance; 0 if all energies are 0."""
        energies = (self.joule, self.metabolic, self.stored, self.perfused, self.boundary, self.latent)
        largest = max(abs(energy) for energy in energies)
        return abs(self.residual) / largest if largest > 0.0 else 0.0

    def advance(
        self, dt: float, now: Powers, stored: float, *, after_switch: bool, latent: float = 0.0
    ) -> EnergyLedger:
        """Return the balance after a step of dt [s] that ends with the flows `now` and the energies `stored`, `latent`.

        Flows are taken as linear over a step. In the first step after a switch they are constant at their final value:
        the flow just after the jump is unknown, and backward Euler uses only the final value.
        """
        start = now if after_switch else self.last
        half = 0.5 * dt
        so_far = self.channels or (0.0,) * len(now.channels)
        powers = zip(so_far, start.channels, now.channels, strict=True)
        return replace(
            self,
            channels=tuple(energy + half * (first + last) for energy, first, last in powers),
            joule=self.joule + half * (start.joule + now.joule),
            perfused=self.perfused + half * (start.perfused + now.perfused),
            boundary=self.boundary + half * (start.boundary + now.boundary),
            metabolic=self.metabolic + half * (start.metabolic + now.metabolic),
            stored=stored,
            latent=latent,
            last=now,
        )
