"""What a run directory holds, read leniently: a run that failed half way has a report too."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FloatArray = npt.NDArray[np.float64]
FIELDS = "fields.vtkhdf"


@dataclass(frozen=True)
class RunData:
    """The small files of a run directory.

    summary, case: the parsed summary.json and case.toml, empty where the file is not there.
    history: column -> values over the accepted steps, nan where undefined. case_text: case.toml as it stands.
    missing: a sentence on each file that is not there or cannot be read.
    """

    directory: Path
    summary: Mapping[str, Any]
    history: Mapping[str, FloatArray]
    case: Mapping[str, Any]
    case_text: str
    missing: tuple[str, ...]

    def table(self, name: str) -> Mapping[str, Any]:
        """Table `name` of the summary, empty where it is missing."""
        value = self.summary.get(name)
        return value if isinstance(value, Mapping) else {}

    def rules(self) -> tuple[str, ...]:
        """Lesion rules, measured or at least asked for, the one that decides about structures first."""
        lesion = self.case.get("lesion")
        asked = lesion if isinstance(lesion, Mapping) else {}
        rules = list(self.table("lesion") or asked.get("rules", ()))
        first = asked.get("verdict_rule") or next(iter(asked.get("rules", [])), None)
        if first in rules:
            rules.remove(first)
            rules.insert(0, first)
        return tuple(rules)

    def required_fraction(self, name: str) -> float:
        """Return the fraction of a target that must lie inside the lesion, of a region of a user's mesh too."""
        return float(self.table("structures").get(name, {}).get("required_fraction", 1.0))

    def applicators(self) -> tuple[Mapping[str, Any], ...]:
        """Applicators of the summary, or of the case where the run did not get so far."""
        found = self.summary.get("applicators") or self.case.get("applicators") or ()
        return tuple(found)

    def rings(self) -> dict[str, tuple[float, float]]:
        """Name of each applicator with a ring electrode -> from where to where it goes, from the tip [mm]."""
        found = {}
        for number, item in enumerate(self.case.get("applicators", ())):
            if ring := item.get("ring"):
                start = float(item["active_tip_mm"]) + float(ring["gap_mm"])
                name = str(item.get("name", f"applicator {number + 1}"))
                found[name] = (start, start + float(ring["length_mm"]))
        return found


def load_run(directory: Path) -> RunData:
    """Read summary.json, history.csv and case.toml of a run directory; note what is missing."""
    missing: list[str] = []
    summary = _attempt(directory / "summary.json", _json, missing, "the run did not end, or was killed")
    history = _attempt(directory / "history.csv", _columns, missing, "there are no curves over time")
    text = _attempt(directory / "case.toml", _text, missing, "the case cannot be shown")
    case: Mapping[str, Any] = {}
    if text:
        try:
            case = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            missing.append(f"case.toml is not valid TOML: {error}")
    if not (directory / FIELDS).exists():
        part = (directory / f"{FIELDS}.part").exists()
        cause = f" ({FIELDS}.part is there: the run goes on, or was killed)" if part else ""
        missing.append(f"{FIELDS} is missing{cause}: there are no slices and no 3-D picture")
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
    whole = [row for row in rows if len(row) == len(header)]  # a killed run may end in half a row
    return {name: np.array([_number(row[i]) for row in whole]) for i, name in enumerate(header)}


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")
