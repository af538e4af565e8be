"""Flow in structures: flow data, heat transfer at the wall, and faults. Pure.

A structure with a flow contains a moving liquid. Convection at its wall absorbs heat (`physics.tube_flow`); its
interior stays at the temperature of the liquid and is excluded from the heat equation. With a velocity of 0 the
structure is a tissue like any other, and its temperature is not fixed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rfablate.case.resolve.checkable_case import CheckableCase
from rfablate.case.resolve.tissues import case_tissues, known_tissues
from rfablate.case.tables.geometry_tables import Cylinder, MeshDomain, MeshRegion, ObjectStructure, Structure, Tube
from rfablate.case.tables.schema import BodyTable, Case
from rfablate.errors import Fault
from rfablate.physics.tissue import Tissue
from rfablate.physics.tube_flow import HIGHEST, TubeFlow


def bodies_of(case: Case) -> tuple[Structure | MeshRegion, ...]:
    """Return the structures of a case, after the regions of a user mesh."""
    return (*case.domain.regions, *case.structures) if isinstance(case.domain, MeshDomain) else case.structures


def flowing(case: Case) -> dict[str, tuple[TubeFlow, float]]:
    """Return, by structure, the flow and the temperature of the liquid [degC]; only structures with a flow."""
    tissues, found = case_tissues(case), {}
    for each in bodies_of(case):
        flow = tube_flow(each, tissues[each.tissue])
        if flow is not None:
            found[each.name] = flow, liquid_temperature(each, case.body)
    return found


def tube_flow(each: Structure | MeshRegion, liquid: Tissue) -> TubeFlow | None:
    """Return the flow in a structure made of `liquid`; None if there is no flow."""
    if each.flow is None or each.flow.velocity == 0.0:
        return None
    diameter, length = _sizes(each)
    assert diameter is not None and length is not None  # `flow_faults` checks this
    return TubeFlow(
        velocity=each.flow.velocity,
        diameter=diameter,
        length=length,
        k=liquid.k,
        heat_capacity=liquid.volumetric_heat_capacity,
        density=liquid.density,
        viscosity=each.flow.viscosity,
    )


def liquid_temperature(each: Structure | MeshRegion, body: BodyTable) -> float:
    """Return the temperature of the flowing liquid in a structure [degC]."""
    return body.blood_temperature if each.held is None else each.held


def held_structures(case: Case) -> dict[str, float]:
    """Return the fixed temperature [degC] of each structure that has one."""
    return {each.name: T for each in bodies_of(case) if (T := held_at(each)) is not None}


def held_at(each: Structure | MeshRegion) -> float | None:
    """Return the fixed temperature of a structure [degC]; None if it is not fixed."""
    return each.held if each.flow is None else None


def _sizes(each: Structure | MeshRegion) -> tuple[float | None, float | None]:
    """Return the hydraulic diameter and the length of the wall [m]; None where neither shape nor flow defines it."""
    diameter = length = None
    if isinstance(each, Tube):
        diameter, length = each.diameter, float(np.linalg.norm(np.diff(each.path, axis=0), axis=1).sum())
    elif isinstance(each, Cylinder):
        diameter, length = each.diameter, float(np.linalg.norm(np.subtract(each.end, each.start)))
    assert each.flow is not None
    return each.flow.diameter or diameter, each.flow.length or length


def flow_faults(parts: CheckableCase, bodies: list[tuple[str, Structure | MeshRegion]]) -> Iterator[Fault]:
    """Yield the faults of flows."""
    tissues, any_flow = known_tissues(parts), False
    for where, each in bodies:
        if each.flow is None:
            continue
        any_flow = any_flow or each.flow.velocity > 0.0
        missing = [key for key, size in zip(("diameter_mm", "length_mm"), _sizes(each), strict=True) if size is None]
        for key in missing:
            expected = "required unless the shape is a tube or cylinder: four times cross section over wetted perimeter"
            expected = expected if key == "diameter_mm" else "required there: the length of the wall along the flow"
            yield Fault(f"{where}.flow.{key}", "missing key", expected)
        flat = parts.domain is not None and parts.domain.kind == "axisymmetric"
        if flat and isinstance(each, ObjectStructure) and each.has_shape and not each.conforms(2):
            expected = "an object with the method section: convection needs the area of the wall"
            yield Fault(f"{where}.flow", "found a flow in an object whose surface is not meshed", expected)
        liquid = tissues.get(each.tissue)
        if liquid is not None and liquid.is_metal:
            yield Fault(f"{where}.flow", f"found a flow of {each.tissue}", "a liquid", 'tissue = "blood"')
        elif liquid is not None and not missing:
            flow = tube_flow(each, liquid)
            if flow is not None and flow.reynolds > HIGHEST:
                found = f"found {each.flow.velocity:g}, a Reynolds number of {flow.reynolds:.3g}"
                yield Fault(f"{where}.flow.velocity_m_per_s", found, f"a Reynolds number of at most {HIGHEST:g}")
    if any_flow and parts.mesh is not None and parts.mesh.interfaces == "cells":
        expected = '"auto" or "conforming": convection needs the wall area, and a wall of cell faces overestimates it'
        yield Fault("mesh.interfaces", 'found "cells" with a flow in a structure', expected)
