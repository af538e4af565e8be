"""A liquid along a wall: heat flows into it through a film,

    k dT/dn = h (T_c - T)        h [W/(m2 K)], T_c the liquid's temperature,

lumped at the wall's nodes as all else that stands on the diagonal: H_i = h * integral of N_i over the wall.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from rfablate.fem.domain import Domain

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Film:
    """A liquid's film at the nodes."""

    transfer: FloatArray
    """H at the owned nodes, 0 off the wall [W/K]."""
    temperature: float
    """T_c [degC]"""

    def drawn(self, T: FloatArray) -> float:
        """Return the heat the liquid takes up on this rank at nodal temperature T [W]."""
        return float(self.transfer @ (T[: len(self.transfer)] - self.temperature))


def make_film(domain: Domain, surface: str, h: float, temperature: float) -> Film:
    """Return the film of a liquid along a surface from which no facet but its own has all its nodes. Collective."""
    area = wall_area(domain, domain.surface_nodes[surface])
    return Film(h * area[: domain.nodes.owned], temperature)


def wall_area(domain: Domain, marked: BoolArray) -> FloatArray:
    """Return the integral of N_i over the facets all of whose nodes are marked, at the local nodes [m2]. Collective."""
    x, cells = domain.x, domain.elements.cells
    area = np.zeros(domain.nodes.local)
    size = cells.shape[1] - 1
    for corners in combinations(range(cells.shape[1]), size):
        facets = cells[:, corners]
        facets = facets[marked[facets].all(axis=1)]
        if size == 2:
            a, b = facets.T
            length, r_a, r_b = np.linalg.norm(x[b] - x[a], axis=1), x[a, 0], x[b, 0]
            np.add.at(area, a, np.pi / 3.0 * length * (2.0 * r_a + r_b))
            np.add.at(area, b, np.pi / 3.0 * length * (2.0 * r_b + r_a))
        else:
            a, b, c = facets.T
            third = np.linalg.norm(np.cross(x[b] - x[a], x[c] - x[a]), axis=1) / 6.0
            for corner in (a, b, c):
                np.add.at(area, corner, third)
    return domain.nodes.accumulate(area)
