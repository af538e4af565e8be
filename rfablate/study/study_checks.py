"""Checks of a study beyond single keys: consistency of its tables, and faults that it causes in its case.

The checks use the tables that are valid by themselves, so that all faults of a file are reported at once.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rfablate.case.messages.suggestions import closest, did_you_mean
from rfablate.case.read.case_file import parse_case
from rfablate.case.read.overrides import apply_overrides
from rfablate.case.tables.schema import Case
from rfablate.errors import CaseError, Fault
from rfablate.results.flatten import SECTIONS
from rfablate.study.study_tables import HISTORY_KEYS, MOST_POINTS, SAMPLED, Design, StudyAxis


def design_faults(design: Design, axes: Mapping[int, StudyAxis], written: int) -> list[Fault]:
    """Return the faults of a design.

    Args:
        design: the design.
        axes: the valid axes, by their index in the file.
        written: number of axes in the file, valid or not.
    """
    faults = []
    sampled, table = design.kind in SAMPLED, design.kind == "csv"
    if sampled and design.samples is None:
        faults.append(Fault("design.samples", "missing key", f"the number of samples of a {design.kind} design"))
    if not sampled and design.samples is not None:
        faults.append(Fault("design.samples", f"not used by {design.kind}", f"a design of {', '.join(SAMPLED)}"))
    powers = design.samples is not None and design.samples & (design.samples - 1) == 0
    if design.kind in ("sobol", "saltelli") and design.samples is not None and not powers:
        faults.append(Fault("design.samples", f"found {design.samples}", "a power of 2: a Sobol sequence needs it"))
    if table != (design.file is not None):
        expected = "a CSV file with keys of the case in its header" if table else 'design.kind = "csv" as well'
        faults.append(Fault("design.file", "missing key" if table else f"found {design.file!r}", expected))
    if table and written:
        faults.append(Fault("axes", "found axes with a CSV design", "no axes: the header of the file defines them"))
    if not table and not written:
        faults.append(Fault("axes", "missing table", "one or more [[axes]] tables"))
    names = [axis.key for axis in axes.values()] + [key for axis in axes.values() for key in axis.also]
    twice = sorted({key for key in names if names.count(key) > 1})
    faults += [Fault("axes", f"{key} is varied twice", "each key once") for key in twice]
    if design.kind == "zip" and len({len(axis.values or ()) for axis in axes.values()}) > 1:
        counts = ", ".join(f"{axis.key} {len(axis.values or ())}" for axis in axes.values())
        faults.append(Fault("axes", f"found {counts} values", "the same number of values on every axis of a zip"))
    if sum(axis.from_history for axis in axes.values()) > 1:
        late = [number for number, axis in axes.items() if axis.from_history][1]
        faults.append(Fault(f"axes[{late}].from_history", "found on two axes", "at most one such axis"))
    points = design_size(design, list(axes.values()))
    if points > MOST_POINTS:
        hint = "use fewer values or samples, or several studies"
        faults.append(Fault("design", f"found {points:.6g} points", f"at most {MOST_POINTS}", hint))
    return faults


def design_size(design: Design, axes: Sequence[StudyAxis]) -> int:
    """Return how many points a design has; of a CSV file's that is not known before it is read."""
    samples, dimensions = design.samples or 1, sum(not axis.from_history for axis in axes)
    if design.kind in SAMPLED:
        return samples * {"morris": dimensions + 1, "saltelli": dimensions + 2}.get(design.kind, 1)
    counts = [
        len(axis.values) if axis.values is not None else axis.count or 1 for axis in axes if not axis.from_history
    ]
    return math.prod(counts) if design.kind == "grid" else max(counts, default=0)


def axis_faults(number: int, axis: StudyAxis, design: Design | None) -> list[Fault]:
    """Return the faults of an axis; without a `design`, only those of the axis itself."""
    where, faults = f"axes[{number}]", []
    ranged = axis.low is not None or axis.high is not None or axis.count is not None
    if (axis.values is None) != ranged:
        faults.append(Fault(where, "both values and a range" if ranged else "no values", "values, or low and high"))
    if ranged and (axis.low is None or axis.high is None or not axis.low < axis.high):
        faults.append(Fault(where, f"found low {axis.low}, high {axis.high}", "low below high"))
    elif ranged and axis.scale == "log" and axis.low is not None and axis.low <= 0:
        faults.append(Fault(f"{where}.low", f"found {axis.low}", "more than 0 on a log scale"))
    if ranged and design is not None and (design.kind in SAMPLED) == (axis.count is not None):
        expected = (
            "no count: design.samples sets it" if axis.count is not None else f"a count for a {design.kind} design"
        )
        found = "missing key" if axis.count is None else f"found {axis.count}"
        faults.append(Fault(f"{where}.count", found, expected))
    lists = {"labels": axis.labels, **{f"also.{key}": values for key, values in axis.also.items()}}
    for name, values in lists.items():
        if values is not None and len(values) != len(axis.values or ()):
            expected = f"{len(axis.values or ())}, one for each value"
            faults.append(Fault(f"{where}.{name}", f"found {len(values)}", expected))
    return [*faults, *(_history_faults(axis, where, design) if axis.from_history else ())]


def _history_faults(axis: StudyAxis, where: str, design: Design | None) -> list[Fault]:
    """Return the reasons why the times of an axis cannot be read from the history of one run."""
    faults = []
    if axis.key not in HISTORY_KEYS:
        expected = f"only with {' or '.join(HISTORY_KEYS)}: a long run includes the shorter durations"
        near = did_you_mean(axis.key, HISTORY_KEYS)
        faults.append(Fault(f"{where}.from_history", f"found with {axis.key}", expected, near))
    if (design is not None and design.kind != "grid") or axis.values is None or axis.also:
        expected = "an axis with values and without `also`, in a grid design"
        faults.append(Fault(f"{where}.from_history", "found on another kind of axis or design", expected))
    elif not all(isinstance(value, int | float) and value > 0 for value in axis.values):
        faults.append(Fault(f"{where}.values", "found a value that is not a time", "times above 0 [s]"))
    return faults


# --- faults in the case ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """A change of the case: where the user set it, and its options, each a tuple of `key.path=value` texts."""

    where: str
    options: tuple[tuple[str, ...], ...]


def change_faults(data: Mapping[str, Any], folder: Path, changes: Sequence[Change], itself: str = "") -> list[Fault]:
    """Return all faults of a case with changes, each with its origin.

    A fault belongs to a change where the case has it with that change but not without it, with all other changes at
    their first option. All other faults belong to the case, which messages call `itself`.
    """

    def faults(chosen: Iterable[Sequence[str]]) -> list[Fault]:
        changed = copy.deepcopy(dict(data))
        found = apply_overrides(changed, tuple(text for texts in chosen for text in texts))
        try:
            parse_case(changed, folder)
        except CaseError as error:
            found += error.faults
        return found

    first = [change.options[0] for change in changes]
    all_first = faults(first)
    found_faults: list[Fault] = []
    attributed: list[Fault] = []
    for n, change in enumerate(changes):
        without = faults(first[:n] + first[n + 1 :])
        own = [fault for fault in all_first if fault not in without]
        attributed += own
        for option in change.options[1:]:
            own += [fault for fault in faults([*first[:n], option, *first[n + 1 :]]) if fault not in all_first]
        found_faults += [_at(change.where, fault) for fault in own]
    found_faults = [*(_at(itself, fault) for fault in all_first if fault not in attributed), *found_faults]
    unique = {
        (each.where, each.found if each.found.startswith("found") else ""): each for each in reversed(found_faults)
    }
    return list(reversed(unique.values()))  # an unknown key is reported once, not once for each value


def _at(where: str, fault: Fault) -> Fault:
    inner = fault.where
    if inner.startswith("--set "):
        inner = inner.removeprefix("--set ").partition("=")[0]
    return replace(fault, where=f"{where}: {inner}" if where else inner)


def column_faults(case: Case, columns: Mapping[str, str], also: Iterable[str] = ()) -> list[Fault]:
    """Return a fault for each column that no run of the case can have.

    Only the section and the name of the rule or structure are checked; the quantity is known only after a run.

    Args:
        case: the case.
        columns: column names, by the place where the user gave them.
        also: additional valid columns.
    """
    regions = case.domain.regions if case.domain.kind == "mesh" else ()
    structures = tuple(each.name for each in (*case.structures, *regions))
    names = {"lesion": case.lesion.rules, "structures": structures}
    faults = []
    for where, column in columns.items():
        section, _, rest = column.partition(".")
        name, _, leaf = rest.partition(".")
        if column in also or (section in SECTIONS and (section not in names or name in names[section])):
            continue
        known = names.get(section, ())
        meant = closest(name, known)
        near = f'did you mean "{section}.{meant}.{leaf}"?' if meant else did_you_mean(section, SECTIONS)
        expected = f"a column of table.csv: {', '.join(f'{each}...' for each in SECTIONS)}"
        if section in names:
            expected = f"{section}.NAME... with one of {', '.join(known) or '(none)'}"
        faults.append(Fault(where, f"no column {column}", expected, near))
    return faults
