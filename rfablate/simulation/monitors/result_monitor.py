"""Checks of the results at the end of a run, and the time at which tissue first exceeded 100 degC without boiling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rfablate.case.tables.schema import Case
from rfablate.lesion.observer import Observer
from rfablate.physics.boiling import BOILING
from rfablate.problem.problem import Problem
from rfablate.results.summary_models import ResultCheck, StructureResult
from rfablate.simulation.monitors.monitor import Monitor, Row
from rfablate.simulation.result_checks import balance_checks, hottest_unboiled, lesion_checks, range_checks
from rfablate.solve.state import Frame


@dataclass(frozen=True)
class RangeMemory:
    """When the model left its range."""

    left_at: float | None = None
    """Time at which tissue whose water does not boil first exceeded 100 degC [s]."""


class ResultMonitor(Monitor):
    """Checks temperatures, lesions and the energy balance (`simulation/result_checks.py`)."""

    name = "result_checks"

    def __init__(self, case: Case, problem: Problem, observer: Observer) -> None:
        """Store the case, its problem and the observer that measures."""
        self._case, self._problem, self._observer = case, problem, observer
        self.memory = RangeMemory()

    def observe(self, frame: Frame) -> Row:
        """Store the time of the first step with tissue above 100 degC that does not boil."""
        if self.memory.left_at is None and frame.max_T > BOILING:
            if hottest_unboiled(self._problem, frame.peak) > BOILING:
                self.memory = RangeMemory(frame.t)
        return {}

    def checks(self, frame: Frame, structures: Mapping[str, StructureResult]) -> list[ResultCheck]:
        """Return the checks that found something."""
        unboiled = hottest_unboiled(self._problem, frame.peak)
        return [
            *range_checks(unboiled, self.memory.left_at, structures),
            *lesion_checks(self._case, self._problem, self._observer, frame),
            *balance_checks(frame.ledger),
        ]
