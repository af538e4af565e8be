"""Comparison of the applicator of a case with the electrode in the user's mesh. Pure.

| quantity      | largest difference                                                                          |
|---------------|---------------------------------------------------------------------------------------------|
| tip           | 0.5 mm, or one facet edge (at most one diameter) if that is longer                           |
| axis          | 5 degrees                                                                                   |
| diameter      | 15 %; only of a round electrode                                                              |
| active length | 15 % and one facet edge (at most one diameter)                                               |

An electrode that is no needle (a sphere, a plate, an electrode with tines, one shorter than its diameter) is compared
by its place only: from the tip to the nearest facet at most half of its extent, 0.5 mm or one facet edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import degrees

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.case.geometry.applicator_axes import applicator_frame
from rfablate.case.geometry.applicator_parts import point_length
from rfablate.case.tables.geometry_tables import Applicator, MeshDomain
from rfablate.case.tables.schema import Case
from rfablate.errors import CaseError, Fault
from rfablate.mesh.electrode_fit import MeshNeedle, SurfacePatch, active_patches, needle_of
from rfablate.mesh.mesh_data import MeshData
from rfablate.mesh.user_mesh import METRES

TIP, ANGLE, RELATIVE = 0.5e-3, 5.0, 0.15
"""Tolerances of the tip [m], of the axis [degrees], and of diameter and active length."""


def refuse_other_electrode(case: Case, mesh: MeshData) -> None:
    """Compare the applicators of a case of `kind = "mesh"` with the electrode in the mesh.

    Raises:
        CaseError: they disagree; each fault has both values and the key.
    """
    assert isinstance(case.domain, MeshDomain)
    patches = active_patches(mesh)
    name = case.domain.file.replace("\\", "/").rsplit("/", 1)[-1]
    faults = []
    for number, applicator in enumerate(case.applicators):
        faults += _faults(_Given(f"applicators[{number}]", applicator, name, case.domain.length_unit), patches)
    if faults:
        raise CaseError(faults, f"{case.title or 'case'}, compared with {name}")


@dataclass(frozen=True)
class _Given:
    """An applicator of the case, and the mesh file that it is compared with."""

    where: str
    """Key of the applicator."""
    applicator: Applicator
    file: str
    unit: str
    """Length unit of the file."""


def _faults(given: _Given, patches: list[SurfacePatch]) -> list[Fault]:
    """Return the faults against the patch that fits best: of the patches with the fewest faults, the nearest."""
    applicator = given.applicator
    frame = applicator_frame(applicator)
    found: list[tuple[int, float, list[Fault]]] = []
    for number, patch in enumerate(patches):
        local = frame.coordinates(patch.corners.reshape(-1, 3)).reshape(-1, 3, 3)
        needle = None if applicator.tines is not None else needle_of(local, point_length(applicator))
        together = len(patches) > 1 and number == len(patches) - 1
        if needle is not None and not (together and not needle.is_round):
            faults = _needle_faults(given, needle, patch.edge)
            found.append((len(faults), float(np.linalg.norm(needle.tip)), faults))
        elif not together or applicator.tines is not None:
            away = _distance(local)
            faults = _place_faults(given, patch, away)
            found.append((len(faults), away, faults))
    return min(found, key=lambda each: each[:2])[2] if found else []


def _needle_faults(given: _Given, needle: MeshNeedle, edge: float) -> list[Fault]:
    """Return the differences between an applicator and a needle in its coordinates."""
    where, applicator, name = given.where, given.applicator, given.file
    frame, faults = applicator_frame(applicator), []
    wide, long = applicator.outer_diameter, applicator.active_tip
    edge = min(edge, wide)
    hint = _unit_hint(needle, wide, long, given.unit)
    allowed = max(TIP, edge)
    if np.linalg.norm(needle.tip) > allowed:
        ends = _point(frame.at(*needle.tip[:, None])[0])
        found = f"found {_point(frame.tip)} mm; the active surface of {name} ends at {ends} mm"
        faults.append(Fault(f"{where}.tip_mm", found, f"at most {allowed * 1e3:.3g} mm between them", hint))
    angle = degrees(np.arccos(min(1.0, float(needle.axis[2]))))
    if angle > ANGLE:
        axis = needle.axis @ np.stack([frame.u, frame.v, frame.axis])
        found = f"found {_point(frame.axis, 1.0)}; the active surface of {name} lies along {_point(axis, 1.0)}"
        faults.append(Fault(f"{where}.direction", f"{found}, {angle:.3g} degrees off", f"at most {ANGLE:g} degrees"))
    if needle.is_round and abs(needle.diameter - wide) > RELATIVE * wide:
        found = f"found {wide * 1e3:.4g}; the active surface of {name} is {needle.diameter * 1e3:.3g} mm wide"
        expected = f"at most {RELATIVE:.0%} between them"
        faults.append(Fault(f"{where}.outer_diameter_mm", found, expected, hint))
    if abs(needle.length - long) > RELATIVE * long + edge:
        found = f"found {long * 1e3:.4g}; the active surface of {name} is {needle.length * 1e3:.3g} mm long"
        spread = (RELATIVE * long + edge) * 1e3
        faults.append(Fault(f"{where}.active_tip_mm", found, f"at most {spread:.2g} mm between them", hint))
    return faults


def _unit_hint(needle: MeshNeedle, wide: float, long: float, unit: str) -> str:
    """Return a hint where all lengths differ by the ratio of two units."""
    for other, metres in METRES.items():
        ratio = METRES[unit] / metres
        if other != unit and all(
            abs(found / (ratio * given) - 1.0) < RELATIVE
            for found, given in ((needle.diameter, wide), (needle.length, long))
        ):
            return f'domain.length_unit = "{other}": diameter and length are {ratio:g} times those of the case'
    return ""


def _distance(corners: FloatArray) -> float:
    """Return the distance from the origin to the nearest node or facet centre [m]."""
    points = np.concatenate([corners.reshape(-1, 3), corners.mean(axis=1)])
    return float(np.linalg.norm(points, axis=1).min())


def _place_faults(given: _Given, patch: SurfacePatch, away: float) -> list[Fault]:
    """Return a fault if the tip is far from an electrode that is no needle."""
    points = patch.corners.reshape(-1, 3)
    low, high = points.min(axis=0), points.max(axis=0)
    allowed = max(TIP, 0.5 * float((high - low).max()), patch.edge)
    if away <= allowed:
        return []
    tip = _point(np.asarray(given.applicator.tip))
    found = f"found {tip} mm; the active surface of {given.file} lies {away * 1e3:.3g} mm away"
    expected = f"at most {allowed * 1e3:.3g} mm; its middle is at {_point(0.5 * (low + high))} mm"
    return [Fault(f"{given.where}.tip_mm", found, expected)]


def _point(values: FloatArray, scale: float = 1e3) -> str:
    """Return coordinates as in a case file, in mm."""
    return "[" + ", ".join(f"{round(scale * float(value), 3) + 0.0:g}" for value in values) + "]"
