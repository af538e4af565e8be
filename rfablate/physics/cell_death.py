"""Three-state cell death: alive cells become vulnerable, and vulnerable cells recover or die.

    alive  <- k_b -  vulnerable  - k_f ->  dead,       alive  - k_f ->  vulnerable
    dA/dt = -k_f A + k_b V,    dD/dt = k_f V,    V = 1 - A - D,    k_f = kf exp(T / T_k) (1 - A)

T in degC. Source: O'Neill, Peng, Stiegler, Mayrhauser, Koestenbauer, Tscheliessnigg and Payne 2011, Ann Biomed Eng
39:570, fitted to heated hepatocytes with lung fibroblasts. kf, k_b and T_k are from the documentation of the Go-Smart
solver, which cites that paper. The initial 1 % of vulnerable cells and the threshold of 80 % dead cells are from
memory, not verified against the source.

Validity: the model is slow (80 % dead after 26 min at 50 degC, 16 min at 60 degC, 7.5 min at 80 degC), so it predicts
small lesions for treatments of a minute. It also gives cell death at 37 degC: 0.1 % after 15 min, 65 % after an hour.
It applies to treatments of 5 to 20 minutes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rfablate.arrays import FloatArray

ALIVE_AT_START = 0.99
"""Initial alive fraction; the rest is vulnerable, because k_f is zero if all cells are alive."""
LETHAL = 0.8
"""Dead fraction at and above which tissue counts as lesion."""


@dataclass(frozen=True)
class ThreeState:
    """The rate parameters of the model."""

    kf: float = 3.33e-3
    """[1/s]"""
    kb: float = 7.77e-3
    """[1/s]"""
    T_k: float = 40.5
    """[K]"""

    def rates(self, alive: FloatArray, dead: FloatArray, T: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return (dA/dt, dD/dt) [1/s] at T [degC]."""
        kf = self.kf * np.exp(T / self.T_k) * (1.0 - alive)
        vulnerable = 1.0 - alive - dead
        return self.kb * vulnerable - kf * alive, kf * vulnerable

    def advance(
        self, alive: FloatArray, dead: FloatArray, T: tuple[FloatArray, FloatArray], dt: float
    ) -> tuple[FloatArray, FloatArray]:
        """Return (A, D) after dt [s] with a temperature that is linear in time from T[0] to T[1] [degC].

        One classical Runge-Kutta step. The rates stay below 0.1 1/s up to 130 degC, so steps of seconds are not stiff.
        """
        start, end = T
        middle = 0.5 * (start + end)
        a1, d1 = self.rates(alive, dead, start)
        a2, d2 = self.rates(alive + 0.5 * dt * a1, dead + 0.5 * dt * d1, middle)
        a3, d3 = self.rates(alive + 0.5 * dt * a2, dead + 0.5 * dt * d2, middle)
        a4, d4 = self.rates(alive + dt * a3, dead + dt * d3, end)
        return alive + dt / 6.0 * (a1 + 2.0 * (a2 + a3) + a4), dead + dt / 6.0 * (d1 + 2.0 * (d2 + d3) + d4)
