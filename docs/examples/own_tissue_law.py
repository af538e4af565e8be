"""A tissue law of your own: conductivity that rises along an S-shaped curve between two temperatures.

A law is a hashable object that meets `rfablate.physics.laws.Law`: called with temperatures [degC] it returns the factor
by which the value at 37 degC is multiplied, so it is 1 there.

    python docs/examples/own_tissue_law.py cases/needle_benchmark runs/sigmoid
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

import rfablate as rfa


@dataclass(frozen=True)
class Sigmoid:
    """1 + rise (s(T) - s(37)), with s a logistic curve of `width` [K] about `middle` [degC]."""

    rise: float
    middle: float
    width: float

    def __call__(self, T: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the factor at temperature T [degC]."""
        return np.asarray(1.0 + self.rise * (self._step(T) - self._step(np.array(37.0))))

    def _step(self, T: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(1.0 / (1.0 + np.exp((self.middle - T) / self.width)))

    @property
    def slope(self) -> float:
        """Relative change per kelvin at 37 degC [1/K], for reports."""
        at_37 = float(self._step(np.array(37.0)))
        return self.rise * at_37 * (1.0 - at_37) / self.width


if __name__ == "__main__":
    case = rfa.load_case(sys.argv[1])
    name = case.domain.tissue
    tissue = replace(rfa.tissues_of(case)[name], sigma_law=Sigmoid(rise=1.0, middle=60.0, width=8.0))
    result = rfa.run(case, sys.argv[2], extensions=rfa.Extensions(tissues={name: tissue}))
    print(result.card)
