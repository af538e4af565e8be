"""Inverse search: the best values of one or more keys that meet all goals.

The search uses draft runs; runs at the case's own accuracy confirm its results. After each confirmation the drafts are
corrected by their error at that point, and the search is repeated until the result no longer changes, or the goal
changes by less than its error bar. Only few expensive runs are needed, and the final result is always one of them.
One key is searched by bracketing (`study.bracket`), several keys by trust regions (`study.trust_region`).

Each run is a member of a study, and the search depends only on the numbers of the runs: a repeated search follows the
same path and runs only missing members.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rfablate.study.bracket import search_one, spread_of
from rfablate.study.goals import SearchQuestion
from rfablate.study.members import StudyDirectory
from rfablate.study.search_runs import CLOSE, Run, Search, X, at_edge, shown
from rfablate.study.trust_region import search_many

CONFIRMATIONS = 6
"""Maximum number of runs at the case's own accuracy."""


@dataclass
class SearchResult:
    """Result of a search; `x` is None where no value meets the goals."""

    question: SearchQuestion
    x: X | None
    numbers: dict[str, Any] = field(default_factory=dict)
    member: str = ""
    nearest: X = ()
    violation: float = 0.0
    spread: float | None = None
    """Uncertainty of `x` due to the numerical error of the active goal; for one key only."""
    runs: int = 0
    why: str = ""
    """Why the search ended early, where the numerical error was the reason; otherwise ''."""


def find(search: Search, directory: StudyDirectory, run: Run, say: Callable[[str], None] = print) -> SearchResult:
    """Return the result of the search, with the numbers of the run that confirms it."""
    tried: dict[X, tuple[float, float]] = {}
    reasons: dict[X, str] = {}
    last: X | None = None
    for _ in range(CONFIRMATIONS):
        search_once = search_one if len(search.question.varied) == 1 else search_many
        x, met, why = search_once(search, directory, run)
        if x == last or x in tried:
            break
        draft = search.numbers(x, "draft", directory, run)
        true = search.numbers(x, search.final, directory, run)
        search.shift = {}
        tried[x], reasons[x] = search.judge(true), why
        search.learn(true, draft)
        objective, violation = tried[x]
        verdict = "goals met" if violation <= 0 else "goals not met"
        outcome = verdict if np.isfinite(objective) else "the run failed"
        say(f"{search.final} at {shown(search.question, x)}: {outcome}")
        if search.final == "draft" or (not met and violation > 0 and len(tried) > 1):
            break
        if violation <= 0 and (why or (last is not None and _near(search.question, x, last))):
            break
        last = x
    answer = _answer(search, directory, run, tried)
    answer.why = reasons.get(answer.x, "") if answer.x is not None else ""
    return answer


def _answer(search: Search, directory: StudyDirectory, run: Run, tried: dict[X, tuple[float, float]]) -> SearchResult:
    good = [x for x, (_, violation) in tried.items() if violation <= 0]
    nearest = min(tried, key=lambda x: tried[x][1])
    if not good:
        return SearchResult(
            search.question, None, nearest=nearest, violation=tried[nearest][1], runs=len(search.plan.members)
        )
    x = min(good, key=lambda x: tried[x][0])
    numbers = search.numbers(x, search.final, directory, run)
    answer = SearchResult(search.question, x, numbers, numbers["member"], x, tried[x][1])
    if len(x) == 1 and not at_edge(search.question, x):
        answer.spread = spread_of(search, directory, run, x, numbers)
    answer.runs = len(search.plan.members)
    return answer


def _near(question: SearchQuestion, x: X, y: X) -> bool:
    return all(abs(a - b) <= CLOSE * (v.high - v.low) for a, b, v in zip(x, y, question.varied, strict=True))
