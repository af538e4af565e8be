"""Differences between two runs of a case: every number and every field value."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from rfablate.results.checkpoint import read_checkpoint

SKIPPED = ("timing_s", "provenance", "numerics.ranks")
ITERATIONS = ("numerics.heat_iterations", "numerics.potential_iterations")
"""Numbers that depend on the rank count."""
FLOOR = 1e-14
"""Numbers below this value, or below this fraction of the largest value of their field, count as zero."""


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every number and text of a tree with its path."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from leaves(each, f"{key}.{name}" if key else name)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from leaves(each, f"{key}[{number}]")
    else:
        yield key, value


def apart(a: Path, b: Path, *, same_ranks: bool = True) -> dict[str, float]:
    """Return the largest relative difference of each file of two run directories; infinite if the structures differ."""
    return {
        "summary": _numbers(_summary(a, same_ranks), _summary(b, same_ranks)),
        "history": _numbers(_history(a), _history(b)),
        "state": _numbers(_state(a), _state(b)),
        **{f"checkpoint {name}": worst for name, worst in _arrays(_kept(a), _kept(b)).items()},
        **{f"fields {name}": worst for name, worst in _arrays(_fields(a), _fields(b)).items()},
    }


def _summary(folder: Path, same_ranks: bool) -> dict[str, Any]:
    skipped = SKIPPED if same_ranks else SKIPPED + ITERATIONS
    found = leaves(json.loads((folder / "summary.json").read_text()))
    return {key: value for key, value in found if not key.startswith(skipped)}


def _history(folder: Path) -> dict[str, Any]:
    with (folder / "history.csv").open(newline="") as file:
        rows = [{k: float(v) if v else None for k, v in row.items()} for row in csv.DictReader(file)]
    return dict(leaves(rows))


def _state(folder: Path) -> dict[str, Any]:
    """Return controller, schedules, step control and energy balance of the last checkpoint."""
    return dict(leaves(read_checkpoint(folder / "checkpoint.h5").memory["state"]))


def _kept(folder: Path) -> dict[str, Any]:
    """Return the physical state of the last checkpoint: temperatures, damage, potentials."""
    arrays = read_checkpoint(folder / "checkpoint.h5").arrays
    return {name: values for name, values in arrays.items() if name.startswith("state/")}


def _fields(folder: Path) -> dict[str, Any]:
    with h5py.File(folder / "fields.vtkhdf") as file:
        root = file["VTKHDF"]
        steps = root["Steps"]
        found = {name: root[f"PointData/{name}"][:] for name in root["PointData"]}
        found |= {name: root[f"CellData/{name}"][:] for name in root["CellData"]}
        found |= {"Points": root["Points"][:], "times": steps["Values"][:]}
        return found | {"steps": np.array([steps.attrs["NSteps"]])}


def _numbers(a: dict[str, Any], b: dict[str, Any]) -> float:
    if a.keys() != b.keys():
        return np.inf
    worst = 0.0
    for key, value in a.items():
        other = b[key]
        if isinstance(value, float) and isinstance(other, float):
            worst = max(worst, abs(value - other) / max(abs(value), FLOOR))
        elif value != other:
            return np.inf
    return worst


def _arrays(a: dict[str, Any], b: dict[str, Any]) -> dict[str, float]:
    return {name: _points(a[name], b[name]) if name in a and name in b else np.inf for name in a.keys() | b.keys()}


def _points(a: Any, b: Any) -> float:
    if a.shape != b.shape:
        return np.inf
    a, b = a.astype(np.float64), b.astype(np.float64)
    floor = FLOOR * np.abs(a).max(initial=1.0)
    return float((np.abs(a - b) / np.maximum(np.abs(a), floor)).max(initial=0.0))
