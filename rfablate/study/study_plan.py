"""The plan of a study: the runs that it needs. Reads the files of the study, and is otherwise pure.

Each point of the design is a member, named by its values and a hash of its resolved case, so that its result is found
again after other parts of the study have changed. Only names are stored and cases are built when needed, so that a plan
of 10,000 members takes seconds.
"""

from __future__ import annotations

import copy
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rfablate.case.checks.all_checks import check_parts
from rfablate.case.messages.schema_guide import split_unit
from rfablate.case.read.case_file import parse_case, read_case_file
from rfablate.case.read.file_access import outside_faults, paths_in
from rfablate.case.read.overrides import apply_overrides, setting
from rfablate.case.resolve.checkable_case import CheckableCase
from rfablate.case.tables.schema import Case
from rfablate.errors import CaseError, Fault
from rfablate.study.design import Point, axes_of, points_of
from rfablate.study.study_file import parse_study, study_faults, unknown_columns
from rfablate.study.study_tables import StudyAxis, StudyFile

SLUG_LENGTH = 100
CHECKED_FIRST = 20
"""Number of members that are fully checked before the first run; the others are checked before their own run."""


@dataclass(frozen=True, slots=True)
class Member:
    """A run of a study: the name of its directory and its point of the design."""

    name: str
    point: Point


class Plan:
    """The axes and members of a study, in the order of the design.

    axes: all axes, in the order of the file. run_axes: the axes that change the run.
    history: the axis whose shorter durations are read from the longest run; None where there is none.
    members: each distinct run once. points: the points of the design. rows: index in `members` of each point.
    """

    def __init__(
        self,
        study: StudyFile,
        folder: Path,
        overrides: Sequence[str] = (),
        points: Iterable[Point] | None = None,
    ) -> None:
        """Plan a study.

        Args:
            study: the study file.
            folder: folder to which relative paths in the file refer.
            overrides: changes from the command line.
            points: points to use instead of the design.

        Raises:
            CaseError: the base case cannot be read, an axis names an unknown key, or no checked member is valid.
        """
        self.study = study
        base = folder / study.base
        self._file = base / "case.toml" if os.path.isdir(base) else base
        self._data = read_case_file(self._file)
        faults = apply_overrides(self._data, tuple(study.set))
        written = frozenset(paths_in(self._data))
        faults += apply_overrides(self._data, tuple(overrides))
        self._named = frozenset(paths_in(self._data)) - written
        """Paths that the command line has set."""
        faults += outside_faults(self._data, self._file.parent, self._named)
        if faults:
            raise CaseError(faults, study.base)
        self._data.setdefault("output", {})["report"] = study.reports
        self.axes = axes_of(study, folder)
        self.history = next((axis for axis in self.axes if axis.from_history), None)
        self.run_axes = tuple(axis for axis in self.axes if axis is not self.history)
        self.members: list[Member] = []
        self.points: list[Point] = []
        self.rows: list[int] = []
        self._number: dict[str, int] = {}
        for point in points_of(study.design, self.run_axes, study.correlations) if points is None else points:
            self.add(point)
        self._check_sample()

    def add(self, point: Point) -> Member:
        """Add a point and return its member, which is an existing one where the resolved cases are equal."""
        case = self._resolve(point)
        digest = member_hash(case)
        number = self._number.setdefault(digest, len(self.members))
        if number == len(self.members):
            self.members.append(Member(f"{self._slug(point)}-{digest[:10]}", point))
        self.points.append(point)
        self.rows.append(number)
        return self.members[number]

    def case_of(self, member: Member) -> Case:
        """Return the checked case of a member, with the values of its axes in the title.

        Raises:
            CaseError: the case has faults.
        """
        case = self._resolve(member.point)
        faults = check_parts(CheckableCase.of(case))
        if faults:
            raise CaseError(faults, member.name)
        values = ", ".join(f"{axis_name(axis)} {label_of(axis, v)}" for axis, v in self._valued(member.point))
        return case.model_copy(update={"title": f"{case.title}: {values}"})

    def history_values(self) -> tuple[float, ...]:
        """Return the durations that are read from one run [s], ascending; empty without a `from_history` axis."""
        return tuple(sorted(float(v) for v in self.history.values or ())) if self.history else ()

    def _valued(self, point: Point) -> Iterator[tuple[StudyAxis, Any]]:
        yield from zip(self.run_axes, point, strict=True)

    def _resolve(self, point: Point) -> Case:
        """Return the case of a point; its tables are valid by themselves but their combination is not yet checked."""
        data = copy.deepcopy(self._data)
        changes = []
        for axis, value in self._valued(point):
            changes.append(setting(axis.key, value))
            for key, values in axis.also.items():
                changes.append(setting(key, values[_index(axis, value)]))
        if self.history is not None:
            changes.append(setting(self.history.key, self.history_values()[-1]))
        faults = apply_overrides(data, tuple(changes))
        faults += outside_faults(data, self._file.parent, self._named)
        if faults:
            raise CaseError(faults, str(self._file))
        case = parse_case(data, self._file.parent, str(self._file), check=False)
        if self.history is not None and getattr(case.generator, "cooldown", 0.0) > 0.0:
            found = f"found generator.cooldown_s = {case.generator.cooldown:g} with from_history"
            expected = "cooldown_s = 0: a shorter run would start to cool earlier"
            raise CaseError([Fault("axes", found, expected)], str(self._file))
        return case if self.history is None else self._observing(case)

    def _observing(self, case: Case) -> Case:
        """Return the case with the observation times that are read from its run."""
        assert self.history is not None
        begin = float(getattr(case.generator, "ramp", 0.0)) if self.history.key == "generator.hold_s" else 0.0
        times = {*case.output.observe_at, *(begin + value for value in self.history_values()[:-1])}
        return case.model_copy(update={"output": case.output.model_copy(update={"observe_at": tuple(sorted(times))})})

    def _slug(self, point: Point) -> str:
        parts = [f"{axis_name(axis)}={label_of(axis, value)}" for axis, value in self._valued(point)]
        return re.sub(r"[^A-Za-z0-9.+=_-]+", "-", "_".join(parts))[:SLUG_LENGTH] or "base"

    def _check_sample(self) -> None:
        """Raise CaseError where none of a sample of members, spread over the design, has a valid case."""
        step = max(1, len(self.members) // CHECKED_FIRST)
        fault: CaseError | None = None
        for member in self.members[::step]:
            try:
                self.case_of(member)
                return
            except CaseError as error:
                fault = fault or error
        if fault is not None:
            raise fault


def load_plan(file: Path, overrides: Sequence[str] = ()) -> Plan:
    """Return the plan of a study file, or of the study.toml in a folder.

    Raises:
        CaseError: the study or its base case has faults; the error holds all of them with their origins.
    """
    file = file / "study.toml" if file.is_dir() else file
    data = read_case_file(file, "study")
    try:
        plan = Plan(parse_study(data, str(file)), file.parent, overrides)
    except CaseError as error:
        raise CaseError(study_faults(data, file.parent, overrides) or error.faults, str(file)) from None
    uncertain = any(axis.distribution is not None for axis in plan.axes)
    # A few draws may lie in the valid range although the distribution does not: its ends are checked.
    faults = (study_faults if uncertain else unknown_columns)(data, file.parent, overrides)
    if faults:
        raise CaseError(faults, str(file))
    return plan


def member_hash(case: Case) -> str:
    """Return a SHA-256 hash of a case without its title and its `output.report`."""
    plain = case.model_copy(update={"title": "", "output": case.output.model_copy(update={"report": False})})
    return hashlib.sha256(plain.model_dump_json(by_alias=True).encode()).hexdigest()


def axis_name(axis: StudyAxis) -> str:
    """Return the short name of an axis: its `name`, or the last part of its key without the unit."""
    return axis.name or split_unit(axis.key.rsplit(".", 1)[-1])[0]


def label_of(axis: StudyAxis, value: Any) -> str:
    """Return the label of a value of an axis, or the value as text where it has none."""
    if axis.labels is not None:
        return axis.labels[_index(axis, value)]
    return f"{value:g}" if isinstance(value, float) else str(value)


def _index(axis: StudyAxis, value: Any) -> int:
    return (axis.values or ()).index(value)
