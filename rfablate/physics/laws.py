"""Temperature dependence of sigma, k and perfusion: a law gives the factor relative to the value at 37 degC.

    linear        1 + a (T - 37)
    exponential   exp(a (T - 37))
    table         linear between points, constant outside them
    drying        any of these, decreasing above 100 degC as water evaporates (charring, roll-off)

Where the boiling of water is modelled with its latent heat, T stays at 100 degC; the laws then receive 100 to 105 degC
in proportion to the evaporated fraction (`fem.boiling_water.drying`).
Linear and exponential laws are constant above 100 degC. Pure, vectorised over nodes; T in degC.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from rfablate.arrays import FloatArray

T_REFERENCE = 37.0
"""Reference temperature of library values [degC]."""
T_CAP = 100.0
"""Temperature above which laws are constant and tissue desiccates [degC]."""
LEAST = 0.01
"""Smallest factor of a linear law, which keeps conductivities positive far below body temperature."""
DRY_WINDOW = 5.0
"""Temperature range over which sigma decreases once water boils [K] (PHYSICS: orders of magnitude over about 5 K)."""


class Law(Protocol):
    """A factor as a function of temperature, 1 at 37 degC; hashable, so that tissues with equal laws share values."""

    @property
    def slope(self) -> float:
        """Relative change per kelvin at 37 degC [1/K]."""

    def __call__(self, T: FloatArray) -> FloatArray:
        """Return the factor at T [degC], as a new array."""


@dataclass(frozen=True)
class Linear:
    """1 + slope (min(T, 100) - 37), at least 0.01."""

    slope: float = 0.0

    def __call__(self, T: FloatArray) -> FloatArray:
        """See `Law`."""
        factor = np.minimum(T, T_CAP)
        factor -= T_REFERENCE
        factor *= self.slope
        factor += 1.0
        return np.maximum(factor, LEAST, out=factor)

    def __str__(self) -> str:
        return f"linear, {100.0 * self.slope:.3g} %/K" if self.slope else "constant"


@dataclass(frozen=True)
class Exponential:
    """exp(slope (min(T, 100) - 37))."""

    slope: float

    def __call__(self, T: FloatArray) -> FloatArray:
        """See `Law`."""
        return np.asarray(np.exp(self.slope * (np.minimum(T, T_CAP) - T_REFERENCE)))

    def __str__(self) -> str:
        return f"exponential, {100.0 * self.slope:.3g} %/K"


LawName = Literal["linear", "exponential"]
"""Laws with the slope as their only parameter, by the name that a case uses."""
LAWS: dict[LawName, Callable[[float], Law]] = {"linear": Linear, "exponential": Exponential}


@dataclass(frozen=True)
class TabulatedLaw:
    """Measured points: `factors` at increasing `temperatures` [degC]."""

    temperatures: tuple[float, ...]
    factors: tuple[float, ...]

    @property
    def slope(self) -> float:
        """See `Law`; mean slope over 1 K."""
        low, high = np.interp([T_REFERENCE - 0.5, T_REFERENCE + 0.5], self.temperatures, self.factors)
        return float(high - low)

    def __call__(self, T: FloatArray) -> FloatArray:
        """See `Law`."""
        return np.asarray(np.interp(T, self.temperatures, self.factors))

    def __str__(self) -> str:
        return f"table, {len(self.temperatures)} points, {self.temperatures[0]:g} to {self.temperatures[-1]:g} degC"


@dataclass(frozen=True)
class Drying:
    """`wet` up to 100 degC; above, the logarithm decreases linearly over `window` [K] to the fraction `left`."""

    wet: Law
    left: float
    window: float = DRY_WINDOW

    @property
    def slope(self) -> float:
        """See `Law`."""
        return self.wet.slope

    def __call__(self, T: FloatArray) -> FloatArray:
        """See `Law`."""
        dried = np.clip((T - T_CAP) / self.window, 0.0, 1.0)
        return np.asarray(self.wet(T) * np.exp(np.log(self.left) * dried))

    def __str__(self) -> str:
        return f"{self.wet}; desiccated: {self.left:g} of it above {T_CAP + self.window:g} degC"


@dataclass(frozen=True)
class Rising:
    """Perfusion increased by hyperthermia: 1 at 37 degC, increasing as a Gaussian to `most` at 45 degC and above.

    1 + (most - 1) (g(T) - g(37)) / (1 - g(37)),  g(T) = exp(-(45 - T)^2 / 12 K^2).
    Shape, and `most` = 8.9 for muscle and 2 for fat, after Lang, Erdmann and Seebass 1999 (IEEE Trans Biomed Eng
    46:1129), from memory, not verified against the source.
    """

    most: float

    def __call__(self, T: FloatArray) -> FloatArray:
        """Return the factor at T [degC]."""
        below = np.minimum(np.clip(T, T_REFERENCE, None) - 45.0, 0.0)
        least = np.exp(-((T_REFERENCE - 45.0) ** 2) / 12.0)
        return np.asarray(1.0 + (self.most - 1.0) * (np.exp(-(below**2) / 12.0) - least) / (1.0 - least))

    def __str__(self) -> str:
        return f"increases by a factor of {self.most:g} up to 45 degC"
