"""Reader of a run directory that tolerates missing files, so that a failed run has a report too."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.toml import tomllib

FIELDS = "fields.vtkhdf"
SAME_TIME = 1e-6
"""Relative difference below which two output times count as equal."""


@dataclass(frozen=True)
class RunData:
    """The content of a run directory, without the fields.

    summary, case: the parsed summary.json and case.toml, empty where the file is missing.
    history: column -> values over the accepted steps, NaN where undefined. case_text: the text of case.toml.
    missing: a sentence for each file that is missing or unreadable.
    """

    directory: Path
    summary: Mapping[str, Any]
    history: Mapping[str, FloatArray]
    case: Mapping[str, Any]
    case_text: str
    missing: tuple[str, ...]

    def table(self, name: str) -> Mapping[str, Any]:
        """Return the table `name` of the summary, empty where it is missing."""
        value = self.summary.get(name)
        return value if isinstance(value, Mapping) else {}

    def rules(self) -> tuple[str, ...]:
        """Return the lesion rules of the summary, or of the case without a summary; the verdict rule comes first."""
        lesion = self.case.get("lesion")
        settings = lesion if isinstance(lesion, Mapping) else {}
        rules = list(self.table("lesion") or settings.get("rules", ()))
        first = settings.get("verdict_rule") or next(iter(settings.get("rules", [])), None)
        if first in rules:
            rules.remove(first)
            rules.insert(0, first)
        return tuple(rules)

    def required_fraction(self, name: str) -> float:
        """Return the required fraction of a target: a structure, or a region of a user's mesh."""
        return float(self.table("structures").get(name, {}).get("required_fraction", 1.0))

    def applicators(self) -> tuple[Mapping[str, Any], ...]:
        """Return the applicators of the summary, or of the case where the summary has none."""
        found = self.summary.get("applicators") or self.case.get("applicators") or ()
        return tuple(found)

    def rings(self) -> dict[str, tuple[float, float]]:
        """Return start and end of each ring electrode by applicator name, as distances from the tip [mm]."""
        found = {}
        for number, item in enumerate(self.case.get("applicators", ())):
            if ring := item.get("ring"):
                start = float(item["active_tip_mm"]) + float(ring["gap_mm"])
                name = str(item.get("name", f"applicator {number + 1}"))
                found[name] = (start, start + float(ring["length_mm"]))
        return found


def load_run(directory: Path) -> RunData:
    """Read summary.json, history.csv and case.toml of a run directory; missing files are listed in `missing`."""
    missing: list[str] = []
    summary = _attempt(directory / "summary.json", _json, missing, "the run has not ended or was killed")
    history = _attempt(directory / "history.csv", _columns, missing, "the curves over time are not available")
    text = _attempt(directory / "case.toml", _text, missing, "the case cannot be shown")
    case: Mapping[str, Any] = {}
    if text:
        try:
            case = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            missing.append(f"case.toml is not valid TOML: {error}")
    if not (directory / FIELDS).exists():
        part = (directory / f"{FIELDS}.part").exists()
        cause = f" ({FIELDS}.part exists: the run is still active or was killed)" if part else ""
        missing.append(f"{FIELDS} is missing{cause}: slices and 3-D picture are not available")
    return RunData(directory, summary or {}, history or {}, case, text or "", tuple(missing))


def _attempt(path: Path, read: Any, missing: list[str], consequence: str) -> Any:
    try:
        return read(path)
    except FileNotFoundError:
        missing.append(f"{path.name} is missing: {consequence}")
    except (OSError, ValueError) as error:
        missing.append(f"{path.name} cannot be read ({error}): {consequence}")
    return None


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _json(path: Path) -> Any:
    found = json.loads(_text(path))
    if not isinstance(found, dict):
        raise ValueError("expected a JSON object")
    return found


def _columns(path: Path) -> dict[str, FloatArray]:
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = list(csv.reader(file)) or [[]]
    complete = [row for row in rows if len(row) == len(header)]  # the last row of a killed run may be incomplete
    return {name: np.array([_number(row[i]) for row in complete]) for i, name in enumerate(header)}


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")
