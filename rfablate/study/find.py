"""Questions answered by a search: the best value of one or more keys that meets all goals.

Draft runs search, runs of the case's own accuracy confirm. After each of these the drafts are shifted by what they were
wrong there, and the search goes on among them until the answer stays: few dear runs, and the answer is one of them.
One key is bracketed: a scan, then the root of the goals or the interior optimum beside the best point found (Brent).
Several are searched by COBYQA (Ragonneau 2022), trust regions without derivatives under constraints.

Every run is a member of a study and the search a function of their numbers alone: started again it goes the same way
and runs only what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy import optimize

from rfablate.case.load import load_case
from rfablate.case.suggest import did_you_mean
from rfablate.errors import CaseError, Fault
from rfablate.study.goals import WORST, Question
from rfablate.study.members import StudyDirectory
from rfablate.study.plan import Member, Plan
from rfablate.study.schema import Axis, Collect, StudyFile
from rfablate.study.table import flatten

SCAN = 5
CONFIRMATIONS = 6
"""Most runs of the case's own accuracy."""
CLOSE = 0.002
"""An answer is known to this part of the range of its key."""
ACTIVE = 0.02
"""A goal decides the answer when its number is within this part of its value, or as near as a small step changes it."""
BUDGET = 40
"""Most draft runs of one search of several keys."""

X = tuple[float, ...]
Run = Callable[[Sequence[Any]], None]
"""Runs members that have no result yet."""


@dataclass
class Answer:
    """What a search found; `x` is None where no value meets the goals."""

    question: Question
    x: X | None
    numbers: dict[str, Any] = field(default_factory=dict)
    member: str = ""
    nearest: X = ()
    violation: float = 0.0
    spread: float | None = None
    """How far the answer may move by the numerical error of its goal, one key only."""
    runs: int = 0


class Search:
    """One question, its runs and the numbers they gave."""

    def __init__(self, case_file: Path, overrides: Sequence[str], question: Question) -> None:
        """Get ready; nothing runs yet. Raises CaseError where the case or a varied key has a fault."""
        case = load_case(case_file, overrides)
        self.question = question
        self.final = case.mesh.accuracy
        self.levels = ("draft",) if self.final == "draft" else ("draft", self.final)
        bars = tuple(level == self.final for level in self.levels)
        axes = [Axis(key=v.key, low=v.low, high=v.high) for v in question.varied]
        axes.append(Axis(key="mesh.accuracy", name="accuracy", values=self.levels, also={"output.error_bar": bars}))
        columns = dict.fromkeys([question.column, *(goal.column for goal in question.goals)])
        shown = Collect(responses=tuple(c for c in columns if c not in [v.key for v in question.varied]))
        study = StudyFile(
            title=f"The {question}", base=str(case_file), set=tuple(overrides), axes=tuple(axes), collect=shown
        )
        middle = (_rounded(0.5 * (v.low + v.high)) for v in question.varied)
        self.plan = Plan(study, Path(), points=[(*middle, "draft")])
        self.shift: dict[str, float] = {}
        self._members: dict[tuple[Any, ...], Member] = dict(zip(self.plan.points, self.plan.members, strict=True))

    def member(self, x: X, level: str) -> Member:
        """Return the member at `x`, taken up in the plan when it is first asked for."""
        point = (*x, level)
        if point not in self._members:
            self._members[point] = self.plan.add(point)
        return self._members[point]

    def numbers(self, x: X, level: str, directory: StudyDirectory, run: Run) -> dict[str, Any]:
        """Return the numbers at `x`, run there if they are not known; without any where the run failed."""
        member = self.member(x, level)
        if directory.state(member.name) == "open":
            run([member])
        summary = directory.summary(member.name) if directory.state(member.name) == "completed" else None
        if summary is None:
            return {"member": member.name}
        own = {v.key: value for v, value in zip(self.question.varied, x, strict=True)}
        self._check_columns({**flatten(summary, empty=True), **own})
        return {**flatten(summary), **own, "member": member.name}

    def _check_columns(self, known: Mapping[str, Any]) -> None:
        """Refuse a goal about a column that no run of this case gives, as soon as there is a run to tell by."""
        asked = dict.fromkeys([self.question.column, *(goal.column for goal in self.question.goals)])
        faults = [
            Fault("find", f"no column {c}", "a column of table.csv", did_you_mean(c, known))
            for c in asked
            if c not in known
        ]
        if faults:
            raise CaseError(faults, "find")

    def judge(self, numbers: dict[str, Any]) -> tuple[float, float]:
        """Return the objective, to be small, and the largest violation of the goals, of shifted numbers."""
        q = self.question
        found = numbers.get(q.column)
        value = q.sign * (found + self.shift.get(q.column, 0.0)) if isinstance(found, int | float) else np.inf
        worst = max((g.violation(numbers, self.shift.get(g.column, 0.0)) for g in q.goals), default=-WORST)
        return float(value), worst if np.isfinite(value) else WORST


def find(search: Search, directory: StudyDirectory, run: Run, say: Callable[[str], None] = print) -> Answer:
    """Search, and return the answer with the runs that prove it."""
    tried: dict[X, tuple[float, float]] = {}
    last: X | None = None
    for _ in range(CONFIRMATIONS):
        search_once = _search_one if len(search.question.varied) == 1 else _search_many
        x, met = search_once(search, directory, run)
        if x == last or x in tried:
            break
        draft = search.numbers(x, "draft", directory, run)
        true = search.numbers(x, search.final, directory, run)
        search.shift = {}
        tried[x] = search.judge(true)
        search.shift = _differences(true, draft, search.question)
        objective, violation = tried[x]
        value, verdict = search.question.sign * objective, "met" if violation <= 0 else "missed"
        told = f"{search.question.column} = {value:.5g}, goals {verdict}" if np.isfinite(value) else "the run failed"
        say(f"{search.final} at {shown(search.question, x)}: {told}")
        if search.final == "draft" or (not met and violation > 0 and len(tried) > 1):
            break
        if last is not None and violation <= 0 and _near(search.question, x, last):
            break
        last = x
    return _answer(search, directory, run, tried)


def _answer(search: Search, directory: StudyDirectory, run: Run, tried: dict[X, tuple[float, float]]) -> Answer:
    good = [x for x, (_, violation) in tried.items() if violation <= 0]
    nearest = min(tried, key=lambda x: tried[x][1])
    if not good:
        return Answer(
            search.question, None, nearest=nearest, violation=tried[nearest][1], runs=len(search.plan.members)
        )
    x = min(good, key=lambda x: tried[x][0])
    numbers = search.numbers(x, search.final, directory, run)
    answer = Answer(search.question, x, numbers, numbers["member"], x, tried[x][1])
    if len(x) == 1 and not at_edge(search.question, x):
        answer.spread = _spread(search, directory, run, x, numbers)
    answer.runs = len(search.plan.members)
    return answer


def _differences(true: dict[str, Any], draft: dict[str, Any], question: Question) -> dict[str, float]:
    """Return what the drafts are short of, by column; keys that are varied are exact."""
    columns = {question.column, *(goal.column for goal in question.goals)}
    exact = {v.key for v in question.varied}
    both = [
        c for c in columns - exact if isinstance(true.get(c), int | float) and isinstance(draft.get(c), int | float)
    ]
    return {c: float(true[c]) - float(draft[c]) for c in both}


def _near(question: Question, x: X, y: X) -> bool:
    return all(abs(a - b) <= CLOSE * (v.high - v.low) for a, b, v in zip(x, y, question.varied, strict=True))


def _rounded(x: float) -> float:
    return float(f"{x:.5g}")


def at_edge(question: Question, x: X) -> list[str]:
    """Return the varied keys whose answer lies at an end of the range given."""
    pairs = zip(x, question.varied, strict=True)
    return [v.key for a, v in pairs if min(a - v.low, v.high - a) <= CLOSE * (v.high - v.low)]


def shown(question: Question, x: X) -> str:
    """Return a point in words."""
    return ", ".join(f"{v.key} = {value:g}" for v, value in zip(question.varied, x, strict=True))


# --- one key --------------------------------------------------------------------------------------


def _search_one(search: Search, directory: StudyDirectory, run: Run) -> tuple[X, bool]:
    """Return the best value among drafts, and whether it meets the goals."""
    vary = search.question.varied[0]
    seen: dict[float, tuple[float, float]] = {}

    def at(x: float) -> tuple[float, float]:
        x = _rounded(x)
        if x not in seen:
            seen[x] = search.judge(search.numbers((x,), "draft", directory, run))
        return seen[x]

    scan = [_rounded(float(x)) for x in np.linspace(vary.low, vary.high, SCAN)]
    run([search.member((x,), "draft") for x in scan])
    for x in scan:
        at(x)
    xtol = CLOSE * (vary.high - vary.low)
    if min(violation for _, violation in seen.values()) > 0.0:
        left, right = _beside(sorted(seen), min(seen, key=lambda x: seen[x][1]))
        _bounded(lambda x: at(x)[1], left, right, xtol)
    good = [x for x, (_, violation) in seen.items() if violation <= 0.0]
    if not good:
        return (min(seen, key=lambda x: seen[x][1]),), False
    best = min(good, key=lambda x: seen[x][0])
    left, right = _beside(sorted(seen), best)
    edges = [side for side in (left, right) if seen[side][1] > 0.0 and seen[side][0] < seen[best][0]]
    for side in edges:
        optimize.brentq(lambda x: at(x)[1], best, side, xtol=xtol, maxiter=25)
    if not edges and left < best < right:
        _bounded(lambda x: at(x)[0], left, right, xtol)
    good = [x for x, (_, violation) in seen.items() if violation <= 0.0]
    return (min(good, key=lambda x: seen[x][0]),), True


def _bounded(f: Callable[[float], float], left: float, right: float, xtol: float) -> None:
    """Look for the smallest `f` between two values."""
    options = {"xatol": xtol, "maxiter": 12}
    optimize.minimize_scalar(f, bounds=(left, right), method="bounded", options=options)


def _beside(ordered: Sequence[float], x: float) -> tuple[float, float]:
    """Return the neighbours of `x`, itself at an end."""
    n = ordered.index(x)
    return ordered[max(0, n - 1)], ordered[min(len(ordered) - 1, n + 1)]


def _spread(search: Search, directory: StudyDirectory, run: Run, x: X, numbers: dict[str, Any]) -> float | None:
    """Return how far the answer moves where the deciding goal's number moves by its error bar, by the drafts' slope."""
    q, vary = search.question, search.question.varied[0]
    if not q.goals:
        return None
    goal = max(q.goals, key=lambda g: g.violation(numbers))
    bar = numbers.get(f"{goal.column}.bar")
    step = 0.02 * (vary.high - vary.low)
    ends = [_rounded(max(vary.low, x[0] - step)), _rounded(min(vary.high, x[0] + step))]
    found = [search.numbers((end,), "draft", directory, run).get(goal.column) for end in ends]
    if bar is None or None in found or found[0] == found[1]:
        return None
    change = abs(float(found[1]) - float(found[0]))  # type: ignore[arg-type]
    if abs(goal.violation(numbers)) * goal.scale > max(ACTIVE * abs(goal.value), 0.5 * change):
        return None
    return abs(float(bar)) * (ends[1] - ends[0]) / change


# --- several keys ---------------------------------------------------------------------------------


def _search_many(search: Search, directory: StudyDirectory, run: Run) -> tuple[X, bool]:
    """Return the best point among drafts, and whether it meets the goals."""
    q = search.question
    low, high = np.array([v.low for v in q.varied]), np.array([v.high for v in q.varied])
    seen: dict[X, dict[str, Any]] = {}

    def at(u: Any) -> dict[str, Any]:
        x = tuple(_rounded(float(value)) for value in low + np.clip(u, 0.0, 1.0) * (high - low))
        if x not in seen:
            seen[x] = search.numbers(x, "draft", directory, run)
        return seen[x]

    first = search.judge(at(np.full(len(low), 0.5)))[0]
    scale = max(abs(first), 1e-9) if np.isfinite(first) else 1.0

    def objective(u: Any) -> float:
        value = search.judge(at(u))[0] / scale
        return value if np.isfinite(value) else WORST

    def room(u: Any) -> Any:
        return np.array([-goal.violation(at(u), search.shift.get(goal.column, 0.0)) for goal in q.goals])

    if not _has_cobyqa():
        raise CaseError([Fault("find", "SciPy before 1.14", "1.14 or newer to vary several keys at once")], "find")
    goals = [optimize.NonlinearConstraint(room, 0.0, np.inf)] if q.goals else []
    options = {"maxfev": BUDGET, "initial_tr_radius": 0.25, "final_tr_radius": 2 * CLOSE}
    bounds = optimize.Bounds(np.zeros(len(low)), np.ones(len(low)))
    start = np.full(len(low), 0.5)
    optimize.minimize(objective, start, method="COBYQA", bounds=bounds, constraints=goals, options=options)
    judged = {x: search.judge(numbers) for x, numbers in seen.items()}
    good = [x for x, (_, violation) in judged.items() if violation <= 0.0]
    if good:
        return min(good, key=lambda x: judged[x][0]), True
    return min(judged, key=lambda x: judged[x][1]), False


def _has_cobyqa() -> bool:
    import scipy

    return tuple(int(part) for part in scipy.__version__.split(".")[:2]) >= (1, 14)
