"""The runs of a search. Each run is a member of a study; its numbers give the objective and the violations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rfablate.case.messages.suggestions import did_you_mean
from rfablate.case.read.case_file import load_case
from rfablate.errors import CaseError, Fault
from rfablate.results.flatten import flatten
from rfablate.study.goals import WORST, SearchQuestion
from rfablate.study.members import StudyDirectory
from rfablate.study.study_plan import Member, Plan
from rfablate.study.study_tables import Collect, StudyAxis, StudyFile

CLOSE = 0.002
"""Tolerance of the result, relative to the range of its key."""

X = tuple[float, ...]
Run = Callable[[Sequence[Any]], None]
"""Runs members that have no result yet."""


class Search:
    """A question, its runs and their numbers."""

    def __init__(self, case_file: Path, overrides: Sequence[str], question: SearchQuestion) -> None:
        """Prepare the search without running anything. Raises CaseError where the case or a varied key has a fault."""
        case = load_case(case_file, overrides)
        self.question = question
        self.final = case.mesh.accuracy
        self.levels = ("draft",) if self.final == "draft" else ("draft", self.final)
        bars = tuple(level == self.final for level in self.levels)
        axes = [StudyAxis(key=v.key, low=v.low, high=v.high) for v in question.varied]
        axes.append(
            StudyAxis(key="mesh.accuracy", name="accuracy", values=self.levels, also={"output.error_bar": bars})
        )
        columns = dict.fromkeys([question.column, *(goal.column for goal in question.goals)])
        shown = Collect(responses=tuple(c for c in columns if c not in [v.key for v in question.varied]))
        study = StudyFile(
            title=f"The {question}", base=str(case_file), set=tuple(overrides), axes=tuple(axes), collect=shown
        )
        middle = (rounded(0.5 * (v.low + v.high)) for v in question.varied)
        self.plan = Plan(study, Path(), points=[(*middle, "draft")])
        self.shift: dict[str, float] = {}
        """Correction of the drafts by column, from the last run at the case's own accuracy."""
        self.bars: dict[str, float] = {}
        """Error bars of that run by column."""
        self.confirmed = self.final == "draft"
        """Whether there was such a run, or the case's own accuracy is draft."""
        self._members: dict[tuple[Any, ...], Member] = dict(zip(self.plan.points, self.plan.members, strict=True))

    def member(self, x: X, level: str) -> Member:
        """Return the member at `x`; it is added to the plan at first use."""
        point = (*x, level)
        if point not in self._members:
            self._members[point] = self.plan.add(point)
        return self._members[point]

    def numbers(self, x: X, level: str, directory: StudyDirectory, run: Run) -> dict[str, Any]:
        """Return the numbers at `x`, after a run where there is none yet; only the member name where the run failed."""
        member = self.member(x, level)
        if directory.state(member.name) == "open":
            run([member])
        summary = directory.summary(member.name) if directory.state(member.name) == "completed" else None
        if summary is None:
            return {"member": member.name}
        own = {v.key: value for v, value in zip(self.question.varied, x, strict=True)}
        self._check_columns({**flatten(summary, empty=True), **own})
        return {**flatten(summary), **own, "member": member.name}

    def told(self, name: str, directory: StudyDirectory) -> str:
        """Return a line with the values of the varied keys and the numbers of a run that has ended."""
        point = next(point for point, member in self._members.items() if member.name == name)
        label = f"{point[-1]} at {shown(self.question, point[:-1])}"
        if directory.state(name) != "completed":
            return f"{label}: failed, see {directory.failed / name}"
        summary = directory.summary(name)
        numbers = flatten(summary) if summary is not None else {}
        columns = dict.fromkeys([self.question.column, *(goal.column for goal in self.question.goals)])
        return f"{label}: " + ", ".join(
            f"{c} = {numbers[c]:.5g}" for c in columns if isinstance(numbers.get(c), int | float)
        )

    def _check_columns(self, known: Mapping[str, Any]) -> None:
        """Raise CaseError where the question names a column that the runs of this case do not have."""
        columns = dict.fromkeys([self.question.column, *(goal.column for goal in self.question.goals)])
        faults = [
            Fault("find", f"no column {c}", "a column of table.csv", did_you_mean(c, known))
            for c in columns
            if c not in known
        ]
        if faults:
            raise CaseError(faults, "find")

    def learn(self, true: Mapping[str, Any], draft: Mapping[str, Any]) -> None:
        """Set the correction of the drafts from a run at the case's own accuracy; varied keys need no correction."""
        columns = {self.question.column, *(goal.column for goal in self.question.goals)}
        results = columns - {v.key for v in self.question.varied}
        both = [c for c in results if isinstance(true.get(c), int | float) and isinstance(draft.get(c), int | float)]
        self.shift = {c: float(true[c]) - float(draft[c]) for c in both}
        self.bars = {c: abs(float(true[f"{c}.bar"])) for c in results if true.get(f"{c}.bar") is not None}
        self.confirmed = True

    def judge(self, numbers: dict[str, Any]) -> tuple[float, float]:
        """Return the objective to minimise and the largest violation of the goals, from the corrected numbers."""
        q = self.question
        found = numbers.get(q.column)
        value = q.sign * (found + self.shift.get(q.column, 0.0)) if isinstance(found, int | float) else np.inf
        worst = max((g.violation(numbers, self.shift.get(g.column, 0.0)) for g in q.goals), default=-WORST)
        return float(value), worst if np.isfinite(value) else WORST


def rounded(x: float) -> float:
    """Return a value of a key rounded to the five significant digits that the runs use."""
    return float(f"{x:.5g}")


def at_edge(question: SearchQuestion, x: X) -> list[str]:
    """Return the varied keys whose value lies at an end of the range."""
    pairs = zip(x, question.varied, strict=True)
    return [v.key for a, v in pairs if min(a - v.low, v.high - a) <= CLOSE * (v.high - v.low)]


def shown(question: SearchQuestion, x: X) -> str:
    """Return a point as text: `KEY = VALUE, ...`."""
    return ", ".join(f"{v.key} = {value:g}" for v, value in zip(question.varied, x, strict=True))
