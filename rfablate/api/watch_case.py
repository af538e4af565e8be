"""A case file that runs again whenever it is saved."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import tomllib

from rfablate.api.run_result import RunResult
from rfablate.case.read.case_file import dump_case, load_case
from rfablate.case.read.case_name import case_name
from rfablate.case.tables.schema import Case
from rfablate.comparison.case_diff import case_difference
from rfablate.errors import CaseError
from rfablate.report.watch_page import WatchPage

POLL_S = 0.05
"""Time between two looks at the file [s]; a file counts as saved when two looks find it equal."""
DRAFT = ("mesh.accuracy=draft", "output.report=false", "output.error_bar=false")
"""Changes for the first, quick answer."""
DONE = (0, 5)
"""Exit codes of completed runs."""


class WatchedJob(Protocol):
    """A running `rfablate run`; the part of the interface of subprocess.Popen that is used here."""

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""

    def kill(self) -> None:
        """Kill the process."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit code."""


StartJob = Callable[[Sequence[str], Path], WatchedJob]
"""Starts `rfablate` with these arguments; the second argument is the file for its output."""


@dataclass(frozen=True)
class WatchedRun:
    """An ended run of a watched case, or the faults of the case."""

    accuracy: str
    """`mesh.accuracy` of the run; "" where the case has faults."""
    changed: tuple[str, ...]
    """Keys that differ from the case before."""
    same_mesh: bool
    """Whether the mesh of the case before was used again."""
    directory: Path
    """Run directory."""
    exit_code: int
    """As of `rfablate run`."""
    text: str
    """The lesion card with the warnings, or the error message."""
    seconds: float
    """Time since the file was saved [s]."""

    @property
    def completed(self) -> bool:
        """Whether the run has a result."""
        return self.exit_code in DONE

    @property
    def result(self) -> RunResult:
        """The result of a completed run."""
        return RunResult(self.directory)


def watch(
    case: str | Path,
    directory: str | Path | None = None,
    changes: Sequence[str] = (),
    start: StartJob | None = None,
) -> Iterator[WatchedRun]:
    """Run a case file now and after every save, and yield each run that ends; ends when the iterator is closed.

    A save ends runs that are still going. In 3-D a draft, without error bar and report, runs beside the run itself and
    is yielded first. The mesh is generated again only where a key of the geometry or of the mesh has changed. The page
    `watch.html` in the directory shows the newest card and report, and reloads by itself.

    Args:
        case: case file, or folder with a case.toml.
        directory: holds the page and the run directories `draft` and `run`; by default `runs/<name>-watch`.
        changes: `key=value` texts as for `--set`, applied after every save.
        start: starts the runs; by default as new processes.
    """
    file = Path(case)
    place = Path(directory) if directory is not None else Path("runs") / f"{case_name(file)}-watch"
    watched = _Watched(file, place, tuple(changes), start or start_command)
    try:
        yield from watched.rounds()
    finally:
        watched.stop()


def start_command(arguments: Sequence[str], console: Path) -> WatchedJob:
    """Start `rfablate` as a new process."""
    with console.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "rfablate", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )


@dataclass
class _Running:
    accuracy: str
    directory: Path
    console: Path
    job: WatchedJob


@dataclass(frozen=True)
class _Save:
    """A version of the case file."""

    at: float
    """When it was found [s of time.monotonic]."""
    changed: tuple[str, ...] = ()
    same_mesh: bool = False


class _Watched:
    """State of a watched case file."""

    def __init__(self, file: Path, directory: Path, changes: tuple[str, ...], start: StartJob) -> None:
        self._case_file = file / "case.toml" if file.is_dir() else file
        self._file, self._directory, self._changes, self._start = file, directory, changes, start
        self._page = WatchPage(directory, case_name(file))
        self._running: list[_Running] = []
        self._before: tuple[dict[str, Any], str] | None = None
        self._save = _Save(time.monotonic())

    def rounds(self) -> Iterator[WatchedRun]:
        """Yield the runs as they end, for ever."""
        seen, last = None, _stamp(self._case_file)
        while True:
            stamp = _stamp(self._case_file)
            if stamp != seen and stamp == last:
                seen = stamp
                self.stop()
                yield from self._begin()
            last = stamp
            for each in [each for each in self._running if each.job.poll() is not None]:
                self._running.remove(each)
                yield self._ended(each)
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Kill the runs that are still going."""
        for each in self._running:
            each.job.kill()
            each.job.wait()
        self._running.clear()

    def _begin(self) -> Iterator[WatchedRun]:
        """Start the runs of the saved case; yield its faults where it has any."""
        self._save = _Save(time.monotonic())
        try:
            case = load_case(self._file, self._changes)
        except CaseError as error:
            faults = f"error: {error}"
            yield self._shown(
                WatchedRun(
                    accuracy="",
                    changed=(),
                    same_mesh=False,
                    directory=self._directory,
                    exit_code=error.exit_code,
                    text=faults,
                    seconds=self._since(),
                )
            )
            return
        self._save = self._compared(case)
        runs: list[tuple[str, str, tuple[str, ...]]] = [(case.mesh.accuracy, "run", ())]
        if case.mesh.accuracy != "draft" and case.domain.kind not in ("axisymmetric", "mesh"):
            runs.insert(0, ("draft", "draft", DRAFT))
        for accuracy, name, changes in runs:
            place, console = self._directory / name, self._directory / f"{name}.txt"
            own = ("--one-process",) if changes else ()
            sets = [word for change in (*self._changes, *changes) for word in ("--set", change)]
            arguments = ["run", str(self._file), "-o", str(place), "--overwrite", "--quiet", *own, *sets]
            self._running.append(_Running(accuracy, place, console, self._start(arguments, console)))
        self._page.show(self._status(), "")

    def _compared(self, case: Case) -> _Save:
        """Compare a case with the one before."""
        from rfablate.mesh.build import mesh_key

        tables, key = tomllib.loads(dump_case(case)), mesh_key(case)
        before, self._before = self._before, (tables, key)
        if before is None:
            return self._save
        changed = tuple(name for name, *_ in case_difference(before[0], tables))
        return _Save(self._save.at, changed, before[1] == key)

    def _ended(self, each: _Running) -> WatchedRun:
        code = each.job.poll()
        text = each.console.read_text(encoding="utf-8", errors="replace").strip()
        save, number = self._save, 1 if code is None else code
        run = WatchedRun(each.accuracy, save.changed, save.same_mesh, each.directory, number, text, self._since())
        if run.completed and each.directory.name == "run":
            self._page.take_report(each.directory)
        return self._shown(run)

    def _shown(self, run: WatchedRun) -> WatchedRun:
        label = f"{run.accuracy}, {run.seconds:.1f} s after the save" if run.accuracy else "the case has faults"
        self._page.show(f"{label}; {self._status()}" if self._running else label, run.text)
        return run

    def _status(self) -> str:
        return f"running: {', '.join(each.accuracy for each in self._running)}"

    def _since(self) -> float:
        return time.monotonic() - self._save.at


def _stamp(file: Path) -> tuple[int, int, int] | None:
    """Return what changes when a file is saved; None while there is no file."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
