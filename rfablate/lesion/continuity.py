"""Lesion continuity between several applicators, on the line between their bare tips.

The line is straight from the midpoint of one bare tip to that of the next; for more than two applicators, the lines
form the shortest tree. Points in metal do not count. The lesion is continuous where both numbers below are at least 0;
a lesion that connects the tips only by a way around the line counts as separate.

Level: the minimum of the rule's level on the line. For an isotherm: the minimum over the line of the peak temperature
minus the threshold [K]; for damage: the logarithm of damage over threshold. It is smooth where lesions merge, and
therefore suitable for a search.

Margin: that of a target, i.e. the smallest depth of the points inside the lesion [m] or, where some points are outside,
minus their largest distance from it. For two balls of radius R with centres d apart, and h = sqrt(R^2 - d^2 / 4):

    margin = h for d <= 2 R, half the width of the neck,        R - d / 2 for d > 2 R, minus half the gap
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.case.geometry.applicator_axes import applicator_frame
from rfablate.case.geometry.applicator_parts import bare_length, in_metal
from rfablate.case.tables.geometry_tables import Applicator, MeshDomain
from rfablate.case.tables.schema import Case
from rfablate.lesion.surface_distance import target_margin
from rfablate.mesh.domain import Domain
from rfablate.mesh.point_location import make_probe

SAMPLES = 201
"""Points per line including its ends; odd, so that the midpoint is one of them."""


@dataclass(frozen=True)
class Continuity:
    """Level and margin on the lines for the lesion of one rule."""

    level: float
    """Smallest level on the lines."""
    margin: float | None
    """Margin [m]; None without a lesion."""


class ContinuityLines:
    """The lines between the bare tips of the applicators of a case."""

    def __init__(self, domain: Domain, points: FloatArray) -> None:
        """Set up with points on the lines [m], shape (n, 3). Collective."""
        self._domain, self._points = domain, points
        self._probe = make_probe(domain, points, "line between the bare tips")

    def across(self, level: FloatArray, surface: FloatArray) -> Continuity:
        """Return level and margin on the lines for the lesion of a nodal level. Collective.

        Args:
            level: nodal level, positive inside the lesion.
            surface: surface of the lesion, on rank 0; see `LesionMeter.surface`.
        """
        levels = self._probe.values(level)
        found = target_margin(self._points, levels, surface) if self._domain.comm.rank == 0 else None
        return Continuity(float(levels.min()), self._domain.comm.bcast(None if found is None else found[0]))


def make_continuity_lines(case: Case, domain: Domain) -> ContinuityLines | None:
    """Return the lines between the applicators of a case; None for one applicator or a user mesh. Collective."""
    if len(case.applicators) < 2 or isinstance(case.domain, MeshDomain):
        return None
    points = tip_connections(case.applicators)
    return ContinuityLines(domain, points) if len(points) else None


def tip_connections(applicators: tuple[Applicator, ...]) -> FloatArray:
    """Return points in tissue on the straight lines between the midpoints of the bare tips [m], shape (n, 3)."""
    from scipy.sparse.csgraph import minimum_spanning_tree

    middles = np.array([_middle(each) for each in applicators])
    apart = np.linalg.norm(middles[:, None] - middles[None, :], axis=2)
    part = np.linspace(0.0, 1.0, SAMPLES)[:, None]
    tree = zip(*minimum_spanning_tree(apart).nonzero(), strict=True)
    points = np.concatenate([middles[i] + part * (middles[j] - middles[i]) for i, j in tree])
    metal = np.zeros(len(points), dtype=bool)
    for each in applicators:
        metal |= in_metal(each, points)
    return np.asarray(points[~metal])


def _middle(applicator: Applicator) -> FloatArray:
    """Return the midpoint of the bare tip on its centre line [m]."""
    return np.asarray(applicator_frame(applicator).centre_line(np.array([0.5 * bare_length(applicator)]))[0])
