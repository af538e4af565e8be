"""The tissues of a case: the library's, changed or added to by the case's own [tissues] tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from rfablate.case.geometry import MeshDomain
from rfablate.case.parts import Parts
from rfablate.case.schema import Case, TissueOverride
from rfablate.case.suggest import did_you_mean
from rfablate.errors import CaseError, Fault
from rfablate.physics.library import tissue, tissue_names
from rfablate.physics.tissue import Tissue

_FIELDS = ("density", "heat_capacity", "k", "k_slope", "sigma", "sigma_slope", "perfusion")
_NEEDED = ("density", "heat_capacity", "k", "sigma", "perfusion")
_HIGHEST_PERFUSION = 0.1
"""omega_b [1/s] no tissue reaches: kidney, the highest, has 0.067 1/s."""


def case_tissues(case: Case) -> dict[str, Tissue]:
    """Return every tissue and metal the case uses, by name.

    Raises:
        CaseError: a name is not known, or a tissue of the case's own is incomplete.
    """
    parts = Parts.of(case)
    faults = tissue_faults(parts)
    if faults:
        raise CaseError(faults)
    return known_tissues(parts)


def known_tissues(parts: Parts) -> dict[str, Tissue]:
    """Return the tissues in use that are known and complete."""
    found = {name: _made(name, parts.tissues) for _, name in _uses(parts)}
    return {name: made for name, made in found.items() if made is not None}


def tissue_faults(parts: Parts) -> list[Fault]:
    """Return the faults of tissue names and of the case's own tissues."""
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
        faults += _own_faults(name, own)
    for where, name in _uses(parts):
        if where.endswith(".metal") and (made := _made(name, parts.tissues)) and not made.is_metal:
            faults.append(Fault(where, f'found "{name}", which is no metal', "stainless_steel, nitinol or platinum"))
        if where.endswith("_material") and (made := _made(name, parts.tissues)) and made.sigma > 0.0:
            faults.append(Fault(where, f'found "{name}", which conducts', "a metal or insulator, e.g. insulation"))
    return faults


def unused_tissues(parts: Parts) -> tuple[str, ...]:
    """Return the [tissues] tables nothing in the case is made of."""
    used = {name for _, name in _uses(parts)}
    return tuple(name for name in parts.tissues if name not in used)


def _uses(parts: Parts) -> Iterator[tuple[str, str]]:
    """Yield every place that names a tissue, and the name."""
    if isinstance(parts.domain, MeshDomain):
        for number, region in enumerate(parts.domain.regions):
            yield f'domain.regions[{number}] "{region.name}".tissue', region.tissue
    elif parts.domain is not None:
        yield "domain.tissue", parts.domain.tissue
    for structure in parts.structures:
        yield f"{structure.where}.tissue", structure.shape.tissue
    for where, applicator in parts.applicators:
        yield f"{where}.metal", applicator.metal
        if applicator.shaft_material is not None:
            yield f"{where}.shaft_material", applicator.shaft_material
        if applicator.wall is not None:
            yield f"{where}.lumen_material", applicator.lumen_material
        if applicator.insulation is not None:
            yield f"{where}.insulation_material", applicator.insulation_material
        if applicator.tines is not None and applicator.tines.metal is not None:
            yield f"{where}.tines.metal", applicator.tines.metal


def _base(name: str, own: TissueOverride) -> str | None:
    return own.base or (name if name in tissue_names() else None)


def _made(name: str, own_tissues: Mapping[str, TissueOverride]) -> Tissue | None:
    """Return the tissue called `name`, None where it is not known or not complete."""
    own = own_tissues.get(name)
    if own is None:
        return tissue(name) if name in tissue_names() else None
    changes: dict[str, Any] = {field: value for field in _FIELDS if (value := getattr(own, field)) is not None}
    base = _base(name, own)
    if base is None:
        complete = all(field in changes for field in _NEEDED)
        return Tissue(name=name, source=own.source or "case file", **changes) if complete else None
    if base not in tissue_names():
        return None
    if not changes:
        return dataclasses.replace(tissue(base), name=name)
    source = own.source or f"case file: {', '.join(changes)}; the rest: {tissue(base).source}"
    return dataclasses.replace(tissue(base), name=name, source=source, checked=False, **changes)


def _own_faults(name: str, own: TissueOverride) -> Iterator[Fault]:
    where, base = f"tissues.{name}", _base(name, own)
    if base is not None and base not in tissue_names():
        hint = did_you_mean(base, tissue_names())
        yield Fault(f"{where}.base", f'found "{base}"', "a tissue of the library (rfablate library tissues)", hint)
    if base is None:
        aliases = {field: TissueOverride.model_fields[field].alias or field for field in _NEEDED}
        missing = [alias for field, alias in aliases.items() if getattr(own, field) is None]
        if missing:
            hint = did_you_mean(name, tissue_names()) or 'name a library tissue to start from: base = "muscle"'
            yield Fault(where, f"missing {', '.join(missing)}", "a complete tissue, or a base", hint)
    if own.perfusion is not None and own.perfusion > _HIGHEST_PERFUSION:
        yield Fault(
            f"{where}.perfusion_per_s",
            f"found {own.perfusion:g}",
            f"at most {_HIGHEST_PERFUSION:g} [1/s]",
            f"per minute for per second? {own.perfusion / 60:.3g} 1/s",
        )
