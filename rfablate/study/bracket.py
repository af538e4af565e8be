"""The search of one key: a scan, then the root of the goals or the optimum beside the best point found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import optimize

from rfablate.study.members import StudyDirectory
from rfablate.study.search_runs import CLOSE, Run, Search, X, rounded

SCAN = 5
ROUGH = 0.02
"""Part of the key's range to which drafts are searched until the first run of the case's own accuracy."""
ACTIVE = 0.02
"""A goal decides the answer when its number is within this part of its value, or as near as a small step changes it."""


class _Settled(Exception):
    """The runs of a bracket cannot be told apart any more; says why."""


class _Drafts:
    """The drafts over one key, each judged, and made when it is first asked for."""

    def __init__(self, search: Search, directory: StudyDirectory, run: Run) -> None:
        """Take up what earlier searches have made, and scan the range where there was none."""
        self.search, self.directory, self.run = search, directory, run
        vary = search.question.varied[0]
        scan = [rounded(float(x)) for x in np.linspace(vary.low, vary.high, SCAN)]
        run([search.member((x,), "draft") for x in scan])
        made = [point[0] for point in search.plan.points if point[-1] == "draft"]
        self.seen: dict[float, tuple[float, float]] = {}
        for x in dict.fromkeys([*scan, *made]):
            self.at(x)

    def numbers(self, x: float) -> dict[str, Any]:
        return self.search.numbers((rounded(x),), "draft", self.directory, self.run)

    def at(self, x: float) -> tuple[float, float]:
        """Return the objective and the largest violation."""
        x = rounded(x)
        if x not in self.seen:
            self.seen[x] = self.search.judge(self.numbers(x))
        return self.seen[x]

    def good(self) -> list[float]:
        return [x for x, (_, violation) in self.seen.items() if violation <= 0.0]

    def refuse_indistinct(self, column: str, places: Sequence[float]) -> None:
        """Raise _Settled where a column's numbers at some places differ by less than the least of its error bars."""
        runs = [self.numbers(x) for x in places]
        values = [run[column] for run in runs if isinstance(run.get(column), int | float)]
        own = [abs(float(run[f"{column}.bar"])) for run in runs if run.get(f"{column}.bar") is not None]
        bar = self.search.bars.get(column, min(own, default=0.0))
        if len(values) == len(runs) and max(values) - min(values) <= bar and bar > 0.0:
            between = f"{self.search.question.varied[0].key} = {min(places):g} and {max(places):g}"
            moved = f"{column} differs by {max(values) - min(values):.3g}"
            raise _Settled(f"between {between} {moved}, which is less than its error bar ({bar:.3g})")


def search_one(search: Search, directory: StudyDirectory, run: Run) -> tuple[X, bool, str]:
    """Return the best value among drafts, whether it meets the goals, and why the search came no closer.

    It ends at a part of the key's range, or before that where the number that decides moves by less than its error bar
    over all that is left of the range: then it says so.
    """
    vary, drafts = search.question.varied[0], _Drafts(search, directory, run)
    seen, why = drafts.seen, ""
    xtol = (CLOSE if search.confirmed else ROUGH) * (vary.high - vary.low)
    if not drafts.good():
        left, right = _beside(sorted(seen), min(seen, key=lambda x: seen[x][1]))
        _bounded(lambda x: drafts.at(x)[1], left, right, xtol)
    if not drafts.good():
        return (min(seen, key=lambda x: seen[x][1]),), False, ""
    best = min(drafts.good(), key=lambda x: seen[x][0])
    left, right = _beside(sorted(seen), best)
    edges = [side for side in (left, right) if seen[side][1] > 0.0 and seen[side][0] < seen[best][0]]
    for side in edges:
        try:
            _root(drafts, best, side, xtol)
        except _Settled as settled:
            why = str(settled)
    if not edges and left < best < right:
        try:
            _top(drafts, left, right, xtol)
        except _Settled as settled:
            why = str(settled)
    return (min(drafts.good(), key=lambda x: seen[x][0]),), True, why


def _root(drafts: _Drafts, good: float, bad: float, xtol: float) -> None:
    """Close in on where the goals begin to be missed, between a value that meets them and one that does not."""
    search = drafts.search
    if abs(good - bad) <= xtol:
        return

    def violation(x: float) -> float:
        nonlocal good, bad
        found = drafts.at(x)[1]
        good, bad = (good, rounded(x)) if found > 0.0 else (rounded(x), bad)
        missed = drafts.numbers(bad)
        goal = max(search.question.goals, key=lambda g: g.violation(missed, search.shift.get(g.column, 0.0)))
        drafts.refuse_indistinct(goal.column, (good, bad))
        return found

    optimize.brentq(violation, good, bad, xtol=xtol, maxiter=25)


def _top(drafts: _Drafts, left: float, right: float, xtol: float) -> None:
    """Close in on the best objective between two values that are worse than one between them."""
    question = drafts.search.question

    def objective(x: float) -> float:
        found = drafts.at(x)[0]
        inside = sorted(each for each in drafts.seen if left <= each <= right)
        best = min(inside, key=lambda each: drafts.seen[each][0])
        lower, upper = _beside(inside, best)
        if question.column != question.varied[0].key and lower < best < upper:
            drafts.refuse_indistinct(question.column, (lower, best, upper))
        return found

    _bounded(objective, left, right, xtol)


def _bounded(f: Callable[[float], float], left: float, right: float, xtol: float) -> None:
    """Look for the smallest `f` between two values."""
    options = {"xatol": xtol, "maxiter": 12}
    optimize.minimize_scalar(f, bounds=(left, right), method="bounded", options=options)


def _beside(ordered: Sequence[float], x: float) -> tuple[float, float]:
    """Return the neighbours of `x`, itself at an end."""
    n = ordered.index(x)
    return ordered[max(0, n - 1)], ordered[min(len(ordered) - 1, n + 1)]


def spread_of(search: Search, directory: StudyDirectory, run: Run, x: X, numbers: dict[str, Any]) -> float | None:
    """Return how far the answer moves where the deciding goal's number moves by its error bar.

    The slope is that between the nearest drafts about the answer which differ by more than the bar; None where there
    are none, and where no goal decides.
    """
    q = search.question
    if not q.goals:
        return None
    goal = max(q.goals, key=lambda g: g.violation(numbers))
    bar = numbers.get(f"{goal.column}.bar")
    made = sorted({point[0] for point in search.plan.points if point[-1] == "draft"})
    told = {each: search.numbers((each,), "draft", directory, run).get(goal.column) for each in made}
    known = [(each, float(number)) for each, number in told.items() if isinstance(number, int | float)]
    place = next((n for n, (each, _) in enumerate(known) if each == x[0]), None)
    if bar is None or place is None:
        return None
    bar = abs(float(bar))
    for wide in range(1, len(known)):
        (low, below), (high, above) = known[max(0, place - wide)], known[min(len(known) - 1, place + wide)]
        change = abs(above - below)
        if change > bar:
            decides = abs(goal.violation(numbers)) * goal.scale <= max(ACTIVE * abs(goal.value), 0.5 * change, bar)
            return bar * (high - low) / change if decides else None
    return None
