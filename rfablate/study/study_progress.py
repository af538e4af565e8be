"""Progress display of a study: a bar on a terminal, otherwise a line every few seconds."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from rfablate.live_bar import LiveBar, can_redraw

LINE_EVERY_S = 10.0
DRAW_EVERY_S = 0.2


@dataclass(frozen=True)
class MemberCounts:
    """Numbers of members: all, and those that completed or failed before."""

    total: int
    completed: int = 0
    failed: int = 0


class StudyProgress:
    """Counts the members that have ended and estimates the remaining wall time."""

    def __init__(
        self,
        counts: MemberCounts,
        *,
        what: str = "members",
        told: Callable[[str], str] | None = None,
    ) -> None:
        """Start the display.

        Args:
            counts: the members at the start.
            what: word for the members, such as "runs".
            told: returns the line to print for each member that ends; None: a line for each failed member only.
        """
        self._total, self._done, self._failed = counts.total, counts.completed, counts.failed
        self._ended_before = counts.completed + counts.failed
        self._what, self._describe = what, told
        self._bar = LiveBar(counts.total) if can_redraw() else None
        self._start = self._shown = time.monotonic()

    def completed(self, name: str) -> None:
        """Count a completed member."""
        self._done += 1
        if self._describe is not None:
            self._print(self._describe(name))

    def failed(self, name: str) -> None:
        """Count a failed member and print a line."""
        self._failed += 1
        self._print(f"failed: {name}" if self._describe is None else self._describe(name))

    def _print(self, line: str) -> None:
        if self._bar is None or not self._bar.print(line):
            print(line, flush=True)

    def show(self, running: int, *, last: bool = False) -> None:
        """Update the display if its interval has passed; always where `last`."""
        now = time.monotonic()
        if not last and now - self._shown < (LINE_EVERY_S if self._bar is None else DRAW_EVERY_S):
            return
        self._shown = now
        ended = self._done + self._failed
        text = f"{ended} of {self._total} {self._what}"
        text += f", {self._failed} failed" if self._failed else ""
        text += f", {running} running" if running else ""
        text += f", {self.left(now)} left" if running and self.left(now) else ""
        if self._bar is None:
            print(text, flush=True)
            return
        self._bar.show(ended, text)
        if last:
            self._bar.close(keep=True)

    def clear(self) -> None:
        """Erase the progress bar, where there is one."""
        if self._bar is not None:
            self._bar.close(keep=False)

    def left(self, now: float) -> str:
        """Return the estimated remaining wall time as text, from the members of this session; '' before the first."""
        ended = self._done + self._failed
        if ended <= self._ended_before:
            return ""
        seconds = math.ceil((now - self._start) * (self._total - ended) / (ended - self._ended_before))
        hours, minutes = divmod(seconds // 60, 60)
        if hours:
            return f"{hours} h {minutes:02d} min"
        return f"{minutes} min {seconds % 60:02d} s" if minutes else f"{seconds} s"
