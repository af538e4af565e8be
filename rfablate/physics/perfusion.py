"""Conversion between the four units of perfusion, and the effect of damage on perfusion.

omega_b [1/s] is the volume of blood per second and volume of tissue. With tissue density rho and blood density rho_b,

    1 mL/min/kg = 1e-6/60 rho 1/s        1 mL/min/100 g = 10 mL/min/kg        1 kg/m3/s = 1/rho_b 1/s
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.physics.laws import Rising

_M3_PER_S = 1e-6 / 60.0
"""1 mL/min [m3/s]"""
_STASIS = (0.0, 0.02, 0.08, 0.97, 1.0)
_STASIS_FLOW = (1.0, 1.6, 0.82, 0.1177, 0.0)


def rate_of_mass(mL_per_min_per_kg: float, density: float) -> float:
    """Return omega_b [1/s] of a perfusion in mL of blood per minute and kg of tissue of `density` [kg/m3]."""
    return mL_per_min_per_kg * _M3_PER_S * density


def per_mass(omega_b: float, density: float) -> float:
    """Return the perfusion [mL/min/kg] for omega_b [1/s] in tissue of `density` [kg/m3]."""
    return omega_b / density / _M3_PER_S


def rate_of_blood_mass(kg_per_m3_s: float, blood_density: float) -> float:
    """Return omega_b [1/s] of a perfusion in kg of blood per second and m3 of tissue."""
    return kg_per_m3_s / blood_density


def in_all_units(omega_b: float, density: float, blood_density: float) -> str:
    """Return a perfusion as text in the four units.

    Args:
        omega_b: perfusion rate [1/s].
        density: density of the tissue [kg/m3].
        blood_density: density of blood [kg/m3].
    """
    mass = per_mass(omega_b, density)
    return (
        f"{omega_b:.4g} 1/s = {mass:.4g} mL/min/kg = {0.1 * mass:.4g} mL/min/100 g "
        f"= {omega_b * blood_density:.4g} kg/m3/s"
    )


def linear_stop(omega: FloatArray, stop: float, fade: float) -> FloatArray:
    """Return the remaining fraction of perfusion: 1, then linear to 0 over the last fraction `fade` before `stop`."""
    if fade == 0.0:
        return np.asarray(np.where(omega < stop, 1.0, 0.0))
    return np.clip((stop - omega) / (fade * stop), 0.0, 1.0)


def stasis(omega: FloatArray) -> FloatArray:
    """Return the remaining fraction of perfusion at the degree of stasis D = 1 - exp(-Omega): up to 1.6, then to 0.

    Piecewise linear after Schutt and Haemmerich 2008 (Med Phys 35:3462), from memory, not verified against the source:
    1 + 30 D to D = 0.02, 1.86 - 13 D to 0.08, 0.884 - 0.79 D to 0.97, 3.87 - 3.87 D to 1. Omega is that of vascular
    stasis (damage set `stasis`).
    """
    return np.asarray(np.interp(-np.expm1(-omega), _STASIS, _STASIS_FLOW))


@dataclass(frozen=True)
class BloodFlow:
    """Perfusion relative to that at 37 degC: increased by heat, depending on tissue, and stopped by damage."""

    stop: float | None
    """Omega at which perfusion is zero; None if it never stops."""
    fade: float
    by_stasis: bool
    """Whether perfusion follows the degree of stasis instead."""
    rises: tuple[Rising, ...] = ()
    shares: FloatArray | None = None
    """Fraction of a node's perfusion subject to each rise, shape (len(rises), n_nodes); the rest does not increase."""

    def left(self, omega: FloatArray, T: FloatArray) -> FloatArray:
        """Return perfusion relative to that of living tissue at 37 degC at each node, for Omega [1] and T [degC]."""
        if self.stop is None:
            flow = np.ones_like(omega)
        else:
            flow = stasis(omega) if self.by_stasis else linear_stop(omega, self.stop, self.fade)
        if self.shares is not None:
            opened = np.ones_like(T)
            for rise, share in zip(self.rises, self.shares, strict=True):
                opened += share * (rise(T) - 1.0)
            flow = flow * opened
        return flow
