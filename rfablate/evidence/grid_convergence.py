"""Discretisation error of a number from a sequence of meshes or time steps. Pure.

Richardson extrapolation and the grid convergence index (GCI):
    P. J. Roache, J. Fluids Eng. 116 (1994) 405-413
    I. B. Celik et al., J. Fluids Eng. 130 (2008) 078001

With element sizes h1 < h2 < h3 and results f1, f2, f3 the observed order p satisfies
    (f3 - f2) / (f2 - f1) = r21^p (r32^p - 1) / (r21^p - 1),   r21 = h2/h1,  r32 = h3/h2
and the limit is estimated as f1 + (f1 - f2) / (r21^p - 1). The sequence counts as asymptotic if it converges
monotonically with an order within ORDERS. Otherwise no order is used: the error is bounded by NO_ORDER times the
largest difference in the sequence, the safety factor that Roache recommends for two meshes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.optimize import brentq

SAFETY = 1.25
"""Safety factor of the GCI with three meshes (Roache 1994)."""
NO_ORDER = 3.0
"""Safety factor on the largest difference where no order is observed (Roache 1994, for two meshes)."""
ORDERS = (0.5, 3.0)
"""Observed orders that are accepted."""


@dataclass(frozen=True)
class Estimate:
    """Error estimate of the result on the finest level, in the unit of the result."""

    uncertainty: float
    """Half width of the interval that should contain the limit."""
    limit: float | None
    """Richardson's estimate of the limit; None if the sequence is not asymptotic."""
    order: float | None
    """Observed order; None if there is none."""

    @property
    def asymptotic(self) -> bool:
        """Whether the sequence converges monotonically with an accepted order."""
        return self.limit is not None


def estimate_error(sizes: Sequence[float], results: Sequence[float], formal: float = 2.0) -> Estimate:
    """Return the error estimate of the first of three results.

    Args:
        sizes: h1 < h2 < h3, element sizes or time steps in any unit.
        results: f1, f2, f3 at these sizes.
        formal: order of the method; a higher observed order does not reduce the uncertainty.

    Raises:
        ValueError: there are not three increasing sizes and three results.
    """
    if len(sizes) != 3 or len(results) != 3 or not 0.0 < sizes[0] < sizes[1] < sizes[2]:
        raise ValueError(f"found sizes {list(sizes)}, expected three increasing ones and as many results")
    f1, f2, f3 = results
    fine, coarse = f2 - f1, f3 - f2
    scale = max(abs(f) for f in results)
    if max(abs(fine), abs(coarse)) <= 1e-12 * scale:
        return Estimate(0.0, f1, None)
    order = observed_order(sizes, results)
    if order is None or not ORDERS[0] <= order <= ORDERS[1]:
        return Estimate(NO_ORDER * max(abs(fine), abs(coarse), abs(f3 - f1)), None, order)
    ratio = sizes[1] / sizes[0]
    return Estimate(SAFETY * abs(fine) / (ratio ** min(order, formal) - 1.0), f1 - fine / (ratio**order - 1.0), order)


def observed_order(sizes: Sequence[float], results: Sequence[float]) -> float | None:
    """Return the observed order of three results; None if they do not converge monotonically."""
    fine, coarse = results[1] - results[0], results[2] - results[1]
    if fine == 0.0 or coarse / fine <= 0.0:
        return None
    r21, r32 = sizes[1] / sizes[0], sizes[2] / sizes[1]

    def residual(p: float) -> float:
        return math.log(abs(r21**p * (r32**p - 1.0) / (r21**p - 1.0))) - math.log(coarse / fine)

    low, high = 1e-3, 20.0
    if residual(low) > 0.0 or residual(high) < 0.0:
        return None
    return float(brentq(residual, low, high))
