"""Flow in structures on the mesh: heat transfer at the walls, and the nodes of the liquid.

    k dT/dn = h (T_l - T)    on the wall, n pointing out of the tissue,    T = T_l    inside

The cells of a flowing liquid have neither conductivity nor heat capacity. The nodes on the wall belong to the tissue;
all other nodes of the liquid stay at its temperature T_l. The heat through the wall and the Joule heat inside the
liquid leave with it and count as boundary heat in the energy balance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rfablate.arrays import BoolArray
from rfablate.case.resolve.structure_flow import flowing
from rfablate.case.tables.schema import Case
from rfablate.errors import MeshError
from rfablate.fem.wall_convection import WallConvection, interface_convection
from rfablate.mesh.domain import Domain
from rfablate.physics.tissue import Tissue


@dataclass(frozen=True)
class Vessel:
    """A structure with a flow."""

    name: str
    h: float
    """Heat transfer coefficient at the wall [W/(m2 K)]."""
    temperature: float
    """Temperature of the liquid [degC]."""


def vessels_of(case: Case, domain: Domain) -> tuple[Vessel, ...]:
    """Return the structures with a flow.

    Raises:
        MeshError: the wall of such a structure is not a surface of the mesh.
    """
    vessels = tuple(Vessel(name, flow.h, T) for name, (flow, T) in flowing(case).items())
    if vessels and not domain.conformity.shapes:
        raise MeshError(
            f"the wall of {vessels[0].name}, which has a flow, is not a surface of the mesh: the mesh generator failed "
            "to make it conforming, and a wall of cell faces overestimates the area for convection; move the "
            "structures apart, or use held_degC without flow to fix the temperature"
        )
    return vessels


def exclude_liquids(tissues: dict[str, Tissue], vessels: tuple[Vessel, ...]) -> dict[str, Tissue]:
    """Return the tissues with the flowing liquids removed from the heat equation (all coefficients zero)."""
    left = dict(tissues)
    for each in vessels:
        left[each.name] = replace(
            tissues[each.name], k=0.0, density=0.0, perfusion=0.0, metabolic_heat=0.0, water_fraction=0.0
        )
    return left


def wall_convections(domain: Domain, vessels: tuple[Vessel, ...]) -> list[WallConvection]:
    """Return the convection conditions at the vessel walls, towards materials without flow."""
    any_flow = np.isin(domain.stencil_region, [domain.tag_of[each.name] for each in vessels])
    return [
        interface_convection(
            domain, domain.stencil_region == domain.tag_of[each.name], ~any_flow, each.h, each.temperature
        )
        for each in vessels
    ]


def inside(domain: Domain, vessels: tuple[Vessel, ...]) -> list[tuple[BoolArray, float]]:
    """Return the nodes inside each flow, excluding its wall, and their temperature [degC]. Collective."""
    around = domain.nodes_of_cells(~domain.cells_of(*(each.name for each in vessels)))
    return [(domain.nodes_of_cells(domain.cells_of(each.name)) & ~around, each.temperature) for each in vessels]
