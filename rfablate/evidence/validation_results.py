"""Results of a validation: modelled against measured numbers, their uncertainties, verdicts and statistics. Pure.

The comparison follows ASME V&V 20-2009: comparison error E = S - D of simulation S and datum D, and validation
uncertainty u_val = sqrt(u_num^2 + u_input^2 + u_D^2). The error of the model lies in E +- k u_val, k = 2 for 95 %. For
abs(E) <= k u_val the model's error is within the noise of the comparison. The acceptance limit stands in the data file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

COVERAGE = 2.0
"""Coverage factor k of the validation uncertainty, about 95 %."""


@dataclass(frozen=True)
class ComparedNumber:
    """A modelled number against the measured one, all in `unit`."""

    name: str
    unit: str
    modelled: float
    measured: float | None
    """Mean, or middle of a published range; None for a bound on one side."""
    low: float | None
    high: float | None
    """Ends of a published range, or one bound."""
    u_num: float
    """Standard uncertainty by mesh and time steps: half of the numerical error bar."""
    u_input: float
    """Standard uncertainty by the inputs that the source does not give."""
    u_data: float
    """Standard uncertainty of the measured number."""
    limit: float
    """Acceptance limit of the data file."""
    inputs: Mapping[str, float] = field(default_factory=dict)
    """Contribution of each uncertain input to u_input."""
    likely_reason: str = ""
    """Likely reason of a failure; empty where the comparison passes."""

    @property
    def error(self) -> float:
        """Comparison error E: modelled - measured; for a bound the distance beyond it, else 0."""
        if self.measured is not None:
            return self.modelled - self.measured
        if self.high is not None:
            return max(0.0, self.modelled - self.high)
        assert self.low is not None
        return min(0.0, self.modelled - self.low)

    @property
    def u_val(self) -> float:
        """Validation uncertainty, standard."""
        return math.sqrt(self.u_num**2 + self.u_input**2 + self.u_data**2)

    @property
    def passed(self) -> bool:
        """Whether the error is within the acceptance limit."""
        return abs(self.error) <= self.limit

    @property
    def resolved(self) -> bool:
        """Whether the error exceeds the noise of the comparison, 2 u_val."""
        return abs(self.error) > COVERAGE * self.u_val

    @property
    def allowance(self) -> float:
        """Error that would have to be missed for a wrong PASS: the limit; for a bound with the distance inside it."""
        if self.measured is not None:
            return self.limit
        inside = (self.high or 0.0) - self.modelled if self.high is not None else self.modelled - (self.low or 0.0)
        return self.limit + max(0.0, inside)

    @property
    def verdict(self) -> str:
        """PASS or FAIL against the limit; "weak" and "unresolved" where the noise does not allow to conclude more.

        PASS (weak): 2 u_val is larger than the allowance, so that an error beyond the limit could have been missed.
        FAIL (unresolved): the limit is exceeded, but not the noise.
        """
        if self.passed:
            return "PASS" if COVERAGE * self.u_val <= self.allowance else "PASS (weak)"
        return "FAIL" if self.resolved else "FAIL (unresolved)"

    def to_dict(self) -> dict[str, Any]:
        """Return all fields with error, uncertainty and verdict, for JSON."""
        return {**asdict(self), "error": self.error, "u_val": self.u_val, "verdict": self.verdict}


@dataclass(frozen=True)
class ExperimentResult:
    """The compared numbers of one experiment."""

    name: str
    title: str
    field: str
    """pain, tumour or other."""
    kind: str
    """experiment or model."""
    citation: str
    address: str
    read_from: str
    full_text: bool
    access: str
    boundary: str
    assumptions: str
    limits_set: str
    rule: str
    numbers: tuple[ComparedNumber, ...]
    runs: int
    """Number of runs, with those of the uncertain inputs."""
    seconds: float
    fault: str = ""
    """Reason why a run failed; empty if all were made."""

    @property
    def passed(self) -> bool:
        """Whether all runs were made and all comparisons pass."""
        return not self.fault and bool(self.numbers) and all(each.passed for each in self.numbers)


@dataclass(frozen=True)
class Agreement:
    """Agreement of a group of point-valued comparisons, by Bland and Altman (Lancet 1986;327:307)."""

    group: str
    count: int
    bias: float
    """Mean of modelled - measured."""
    rmse: float
    lower: float
    """Lower limit of agreement: bias - 1.96 standard deviations; equal to the bias for one number."""
    upper: float
    relative_bias: float
    """Mean of (modelled - measured) / measured; NaN where a measured number is 0."""


@dataclass(frozen=True)
class Scope:
    """What a validation runs."""

    everything: bool = False
    """Whether all experiments of the package are run, not the quick subset."""
    vary_inputs: bool = True
    """Whether both ends of every uncertain input are run."""


@dataclass(frozen=True)
class Validation:
    """All experiments of a validation."""

    experiments: tuple[ExperimentResult, ...]
    scope: Scope
    ranks: int
    seconds: float
    cpu_s: float
    """Processor time of all ranks [s]."""
    versions: Mapping[str, str]
    date: str
    """Start, UTC, ISO 8601."""

    @property
    def numbers(self) -> tuple[ComparedNumber, ...]:
        """All compared numbers."""
        return tuple(number for each in self.experiments for number in each.numbers)

    @property
    def faults(self) -> dict[str, str]:
        """Reasons of failed runs by experiment."""
        return {each.name: each.fault for each in self.experiments if each.fault}

    @property
    def agreement(self) -> tuple[Agreement, ...]:
        """Agreement of all measured numbers by unit; ranges count with their middle, other models do not count."""
        measured = [n for each in self.experiments if each.kind == "experiment" for n in each.numbers]
        units = list(dict.fromkeys(number.unit for number in measured))
        groups = [(unit, [n for n in measured if n.unit == unit and n.measured is not None]) for unit in units]
        return tuple(agreement_of(unit, numbers) for unit, numbers in groups if numbers)

    def count(self, verdict: str) -> int:
        """Return the number of comparisons whose verdict starts with `verdict`."""
        return sum(each.verdict.startswith(verdict) for each in self.numbers)

    def to_dict(self) -> dict[str, Any]:
        """Return everything with verdicts and statistics, for JSON."""
        return {
            "date": self.date,
            **asdict(self.scope),
            "ranks": self.ranks,
            "seconds": round(self.seconds, 1),
            "cpu_s": round(self.cpu_s, 1),
            "versions": dict(self.versions),
            "verdicts": verdict_counts(self.numbers),
            "agreement": [asdict(each) for each in self.agreement],
            "experiments": [
                {**asdict(each), "numbers": [n.to_dict() for n in each.numbers]} for each in self.experiments
            ],
        }


def agreement_of(group: str, numbers: Sequence[ComparedNumber]) -> Agreement:
    """Return bias, RMSE and limits of agreement of numbers that each have a measured value.

    Raises:
        ValueError: a number has no measured value, or there are none.
    """
    pairs = [(each.modelled, each.measured) for each in numbers if each.measured is not None]
    if not pairs or len(pairs) != len(numbers):
        raise ValueError("found a number without a measured value, expected at least one number and all measured")
    errors = [modelled - measured for modelled, measured in pairs]
    bias = sum(errors) / len(errors)
    rmse = math.sqrt(sum(each**2 for each in errors) / len(errors))
    spread = math.sqrt(sum((each - bias) ** 2 for each in errors) / max(len(errors) - 1, 1))
    relative = [e / measured if measured else math.nan for e, (_, measured) in zip(errors, pairs, strict=True)]
    return Agreement(
        group, len(errors), bias, rmse, bias - 1.96 * spread, bias + 1.96 * spread, sum(relative) / len(relative)
    )


def verdict_counts(numbers: Iterable[ComparedNumber]) -> dict[str, int]:
    """Return how often each verdict occurs."""
    counts = dict.fromkeys(("PASS", "PASS (weak)", "FAIL (unresolved)", "FAIL"), 0)
    for each in numbers:
        counts[each.verdict] += 1
    return counts
