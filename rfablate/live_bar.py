"""A progress bar that is redrawn in place, on a terminal or in a notebook. Rank 0 only.

`rich` draws it; importing it takes 0.1 s, so it is loaded where a bar is shown. Elsewhere (a file, a pipe, a batch
job, TERM unset or "dumb") callers print plain lines.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar

_LAUNCHER_VARIABLES = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "SLURM_PROCID")
"""Environment variables that MPI launchers set for each rank."""
_NARROW = 60
"""Columns of the terminal below which only the text is shown."""
_BAR_CELLS = 24
_CLOSED = (OSError, ValueError)
"""Errors of writing to a terminal that is gone."""


def can_redraw() -> bool:
    """Return whether standard output is a terminal or a notebook that can redraw a line."""
    if in_notebook():
        return True
    return _is_terminal() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")


def in_notebook() -> bool:
    """Return whether this is a Jupyter kernel whose front end can redraw an output."""
    shell = sys.modules.get("IPython")
    running = shell.get_ipython() if shell is not None else None
    return type(running).__name__ == "ZMQInteractiveShell" and find_spec("ipywidgets") is not None


def _is_terminal() -> bool:
    """Return whether standard output is shown on a terminal.

    MPI launchers give every rank its own pseudo-terminal, even where their own output is a file. Under a
    launcher the launcher's standard output decides; where it cannot be inspected it counts as a file.
    """
    try:
        if sys.stdout is None or not sys.stdout.isatty():
            return False
    except ValueError:  # closed
        return False
    if not any(name in os.environ for name in _LAUNCHER_VARIABLES):
        return True
    try:
        return os.readlink(f"/proc/{os.getppid()}/fd/1").startswith(("/dev/pts/", "/dev/tty"))
    except OSError:
        return False


class LiveBar:
    """A bar with a text behind it. Once the terminal is gone, nothing more is shown."""

    def __init__(self, total: float) -> None:
        """Prepare a bar that is full at `total`; it appears with the first `show`."""
        self._total = total
        self._bar: Bar | None = None
        self._gone = False

    @property
    def shown(self) -> bool:
        """Whether the bar is on the screen."""
        return self._bar is not None

    def show(self, done: float, text: str) -> None:
        """Draw the bar at `done` of the total, with a text of one line."""
        if self._gone:
            return
        try:
            if self._bar is None:
                self._bar = _new_bar(self._total)
                self._bar.start()
            self._bar.update(self._bar.task_ids[0], completed=done, text=text, refresh=True)
        except _CLOSED:
            self._bar, self._gone = None, True

    def print(self, line: str) -> bool:
        """Print a line above the bar; return False where there is no bar on the screen."""
        if self._bar is None:
            return False
        try:
            self._bar.console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)
        except _CLOSED:
            self._bar, self._gone = None, True
        return self._bar is not None

    def close(self, *, keep: bool) -> None:
        """End the display; `keep` leaves the bar as it is on the screen, otherwise it is erased."""
        if self._bar is None:
            return
        try:
            self._bar.live.transient = not keep
            self._bar.stop()
        except _CLOSED:
            self._gone = True
        self._bar = None


def _new_bar(total: float) -> Bar:
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.table import Column

    console = _console()
    # "crop": the usual ellipsis is no ASCII character
    columns = [TextColumn("{task.fields[text]}", markup=False, table_column=Column(no_wrap=True, overflow="crop"))]
    bars = [BarColumn(_BAR_CELLS)] if console.width >= _NARROW else []
    # no thread redraws the bar: MPI and forks do not agree with threads
    bar = Progress(*bars, *columns, console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
    bar.add_task("", total=max(total, 1e-300), text="")
    return bar


def _console() -> Console:
    from rich.console import Console

    plain = "utf" not in (os.environ.get("LC_ALL") or os.environ.get("LANG") or "").lower()

    class Screen(Console):
        @property
        def encoding(self) -> str:
            """Return "ascii", for a bar of `-`, unless both stream and locale are UTF-8."""
            return "ascii" if plain else super().encoding

        def show_cursor(self, show: bool = True) -> bool:  # noqa: FBT001, FBT002
            """Leave the cursor visible: a killed run would leave the terminal without one."""
            return False

    return Screen() if in_notebook() else Screen(file=sys.stdout, force_terminal=True, legacy_windows=False)
