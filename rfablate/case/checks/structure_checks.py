"""Checks of the names, roles and limits of structures, in generated domains and in user meshes."""

from __future__ import annotations

from collections.abc import Iterator

from rfablate.case.resolve.checkable_case import CheckableCase
from rfablate.case.resolve.structure_flow import flow_faults
from rfablate.case.resolve.tissues import known_tissues
from rfablate.case.tables.geometry_tables import Cylinder, MeshDomain, MeshRegion, Structure, Tube
from rfablate.errors import Fault
from rfablate.physics.tissue import Tissue

DOMAIN_NAME = "domain"
"""Region name of the tissue around the structures."""
_HIGHEST_TEMPERATURE = 200.0
"""Temperature [degC] above which a value is probably in kelvin."""
_NERVE_LIMIT = 45.0
"""Temperature quoted as cytotoxic for nerve and spinal cord [degC] (Dupuy 2000)."""

_MOST_DIRECTED = 50.0
"""Largest plausible ratio of conductivity along to across the fibres; beyond it, a wrong unit. Nerve: 7."""


def structure_faults(parts: CheckableCase) -> Iterator[Fault]:
    """Yield the faults of names, roles and limits."""
    bodies = list(_bodies(parts))
    yield from name_faults(parts, bodies)
    yield from flow_faults(parts, bodies)
    tissues = known_tissues(parts)
    body = parts.body.temperature if parts.body is not None else None
    for where, each in bodies:
        if each.role == "protect" and each.limit is None:
            hint = f"limit_degC = {_NERVE_LIMIT:g}, quoted as harmful to nerve and spinal cord"
            yield Fault(
                f"{where}.limit_degC",
                "missing key",
                "the highest temperature a protected structure may reach",
                hint,
            )
        if each.limit is not None and body is not None and each.limit <= body:
            yield Fault(f"{where}.limit_degC", f"found {each.limit:g}", f"above body temperature, {body:g} [degC]")
        for key, value in (("limit_degC", each.limit), ("held_degC", each.held)):
            if value is not None and value > _HIGHEST_TEMPERATURE:
                yield kelvin_fault(f"{where}.{key}", value)
        fault = _direction_fault(where, each, tissues.get(each.tissue))
        if fault is not None:
            yield fault


def _direction_fault(where: str, each: Structure | MeshRegion, tissue: Tissue | None) -> Fault | None:
    """Return the fault of an axial conductivity that is implausible for the tissue, or None."""
    along = each.sigma_along if isinstance(each, (Tube, Cylinder)) else None
    if along is None or tissue is None:
        return None
    where = f"{where}.sigma_along_S_per_m"
    if tissue.is_metal or tissue.sigma == 0.0:
        return Fault(where, f"found {along:g} in {tissue.name}", "omit this key in a material that conducts no current")
    if not 1.0 / _MOST_DIRECTED <= along / tissue.sigma <= _MOST_DIRECTED:
        found = f"found {along:g}, {along / tissue.sigma:.3g} times the conductivity across, {tissue.sigma:g}"
        return Fault(where, found, f"within a factor of {_MOST_DIRECTED:g} of the conductivity across [S/m]")
    return None


def name_faults(parts: CheckableCase, bodies: list[tuple[str, Structure | MeshRegion]]) -> Iterator[Fault]:
    """Yield duplicate names."""
    first: dict[str, str] = {}
    if not isinstance(parts.domain, MeshDomain):
        first[DOMAIN_NAME] = "the tissue around all structures"
        for where, applicator in parts.applicators:
            if applicator.name in first:
                found = f'found "{applicator.name}", already the name of {first[applicator.name]}'
                yield Fault(f"{where}.name", found, "a unique name", f'name = "{applicator.name}_2"')
            first.setdefault(applicator.name, where)
    for where, each in bodies:
        if each.name in first:
            found = f'found "{each.name}", already the name of {first[each.name]}'
            yield Fault(f"{where}.name", found, "a unique name", f'name = "{each.name}_2"')
        first.setdefault(each.name, where)


def kelvin_fault(where: str, value: float) -> Fault:
    """Return the fault of a temperature [degC] that is probably in kelvin."""
    expected = f"at most {_HIGHEST_TEMPERATURE:g} [degC]"
    return Fault(where, f"found {value:g}", expected, f"kelvin for degC? {value - 273.15:g} degC")


def limit_warnings(parts: CheckableCase) -> Iterator[str]:
    """Yield a warning for each limit or fraction that is not evaluated."""
    for where, each in _bodies(parts):
        if each.limit is not None and each.role != "protect":
            yield f'{where}.limit_degC: not evaluated, because the role is "{each.role}" and not "protect"'
        if each.required_fraction != 1.0 and each.role != "target":
            yield f'{where}.required_fraction: not evaluated, because the role is "{each.role}" and not "target"'


def _bodies(parts: CheckableCase) -> Iterator[tuple[str, Structure | MeshRegion]]:
    for placed in parts.structures:
        yield placed.where, placed.shape
    if isinstance(parts.domain, MeshDomain):
        for number, region in enumerate(parts.domain.regions):
            yield f'domain.regions[{number}] "{region.name}"', region
