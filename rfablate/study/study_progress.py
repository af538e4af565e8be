"""How far a study is: a bar on a terminal, elsewhere a line every few seconds."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import TextIO

LINE_EVERY_S = 10.0
DRAW_EVERY_S = 0.2
CELLS = 24


class StudyProgress:
    """Counts members and says how long the rest will take."""

    def __init__(  # noqa: PLR0913
        self,
        total: int,
        done: int,
        failed: int,
        out: TextIO | None = None,
        *,
        what: str = "members",
        told: Callable[[str], str] | None = None,
    ) -> None:
        """Start with `done` and `failed` of `total` members known from before.

        what: the members' name. told: gives the line to say of each one that ends; without it of failed ones only.
        """
        self._total, self._done, self._failed = total, done, failed
        self._known = done + failed
        self._what, self._told = what, told
        self._out = out or sys.stdout
        self._bar = self._out.isatty()
        self._start = self._shown = time.monotonic()

    def completed(self, name: str) -> None:
        """Count a member that ended well."""
        self._done += 1
        if self._told is not None:
            self._say(self._told(name))

    def failed(self, name: str) -> None:
        """Count a member that failed, and say so."""
        self._failed += 1
        self._say(f"failed: {name}" if self._told is None else self._told(name))

    def _say(self, line: str) -> None:
        self.clear()
        print(line, file=self._out, flush=True)

    def show(self, running: int, *, last: bool = False) -> None:
        """Say where the study is, if it is time to."""
        now = time.monotonic()
        if not last and now - self._shown < (DRAW_EVERY_S if self._bar else LINE_EVERY_S):
            return
        self._shown = now
        ended = self._done + self._failed
        text = f"{ended} of {self._total} {self._what}"
        text += f", {self._failed} failed" if self._failed else ""
        text += f", {running} running" if running else ""
        text += f", {self.left(now)} left" if running and self.left(now) else ""
        if self._bar:
            full = CELLS * ended // max(1, self._total)
            end = "\n" if last else ""
            print(f"\r\033[K[{'#' * full}{'-' * (CELLS - full)}] {text}", end=end, file=self._out, flush=True)
        else:
            print(text, file=self._out, flush=True)

    def clear(self) -> None:
        """Take the bar away, where there is one."""
        if self._bar:
            print("\r\033[K", end="", file=self._out, flush=True)

    def left(self, now: float) -> str:
        """Return the wall time left as text, judged by this session's members; '' before the first has ended."""
        ended = self._done + self._failed
        if ended <= self._known:
            return ""
        seconds = math.ceil((now - self._start) * (self._total - ended) / (ended - self._known))
        hours, minutes = divmod(seconds // 60, 60)
        if hours:
            return f"{hours} h {minutes:02d} min"
        return f"{minutes} min {seconds % 60:02d} s" if minutes else f"{seconds} s"
