"""How sigma and k change with temperature: a law gives the factor by which the value of 37 degC is multiplied.

    linear        1 + a (T - 37)
    exponential   exp(a (T - 37))
    table         linear between points, constant outside them
    drying        any of these, falling from 100 degC on as water leaves (charring, roll-off)

Where water boils with its latent heat, T stays at 100 degC and the laws are told 100 to 105 degC as it leaves
(`fem.vapour.drying`).
Linear and exponential laws hold their value of 100 degC above it. Pure, vectorised over nodes; T in degC.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

T_REFERENCE = 37.0
"""Temperature at which library values hold [degC]."""
T_CAP = 100.0
"""Temperature above which laws stay constant, and from which tissue dries [degC]."""
LEAST = 0.01
"""Least factor of a linear law: it keeps conductivities positive far below body temperature."""
DRY_WINDOW = 5.0
"""Kelvin over which sigma falls once water boils (PHYSICS: orders of magnitude over about 5 K)."""


class Law(Protocol):
    """A factor over temperature, 1 at 37 degC; hashable, so that tissues with the same law share its values."""

    @property
    def slope(self) -> float:
        """Relative change a kelvin at 37 degC [1/K]."""

    def __call__(self, T: FloatArray) -> FloatArray:
        """Return the factor at T [degC]; a new array."""


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
class Table:
    """Measured points: `factors` at `temperatures` [degC], which rise."""

    temperatures: tuple[float, ...]
    factors: tuple[float, ...]

    @property
    def slope(self) -> float:
        """See `Law`; the mean over 1 K."""
        low, high = np.interp([T_REFERENCE - 0.5, T_REFERENCE + 0.5], self.temperatures, self.factors)
        return float(high - low)

    def __call__(self, T: FloatArray) -> FloatArray:
        """See `Law`."""
        return np.asarray(np.interp(T, self.temperatures, self.factors))

    def __str__(self) -> str:
        return f"table, {len(self.temperatures)} points, {self.temperatures[0]:g} to {self.temperatures[-1]:g} degC"


@dataclass(frozen=True)
class Drying:
    """`wet` up to 100 degC; its logarithm then falls over `window` [K] until only the fraction `left` remains."""

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
        return f"{self.wet}; dry: {self.left:g} of it from {T_CAP + self.window:g} degC on"


@dataclass(frozen=True)
class Rising:
    """Perfusion that hyperthermia opens: 1 at 37 degC, rising as a Gaussian to `most` at 45 degC and above.

    1 + (most - 1) (g(T) - g(37)) / (1 - g(37)),  g(T) = exp(-(45 - T)^2 / 12 K^2).
    Shape, and `most` = 8.9 for muscle and 2 for fat, after Lang, Erdmann and Seebass 1999 (IEEE Trans Biomed Eng
    46:1129), recalled.
    """

    most: float

    def __call__(self, T: FloatArray) -> FloatArray:
        """Return the factor at T [degC]."""
        below = np.minimum(np.clip(T, T_REFERENCE, None) - 45.0, 0.0)
        least = np.exp(-((T_REFERENCE - 45.0) ** 2) / 12.0)
        return np.asarray(1.0 + (self.most - 1.0) * (np.exp(-(below**2) / 12.0) - least) / (1.0 - least))

    def __str__(self) -> str:
        return f"rises {self.most:g} times by 45 degC"
