"""Energy ledger: what the generator put in and where it went. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Powers:
    """Heat flows at one instant [W]."""

    joule: float = 0.0
    perfused: float = 0.0
    """Carried off by blood, net of what blood brings."""
    boundary: float = 0.0
    """Out through surfaces and structures of fixed temperature, and with liquids that flow."""
    metabolic: float = 0.0
    """From the tissue itself."""
    channels: tuple[float, ...] = ()
    """Joule heat of each of the generator's channels."""


@dataclass(frozen=True)
class Ledger:
    """Energies since the start [J]:  joule + metabolic = stored + perfused + boundary + latent + residual.

    The flows are integrated from their instantaneous values, the stored heat is read from the temperature field, so the
    residual shows the error of the time steps and of the linear solves.
    """

    joule: float = 0.0
    perfused: float = 0.0
    boundary: float = 0.0
    stored: float = 0.0
    latent: float = 0.0
    metabolic: float = 0.0
    channels: tuple[float, ...] = ()
    """Joule heat of each of the generator's channels."""
    last: Powers = Powers()

    @property
    def residual(self) -> float:
        """Energy that is unaccounted for [J]."""
        return self.joule + self.metabolic - self.stored - self.perfused - self.boundary - self.latent

    @property
    def residual_fraction(self) -> float:
        """|residual| as a fraction of the largest energy in the ledger; 0 where nothing happened."""
        energies = (self.joule, self.metabolic, self.stored, self.perfused, self.boundary, self.latent)
        largest = max(abs(energy) for energy in energies)
        return abs(self.residual) / largest if largest > 0.0 else 0.0

    def advance(self, dt: float, now: Powers, stored: float, *, after_switch: bool, latent: float = 0.0) -> Ledger:
        """Return the ledger after a step of dt [s] that ends with the flows `now`, the heat `stored` and `latent` [J].

        Flows run linearly over a step. In the first step after a switch they are taken constant at their final value:
        the flow just after the jump is not known, and the step is backward Euler, which sees that value alone.
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
