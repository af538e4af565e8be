"""All kinds of structures: the union of their tables, one class per kind with all of its geometry.

A new kind is a subclass of `StructureTable`, in one of the files imported here or in a new one, and a member of the
union `Structure`.
"""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field

from rfablate.case.tables.file_structures import Label, Surface
from rfablate.case.tables.flat_structures import Box, HalfSpace, Slab
from rfablate.case.tables.round_structures import Cylinder, Ellipsoid, Sphere, Tube
from rfablate.case.tables.structure_base import StructureTable
from rfablate.case.tables.structure_object import ObjectStructure

Structure = Annotated[
    Ellipsoid | Sphere | Tube | HalfSpace | Slab | Box | Cylinder | Label | Surface | ObjectStructure,
    Field(discriminator="kind"),
]
KINDS: dict[str, type[StructureTable]] = {
    each.model_fields["kind"].default: each for each in get_args(get_args(Structure)[0])
}
"""Every kind by its name."""
