"""The results of verification checks: a computed number, the exact one, the error and its limit. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Measurement:
    """A computed number against its exact value, in one unit, and the observed order of convergence where there is one.

    NaN never passes.
    """

    quantity: str
    unit: str
    """Unit of computed, exact, error and limit; "1" for a number without unit."""
    computed: float
    exact: float
    limit: float
    """Largest error allowed."""
    order: float | None = None
    """Observed order of the last refinement."""
    expected_order: float | None = None
    order_limit: float = 0.0
    """Largest difference allowed between observed and expected order."""

    @property
    def error(self) -> float:
        """Magnitude of computed - exact."""
        return abs(self.computed - self.exact)

    @property
    def passed(self) -> bool:
        """Whether error and order are within their limits."""
        if not self.error <= self.limit:
            return False
        if self.expected_order is None:
            return True
        return self.order is not None and abs(self.order - self.expected_order) <= self.order_limit

    def to_dict(self) -> dict[str, Any]:
        """Return all fields with error and verdict, for JSON."""
        return {**asdict(self), "error": self.error, "passed": self.passed}


@dataclass(frozen=True)
class CheckResult:
    """The measurements of one check."""

    id: str
    problem: str
    measurements: tuple[Measurement, ...]
    seconds: float = 0.0
    fault: str = ""
    """Reason why the check could not be run; empty if it was run."""

    @property
    def passed(self) -> bool:
        """Whether the check was run and all its measurements pass."""
        return not self.fault and bool(self.measurements) and all(each.passed for each in self.measurements)


@dataclass(frozen=True)
class Verification:
    """All checks of one installation."""

    checks: tuple[CheckResult, ...]
    quick: bool
    ranks: int
    seconds: float
    versions: Mapping[str, str] = field(default_factory=dict)
    """Versions of rfablate and of the libraries it computes with."""
    date: str = ""
    """Start, UTC, ISO 8601."""

    @property
    def passed(self) -> bool:
        """Whether all checks pass."""
        return bool(self.checks) and all(each.passed for each in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Return everything with errors and verdicts, for JSON."""
        checks = [
            {
                "id": each.id,
                "problem": each.problem,
                "passed": each.passed,
                "seconds": round(each.seconds, 2),
                "fault": each.fault,
                "measurements": [one.to_dict() for one in each.measurements],
            }
            for each in self.checks
        ]
        return {
            "passed": self.passed,
            "date": self.date,
            "quick": self.quick,
            "ranks": self.ranks,
            "seconds": round(self.seconds, 1),
            "versions": dict(self.versions),
            "checks": checks,
        }


def worst(candidates: Sequence[Measurement]) -> Measurement:
    """Return the measurement with the largest error relative to its limit; NaN counts as the largest."""

    def severity(each: Measurement) -> float:
        ratio = each.error / each.limit
        return ratio if ratio == ratio else float("inf")

    return max(candidates, key=severity)


def observed_orders(sizes: Sequence[float], errors: Sequence[float]) -> list[float]:
    """Return the observed order between each two successive sizes."""
    pairs = zip(sizes[:-1], sizes[1:], errors[:-1], errors[1:], strict=True)
    return [math.log(e0 / e1) / math.log(h0 / h1) for h0, h1, e0, e1 in pairs]


def with_order(found: Measurement, counts: Sequence[int], errors: Sequence[float], within: float) -> Measurement:
    """Return a measurement with the observed order of the last refinement; 2 is expected.

    Args:
        found: the measurement on the finest mesh.
        counts: cells along an edge of each mesh, from coarse to fine.
        errors: error norm on each mesh.
        within: largest difference allowed from 2.
    """
    order = observed_orders([1.0 / n for n in counts], errors)[-1]
    return replace(found, order=order, expected_order=2.0, order_limit=within)
