"""Interface of everything that observes a run."""

from __future__ import annotations

from typing import Any, Protocol

from rfablate.solve.state import Frame

Row = dict[str, float | None]
"""Columns of history.csv, with the unit in each name; None is an empty cell."""


class Monitor(Protocol):
    """Observes the accepted steps of a run; never solves and never changes the state.

    A monitor derives from this class and overrides what it needs. All methods are collective: every rank calls them in
    the same order, and only rank 0 writes files.
    """

    name: str
    """Name of its memory in the checkpoint; unique in a run."""
    stage: str = "measure"
    """Stage of `timing_s` to which the time of `observe` is added."""
    memory: Any = None
    """All that it keeps from step to step, as a dataclass; None if it keeps nothing. Checkpoints hold this value."""

    def restore(self, memory: Any, frame: Frame) -> None:
        """Continue a resumed run: take the memory of the checkpoint, which was written after `frame`."""
        self.memory = memory

    def observe(self, frame: Frame) -> Row:
        """Take in an accepted step; return its columns of history.csv."""
        return {}

    def entry(self, frame: Frame) -> dict[str, Any]:
        """Return its entries of summary.json; `frame` is the last step observed."""
        return {}

    def warnings(self) -> list[str]:
        """Return warnings about the results, for the summary and the lesion card."""
        return []

    def finish(self, frame: Frame, *, failed: bool) -> None:
        """Close what it holds open after the last step, which `failed` says was followed by a solver error."""
        return None
