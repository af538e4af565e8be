"""Interface of the monitors of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from rfablate.results.summary_models import ResultCheck, StructureResult
from rfablate.solve.state import Frame

Row = dict[str, float | None]
"""Columns of history.csv, with the unit in each name; None is an empty cell."""


class Monitor(Protocol):
    """Observes the accepted steps of a run; never solves and never changes the state.

    A monitor derives from this class and overrides methods. All methods are collective: every rank calls them in
    the same order, and only rank 0 writes files.
    """

    name: str
    """Name of its memory in the checkpoint; unique in a run."""
    stage: str = "measure"
    """Stage of `timing_s` to which the time of `observe` is added."""
    memory: Any = None
    """State between steps, as a dataclass; None if there is none. Checkpoints contain this value."""

    def restore(self, memory: Any, frame: Frame) -> None:
        """Continue a resumed run: take the memory of the checkpoint, which was written after `frame`."""
        self.memory = memory

    def observe(self, frame: Frame) -> Row:
        """Process an accepted step; return its columns of history.csv."""
        return {}

    def entry(self, frame: Frame) -> dict[str, Any]:
        """Return its entries of summary.json; `frame` is the last step observed."""
        return {}

    def warnings(self) -> list[str]:
        """Return warnings about the results, for the summary and the lesion card."""
        return []

    def checks(self, frame: Frame, structures: Mapping[str, StructureResult]) -> list[ResultCheck]:
        """Return the checks of the results that found something; `structures` are the results by name."""
        return []

    def finish(self, frame: Frame, *, failed: bool) -> None:
        """Close open files after the last step; `failed` is True if a solver error followed."""
        return None
