"""Convection at a wall with a liquid:

    k dT/dn = h (T_c - T)        h [W/(m2 K)], T_c temperature of the liquid,

lumped at the nodes of the wall: H_i = h * integral of N_i over the wall.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from rfablate.arrays import BoolArray, FloatArray
from rfablate.mesh.domain import Domain
from rfablate.mesh.facets import facets_between


@dataclass(frozen=True)
class WallConvection:
    """A convection condition at the nodes."""

    transfer: FloatArray
    """H at the owned nodes, 0 away from the wall [W/K]."""
    temperature: FloatArray
    """T_c at the owned nodes [degC]; weighted by H where two walls meet."""

    def drawn(self, T: FloatArray) -> float:
        """Return the heat transferred to the liquid on this rank at nodal temperature T [W]."""
        return float(self.transfer @ (T[: len(self.transfer)] - self.temperature))


def surface_convection(domain: Domain, surface: str, h: float, temperature: float) -> WallConvection:
    """Return the convection at a named surface; only its own facets may have all nodes on it. Collective."""
    n = domain.nodes.owned
    return WallConvection(h * wall_area(domain, domain.surface_nodes[surface])[:n], np.full(n, temperature))


def interface_convection(
    domain: Domain, inside: BoolArray, outside: BoolArray, h: float, temperature: float
) -> WallConvection:
    """Return the convection at the facets between stencil cells marked `inside` and cells marked `outside`."""
    n, cells = domain.nodes.owned, domain.stencil.cells
    near = np.zeros(domain.nodes.local, dtype=bool)
    near[cells[inside]] = True
    near_cells = np.flatnonzero(near[cells].any(axis=1))
    facets = facets_between(cells[near_cells].astype(np.int64), inside[near_cells], outside[near_cells])
    return WallConvection(h * facet_area(domain, facets)[:n], np.full(n, temperature))


def combine_convection(conditions: Sequence[WallConvection]) -> WallConvection | None:
    """Return the sum of convection conditions, None for none; where walls meet, their conductances add up."""
    if not conditions:
        return None
    transfer = np.sum([each.transfer for each in conditions], axis=0)
    brought = np.sum([each.transfer * each.temperature for each in conditions], axis=0)
    return WallConvection(
        transfer, np.divide(brought, transfer, out=conditions[0].temperature.copy(), where=transfer > 0.0)
    )


def wall_area(domain: Domain, marked: BoolArray) -> FloatArray:
    """Return the integrals of N_i over facets with all nodes marked, at the local nodes [m2]. Collective."""
    cells = domain.elements.cells
    area = np.zeros(domain.nodes.local)
    for corners in combinations(range(cells.shape[1]), cells.shape[1] - 1):
        facets = cells[:, corners]
        area += facet_area(domain, facets[marked[facets].all(axis=1)])
    return domain.nodes.accumulate(area)


def facet_area(domain: Domain, facets: npt.NDArray[np.integer]) -> FloatArray:
    """Return the integrals of N_i over these facets at the local nodes [m2]."""
    x, area = domain.x, np.zeros(domain.nodes.local)
    if facets.shape[1] == 2:
        a, b = facets.T
        length, r_a, r_b = np.linalg.norm(x[b] - x[a], axis=1), x[a, 0], x[b, 0]
        np.add.at(area, a, np.pi / 3.0 * length * (2.0 * r_a + r_b))
        np.add.at(area, b, np.pi / 3.0 * length * (2.0 * r_b + r_a))
    else:
        a, b, c = facets.T
        third = np.linalg.norm(np.cross(x[b] - x[a], x[c] - x[a]), axis=1) / 6.0
        for corner in (a, b, c):
            np.add.at(area, corner, third)
    return area
