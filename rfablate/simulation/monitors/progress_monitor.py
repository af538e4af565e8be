"""Progress of a run on the terminal and in run.log."""

from __future__ import annotations

from typing import Any

from rfablate.log import Progress
from rfablate.simulation.monitors.monitor import Monitor, Row
from rfablate.solve.state import Frame


class ProgressMonitor(Monitor):
    """Shows time, sensor temperature, power and impedance."""

    name = "progress"
    stage = "write"

    def __init__(self, end: float, *, enabled: bool) -> None:
        """Show the progress towards `end` [s] where it is enabled, which is on rank 0."""
        self._end, self._enabled = end, enabled
        self._progress = Progress(end, enabled=enabled)

    def restore(self, memory: Any, frame: Frame) -> None:
        """Estimate the time left from the resumed part of the run only."""
        self._progress = Progress(self._end, enabled=self._enabled, begun_s=frame.t)

    def observe(self, frame: Frame) -> Row:
        """Show a step."""
        impedance = 1.0 / frame.conductance if frame.conductance and frame.alone else float("nan")
        self._progress.update(frame.t, frame.sensor, frame.power, impedance, frame.dt)
        return {}

    def finish(self, frame: Frame, *, failed: bool) -> None:
        """Release the terminal's line."""
        self._progress.close()
