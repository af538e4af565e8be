"""The parts of a case that can be checked: all parts of a valid case, or the valid parts of a case with faults."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from rfablate.case.tables.channel_tables import Channel, Sharing
from rfablate.case.tables.generator_tables import Generator
from rfablate.case.tables.geometry_tables import Applicator, Domain, LabelsDomain, Structure
from rfablate.case.tables.liquids import Injectate
from rfablate.case.tables.numerics_tables import Mesh, Solver, Time
from rfablate.case.tables.schema import (
    BodyTable,
    Boundary,
    Case,
    Damage,
    LesionTable,
    OutputTable,
    TissueOverride,
)


@dataclass(frozen=True)
class LocatedStructure:
    """A structure and its place in the case file."""

    where: str
    shape: Structure


@dataclass(frozen=True)
class CheckableCase:
    """The input of the checks; a part is None (or missing from its list) where its table is invalid."""

    domain: Domain | None
    boundary: Boundary | None
    body: BodyTable | None
    generator: Generator | None
    mesh: Mesh | None
    time: Time | None
    solver: Solver | None
    damage: Damage | None
    lesion: LesionTable | None
    structures: tuple[LocatedStructure, ...]
    applicators: tuple[tuple[str, Applicator], ...]
    tissues: Mapping[str, TissueOverride]
    unsound_tissues: Collection[str] = ()
    applicator_count: int = 1
    injectates: tuple[tuple[str, Injectate], ...] = ()
    start_from: str | None = None
    cooled: bool = True
    channels: tuple[tuple[str, Channel], ...] = ()
    channel_count: int = 0
    sharing: Sharing | None = None
    output: OutputTable | None = None

    @classmethod
    def of(cls, case: Case) -> CheckableCase:
        """Return the parts of a valid case."""
        return cls(
            domain=_read(case.domain),
            boundary=case.boundary,
            body=case.body,
            generator=case.generator,
            mesh=case.mesh,
            time=case.time,
            solver=case.solver,
            damage=case.damage,
            lesion=case.lesion,
            structures=tuple(_placed(number, shape) for number, shape in enumerate(case.structures)),
            applicators=tuple(_pointed(number, each) for number, each in enumerate(case.applicators)),
            tissues=case.tissues,
            applicator_count=len(case.applicators),
            injectates=tuple((f"injectates[{number}]", each) for number, each in enumerate(case.injectates)),
            start_from=case.start_from,
            cooled=case.cooled,
            channels=tuple((f'channels[{number}] "{each.name}"', each) for number, each in enumerate(case.channels)),
            channel_count=len(case.channels),
            sharing=case.sharing,
            output=case.output,
        )

    @classmethod
    def salvage(cls, data: Mapping[str, Any], unsound_applicators: Collection[int] = ()) -> CheckableCase:
        """Return the parts of `data` (a case file with faults) that are valid on their own."""
        structures = _items(data.get("structures"))
        applicators = _items(data.get("applicators"))
        own = data.get("tissues", {})
        tissues = {name: _sound(TissueOverride, table) for name, table in own.items()} if isinstance(own, dict) else {}
        return cls(
            domain=_read(_sound(Domain, data.get("domain"))),
            boundary=_optional(Boundary, data, "boundary"),
            body=_optional(BodyTable, data, "body"),
            generator=_sound(Generator, data.get("generator")),
            mesh=_optional(Mesh, data, "mesh"),
            time=_optional(Time, data, "time"),
            solver=_optional(Solver, data, "solver"),
            damage=_optional(Damage, data, "damage"),
            lesion=_optional(LesionTable, data, "lesion"),
            structures=tuple(
                _placed(number, shape)
                for number, table in enumerate(structures)
                if (shape := _sound(Structure, table)) is not None
            ),
            applicators=tuple(
                _pointed(number, applicator)
                for number, table in enumerate(applicators)
                if number not in unsound_applicators and (applicator := _sound(Applicator, table)) is not None
            ),
            tissues={name: table for name, table in tissues.items() if table is not None},
            unsound_tissues=tuple(name for name, table in tissues.items() if table is None),
            applicator_count=len(applicators),
            injectates=tuple(
                (f"injectates[{number}]", injectate)
                for number, table in enumerate(_items(data.get("injectates")))
                if (injectate := _sound(Injectate, table)) is not None
            ),
            start_from=_sound(str | None, data.get("start_from")),
            cooled=data.get("cooled") is not False,
            channels=tuple(
                (f'channels[{number}] "{channel.name}"', channel)
                for number, table in enumerate(_items(data.get("channels")))
                if (channel := _sound(Channel, table)) is not None
            ),
            channel_count=len(_items(data.get("channels"))),
            sharing=_optional(Sharing, data, "sharing"),
            output=_optional(OutputTable, data, "output"),
        )


def _placed(number: int, shape: Structure) -> LocatedStructure:
    return LocatedStructure(f'structures[{number}] "{shape.name}"', shape)


def _pointed(number: int, applicator: Applicator) -> tuple[str, Applicator]:
    named = f' "{applicator.name}"' if "name" in applicator.model_fields_set else ""
    return f"applicators[{number}]{named}", applicator


def _read(domain: Any) -> Domain | None:
    """Return the domain; None for one of labels, which stays where its images have faults."""
    return None if isinstance(domain, LabelsDomain) else domain


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _sound(kind: Any, value: Any) -> Any:
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return None


def _optional(kind: type[BaseModel], data: Mapping[str, Any], key: str) -> Any:
    return _sound(kind, data[key]) if key in data else kind()
