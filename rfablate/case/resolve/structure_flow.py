"""Flow in structures: which flow, how much heat it takes from the wall, and what is wrong with it. Pure.

A structure with a flow is liquid that comes and goes: its wall gives heat to it through a film (`physics.vessel`), its
inside stays at the liquid's temperature and is no part of the heat equation. With the velocity 0 nothing flows: the
structure is a tissue like any other, and not held either.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rfablate.case.resolve.sound_parts import Parts
from rfablate.case.resolve.tissues import case_tissues, known_tissues
from rfablate.case.tables.geometry_tables import Cylinder, MeshDomain, MeshRegion, Structure, Tube
from rfablate.case.tables.schema import Body, Case
from rfablate.errors import Fault
from rfablate.physics.tissue import Tissue
from rfablate.physics.tube_flow import HIGHEST, TubeFlow


def bodies_of(case: Case) -> tuple[Structure, ...] | tuple[MeshRegion, ...]:
    """Return the structures, or what stands for them in a user's mesh."""
    return case.domain.regions if isinstance(case.domain, MeshDomain) else case.structures


def flowing(case: Case) -> dict[str, tuple[TubeFlow, float]]:
    """Return by structure the flow and the temperature [degC] of what flows; nothing for those where nothing does."""
    tissues, found = case_tissues(case), {}
    for each in bodies_of(case):
        flow = tube_flow(each, tissues[each.tissue])
        if flow is not None:
            found[each.name] = flow, liquid_temperature(each, case.body)
    return found


def tube_flow(each: Structure | MeshRegion, liquid: Tissue) -> TubeFlow | None:
    """Return the flow in a structure made of `liquid`; None where nothing flows."""
    if each.flow is None or each.flow.velocity == 0.0:
        return None
    diameter, length = _sizes(each)
    assert diameter is not None and length is not None  # checked
    return TubeFlow(
        velocity=each.flow.velocity,
        diameter=diameter,
        length=length,
        k=liquid.k,
        heat_capacity=liquid.volumetric_heat_capacity,
        density=liquid.density,
        viscosity=each.flow.viscosity,
    )


def liquid_temperature(each: Structure | MeshRegion, body: Body) -> float:
    """Return the temperature of what flows in a structure [degC]."""
    return body.blood_temperature if each.held is None else each.held


def held_structures(case: Case) -> dict[str, float]:
    """Return the temperature [degC] of each structure that is held throughout."""
    return {each.name: T for each in bodies_of(case) if (T := held_at(each)) is not None}


def held_at(each: Structure | MeshRegion) -> float | None:
    """Return the temperature [degC] at which a structure is held throughout; None: it is not."""
    return each.held if each.flow is None else None


def _sizes(each: Structure | MeshRegion) -> tuple[float | None, float | None]:
    """Return diameter and length [m] of the wall that a flow passes, None where neither shape nor flow tells."""
    diameter = length = None
    if isinstance(each, Tube):
        diameter, length = each.diameter, float(np.linalg.norm(np.diff(each.path, axis=0), axis=1).sum())
    elif isinstance(each, Cylinder):
        diameter, length = each.diameter, float(np.linalg.norm(np.subtract(each.end, each.start)))
    assert each.flow is not None
    return each.flow.diameter or diameter, each.flow.length or length


def flow_faults(parts: Parts, bodies: list[tuple[str, Structure | MeshRegion]]) -> Iterator[Fault]:
    """Yield the faults of flows."""
    tissues, any_flow = known_tissues(parts), False
    for where, each in bodies:
        if each.flow is None:
            continue
        any_flow = any_flow or each.flow.velocity > 0.0
        missing = [key for key, size in zip(("diameter_mm", "length_mm"), _sizes(each), strict=True) if size is None]
        for key in missing:
            expected = "needed where the shape is no tube or cylinder: four times cross section over wetted perimeter"
            expected = expected if key == "diameter_mm" else "needed there too: the length of wall that the flow passes"
            yield Fault(f"{where}.flow.{key}", "missing key", expected)
        liquid = tissues.get(each.tissue)
        if liquid is not None and liquid.is_metal:
            yield Fault(f"{where}.flow", f"found a flow of {each.tissue}", "a liquid", 'tissue = "blood"')
        elif liquid is not None and not missing:
            flow = tube_flow(each, liquid)
            if flow is not None and flow.reynolds > HIGHEST:
                found = f"found {each.flow.velocity:g}, a Reynolds number of {flow.reynolds:.3g}"
                yield Fault(f"{where}.flow.velocity_m_per_s", found, f"a Reynolds number of at most {HIGHEST:g}")
    if any_flow and parts.mesh is not None and parts.mesh.interfaces == "cells":
        expected = '"auto" or "conforming": the film needs the wall\'s area, and a wall of cells has too much'
        yield Fault("mesh.interfaces", 'found "cells" with a flow in a structure', expected)
