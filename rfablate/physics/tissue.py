"""Tissue: its constants, where they come from, and how they change with temperature.

sigma(T) = sigma_37 (1 + a (T - 37)),  k(T) = k_37 (1 + b (T - 37)),  both held at their value of 100 degC above it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

T_REFERENCE = 37.0
"""Temperature at which library values hold [degC]."""
T_CAP = 100.0
"""Temperature above which the linear laws stay constant [degC]."""


@dataclass(frozen=True)
class Tissue:
    """A tissue or a metal. Metals conduct heat only: at constant potential, the electric problem leaves them out."""

    name: str
    density: float
    """[kg/m3]"""
    heat_capacity: float
    """[J/(kg K)]"""
    k: float
    """Thermal conductivity at 37 degC [W/(m K)]."""
    sigma: float
    """Electric conductivity at 37 degC near 500 kHz [S/m]."""
    perfusion: float
    """omega_b, volume of blood a second and volume of tissue [1/s]."""
    k_slope: float = 0.0
    """b [1/K]"""
    sigma_slope: float = 0.0
    """a [1/K]"""
    is_metal: bool = False
    source: str = ""
    checked: bool = False
    """True where the value was re-read at its source."""

    @property
    def volumetric_heat_capacity(self) -> float:
        """rho c [J/(m3 K)]."""
        return self.density * self.heat_capacity


def linear_factor(T: FloatArray, slope: float) -> FloatArray:
    """Return 1 + slope (min(T, 100) - 37) for T [degC], by which a value of 37 degC is multiplied; at least 0.01.

    The floor keeps conductivities positive far below body temperature.
    """
    factor = np.minimum(T, T_CAP)
    factor -= T_REFERENCE
    factor *= slope
    factor += 1.0
    return np.maximum(factor, 0.01, out=factor)
