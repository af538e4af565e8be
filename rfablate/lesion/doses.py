"""What lesion rules are evaluated from: a step of a run, as far as the lesion depends on it."""

from __future__ import annotations

from typing import Protocol

from rfablate.arrays import FloatArray


class Doses(Protocol):
    """Temperature and thermal doses of the nodes at one time; an accepted step (`solve.state.Frame`) has them."""

    @property
    def t(self) -> float:
        """[s]"""

    @property
    def peak(self) -> FloatArray:
        """Highest temperature so far [degC]."""

    @property
    def omega(self) -> FloatArray:
        """Arrhenius integral [1]."""

    @property
    def cem43(self) -> FloatArray:
        """Cumulative equivalent minutes at 43 degC [min]."""

    @property
    def dead(self) -> FloatArray:
        """Dead fraction of the three-state model."""
