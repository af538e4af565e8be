"""Reader of study files, which also reports the faults that a study causes in its base case."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rfablate.case.messages.validation_faults import correct_table_names, faults_of
from rfablate.case.read.case_file import parse_case, read_case_file
from rfablate.case.read.overrides import apply_overrides, setting
from rfablate.case.tables.schema import Case
from rfablate.errors import CaseError, Fault
from rfablate.study.design import axes_of
from rfablate.study.distributions import correlation_faults, distribution_faults, quantile
from rfablate.study.study_checks import Change, axis_faults, change_faults, column_faults, design_faults
from rfablate.study.study_tables import Collect, Correlation, Design, StudyAxis, StudyFile

MOST_VALUES = 50
"""Largest number of values of an axis that are checked to find the faults of a study."""


def load_study(path: Path) -> StudyFile:
    """Return the study in the TOML file at `path`.

    Raises:
        CaseError: the file cannot be read or has faults; the error holds all of them.
    """
    return parse_study(read_case_file(path, "study"), str(path))


def parse_study(data: dict[str, Any], source: str = "study") -> StudyFile:
    """Return the study in the TOML tables `data`; raises CaseError with all faults of the study itself."""
    data = copy.deepcopy(data)
    study, faults = None, correct_table_names(data, StudyFile)
    try:
        study = StudyFile.model_validate(data)
    except ValidationError as error:
        faults += faults_of(error, data, file=StudyFile)
    faults += _cross_faults(data)
    if study is None or faults:
        raise CaseError(faults, source)
    return study


def _cross_faults(data: Mapping[str, Any]) -> list[Fault]:
    """Return the faults in the combination of the valid tables."""
    design = _valid_or_none(Design, data.get("design", {}))
    tables = data.get("axes", [])
    tables = tables if isinstance(tables, list) else [tables]
    axes = {n: axis for n, table in enumerate(tables) if (axis := _valid_or_none(StudyAxis, table)) is not None}
    faults = [] if design is None else design_faults(design, axes, len(tables))
    for n, axis in axes.items():
        faults += [*axis_faults(n, axis, design), *distribution_faults(n, axis, design)]
    correlations = _valid_or_none(tuple[Correlation, ...], data.get("correlations", []))
    if design is not None and len(axes) == len(tables):
        faults += correlation_faults(correlations or (), list(axes.values()), design)
    return faults


def _valid_or_none(kind: Any, value: Any) -> Any:
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return None


# --- the case -------------------------------------------------------------------------------------


def study_faults(data: dict[str, Any], folder: Path, overrides: Sequence[str] = ()) -> list[Fault]:
    """Return all faults of a study: its own, those of its base case, and those that its changes and axes cause.

    Args:
        data: the tables of the study file.
        folder: folder to which relative paths in the file refer.
        overrides: changes from the command line.
    """
    try:
        parse_study(data)
        own = []
    except CaseError as error:
        own = list(error.faults)
    data = copy.deepcopy(data)
    correct_table_names(data, StudyFile)
    if not isinstance(data.get("base"), str):
        return own
    try:
        tables, place, changes = _case_and_changes(data, folder, overrides)
        own += change_faults(tables, place, changes, "base")
        return [*own, *unknown_columns(data, folder, overrides)]
    except CaseError as error:
        return [*own, *error.faults]


def _case_and_changes(
    data: Mapping[str, Any], folder: Path, overrides: Sequence[str]
) -> tuple[dict[str, Any], Path, list[Change]]:
    """Return the tables of the base case, its folder, and the changes that the study makes to it."""
    file = folder / data["base"]
    file = file / "case.toml" if os.path.isdir(file) else file
    try:
        tables = read_case_file(file)
    except CaseError as error:
        raise CaseError([replace(fault, where=f"base: {fault.where}") for fault in error.faults]) from None
    return tables, file.parent, [*_changes(data, folder), *(Change("--set", ((text,),)) for text in overrides)]


def _changes(data: Mapping[str, Any], folder: Path) -> Iterator[Change]:
    """Yield the changes that the study makes to its case; invalid tables of the study are skipped."""
    texts, axes = data.get("set"), data.get("axes")
    for n, text in enumerate(texts if isinstance(texts, list) else ()):
        if isinstance(text, str):
            yield Change(f"set[{n}]", ((text,),))
    for n, table in enumerate(axes if isinstance(axes, list) else ()):
        options = _options(table) if isinstance(table, dict) else ()
        if options:
            yield Change(f"axes[{n}]", options)
    if not axes and _valid_or_none(StudyFile, data) is not None:
        for axis in axes_of(StudyFile.model_validate(data), folder):
            yield Change(f"design.file, {axis.key}", _options({"key": axis.key, "values": list(axis.values or ())}))


def _options(axis: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """Return the changes for each value of an axis table, including the keys in `also`."""
    key, values, also = axis.get("key"), axis.get("values"), axis.get("also")
    if not isinstance(values, list):
        values = _ends(axis)
    if not isinstance(key, str):
        return ()
    moved = also.items() if isinstance(also, dict) else ()
    along = [(other, each) for other, each in moved if isinstance(each, list) and len(each) == len(values)]
    every = [
        (setting(key, value), *(setting(other, each[n]) for other, each in along)) for n, value in enumerate(values)
    ]
    return tuple(dict.fromkeys(every))[:MOST_VALUES]


def _ends(axis: Mapping[str, Any]) -> list[Any]:
    """Return the lowest and highest value of a range or of a distribution, as far as the table is valid."""
    valid = _valid_or_none(StudyAxis, axis)
    if valid is not None and valid.distribution is not None and not distribution_faults(0, valid, None):
        return [float(f"{quantile(valid, u):.6g}") for u in (0.0, 1.0)]
    return [axis[end] for end in ("low", "high") if isinstance(axis.get(end), int | float)]


def unknown_columns(data: Mapping[str, Any], folder: Path, overrides: Sequence[str] = ()) -> list[Fault]:
    """Return a fault for each requested column that no run of the case can have; empty where no case is valid."""
    collect = _valid_or_none(Collect, data.get("collect", {}))
    tables, place, changes = _case_and_changes(data, folder, overrides)
    first = tuple(text for change in changes for text in change.options[0])
    keys = [text.partition("=")[0] for text in first]
    if collect is None or any(key.startswith("lesion.") for key in keys):  # the rules may differ between members
        return []
    case = _valid_case(tables, place, first) or _valid_case(tables, place, ())
    if case is None:
        return []
    columns = {f"collect.responses[{n}]": name for n, name in enumerate(collect.responses)}
    columns |= {f"collect.pareto[{n}]": goal.partition(" ")[2].strip() for n, goal in enumerate(collect.pareto or ())}
    return column_faults(case, columns, keys)


def _valid_case(tables: Mapping[str, Any], folder: Path, changes: Sequence[str]) -> Case | None:
    """Return the case with some changes; None where it is not valid."""
    data = copy.deepcopy(dict(tables))
    if apply_overrides(data, tuple(changes)):
        return None
    try:
        return parse_case(data, folder, check=False)
    except CaseError:
        return None
