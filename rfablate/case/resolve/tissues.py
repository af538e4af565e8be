"""The tissues of a case: library tissues, modified or extended by the [tissues] tables of the case."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from rfablate.case.geometry.applicator_parts import device_parts
from rfablate.case.messages.suggestions import did_you_mean
from rfablate.case.resolve.checkable_case import CheckableCase
from rfablate.case.tables.geometry_tables import MeshDomain
from rfablate.case.tables.schema import BodyTable, Case, TissueOverride
from rfablate.errors import CaseError, Fault
from rfablate.physics.laws import LAWS, T_REFERENCE, Drying, Linear, TabulatedLaw
from rfablate.physics.library import damage_set_names, tissue, tissue_names
from rfablate.physics.perfusion import rate_of_blood_mass, rate_of_mass
from rfablate.physics.tissue import Tissue

_SAME = ("density", "heat_capacity", "k", "sigma", "perfusion_rise", "metabolic_heat", "water_fraction", "damage_set")
"""Fields that the tissue takes unchanged from the case."""
_NEEDED = ("density", "heat_capacity", "k", "sigma", "perfusion")
_PERFUSION = ("perfusion", "perfusion_kg", "perfusion_100g", "perfusion_mass")
_HIGHEST_PERFUSION = 0.1
"""Perfusion rate omega_b [1/s] that no tissue exceeds; the highest is that of kidney, 0.067 1/s."""


def case_tissues(case: Case) -> dict[str, Tissue]:
    """Return every tissue and metal that the case uses, by name.

    Raises:
        CaseError: a name is unknown, or a tissue defined in the case is incomplete.
    """
    parts = CheckableCase.of(case)
    faults = tissue_faults(parts)
    if faults:
        raise CaseError(faults)
    return known_tissues(parts)


def known_tissues(parts: CheckableCase) -> dict[str, Tissue]:
    """Return the tissues used in the case that are known and complete."""
    found = {name: _made(name, parts) for _, name in _uses(parts)}
    return {name: made for name, made in found.items() if made is not None}


def all_tissues(parts: CheckableCase) -> dict[str, Tissue]:
    """Return the complete tissues defined in the case, used or not."""
    found = {name: _made(name, parts) for name in parts.tissues}
    return {name: made for name, made in found.items() if made is not None}


def library_base(name: str, parts: CheckableCase) -> str | None:
    """Return the library tissue on which the case's tissue `name` is based; None if there is none."""
    return _base(name, parts.tissues[name])


def perfusion_key(own: TissueOverride) -> str | None:
    """Return the key with which the case gives the perfusion; None if it gives none."""
    return next((_alias(field) for field in _PERFUSION if getattr(own, field) is not None), None)


def tissue_faults(parts: CheckableCase) -> list[Fault]:
    """Return the faults of tissue names and of the tissues defined in the case."""
    names = (*tissue_names(), *parts.tissues)
    faults = [
        Fault(
            where,
            f'found "{name}"',
            "a tissue of the library (rfablate library tissues) or of [tissues]",
            hint,
        )
        for where, name in _uses(parts)
        if name not in names and name not in parts.unsound_tissues
        for hint in [did_you_mean(name, names)]
    ]
    for name, own in parts.tissues.items():
        faults += _own_faults(name, own, parts)
    for where, name in _uses(parts):
        if where.endswith(".metal") and (made := _made(name, parts)) and not made.is_metal:
            faults.append(Fault(where, f'found "{name}", which is not a metal', "stainless_steel, nitinol or platinum"))
        if where.endswith("_material") and (made := _made(name, parts)) and made.sigma > 0.0:
            expected = "a metal or insulator, e.g. insulation"
            faults.append(Fault(where, f'found "{name}", which conducts current', expected))
    return faults


def unused_tissues(parts: CheckableCase) -> tuple[str, ...]:
    """Return the names of [tissues] tables that the case does not use."""
    used = {name for _, name in _uses(parts)}
    return tuple(name for name in parts.tissues if name not in used)


def _uses(parts: CheckableCase) -> Iterator[tuple[str, str]]:
    """Yield every place that refers to a tissue, and the tissue name."""
    if isinstance(parts.domain, MeshDomain):
        for number, region in enumerate(parts.domain.regions):
            yield f'domain.regions[{number}] "{region.name}".tissue', region.tissue
    elif parts.domain is not None:
        yield "domain.tissue", parts.domain.tissue
    for structure in parts.structures:
        yield f"{structure.where}.tissue", structure.shape.tissue
    for where, applicator in parts.applicators:
        materials = {part.key: part.material for part in device_parts(applicator)}
        yield from ((f"{where}.{key}", material) for key, material in materials.items())


def _base(name: str, own: TissueOverride) -> str | None:
    return own.base or (name if name in tissue_names() else None)


def _made(name: str, parts: CheckableCase) -> Tissue | None:
    """Return the tissue named `name`; None if it is unknown or incomplete."""
    own = parts.tissues.get(name)
    if own is None:
        return tissue(name) if name in tissue_names() else None
    base = _base(name, own)
    if base is not None and base not in tissue_names():
        return None
    start = tissue(base) if base is not None else None
    changes = _changes(own, start, parts)
    if start is None:
        complete = all(field in changes for field in _NEEDED)
        return Tissue(name=name, source=own.source or "case file", **changes) if complete else None
    if not changes:
        return dataclasses.replace(start, name=name)
    source = own.source or f"case file: {', '.join(changes)}; other values: {start.source}"
    return dataclasses.replace(start, name=name, source=source, checked=False, **changes)


def _changes(own: TissueOverride, start: Tissue | None, parts: CheckableCase) -> dict[str, Any]:
    """Return the tissue fields that the case sets, in SI units."""
    changes: dict[str, Any] = {field: value for field in _SAME if (value := getattr(own, field)) is not None}
    for quantity in ("k", "sigma"):
        law = _law(own, quantity, getattr(start, f"{quantity}_law") if start is not None else Linear())
        if isinstance(law, tuple):
            changes[quantity], law = law
        if law is not None:
            changes[f"{quantity}_law"] = law
    if own.sigma_dry < 1.0:
        wet = changes.get("sigma_law") or (start.sigma_law if start is not None else Linear())
        changes["sigma_law"] = Drying(wet, own.sigma_dry)
    omega_b = _perfusion(own, own.density or (start.density if start is not None else None), parts.body or BodyTable())
    if omega_b is not None:
        changes["perfusion"] = omega_b
    return changes


def _law(own: TissueOverride, quantity: str, before: Any) -> Any:
    """Return the law that the case gives, for a table with the value at 37 degC before it; None if it gives none."""
    T, values = getattr(own, f"{quantity}_table_T"), getattr(own, f"{quantity}_table")
    if T is not None and values is not None and len(T) == len(values):
        at_37 = float(np.interp(T_REFERENCE, T, values))
        return at_37, TabulatedLaw(T, tuple(value / at_37 for value in values) if at_37 > 0.0 else values)
    slope, name = getattr(own, f"{quantity}_slope"), getattr(own, f"{quantity}_law")
    if slope is None and name == "linear":
        return None
    return LAWS[name](before.slope if slope is None else slope)


def _perfusion(own: TissueOverride, density: float | None, body: BodyTable) -> float | None:
    """Return omega_b [1/s] from the unit in the case; None without a value, or without the density to convert it."""
    if own.perfusion is not None:
        return own.perfusion
    if own.perfusion_mass is not None:
        return rate_of_blood_mass(own.perfusion_mass, body.blood_density)
    per_kg = own.perfusion_kg if own.perfusion_100g is None else 10.0 * own.perfusion_100g
    return None if per_kg is None or density is None else rate_of_mass(per_kg, density)


def _own_faults(name: str, own: TissueOverride, parts: CheckableCase) -> Iterator[Fault]:
    where, base = f"tissues.{name}", _base(name, own)
    if base is not None and base not in tissue_names():
        hint = did_you_mean(base, tissue_names())
        yield Fault(f"{where}.base", f'found "{base}"', "a tissue of the library (rfablate library tissues)", hint)
    if base is None:
        changes = _changes(own, None, parts)
        missing = [_alias(field) for field in _NEEDED if field not in changes]
        if missing:
            hint = did_you_mean(name, tissue_names()) or 'base = "muscle" starts from a library tissue'
            yield Fault(where, f"missing {', '.join(missing)}", "a complete tissue, or a base", hint)
    if own.damage_set is not None and own.damage_set not in damage_set_names():
        hint = did_you_mean(own.damage_set, damage_set_names())
        expected = "one of " + ", ".join(damage_set_names())
        yield Fault(f"{where}.damage_set", f'found "{own.damage_set}"', expected, hint)
    yield from _law_faults(where, own)
    yield from _perfusion_faults(where, own, _made(name, parts))


def _law_faults(where: str, own: TissueOverride) -> Iterator[Fault]:
    for quantity in ("k", "sigma"):
        T, values = getattr(own, f"{quantity}_table_T"), getattr(own, f"{quantity}_table")
        keys = _alias(f"{quantity}_table_T"), _alias(f"{quantity}_table")
        if (T is None) != (values is None):
            given, missing = keys if values is None else keys[::-1]
            yield Fault(f"{where}.{missing}", f"missing key, although {given} is given", "both lists, of equal length")
        if T is None or values is None:
            continue
        if len(T) != len(values):
            yield Fault(f"{where}.{keys[1]}", f"found {len(values)} values", f"{len(T)}, as in {keys[0]}")
        if any(low >= high for low, high in zip(T[:-1], T[1:], strict=True)):
            expected = "strictly increasing temperatures"
            yield Fault(f"{where}.{keys[0]}", "found temperatures that do not increase", expected)
        if min(values) <= 0.0:
            yield Fault(f"{where}.{keys[1]}", f"found {min(values):g}", "values above 0")
        second = [f for f in (quantity, f"{quantity}_slope") if getattr(own, f) is not None]
        for field in second:
            expected = "only the table, which contains the value at 37 degC"
            yield Fault(f"{where}.{_alias(field)}", f"found with {keys[1]}", expected)


def _perfusion_faults(where: str, own: TissueOverride, made: Tissue | None) -> Iterator[Fault]:
    given = [field for field in _PERFUSION if getattr(own, field) is not None]
    for field in given[1:]:
        yield Fault(f"{where}.{_alias(field)}", f"found with {_alias(given[0])}", "perfusion in one unit only")
    if len(given) == 1 and made is not None and made.perfusion > _HIGHEST_PERFUSION:
        value, key = getattr(own, given[0]), _alias(given[0])
        shown = "" if given[0] == "perfusion" else f", which is {made.perfusion:.3g} 1/s"
        unit = {"perfusion": "1/s", "perfusion_kg": "mL/min/kg", "perfusion_100g": "mL/min/100 g"}.get(
            given[0], "kg/m3/s"
        )
        slip = "per minute for per second" if given[0] in ("perfusion", "perfusion_mass") else "per kg for per 100 g"
        meant = value / 60.0 if slip.startswith("per minute") else value / 10.0
        expected = f"at most {_HIGHEST_PERFUSION:g} [1/s]"
        hint = f"{slip}? {meant:.3g} {unit}"
        if made.perfusion * meant / value > _HIGHEST_PERFUSION:  # this unit error does not explain the value
            by_mass = given[0] == "perfusion" and rate_of_mass(value, made.density) <= _HIGHEST_PERFUSION
            hint = f"mL/min/kg for 1/s? perfusion_mL_per_min_per_kg = {value:g}" if by_mass else ""
        yield Fault(f"{where}.{key}", f"found {value:g}{shown}", expected, hint)


def _alias(field: str) -> str:
    return TissueOverride.model_fields[field].alias or field
