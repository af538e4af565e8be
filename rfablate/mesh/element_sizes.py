"""Element sizes: fine on the active tip, growing with distance, fine enough for every structure near the tip. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rfablate.case.geometry.applicator_parts import bare_length
from rfablate.case.geometry.label_shapes import label_spacing, label_thickness
from rfablate.case.tables.geometry_tables import (
    Box,
    BoxDomain,
    Cylinder,
    Ellipsoid,
    Label,
    MeshDomain,
    Slab,
    Sphere,
    Structure,
    Tube,
)
from rfablate.case.tables.schema import Case

_PER_ACCURACY = {
    # cells across the cannula, growth a unit of distance, cells across the thinnest part of a structure
    "draft": (4.0, 0.25, 2.0),
    "standard": (6.0, 0.14, 3.0),
    "fine": (9.0, 0.09, 4.5),
}
_EDGE = {3: 3.0, 2: 12.0}
"""Size on the tip over that on its sharp circles, where the field is singular, in 3-D and in the half plane."""
_GROWTH_OUTSIDE = 3.0
"""Growth beyond the lesion's likely reach over that within it."""
_FAR = 1.0 / 8.0
"""Largest cell over the domain's smallest extent."""
_SHAFT = 0.8
"""Largest cell on the shaft over its radius: eight sides to the circle."""


_VOXEL = 0.8
"""Smallest cell on a label's surface over the image's voxel."""

_JUDGED = 1.5
"""Cells across a label that is a target or protected, over those across plain anatomy."""


@dataclass(frozen=True)
class Sizes:
    """Edge lengths [m]:  h = tip + growth * distance  from the active tip, up to far."""

    tip: float
    edge: float
    """Size on the circles where the insulation and the flat of the tip begin."""
    shaft: float
    tine: float
    """Size on the tines; 0 without."""
    far: float
    growth: float
    growth_outside: float
    lesion: float
    """Distance from the active tip the lesion is likely to reach: `growth` within, `growth_outside` beyond [m]."""
    structure: dict[str, float]
    """Size on each structure's surface, for those that need one."""
    zone: float
    """Distance from the active tip within which structures keep their size [m]; farther off it grows."""


def choose_sizes(case: Case) -> Sizes:
    """Return the sizes of a generated mesh: the case's own where given, else from its accuracy and the cannulae."""
    if isinstance(case.domain, MeshDomain):
        raise ValueError("a user's mesh has its sizes already")
    mesh, scale = case.mesh, case.mesh.scale
    diameter = min(each.outer_diameter for each in case.applicators)
    active_tip = max(bare_length(each) for each in case.applicators)
    tines = [each.tines.diameter for each in case.applicators if each.tines is not None]
    across, growth, across_structure = _PER_ACCURACY[mesh.accuracy]
    tip = scale * (mesh.size_tip or diameter / across)
    extent = case.domain.size if isinstance(case.domain, BoxDomain) else (2.0 * case.domain.radius, case.domain.height)
    structure = {}
    for shape in case.structures:
        thin = thinnest(shape)
        if thin is not None:
            finest, across_this = tip, across_structure
            if isinstance(shape, Label):  # whose surface the mesh does not follow before it has cells there
                finest = max(tip, scale * _VOXEL * label_spacing(shape))
                across_this *= 1.0 if shape.role == "anatomy" else _JUDGED
            structure[shape.name] = max(finest, scale * (mesh.size_structure or thin / across_this))
    return Sizes(
        tip=tip,
        edge=tip / _EDGE[2 if case.domain.kind == "axisymmetric" else 3],
        shaft=max(tip, min(2.0 * tip, scale * _SHAFT * 0.5 * diameter)),
        tine=min(tip, scale * 1.5 * min(tines) / across) if tines else 0.0,
        far=scale * (mesh.size_far or _FAR * min(extent)),
        growth=scale * (mesh.growth or growth),
        growth_outside=_GROWTH_OUTSIDE * scale * (mesh.growth or growth),
        lesion=2e-3 + 0.45 * active_tip,
        structure=structure,
        zone=5e-3 + 2.0 * active_tip,
    )


def thinnest(shape: Structure) -> float | None:
    """Return a structure's smallest extent [m]; None for a half space, which has none."""
    if isinstance(shape, Ellipsoid):
        return 2.0 * min(shape.semi_axes)
    if isinstance(shape, Sphere):
        return 2.0 * shape.radius
    if isinstance(shape, Tube):
        return shape.diameter
    if isinstance(shape, Slab):
        return shape.thickness
    if isinstance(shape, Box):
        return min(shape.size)
    if isinstance(shape, Label):
        return label_thickness(shape)
    if isinstance(shape, Cylinder):
        length = float(np.linalg.norm(np.subtract(shape.end, shape.start)))
        return min(shape.diameter, length)
    return None
