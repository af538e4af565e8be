"""Wall time of each stage of a run."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager


class Stopwatch:
    """Sums the wall time of named stages [s]; stages must not be nested."""

    def __init__(self, began: float | None = None) -> None:
        """Start measuring the total time; with `began` [s of time.perf_counter] imports since then count too."""
        self.seconds: dict[str, float] = defaultdict(float)
        self.on_stage: Callable[[str], None] | None = None
        """Function that is called with the name of each stage that is entered."""
        self._start = time.perf_counter() if began is None else began
        if began is not None:
            self.seconds["imports"] = time.perf_counter() - began

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time inside the `with` block to the stage `name`."""
        if self.on_stage is not None:
            self.on_stage(name)
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - start

    def add(self, seconds: Mapping[str, float], total: float) -> None:
        """Add the wall times of an earlier part of the run, by stage and in total [s]."""
        for name, duration in seconds.items():
            self.seconds[name] += duration
        self._start -= total

    @property
    def total(self) -> float:
        """Total wall time, including earlier parts of the run [s]."""
        return time.perf_counter() - self._start
