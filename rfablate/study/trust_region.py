"""Search over several keys by COBYQA (Ragonneau 2022), a derivative-free trust-region method with constraints."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import optimize

from rfablate.errors import CaseError, Fault
from rfablate.study.goals import WORST
from rfablate.study.members import StudyDirectory
from rfablate.study.search_runs import CLOSE, Run, Search, X, rounded

BUDGET = 40
"""Maximum number of objective evaluations of one search."""


def search_many(search: Search, directory: StudyDirectory, run: Run) -> tuple[X, bool, str]:
    """Return the best point among drafts, whether it meets the goals, and ''; ends at a small trust region."""
    q = search.question
    low, high = np.array([v.low for v in q.varied]), np.array([v.high for v in q.varied])
    seen: dict[X, dict[str, Any]] = {}

    def at(u: Any) -> dict[str, Any]:
        x = tuple(rounded(float(value)) for value in low + np.clip(u, 0.0, 1.0) * (high - low))
        if x not in seen:
            seen[x] = search.numbers(x, "draft", directory, run)
        return seen[x]

    first = search.judge(at(np.full(len(low), 0.5)))[0]
    scale = max(abs(first), 1e-9) if np.isfinite(first) else 1.0

    def objective(u: Any) -> float:
        value = search.judge(at(u))[0] / scale
        return value if np.isfinite(value) else WORST

    def slack(u: Any) -> Any:
        return np.array([-goal.violation(at(u), search.shift.get(goal.column, 0.0)) for goal in q.goals])

    if not _has_cobyqa():
        raise CaseError([Fault("find", "found SciPy before 1.14", "SciPy 1.14 or newer to vary several keys")], "find")
    goals = [optimize.NonlinearConstraint(slack, 0.0, np.inf)] if q.goals else []
    options = {"maxfev": BUDGET, "initial_tr_radius": 0.25, "final_tr_radius": 2 * CLOSE}
    bounds = optimize.Bounds(np.zeros(len(low)), np.ones(len(low)))
    start = np.full(len(low), 0.5)
    optimize.minimize(objective, start, method="COBYQA", bounds=bounds, constraints=goals, options=options)
    judged = {x: search.judge(numbers) for x, numbers in seen.items()}
    good = [x for x, (_, violation) in judged.items() if violation <= 0.0]
    if good:
        return min(good, key=lambda x: judged[x][0]), True, ""
    return min(judged, key=lambda x: judged[x][1]), False, ""


def _has_cobyqa() -> bool:
    import scipy

    return tuple(int(part) for part in scipy.__version__.split(".")[:2]) >= (1, 14)
