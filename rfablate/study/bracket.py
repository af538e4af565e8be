"""Search over one key: a scan of its range, then a root of the goals or an optimum next to the best point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import optimize

from rfablate.study.members import StudyDirectory
from rfablate.study.search_runs import CLOSE, Run, Search, X, rounded

SCAN = 5
ROUGH = 0.02
"""Tolerance of the search among draft runs before the first run at the case's own accuracy, relative to the range."""
ACTIVE = 0.02
"""Relative distance to its limit within which a goal is active at the result.

A goal is also active within its error bar, or within half the change between the drafts of `spread_of`.
"""


class _Settled(Exception):
    """The runs of a bracket differ by less than their error bars; the message gives the numbers."""


class _Drafts:
    """Draft runs over one key with their objectives and violations; each is run at first use."""

    def __init__(self, search: Search, directory: StudyDirectory, run: Run) -> None:
        """Scan the range of the key and load the drafts of earlier searches."""
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
        """Return the objective and the largest violation at `x`."""
        x = rounded(x)
        if x not in self.seen:
            self.seen[x] = self.search.judge(self.numbers(x))
        return self.seen[x]

    def good(self) -> list[float]:
        return [x for x, (_, violation) in self.seen.items() if violation <= 0.0]

    def refuse_indistinct(self, column: str, places: Sequence[float]) -> None:
        """Raise _Settled where the values of a column at `places` differ by no more than its error bar.

        The bar is that of the last run at the case's own accuracy, otherwise the smallest of the drafts' bars.
        """
        runs = [self.numbers(x) for x in places]
        values = [run[column] for run in runs if isinstance(run.get(column), int | float)]
        own = [abs(float(run[f"{column}.bar"])) for run in runs if run.get(f"{column}.bar") is not None]
        bar = self.search.bars.get(column, min(own, default=0.0))
        if len(values) == len(runs) and max(values) - min(values) <= bar and bar > 0.0:
            between = f"{self.search.question.varied[0].key} = {min(places):g} and {max(places):g}"
            change = f"{column} differs by {max(values) - min(values):.3g}"
            raise _Settled(f"between {between} {change}, which is less than its error bar ({bar:.3g})")


def search_one(search: Search, directory: StudyDirectory, run: Run) -> tuple[X, bool, str]:
    """Return the best value among drafts, whether it meets the goals, and why the search ended early ('' otherwise).

    The search ends at a tolerance relative to the range of the key. It ends early where the decisive column changes by
    less than its error bar over the remaining bracket.
    """
    vary, drafts = search.question.varied[0], _Drafts(search, directory, run)
    seen, why = drafts.seen, ""
    xtol = (CLOSE if search.confirmed else ROUGH) * (vary.high - vary.low)
    if not drafts.good():
        left, right = _neighbours(sorted(seen), min(seen, key=lambda x: seen[x][1]))
        _minimise(lambda x: drafts.at(x)[1], left, right, xtol)
    if not drafts.good():
        return (min(seen, key=lambda x: seen[x][1]),), False, ""
    best = min(drafts.good(), key=lambda x: seen[x][0])
    left, right = _neighbours(sorted(seen), best)
    edges = [side for side in (left, right) if seen[side][1] > 0.0 and seen[side][0] < seen[best][0]]
    for side in edges:
        try:
            _root(drafts, best, side, xtol)
        except _Settled as settled:
            why = str(settled)
    if not edges and left < best < right:
        try:
            _optimum(drafts, left, right, xtol)
        except _Settled as settled:
            why = str(settled)
    return (min(drafts.good(), key=lambda x: seen[x][0]),), True, why


def _root(drafts: _Drafts, good: float, bad: float, xtol: float) -> None:
    """Find the limit of the goals between a value that meets them and one that does not (Brent's method)."""
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


def _optimum(drafts: _Drafts, left: float, right: float, xtol: float) -> None:
    """Find the best objective between two values that have a better value between them."""
    question = drafts.search.question

    def objective(x: float) -> float:
        found = drafts.at(x)[0]
        inside = sorted(each for each in drafts.seen if left <= each <= right)
        best = min(inside, key=lambda each: drafts.seen[each][0])
        lower, upper = _neighbours(inside, best)
        if question.column != question.varied[0].key and lower < best < upper:
            drafts.refuse_indistinct(question.column, (lower, best, upper))
        return found

    _minimise(objective, left, right, xtol)


def _minimise(f: Callable[[float], float], left: float, right: float, xtol: float) -> None:
    """Minimise `f` between two values."""
    options = {"xatol": xtol, "maxiter": 12}
    optimize.minimize_scalar(f, bounds=(left, right), method="bounded", options=options)


def _neighbours(ordered: Sequence[float], x: float) -> tuple[float, float]:
    """Return the neighbours of `x` in an ordered list; `x` itself at an end."""
    n = ordered.index(x)
    return ordered[max(0, n - 1)], ordered[min(len(ordered) - 1, n + 1)]


def spread_of(search: Search, directory: StudyDirectory, run: Run, x: X, numbers: dict[str, Any]) -> float | None:
    """Return the uncertainty of the result due to the error bar of the active goal, in the unit of the key.

    It is the error bar divided by the slope of the goal's column over the key. The slope is taken between the nearest
    drafts around the result that differ by more than the bar. Returns None where there are no such drafts, or where no
    goal is active.
    """
    q = search.question
    if not q.goals:
        return None
    goal = max(q.goals, key=lambda g: g.violation(numbers))
    bar = numbers.get(f"{goal.column}.bar")
    made = sorted({point[0] for point in search.plan.points if point[-1] == "draft"})
    values = {each: search.numbers((each,), "draft", directory, run).get(goal.column) for each in made}
    known = [(each, float(number)) for each, number in values.items() if isinstance(number, int | float)]
    place = next((n for n, (each, _) in enumerate(known) if each == x[0]), None)
    if bar is None or place is None:
        return None
    bar = abs(float(bar))
    for wide in range(1, len(known)):
        (low, below), (high, above) = known[max(0, place - wide)], known[min(len(known) - 1, place + wide)]
        change = abs(above - below)
        if change > bar:
            active = abs(goal.violation(numbers)) * goal.scale <= max(ACTIVE * abs(goal.value), 0.5 * change, bar)
            return bar * (high - low) / change if active else None
    return None
