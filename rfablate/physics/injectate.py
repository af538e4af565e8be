"""A bolus of saline injected before the treatment: it conducts better than tissue and draws the current.

The fluid takes the volume fraction phi of the tissue, largest at the centre and falling as a Gaussian,

    phi(r) = V / ((2 pi)^(3/2) s^3) exp(-r^2 / (2 s^2)),        sigma = (1 - phi) sigma_tissue + phi sigma_saline

s is the spread. Assumed: fluid and tissue conduct side by side, the mixture follows the tissue's temperature law, and
its heat capacity and k stay the tissue's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

_MOLAR_MASS = 58.44
"""NaCl [g/mol]"""
STRONGEST = 17.0
"""Percent of NaCl up to which the conductivity's fit holds (3 mol/L)."""


def saline_sigma(percent: float) -> float:
    """Return the conductivity [S/m] at 37 degC of water with `percent` of NaCl (g in 100 mL), 0 to 17.

    Stogryn 1971 (IEEE Trans Microwave Theory Tech 19:733), recalled: a polynomial in the molarity at 25 degC, and its
    change with temperature. Physiological saline, 0.9 %, has 1.94 S/m, 3 % has 5.9 S/m.
    """
    N, per_mille, colder = 10.0 * percent / _MOLAR_MASS, 10.0 * percent, 25.0 - 37.0
    at_25 = N * (10.394 - 2.3776 * N + 0.68258 * N**2 - 0.13538 * N**3 + 1.0086e-2 * N**4)
    alpha = 2.033e-2 + 1.266e-4 * colder + 2.464e-6 * colder**2
    alpha -= per_mille * (1.849e-5 - 2.551e-7 * colder + 2.551e-8 * colder**2)
    return float(at_25 * np.exp(-colder * alpha))


@dataclass(frozen=True)
class Bolus:
    """Fluid of conductivity `sigma` [S/m], `volume` [m3] and `spread` [m] about a point."""

    volume: float
    spread: float
    sigma: float

    @property
    def peak(self) -> float:
        """Volume fraction of fluid at the centre; above 1 the fluid does not fit into its spread."""
        return float(self.volume / ((2.0 * np.pi) ** 1.5 * self.spread**3))

    def fraction(self, distance: FloatArray) -> FloatArray:
        """Return phi at a distance [m] from the centre."""
        return np.asarray(self.peak * np.exp(-0.5 * (distance / self.spread) ** 2))

    def factor(self, distance: FloatArray, sigma: FloatArray) -> FloatArray:
        """Return by how much the bolus multiplies tissue's `sigma` [S/m]; 1 where nothing conducts."""
        contrast = np.divide(self.sigma, sigma, out=np.ones_like(sigma), where=sigma > 0.0)
        return 1.0 + self.fraction(distance) * (contrast - 1.0)


def least_spread(volume: float) -> float:
    """Return the spread [m] below which `volume` [m3] of fluid would fill more than all the room at its centre."""
    return float(np.cbrt(volume) / np.sqrt(2.0 * np.pi))
