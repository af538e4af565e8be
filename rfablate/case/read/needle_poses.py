"""Applicators defined by two points: `target_mm` and `entry_mm` become `tip_mm` and `direction`.

The points are numbers in the case's coordinates, or the names of points in a markups file of 3D Slicer, which are
converted from that file's coordinates to those of the case's label image.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from rfablate.case.messages.schema_guide import show
from rfablate.case.messages.suggestions import did_you_mean
from rfablate.case.tables.user_file import read_user_file
from rfablate.errors import CaseError, Fault

_LARGEST_FILE = 20_000_000
_SYSTEMS = {"LPS": "LPS", "RAS": "RAS", "0": "RAS", "1": "LPS"}
"""Coordinate systems of a markups file: by name, or by number in older versions."""
_KEYS = ("entry_mm", "target_mm", "markups", "entry", "target")
_DIGITS = 6


def expand_poses(data: dict[str, Any], base_dir: Path) -> list[Fault]:
    """Set tip and direction of each applicator that has `entry` and `target`; return the faults."""
    tables = data.get("applicators")
    faults: list[Fault] = []
    if not isinstance(tables, list):
        return faults
    system = _coordinates(data)
    for number, table in enumerate(tables):
        if not isinstance(table, dict) or not any(key in table for key in _KEYS):
            continue
        where = f"applicators[{number}]"
        try:
            entry, target = _points(where, table, base_dir, system)
        except CaseError as error:
            faults += error.faults
        else:
            table["tip_mm"] = [round(float(x), _DIGITS) for x in target]
            axis = (entry - target) / np.linalg.norm(entry - target)
            table["direction"] = [round(float(x), 9) for x in axis]
        for key in _KEYS:
            table.pop(key, None)
    return faults


def _coordinates(data: dict[str, Any]) -> str | None:
    domain, structures = data.get("domain"), data.get("structures")
    if isinstance(domain, dict) and domain.get("kind") == "labels":  # the faults of its images are reported elsewhere
        return "LPS" if domain.get("coordinates") == "LPS" else "RAS"
    tables = [each for each in structures if isinstance(each, dict)] if isinstance(structures, list) else []
    return next(
        (str(each["coordinates"]) for each in tables if each.get("kind") == "label" and "coordinates" in each), None
    )


def _points(where: str, table: dict[str, Any], base_dir: Path, system: str | None) -> tuple[Any, Any]:
    """Return entry and target [mm]; raises CaseError."""
    faults = [
        Fault(f"{where}.{key}", "found with entry and target", "either entry and target, or tip_mm and direction")
        for key in ("tip_mm", "direction")
        if key in table
    ]
    points: dict[str, Any] = {}
    fiducials: dict[str, Any] = {}
    if "markups" in table:
        fiducials = read_fiducials(f"{where}.markups", table["markups"], base_dir, system)
    for key in ("entry", "target"):
        name, numbers = table.get(key), table.get(f"{key}_mm")
        if (name is None) == (numbers is None):
            found = "missing key" if name is None else f"found with {key}_mm"
            other = "three numbers, or the name of a point of a markups file"
            faults.append(Fault(f"{where}.{key}_mm" if name is None else f"{where}.{key}", found, other))
        elif name is not None:
            if name in fiducials:
                points[key] = fiducials[name]
            else:
                expected = f"a point of the file: {', '.join(fiducials)}" if fiducials else 'markups = "FILE.mrk.json"'
                hint = did_you_mean(str(name), list(fiducials))
                faults.append(Fault(f"{where}.{key}", f"found {show(name)}", expected, hint))
        elif not _is_point(numbers):
            faults.append(Fault(f"{where}.{key}_mm", f"found {show(numbers)}", "a list of 3 numbers [mm]"))
        else:
            points[key] = np.array(numbers, dtype=float)
    if not faults and np.linalg.norm(points["entry"] - points["target"]) < 1e-3:
        faults.append(Fault(f"{where}.entry_mm", "found the same point as the target", "a point along the shaft"))
    if faults:
        raise CaseError(faults)
    return points["entry"], points["target"]


def _is_point(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(isinstance(x, int | float) and not isinstance(x, bool) and abs(x) <= 1000 for x in value)
    )


def read_fiducials(where: str, name: Any, base_dir: Path, system: str | None) -> dict[str, Any]:
    """Return the points [mm] of a markups file by their labels, in the coordinates `system`; raises CaseError."""
    expected = "a markups file of 3D Slicer (.mrk.json)"
    if not isinstance(name, str):
        raise CaseError([Fault(where, f"found {show(name)}", expected)])
    if system is None:
        found = f"found {show(name)} in a case without a label image: its axes are not related to those of the file"
        raise CaseError([Fault(where, found, 'domain.kind = "labels"', "write entry_mm and target_mm")])
    path = base_dir / name
    try:
        lists = json.loads(read_user_file(path, _LARGEST_FILE).decode("utf-8"))["markups"]
        found_points: dict[str, Any] = {}
        for each in lists:
            own = _SYSTEMS.get(str(each.get("coordinateSystem", "LPS")).upper())
            if own is None or str(each.get("coordinateUnits", "mm")) not in ("mm", "[mm]"):
                system_and_unit = f"{each.get('coordinateSystem')}, {each.get('coordinateUnits', 'mm')}"
                raise CaseError([Fault(where, f"found coordinates in {system_and_unit}", "LPS or RAS, in mm")])
            flip = np.array([1.0, 1.0, 1.0] if own == system else [-1.0, -1.0, 1.0])
            for point in each["controlPoints"]:
                position = point.get("position")
                if point.get("positionStatus", "defined") != "defined" or not _is_point(position):
                    continue
                label = str(point["label"])
                if label in found_points:
                    raise CaseError([Fault(where, f'found two points called "{label}"', "each name once")])
                found_points[label] = np.array(position, dtype=float) * flip
    except OSError as error:
        near = did_you_mean(path.name, [each.name for each in path.parent.glob("*.json")])
        raise CaseError([Fault(where, f"found {show(name)}: {error.strerror}", expected, near)]) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CaseError(
            [Fault(where, f"found {show(name)}, which is not a markups file: {error!r}", expected)]
        ) from None
    if not found_points:
        raise CaseError([Fault(where, f"found {show(name)} without a placed point", expected)])
    return found_points
