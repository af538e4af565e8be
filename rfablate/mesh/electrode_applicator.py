"""The applicator of a case from the electrode in the user's mesh: `applicators = "from mesh"`. Pure.

Tip, direction, diameter and active length are those of the needle that the facets with the role "active" form. Its tip
is the end that a face closes; without such a face, the end away from the facets with the role "insulated".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.case.tables.geometry_tables import MeshDomain
from rfablate.errors import MeshError
from rfablate.mesh.electrode_fit import MeshNeedle, SurfacePatch, active_patches, needle_of
from rfablate.mesh.mesh_data import MeshData
from rfablate.mesh.user_mesh import read_mesh

_DIGITS = 4
"""Decimals of the keys [mm]."""
_CLOSED = 0.3
"""Area of the face that closes an end, relative to the cross section."""
_SENSOR = 1e-3
"""Distance of the sensor from the tip [m]; half of the active length where this is shorter."""


def applicator_from_mesh(domain: MeshDomain) -> dict[str, Any]:
    """Return the keys of the applicator of a mesh.

    Raises:
        MeshError: the mesh cannot be read, or its active surface is no single needle.
    """
    mesh = read_mesh(domain)
    patches = active_patches(mesh)
    if not patches:
        raise MeshError('the mesh has no surface with the role "active"')
    needle = needle_of(patches[-1].corners)  # of several patches the last one is all together
    if needle is None or not needle.is_round:
        pieces = f"{len(patches) - 1} separate pieces" if len(patches) > 1 else "one surface"
        raise MeshError(
            f"the active surface ({pieces}) is not one round needle longer than its diameter; "
            "describe the applicator with [[applicators]]"
        )
    tip, axis = _from_tip(needle, patches[-1], mesh)
    return {
        "tip_mm": [round(float(x) * 1e3, _DIGITS) + 0.0 for x in tip],
        "direction": [round(float(x), 6) + 0.0 for x in axis],
        "outer_diameter_mm": round(needle.diameter * 1e3, _DIGITS),
        "active_tip_mm": round(needle.length * 1e3, _DIGITS),
        "sensor_offset_mm": round(min(_SENSOR, 0.5 * needle.length) * 1e3, _DIGITS),
    }


def _from_tip(needle: MeshNeedle, patch: SurfacePatch, mesh: MeshData) -> tuple[FloatArray, FloatArray]:
    """Return the tip and the unit vector from it along the shaft."""
    other = needle.tip + needle.length * needle.axis
    low, high = (_face(patch, needle, along) for along in (0.0, needle.length))
    section = 0.25 * np.pi * needle.diameter**2
    reversed_ = high > low
    if max(low, high) < _CLOSED * section or min(low, high) > 0.5 * max(low, high):
        shaft = mesh.surfaces.get("insulated")
        if shaft is None or not len(shaft):
            raise MeshError(
                'neither end of the active surface is closed and no surface has the role "insulated": the tip cannot '
                "be told from the shaft; use [[applicators]]"
            )
        middle = mesh.points[np.unique(shaft)].mean(axis=0)
        if mesh.axisymmetric:
            middle = np.array([0.0, 0.0, middle[1]])
        reversed_ = bool((middle - needle.tip) @ needle.axis < 0.5 * needle.length)
    return (other, -needle.axis) if reversed_ else (needle.tip, needle.axis)


def _face(patch: SurfacePatch, needle: MeshNeedle, along: float) -> float:
    """Return the area across the axis of the facets that face along it, in the half of the needle around `along`."""
    corner = patch.corners
    across = 0.5 * np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]) @ needle.axis
    area = 0.5 * np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1)
    height = (corner.mean(axis=1) - needle.tip) @ needle.axis
    near = np.abs(height - along) < 0.5 * needle.length
    return float(np.abs(across[near & (np.abs(across) > 0.15 * area)]).sum())
