"""Damage kinetics of your own: an Arrhenius rate that is cut off below a threshold temperature.

Kinetics are a hashable object that meets `rfablate.physics.damage.Kinetics`: a rate dOmega/dt [1/s] at temperatures
[degC]. Liver's published set reaches Omega = 1 in 12 minutes at 41.9 degC, where tissue survives; a threshold avoids
this.

    python docs/examples/own_damage.py cases/needle_benchmark runs/threshold
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

import rfablate as rfa


@dataclass(frozen=True)
class ThresholdArrhenius:
    """A exp(-Ea / (R T)) at and above `threshold` [degC], 0 below."""

    A: float
    Ea: float
    threshold: float

    def rate(self, T: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return dOmega/dt [1/s] at temperature T [degC]."""
        return np.where(self.threshold <= T, rfa.Arrhenius(self.A, self.Ea).rate(T), 0.0)


if __name__ == "__main__":
    case = rfa.load_case(sys.argv[1]).with_changes({"lesion.rules": ["arrhenius"]})
    kinetics = ThresholdArrhenius(A=7.39e39, Ea=2.577e5, threshold=43.0)
    result = rfa.run(case, sys.argv[2], extensions=rfa.Extensions(damage={case.domain.tissue: kinetics}))
    print(result.card)
