"""Questions answered by a search: the best value of one or more keys that meets all goals.

Draft runs search, runs of the case's own accuracy confirm. After each of these the drafts are shifted by what they were
wrong there, and the search goes on among them until the answer stays, or moves its goal by less than the error bar of
the runs: few dear runs, and the answer is one of them.
One key is bracketed (`study.bracket`), several are searched by trust regions (`study.trust_region`).

Every run is a member of a study and the search a function of their numbers alone: started again it goes the same way
and runs only what is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rfablate.study.bracket import search_one, spread_of
from rfablate.study.goals import Question
from rfablate.study.members import StudyDirectory
from rfablate.study.search_runs import CLOSE, Run, Search, X, at_edge, shown
from rfablate.study.trust_region import search_many

CONFIRMATIONS = 6
"""Most runs of the case's own accuracy."""


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
    why: str = ""
    """Why the search came no closer, where the numerical error was the reason."""


def find(search: Search, directory: StudyDirectory, run: Run, say: Callable[[str], None] = print) -> Answer:
    """Search, and return the answer with the runs that prove it."""
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
        verdict = "goals met" if violation <= 0 else "goals missed"
        told = verdict if np.isfinite(objective) else "the run failed"
        say(f"{search.final} at {shown(search.question, x)}: {told}")
        if search.final == "draft" or (not met and violation > 0 and len(tried) > 1):
            break
        if violation <= 0 and (why or (last is not None and _near(search.question, x, last))):
            break
        last = x
    answer = _answer(search, directory, run, tried)
    answer.why = reasons.get(answer.x, "") if answer.x is not None else ""
    return answer


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
        answer.spread = spread_of(search, directory, run, x, numbers)
    answer.runs = len(search.plan.members)
    return answer


def _near(question: Question, x: X, y: X) -> bool:
    return all(abs(a - b) <= CLOSE * (v.high - v.low) for a, b, v in zip(x, y, question.varied, strict=True))
