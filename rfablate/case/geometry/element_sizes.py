"""Element sizes: fine at the active tip, growing with distance, and fine enough for structures near the tip. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rfablate.case.geometry.applicator_parts import bare_length
from rfablate.case.tables.geometry_tables import (
    Applicator,
    BoxDomain,
    Domain,
    Label,
    MeshDomain,
    Structure,
)
from rfablate.case.tables.numerics_tables import Mesh

_PER_ACCURACY = {
    # cells across the cannula, growth per unit distance, cells across the thinnest part of a structure
    "draft": (4.0, 0.25, 2.0),
    "standard": (6.0, 0.14, 3.0),
    "fine": (9.0, 0.09, 4.5),
}
_EDGE = {3: 3.0, 2: 12.0}
"""Ratio of the size at the tip to that at sharp edges, where the field is singular, in 3-D and in the half plane."""
_GROWTH_OUTSIDE = 3.0
"""Ratio of the growth beyond the expected lesion to that inside it."""
_FAR = 1.0 / 8.0
"""Ratio of the largest size to the smallest extent of the domain."""
_SHAFT = 0.8
"""Ratio of the largest size at the shaft to its radius: eight edges per circumference."""


_VOXEL = 0.8
"""Ratio of the smallest size at the surface of a label to the voxel size."""
_JUDGED = 1.5
"""Ratio of the number of cells across a sampled target or protected structure to that across anatomy."""


ROUNDED = 0.04
"""Largest relative volume that the facets of a target or protected structure near the tip cut off; 5 % is a warning."""


@dataclass(frozen=True)
class Sizes:
    """Edge lengths [m]:  h = tip + growth * distance  from the active tip, up to far."""

    tip: float
    edge: float
    """Size at the circular edges of the insulation and of a blunt tip."""
    shaft: float
    tine: float
    """Size at the tines; 0 without tines."""
    far: float
    growth: float
    growth_outside: float
    lesion: float
    """Expected distance of the lesion surface from the active tip [m]; `growth` applies up to it."""
    structure: dict[str, float]
    """Size at the surface of each structure that requires one."""
    zone: float
    """Distance from the active tip up to which structures keep their size [m]; beyond, the size grows."""


def choose_sizes(
    domain: Domain, mesh: Mesh, applicators: Sequence[Applicator], structures: Sequence[Structure]
) -> Sizes:
    """Return the sizes of a generated mesh, from the case if given, else from the accuracy and the cannulae."""
    if isinstance(domain, MeshDomain):
        raise ValueError("a user mesh has fixed element sizes")
    scale = mesh.scale
    diameter = min(each.outer_diameter for each in applicators)
    active_tip = max(bare_length(each) for each in applicators)
    tines = [each.tines.diameter for each in applicators if each.tines is not None]
    across, growth, across_structure = _PER_ACCURACY[mesh.accuracy]
    tip = scale * (mesh.size_tip or diameter / across)
    extent = domain.size if isinstance(domain, BoxDomain) else (2.0 * domain.radius, domain.height)
    dim = 2 if domain.kind == "axisymmetric" else 3
    structure = {}
    for shape in structures:
        thin = shape.thinnest()
        if thin is not None:
            finest, across_this = tip, across_structure
            if not shape.conforms(dim):  # the mesh does not conform to its surface before it has cells there
                voxel = shape.voxel_size() if isinstance(shape, Label) else 0.0
                finest = max(tip, scale * _VOXEL * voxel)
                across_this *= 1.0 if shape.role == "anatomy" else _JUDGED
            size = mesh.size_structure or thin / max(across_this, _across_round(shape))
            structure[shape.name] = max(finest, scale * size)
    return Sizes(
        tip=tip,
        edge=tip / _EDGE[dim],
        shaft=max(tip, min(2.0 * tip, scale * _SHAFT * 0.5 * diameter)),
        tine=min(tip, scale * 1.5 * min(tines) / across) if tines else 0.0,
        far=scale * (mesh.size_far or _FAR * min(extent)),
        growth=scale * (mesh.growth or growth),
        growth_outside=_GROWTH_OUTSIDE * scale * (mesh.growth or growth),
        lesion=2e-3 + 0.45 * active_tip,
        structure=structure,
        zone=5e-3 + 2.0 * active_tip,
    )


def _across_round(shape: Structure) -> float:
    """Return the number of cells across a round target or protected structure at which its facets cut off `ROUNDED`."""
    return 0.0 if shape.role == "anatomy" else (shape.rounding() / ROUNDED) ** 0.5
