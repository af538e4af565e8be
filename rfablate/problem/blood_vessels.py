"""Flow in structures, on the mesh: what of them is left in the heat equation, and the film on their walls.

    k dT/dn = h (T_l - T)    on the wall, from the tissue's side,    T = T_l    inside

The cells of a flow have neither conductivity nor heat capacity: the wall's nodes belong to the tissue, all others in it
stay at the liquid's temperature T_l. What passes the film, and the Joule heat within the flow, leaves with the liquid
and stands in the ledger with what leaves through the boundary, so that the energies add up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rfablate.case.resolve.structure_flow import flowing
from rfablate.case.tables.schema import Case
from rfablate.errors import MeshError
from rfablate.fem.wall_convection import Film, make_wall_film
from rfablate.mesh.domain import Domain
from rfablate.physics.tissue import Tissue

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Vessel:
    """A structure in which something flows."""

    name: str
    h: float
    """Of the film on its wall [W/(m2 K)]."""
    temperature: float
    """Of the liquid [degC]."""


def vessels_of(case: Case, domain: Domain) -> tuple[Vessel, ...]:
    """Return the structures with a flow."""
    vessels = tuple(Vessel(name, flow.h, T) for name, (flow, T) in flowing(case).items())
    if vessels and any("follow the cells" in note for note in domain.notes):
        raise MeshError(
            f"the wall of {vessels[0].name}, in which something flows, could not be made a surface of the mesh, and a "
            "wall of cells has too much area for its film; move the structures apart, or hold its temperature instead: "
            "held_degC without flow"
        )
    return vessels


def without_liquid(tissues: dict[str, Tissue], vessels: tuple[Vessel, ...]) -> dict[str, Tissue]:
    """Return the tissues with those in which something flows left out of the heat equation."""
    left = dict(tissues)
    for each in vessels:
        left[each.name] = replace(
            tissues[each.name], k=0.0, density=0.0, perfusion=0.0, metabolic_heat=0.0, water_fraction=0.0
        )
    return left


def films(domain: Domain, vessels: tuple[Vessel, ...]) -> list[Film]:
    """Return the films on the vessels' walls towards what does not flow."""
    any_flow = np.isin(domain.stencil_region, [domain.tag_of[each.name] for each in vessels])
    return [
        make_wall_film(domain, domain.stencil_region == domain.tag_of[each.name], ~any_flow, each.h, each.temperature)
        for each in vessels
    ]


def inside(domain: Domain, vessels: tuple[Vessel, ...]) -> list[tuple[BoolArray, float]]:
    """Return the nodes within each flow, off its wall, and their temperature [degC]. Collective."""
    around = domain.nodes_of_cells(~domain.cells_of(*(each.name for each in vessels)))
    return [(domain.nodes_of_cells(domain.cells_of(each.name)) & ~around, each.temperature) for each in vessels]
