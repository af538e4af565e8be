"""The table of a study: one row for each point of the design, and for each time that is read from a longer run.

Columns: member, status, reason, the axes by key, then each number of the summary by path
(lesion.isotherm_50C.width_mm), with its numerical error bar as `<path>.bar`, and timings.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.case.tables.generator_tables import SurfaceTemperature, TemperatureControl
from rfablate.case.tables.schema import Case
from rfablate.errors import CaseError, Fault
from rfablate.files import written_whole
from rfablate.results.flatten import flatten
from rfablate.results.run_reader import SAME_TIME
from rfablate.results.summary_models import RunSummary
from rfablate.study.members import StudyDirectory
from rfablate.study.study_plan import Member, Plan

HEAD = ("member", "status", "reason")


class StudyTable:
    """Columns of equal length by name; a missing value is None."""

    def __init__(self, axes: Sequence[str], along: Sequence[str] = ()) -> None:
        """Create a table without rows, with the columns HEAD and one for each axis key.

        along: the axis keys that change together with another key.
        """
        self.axes, self.along = tuple(axes), tuple(along)
        self.columns: dict[str, list[Any]] = {name: [] for name in (*HEAD, *axes)}
        self.length = 0

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row. A column that the row lacks gets None; a new column has None in all earlier rows."""
        for name, value in row.items():
            column = self.columns.get(name)
            if column is None:
                column = self.columns[name] = [None] * self.length
            column.append(value)
        self.length += 1
        for column in self.columns.values():
            if len(column) < self.length:
                column.append(None)

    def numbers(self, name: str) -> FloatArray:
        """Return a column as numbers, NaN where a value is not a number; raises KeyError for an unknown column."""
        return np.array([_number(value) for value in self.columns[name]], dtype=float)

    def responses(self) -> list[str]:
        """Return the columns with results of the runs: numbers that are not axes, error bars, energies or timings."""
        left_out = ("numerics.", "timing_s.", "energy.")
        return [
            name
            for name, column in self.columns.items()
            if name not in (*HEAD, *self.axes)
            and not name.startswith(left_out)
            and not name.endswith(".bar")
            and any(isinstance(value, int | float) and not isinstance(value, bool) for value in column)
        ]

    def write(self, folder: Path) -> list[str]:
        """Write table.csv, and table.parquet where pyarrow is installed, atomically; return their names."""
        with written_whole(folder / "table.csv") as part, part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(self.columns)
            for row in zip(*self.columns.values(), strict=True):
                writer.writerow(["" if value is None else _shown(value) for value in row])
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            return ["table.csv"]
        arrays = {name: _plain(column) for name, column in self.columns.items()}
        with written_whole(folder / "table.parquet") as part:
            pyarrow.parquet.write_table(pyarrow.table(arrays), part)
        return ["table.csv", "table.parquet"]


def collect(plan: Plan, directory: StudyDirectory) -> StudyTable:
    """Return the table of all results of a study so far, in the order of the design."""
    keys = [key for axis in plan.run_axes for key in (axis.key, *axis.also)]
    along = [key for axis in plan.run_axes for key in axis.also]
    table = StudyTable([*keys, *([plan.history.key] if plan.history else [])], along)
    patterns = plan.study.collect.columns
    for point, number in zip(plan.points, plan.rows, strict=True):
        member = plan.members[number]
        values = {}
        for axis, value in zip(plan.run_axes, point, strict=True):
            values[axis.key] = value
            for key, moved in axis.also.items():
                values[key] = moved[(axis.values or ()).index(value)]
        for row in _rows(plan, directory, member):
            kept = {k: v for k, v in row.items() if not patterns or k in HEAD or _matches(k, patterns)}
            table.append({**{name: kept.get(name) for name in HEAD}, **values, **kept})
    return table


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return name in ("generator.hold_s", "generator.duration_s") or any(fnmatchcase(name, each) for each in patterns)


def _rows(plan: Plan, directory: StudyDirectory, member: Member) -> Iterator[dict[str, Any]]:
    """Yield the rows of a member without its axes: one row, or one for each time that is read from it."""
    times, key = plan.history_values(), plan.history.key if plan.history else ""
    failure = directory.failure(member.name)
    summary = directory.summary(member.name) if failure is None else None
    head: dict[str, Any] = {"member": member.name, "status": "not run", "reason": None}
    if failure is not None:
        head |= {"status": "failed", "reason": failure.reason, "timing_s.total": failure.wall_s}
    elif summary is not None:
        head |= {"status": summary.status, "reason": summary.reason, **flatten(summary)}
    if not times:
        yield head
        return
    begin = _hold_begins(plan.case_of(member), key) if summary is not None else 0.0
    for value in times[:-1]:
        row = {name: head[name] for name in HEAD}
        yield row | (at_time(summary, begin + value) if summary is not None else {}) | {key: value}
    yield head | {key: times[-1]}


def _hold_begins(case: Case, key: str) -> float:
    """Return the simulated time at which the duration `key` starts [s]: for the hold time, the end of the ramp."""
    if key == "generator.hold_s" and isinstance(case.generator, TemperatureControl | SurfaceTemperature):
        return case.generator.ramp
    return 0.0


def at_time(summary: RunSummary, time_s: float) -> dict[str, Any]:
    """Return the row of a run at `time_s` [s], one of the times in `output.observe_at_s` of its case.

    Error bars, numerics and timings are not included, as they exist only for the complete run.
    """
    end = summary.simulated_s
    for seen in summary.observed:
        if abs(seen.time_s - time_s) <= SAME_TIME * end:
            reason = (
                f"at {time_s:g} s of a run of {end:g} s: error bars, numerics and timings are in the row of {end:g} s"
            )
            return {"reason": reason, **flatten(seen)}
    return {"status": "not seen", "reason": f"the run of {end:g} s has no numbers at {time_s:g} s"}


def column_of(table: StudyTable, name: str, what: str) -> FloatArray:
    """Return the numbers of a column that the user named.

    Raises:
        CaseError: there is no such column.
    """
    from rfablate.case.messages.suggestions import did_you_mean

    if name not in table.columns:
        known = [*table.axes, *table.responses()]
        raise CaseError([Fault(what, f"no column {name}", "a column of table.csv", did_you_mean(name, known))], "study")
    return table.numbers(name)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and value is not None else math.nan


def _shown(value: Any) -> Any:
    return f"{value:.10g}" if isinstance(value, float) else value


def _plain(column: Sequence[Any]) -> list[Any]:
    """Return a column with values of one type, as Parquet requires; mixed types become text."""
    kinds = {type(value) for value in column if value is not None}
    if kinds <= {int} or kinds <= {bool} or kinds <= {str}:
        return list(column)
    if kinds <= {int, float}:
        return [None if value is None else float(value) for value in column]
    return [None if value is None else str(value) for value in column]
