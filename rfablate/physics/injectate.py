"""A saline bolus injected before the treatment, which increases the electric conductivity around the tip.

The fluid has the volume fraction phi, a Gaussian in the distance r from the centre with the spread s,

    phi(r) = V / ((2 pi)^(3/2) s^3) exp(-r^2 / (2 s^2)),        sigma = (1 - phi) sigma_tissue + phi sigma_saline

Assumptions: fluid and tissue conduct in parallel; the mixture has the temperature law, heat capacity and thermal
conductivity of the tissue.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rfablate.arrays import FloatArray

_MOLAR_MASS = 58.44
"""NaCl [g/mol]"""
STRONGEST = 17.0
"""Highest NaCl concentration for which the conductivity fit is valid [%] (3 mol/L)."""


def saline_sigma(percent: float) -> float:
    """Return the conductivity [S/m] at 37 degC of saline with `percent` of NaCl (g in 100 mL), 0 to 17.

    Stogryn 1971 (IEEE Trans Microwave Theory Tech 19:733), from memory, not verified against the source: a polynomial
    in the molarity at 25 degC, and its temperature dependence. Physiological saline (0.9 %): 1.94 S/m; 3 %: 5.9 S/m.
    """
    N, per_mille, colder = 10.0 * percent / _MOLAR_MASS, 10.0 * percent, 25.0 - 37.0
    at_25 = N * (10.394 - 2.3776 * N + 0.68258 * N**2 - 0.13538 * N**3 + 1.0086e-2 * N**4)
    alpha = 2.033e-2 + 1.266e-4 * colder + 2.464e-6 * colder**2
    alpha -= per_mille * (1.849e-5 - 2.551e-7 * colder + 2.551e-8 * colder**2)
    return float(at_25 * np.exp(-colder * alpha))


@dataclass(frozen=True)
class Bolus:
    """Fluid with conductivity `sigma` [S/m], `volume` [m3] and `spread` [m] around a point."""

    volume: float
    spread: float
    sigma: float

    @property
    def peak(self) -> float:
        """Volume fraction of fluid at the centre; above 1 the spread is too small for the volume."""
        return float(self.volume / ((2.0 * np.pi) ** 1.5 * self.spread**3))

    def fraction(self, distance: FloatArray) -> FloatArray:
        """Return phi at a distance [m] from the centre."""
        return np.asarray(self.peak * np.exp(-0.5 * (distance / self.spread) ** 2))

    def factor(self, distance: FloatArray, sigma: FloatArray) -> FloatArray:
        """Return the factor between the conductivity with the bolus and tissue `sigma` [S/m]; 1 where sigma is 0."""
        contrast = np.divide(self.sigma, sigma, out=np.ones_like(sigma), where=sigma > 0.0)
        return 1.0 + self.fraction(distance) * (contrast - 1.0)


def least_spread(volume: float) -> float:
    """Return the spread [m] at which `volume` [m3] of fluid reaches a volume fraction of 1 at the centre."""
    return float(np.cbrt(volume) / np.sqrt(2.0 * np.pi))
