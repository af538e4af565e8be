"""All results at chosen times: `output.observe_at_s`."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from rfablate.simulation.monitors.monitor import Monitor, Row
from rfablate.solve.state import Frame


@dataclass(frozen=True)
class ObservedMemory:
    """Entries so far, each as JSON text."""

    entries: tuple[str, ...] = ()


class ObservedTimes(Monitor):
    """Keeps the entries of other monitors at chosen times."""

    name = "observed"
    stage = "structures"

    def __init__(self, times: Collection[float], sources: Sequence[Monitor]) -> None:
        """Keep the entries of `sources` at `times` [s], on which steps must land."""
        self._times, self._sources = times, sources
        self.memory = ObservedMemory()

    def observe(self, frame: Frame) -> Row:
        """Keep the entries if the step ends at one of the times."""
        if frame.t in self._times:
            entry: dict[str, Any] = {"time_s": frame.t}
            for source in self._sources:
                entry |= source.entry(frame)
            self.memory = ObservedMemory((*self.memory.entries, json.dumps(entry)))
        return {}

    def entry(self, frame: Frame) -> dict[str, Any]:
        """Return the entries in the order of time."""
        return {"observed": [json.loads(text) for text in self.memory.entries]} if self.memory.entries else {}
