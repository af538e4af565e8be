"""The one logger, which speaks on rank 0 only, and the progress of a run on a terminal or in a log."""

from __future__ import annotations

import logging
import math
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

_NAME = "rfablate"
_LINE_EVERY = 5.0
"""Wall time between plain progress lines [s]."""
_DRAW_EVERY = 0.1
"""Wall time between drawings of the bar [s]."""
_BAR_CELLS = 24
_CLEAR = "\r\033[K"
_LAUNCHED = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "SLURM_PROCID")
"""Set in ranks by MPI launchers."""


class _Console(logging.StreamHandler):
    """Prints messages, over a progress bar where one is drawn; leaves out what is for the file only."""

    bar_drawn = False

    def emit(self, record: logging.LogRecord) -> None:
        """Print the message on a line of its own."""
        if getattr(record, "file_only", False):
            return
        if _Console.bar_drawn:
            self.stream.write(_CLEAR)
            _Console.bar_drawn = False
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Go on without a reader: `| head -1` has seen enough."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


class _File(logging.FileHandler):
    """Writes the log file; one that cannot be written, as on a full disk, is told once and stops no run."""

    told = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say on standard error that the file lacks lines from here on."""
        if not self.told:
            self.told = True
            print(f"warning: {self.baseFilename} cannot be written: {sys.exc_info()[1]}", file=sys.stderr, flush=True)


class _Lines(logging.Formatter):
    """Gives warnings and errors their level; information speaks for itself."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the message, after its level where that is above information."""
        text = super().format(record)
        return text if record.levelno <= logging.INFO else f"{record.levelname.lower()}: {text}"


def setup_log(rank: int, path: str | Path | None = None, quiet: bool = False, append: bool = False) -> logging.Logger:
    """Return the package's logger, set up for this rank; a second call replaces the first one's settings.

    Args:
        rank: only rank 0 prints and writes.
        path: file that gets every message as a plain line with its time, overwritten; None for no file.
        quiet: print warnings and errors only (the file gets everything).
        append: go on at the end of the file instead.
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
    console.setFormatter(_Lines())
    logger.addHandler(console)
    if path is not None:
        file = _File(path, mode="a" if append else "w", encoding="utf-8")
        file.setFormatter(_Lines("%(asctime)s  %(message)s", datefmt="%Y-%m-%d %H:%M:%S"))
        logger.addHandler(file)
    return logger


class Progress:
    """Shows how far a run is: a bar on a terminal, elsewhere and in the log file a line every few seconds."""

    def __init__(self, total_s: float, enabled: bool, begun_s: float = 0.0) -> None:
        """Start the clock of a run of `total_s` [s] from `begun_s` on; does nothing where not `enabled`."""
        self._total, self._begun = total_s, begun_s
        self._enabled = enabled
        self._log = logging.getLogger(_NAME)
        self._bar = enabled and _is_terminal() and not _is_quiet()
        self._start = self._last_line = time.monotonic()
        self._last_draw = -math.inf
        self._unsaid = ""

    def update(self, t: float, sensor_degC: float, power_W: float, impedance_ohm: float, dt_s: float) -> None:
        """Show the step that ended at `t` [s] after `dt_s` [s]; a value that does not exist is NaN."""
        if not self._enabled:
            return
        now = time.monotonic()
        values = _values(sensor_degC, power_W, impedance_ohm)
        if self._bar and (now - self._last_draw >= _DRAW_EVERY or t >= self._total):
            self._draw(t, values, now)
            self._last_draw = now
        self._unsaid = f"t = {t:.4g} of {self._total:g} s, step {dt_s:.3g} s, {values}{self._left(t, now)}"
        if now - self._last_line >= _LINE_EVERY:
            self._say(now)

    def close(self) -> None:
        """Say the last step and leave the terminal's line."""
        if not self._enabled:
            return
        if self._bar and _Console.bar_drawn:
            sys.stdout.write("\n")
            sys.stdout.flush()
            _Console.bar_drawn = False
        if self._unsaid:
            self._say(time.monotonic())

    def _say(self, now: float) -> None:
        self._log.info(self._unsaid, extra={"file_only": self._bar})
        self._unsaid, self._last_line = "", now

    def _left(self, t: float, now: float) -> str:
        """Return the wall time left as text, judged by the run so far; '' during its short first steps."""
        elapsed = now - self._start
        done = t - self._begun
        if not 0.05 * self._total < done < self._total - self._begun or elapsed < 1.0:
            return ""
        left = elapsed * (self._total - t) / done
        minutes, seconds = divmod(math.ceil(left), 60)
        return f", {minutes} min {seconds:02d} s left" if minutes else f", {seconds} s left"

    def _draw(self, t: float, values: str, now: float) -> None:
        fraction = min(1.0, t / self._total) if self._total > 0.0 else 1.0
        full = int(fraction * _BAR_CELLS)
        cells = "#" * full + "-" * (_BAR_CELLS - full)
        sys.stdout.write(f"{_CLEAR}[{cells}] {t:6.1f} / {self._total:g} s  {values}{self._left(t, now)}")
        sys.stdout.flush()
        _Console.bar_drawn = True


def _is_terminal() -> bool:
    """Return whether somebody watches standard output.

    Launchers give every rank a terminal of its own, whatever their output goes to: there the launcher's own
    standard output decides, and where that cannot be seen it is taken for a file.
    """
    if not sys.stdout.isatty():
        return False
    if not any(name in os.environ for name in _LAUNCHED):
        return True
    try:
        return os.readlink(f"/proc/{os.getppid()}/fd/1").startswith(("/dev/pts/", "/dev/tty"))
    except OSError:
        return False


def _is_quiet() -> bool:
    consoles = [handler for handler in logging.getLogger(_NAME).handlers if isinstance(handler, _Console)]
    return any(handler.level > logging.INFO for handler in consoles)


def _values(sensor: float, power: float, impedance: float) -> str:
    numbers = ((sensor, "{:.1f} degC at the sensor"), (power, "{:.3g} W"), (impedance, "{:.4g} ohm"))
    return ", ".join(text.format(value) for value, text in numbers if math.isfinite(value))
