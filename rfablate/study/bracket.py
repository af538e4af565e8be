"""The search of one key: a scan, then the root of the goals or the optimum beside the best point found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import optimize

from rfablate.study.members import StudyDirectory
from rfablate.study.search import CLOSE, Run, Search, X, rounded

SCAN = 5
ACTIVE = 0.02
"""A goal decides the answer when its number is within this part of its value, or as near as a small step changes it."""


def search_one(search: Search, directory: StudyDirectory, run: Run) -> tuple[X, bool]:
    """Return the best value among drafts, and whether it meets the goals."""
    vary = search.question.varied[0]
    seen: dict[float, tuple[float, float]] = {}

    def at(x: float) -> tuple[float, float]:
        x = rounded(x)
        if x not in seen:
            seen[x] = search.judge(search.numbers((x,), "draft", directory, run))
        return seen[x]

    scan = [rounded(float(x)) for x in np.linspace(vary.low, vary.high, SCAN)]
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


def spread_of(search: Search, directory: StudyDirectory, run: Run, x: X, numbers: dict[str, Any]) -> float | None:
    """Return how far the answer moves where the deciding goal's number moves by its error bar, by the drafts' slope."""
    q, vary = search.question, search.question.varied[0]
    if not q.goals:
        return None
    goal = max(q.goals, key=lambda g: g.violation(numbers))
    bar = numbers.get(f"{goal.column}.bar")
    step = 0.02 * (vary.high - vary.low)
    ends = [rounded(max(vary.low, x[0] - step)), rounded(min(vary.high, x[0] + step))]
    found = [search.numbers((end,), "draft", directory, run).get(goal.column) for end in ends]
    if bar is None or None in found or found[0] == found[1]:
        return None
    change = abs(float(found[1]) - float(found[0]))  # type: ignore[arg-type]
    if abs(goal.violation(numbers)) * goal.scale > max(ACTIVE * abs(goal.value), 0.5 * change):
        return None
    return abs(float(bar)) * (ends[1] - ends[0]) / change
