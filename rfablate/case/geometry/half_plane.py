"""The mapping between space and the (r, z) half plane of an axisymmetric case. Pure.

The axis of revolution is the line x = x0, y = y0. A point of the half plane is (r, z, 0), lengths in any unit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.case.tables.geometry_tables import AxisymmetricDomain, MeshDomain
from rfablate.case.tables.schema import Case


@dataclass(frozen=True)
class HalfPlane:
    """The half plane through the axis of revolution at (x0, y0), along +x."""

    x0: float = 0.0
    y0: float = 0.0

    def from_space(self, points: FloatArray) -> FloatArray:
        """Return (r, z, 0) of points (x, y, z), shape (n, 3)."""
        r = np.hypot(points[:, 0] - self.x0, points[:, 1] - self.y0)
        return np.stack([r, points[:, 2], np.zeros(len(points))], axis=1)

    def to_space(self, points: FloatArray) -> FloatArray:
        """Return (x, y, z) of points (r, z, 0), shape (n, 3), in the half plane y = y0, x >= x0."""
        return np.stack([self.x0 + points[:, 0], np.full(len(points), self.y0), points[:, 1]], axis=1)


def is_axisymmetric(case: Case) -> bool:
    """Return whether the case is solved in the (r, z) half plane."""
    return case.domain.kind == "axisymmetric" or (isinstance(case.domain, MeshDomain) and case.domain.axisymmetric)


def half_plane_of(case: Case) -> HalfPlane | None:
    """Return the half plane [m] of an axisymmetric case; None in 3-D. The axis of a user mesh is at the origin."""
    if not is_axisymmetric(case):
        return None
    return HalfPlane(*case.domain.centre[:2]) if isinstance(case.domain, AxisymmetricDomain) else HalfPlane()
