"""The logger of the package, which writes on rank 0 only, and the progress display of a run."""

from __future__ import annotations

import logging
import math
import sys
import time
from contextlib import suppress
from pathlib import Path

from rfablate.live_bar import LiveBar, can_redraw

_NAME = "rfablate"
_LINE_EVERY = 5.0
"""Wall time between plain progress lines [s]."""
_DRAW_EVERY = 0.1
"""Wall time between updates of the progress bar [s]."""


class _Console(logging.StreamHandler):
    """Handler that prints messages to the terminal.

    It prints above a progress bar and skips messages that are meant for the log file only.
    """

    bar: LiveBar | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Print the message on its own line."""
        if getattr(record, "file_only", False):
            return
        if _Console.bar is None or not _Console.bar.print(self.format(record)):
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Ignore a closed pipe, as of `| head -1`."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


class _File(logging.FileHandler):
    """Handler of the log file. A file that cannot be written, as on a full disk, is reported once and stops no run."""

    reported = False

    def handleError(self, record: logging.LogRecord) -> None:
        """Report on standard error that the log file is incomplete."""
        if not self.reported:
            self.reported = True
            print(f"warning: {self.baseFilename} cannot be written: {sys.exc_info()[1]}", file=sys.stderr, flush=True)


class _LevelFormatter(logging.Formatter):
    """Formatter that puts the level in front of warnings and errors."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the message, preceded by its level where the level is above INFO."""
        text = super().format(record)
        return text if record.levelno <= logging.INFO else f"{record.levelname.lower()}: {text}"


def setup_log(
    rank: int, path: str | Path | None = None, *, quiet: bool = False, append: bool = False
) -> logging.Logger:
    """Return the package's logger, configured for this rank. A second call replaces the earlier settings.

    Args:
        rank: MPI rank; only rank 0 prints and writes.
        path: log file, which receives every message with a time stamp; None for no file.
        quiet: print only warnings and errors; the log file still receives every message.
        append: append to the log file instead of overwriting it.
    """
    logger = logging.getLogger(_NAME)
    logger.propagate = False
    logger.setLevel(logging.INFO if rank == 0 else logging.CRITICAL + 1)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        with suppress(OSError):  # lines that do not fit on the disk
            handler.close()
    if rank != 0:
        logger.addHandler(logging.NullHandler())
        return logger
    console = _Console(sys.stdout)
    console.setLevel(logging.WARNING if quiet else logging.INFO)
    console.setFormatter(_LevelFormatter())
    logger.addHandler(console)
    if path is not None:
        file = _File(path, mode="a" if append else "w", encoding="utf-8")
        file.setFormatter(_LevelFormatter("%(asctime)s  %(message)s", datefmt="%Y-%m-%d %H:%M:%S"))
        logger.addHandler(file)
    return logger


class Progress:
    """Progress display of a run: a bar on a terminal; otherwise, and in the log file, a line every few seconds."""

    def __init__(self, total_s: float, *, enabled: bool, begun_s: float = 0.0) -> None:
        """Start the display.

        Args:
            total_s: simulated time at the end of the run [s].
            enabled: False switches the display off.
            begun_s: simulated time at which this part of the run starts [s].
        """
        self._total, self._begun = total_s, begun_s
        self._enabled = enabled
        self._log = logging.getLogger(_NAME)
        self._bar = LiveBar(total_s) if enabled and not _is_quiet() and can_redraw() else None
        self._start = self._last_line = time.monotonic()
        self._last_draw = -math.inf
        self._pending = ""

    def update(self, t: float, sensor_degC: float, power_W: float, impedance_ohm: float, dt_s: float) -> None:
        """Show the step of length `dt_s` [s] that ended at time `t` [s]; NaN marks a value that does not exist."""
        if not self._enabled:
            return
        now = time.monotonic()
        values = _values(sensor_degC, power_W, impedance_ohm)
        if self._bar is not None and (now - self._last_draw >= _DRAW_EVERY or t >= self._total):
            _Console.bar = self._bar
            text = f"{t:6.1f} / {self._total:g} s  step {dt_s:.3g} s, {values}{self._remaining(t, now)}"
            self._bar.show(min(t, self._total), text)
            self._last_draw = now
        self._pending = f"t = {t:.4g} of {self._total:g} s, step {dt_s:.3g} s, {values}{self._remaining(t, now)}"
        if now - self._last_line >= _LINE_EVERY:
            self._log_pending(now)

    def close(self) -> None:
        """Log the last step and end the line of the progress bar."""
        if not self._enabled:
            return
        if self._bar is not None:
            self._bar.close(keep=True)
            _Console.bar = None
        if self._pending:
            self._log_pending(time.monotonic())

    def _log_pending(self, now: float) -> None:
        self._log.info(self._pending, extra={"file_only": self._bar is not None})
        self._pending, self._last_line = "", now

    def _remaining(self, t: float, now: float) -> str:
        """Return the estimated remaining wall time as text; '' during the short first steps of a run.

        The estimate assumes a constant ratio of wall time to simulated time.
        """
        elapsed = now - self._start
        done = t - self._begun
        if not 0.05 * self._total < done < self._total - self._begun or elapsed < 1.0:
            return ""
        left = elapsed * (self._total - t) / done
        minutes, seconds = divmod(math.ceil(left), 60)
        return f", {minutes} min {seconds:02d} s left" if minutes else f", {seconds} s left"


def _is_quiet() -> bool:
    consoles = [handler for handler in logging.getLogger(_NAME).handlers if isinstance(handler, _Console)]
    return any(handler.level > logging.INFO for handler in consoles)


def _values(sensor: float, power: float, impedance: float) -> str:
    numbers = ((sensor, "{:.1f} degC at the sensor"), (power, "{:.3g} W"), (impedance, "{:.4g} ohm"))
    return ", ".join(text.format(value) for value, text in numbers if math.isfinite(value))
