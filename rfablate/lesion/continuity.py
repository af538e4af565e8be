"""Whether several applicators make one lesion: two numbers of the line between their bare tips, of one sign.

The line goes straight from the middle of one bare tip to the middle of the next, of more than two along the shortest
tree of such lines; what of it is in metal does not count. The lesion joins the tips where both are at least 0; one that
joins them by a way round the line counts as apart.

Its level is the least of the rule's on it: of an isotherm's how far the line's coolest point was above it at its
hottest [K], of damage the logarithm of damage over threshold. It is smooth where lesions meet, and for a search.

Its margin is that of a target: the least depth of its points inside the lesion [m] or, where some lie outside, minus
the largest distance of these from it. Of two balls of radius R around points d apart, with h = sqrt(R^2 - d^2 / 4):

    margin = h for d <= 2 R, half the neck's width,        R - d / 2 for d > 2 R, minus half the gap
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rfablate.case.geometry.applicator_axes import applicator_frame
from rfablate.case.geometry.applicator_parts import bare_length, in_metal
from rfablate.case.tables.geometry_tables import Applicator, MeshDomain
from rfablate.case.tables.schema import Case
from rfablate.lesion.surface_distance import target_margin
from rfablate.mesh.domain import Domain
from rfablate.mesh.point_location import make_probe

FloatArray = npt.NDArray[np.float64]

SAMPLES = 201
"""Points on a line, its ends included: odd, so that the middle is one."""


@dataclass(frozen=True)
class Crossing:
    """The two numbers of the lines in one rule's lesion."""

    level: float
    """Least level on the lines."""
    margin: float | None
    """[m]; None where there is no lesion."""


class Bridge:
    """The lines between the bare tips of a case's applicators."""

    def __init__(self, domain: Domain, points: FloatArray) -> None:
        """Take points on the lines [m], shape (n, 3). Collective."""
        self._domain, self._points = domain, points
        self._probe = make_probe(domain, points, "line between the bare tips")

    def across(self, level: FloatArray, surface: FloatArray) -> Crossing:
        """Return the lines' numbers in the lesion of a nodal level. Collective.

        Args:
            level: positive inside.
            surface: the lesion's, on rank 0; see `LesionMeter.surface`.
        """
        levels = self._probe.values(level)
        found = target_margin(self._points, levels, surface) if self._domain.comm.rank == 0 else None
        return Crossing(float(levels.min()), self._domain.comm.bcast(found))


def make_bridge(case: Case, domain: Domain) -> Bridge | None:
    """Return the lines between a case's applicators; None for a single one, and in a user's mesh. Collective."""
    if len(case.applicators) < 2 or isinstance(case.domain, MeshDomain):
        return None
    points = lines_between(case.applicators)
    return Bridge(domain, points) if len(points) else None


def lines_between(applicators: tuple[Applicator, ...]) -> FloatArray:
    """Return points in tissue on the straight lines that join the bare tips' middles [m], shape (n, 3)."""
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
    """Return the middle of the bare tip, on its centre line [m]."""
    return np.asarray(applicator_frame(applicator).centre_line(np.array([0.5 * bare_length(applicator)]))[0])
