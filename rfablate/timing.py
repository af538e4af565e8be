"""Wall time by stage."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Stopwatch:
    """Adds up the wall time spent in named stages [s]; stages do not nest."""

    def __init__(self, began: float | None = None) -> None:
        """Start the total, or take it to have begun at `began` [s of time.perf_counter]: imports come first."""
        self.seconds: dict[str, float] = defaultdict(float)
        self._start = time.perf_counter() if began is None else began
        if began is not None:
            self.seconds["imports"] = time.perf_counter() - began

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time inside the `with` block to the stage `name`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - start

    def add(self, seconds: Mapping[str, float], total: float) -> None:
        """Count what an earlier part of the run took, by stage and in all [s]."""
        for name, took in seconds.items():
            self.seconds[name] += took
        self._start -= total

    @property
    def total(self) -> float:
        """Wall time since the stopwatch was made [s]."""
        return time.perf_counter() - self._start
