"""sigma and k of every cell, from the laws of the tissues at the nodal temperature.

A law gives a factor at each node; a region has a value and a law, whose factor multiplies the value. In a cell the
coefficient is linear, and the stiffness of a linear cell depends on its mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rfablate.arrays import FloatArray
from rfablate.kernels.loader import call
from rfablate.mesh.domain import Domain

IntArray = npt.NDArray[np.int32]
Law = Callable[[FloatArray], FloatArray]

SIGMA, K = 0, 1
"""Columns of `Coefficients.values`."""


@dataclass(frozen=True)
class RegionLaw:
    """One coefficient: the value and the index of its law, by region number."""

    value: FloatArray
    law: IntArray


class Coefficients:
    """sigma [S/m] and k [W/(m K)] in the stencil of this rank."""

    def __init__(self, domain: Domain, laws: Sequence[Law], sigma: RegionLaw, k: RegionLaw) -> None:
        """Set up the coefficients; `update` evaluates them."""
        self._domain, self._laws = domain, tuple(laws)
        self.sigma, self.k = sigma, k
        self.factors = np.ones((len(self._laws), domain.nodes.local))
        """Factor of each law at each node."""
        self.values = np.zeros((len(domain.stencil.cells), 2))
        """Mean of sigma and of k in each cell."""
        self.sigma_factor: FloatArray | None = None
        """Temperature-independent factor of sigma in each cell, from an injectate; None without one."""

    def update(self, T: FloatArray) -> None:
        """Evaluate the coefficients at nodal temperature T [degC]."""
        for factor, law in zip(self.factors, self._laws, strict=True):
            factor[:] = law(T)
        domain, cells = self._domain, self._domain.stencil.cells
        call(
            "cell_values", len(cells), cells.shape[1], cells, domain.stencil_region, domain.nodes.local, self.factors,
            self.sigma.law, self.sigma.value, self.k.law, self.k.value, self.values,
        )  # fmt: skip
        if self.sigma_factor is not None:
            self.values[:, SIGMA] *= self.sigma_factor

    def change_of_sigma(self, T: FloatArray, before: FloatArray) -> float:
        """Return the largest relative change of sigma between nodal temperatures `before` and T [degC] on this rank.

        Each law counts at all nodes, also at those of other tissues.
        """
        used = {int(law) for law in self.sigma.law[self.sigma.value > 0.0]}
        largest = 0.0
        for law in (self._laws[number] for number in used):
            now, then = law(T), np.maximum(law(before), 1e-12)
            largest = max(largest, float(np.abs(now / then - 1.0).max(initial=0.0)))
        return largest


def region_law(domain: Domain, value: Mapping[str, float], law: Mapping[str, int]) -> RegionLaw:
    """Return a coefficient from one value and one law index per region name."""
    numbers = domain.by_region({name: float(number) for name, number in law.items()})
    return RegionLaw(np.nan_to_num(domain.by_region(value)), np.nan_to_num(numbers).astype(np.int32))
