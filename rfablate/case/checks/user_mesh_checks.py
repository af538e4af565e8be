"""Checks of a user mesh that need only the case file: file, tags, names and roles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from rfablate.case.messages.suggestions import did_you_mean
from rfablate.case.resolve.checkable_case import CheckableCase
from rfablate.case.tables.generator_tables import SurfaceTemperature
from rfablate.case.tables.geometry_tables import MeshDomain, MeshRegion, MeshSurface
from rfablate.case.tables.schema import Boundary
from rfablate.errors import Fault


def mesh_faults(parts: CheckableCase, domain: MeshDomain) -> Iterator[Fault]:
    """Yield the faults of a domain given as a user mesh."""
    file = Path(domain.file)
    if not file.is_file():
        near = did_you_mean(file.name, [each.name for each in file.parent.glob("*")])
        yield Fault("domain.file", f'found "{domain.file}", no such file', "a mesh file", near)
    if not domain.regions:
        yield Fault("domain.regions", "found []", "at least one [[domain.regions]] table")
    yield from _duplicates("regions", domain.regions)
    yield from _duplicates("surfaces", domain.surfaces)
    yield from _role_faults(parts, domain.surfaces)
    yield from _overlay_faults(parts, domain)
    if parts.mesh is not None and parts.mesh.width_percent is not None:
        yield Fault("mesh.width_percent", "found a number", "omit this key: the sizes of a user mesh are fixed")
    if parts.boundary is not None and parts.boundary != Boundary():
        expected = "omit this table: the surfaces of a user mesh define the boundary conditions"
        hint = 'roles = ["return", "body_temperature"] in [[domain.surfaces]]'
        yield Fault("boundary", "found a table", expected, hint)
    for where, applicator in parts.applicators:
        if applicator.coolant is not None:
            yield Fault(f"{where}.coolant", "found a table", "no coolant: cooling is not supported in a user mesh")
        if applicator.ring is not None:
            expected = "no ring: in a user mesh the surfaces have the electrode roles"
            yield Fault(f"{where}.ring", "found a table", expected)
        if applicator.electrode == "return":
            hint = 'roles = ["return"] on its tip'
            expected = "omit this key: in a user mesh the surfaces have the electrode roles"
            yield Fault(f"{where}.electrode", 'found "return"', expected, hint)
    if parts.applicator_count > 1:
        expected = "one applicator: in a user mesh the surfaces are the electrodes"
        hint = 'roles = ["active"] and roles = ["return"] on the two tips of a bipolar pair'
        yield Fault("applicators", f"found {parts.applicator_count}", expected, hint)


def _overlay_faults(parts: CheckableCase, domain: MeshDomain) -> Iterator[Fault]:
    """Yield the faults of structures that are laid over the mesh."""
    for placed in parts.structures:
        if placed.shape.flow is not None and placed.shape.flow.velocity > 0.0:
            expected = "no flow in a structure laid over a user mesh: its wall is not a surface of the mesh"
            hint = "give the vessel its own tag in the mesh and a [[domain.regions]] table with the flow"
            yield Fault(f"{placed.where}.flow", "found a flow", expected, hint)
        sound = not any(True for _ in placed.shape.degenerate_faults(""))
        fault = placed.shape.revolution_fault(placed.where, np.zeros(2)) if domain.axisymmetric and sound else None
        if fault is not None:
            yield fault


def _duplicates(key: str, items: Sequence[MeshRegion | MeshSurface]) -> Iterator[Fault]:
    """Yield duplicate tags and duplicate surface names; `structure_checks` reports duplicate region names."""
    for attribute in ("tag", "name") if key == "surfaces" else ("tag",):
        first: dict[int | str, str] = {}
        for number, item in enumerate(items):
            value = getattr(item, attribute)
            where = f'domain.{key}[{number}] "{item.name}"'
            if value in first:
                expected = f"a unique {attribute}"
                yield Fault(f"{where}.{attribute}", f"found {value!r}, already in {first[value]}", expected)
            first.setdefault(value, where)


def _role_faults(parts: CheckableCase, surfaces: Sequence[MeshSurface]) -> Iterator[Fault]:
    for number, surface in enumerate(surfaces):
        where = f'domain.surfaces[{number}] "{surface.name}".roles'
        roles = ", ".join(surface.roles)
        if not surface.roles:
            yield Fault(where, "found []", "at least one role", 'roles = ["insulated"]')
        if len(set(surface.roles)) < len(surface.roles):
            yield Fault(where, f"found {roles}", "each role once")
        alone = {"active", "insulated"} & set(surface.roles)
        if alone and len(set(surface.roles)) > 1:
            yield Fault(where, f"found {roles}", f"{' and '.join(sorted(alone))} as the only role of a surface")
    present = {role for surface in surfaces for role in surface.roles}
    needed = ["active"]
    if parts.generator is not None and not isinstance(parts.generator, SurfaceTemperature):
        needed.append("return")
    for role in needed:
        if role not in present:
            what = "the bare tip of the applicator" if role == "active" else "the return electrode"
            yield Fault(
                "domain.surfaces",
                f'found no surface with the role "{role}"',
                f"one surface that is {what}",
                f'roles = ["{role}"]',
            )
