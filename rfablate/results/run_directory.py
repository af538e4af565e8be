"""The directory of a run: fixed file names, atomic writes, no files left from an older run. Root only."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rfablate.arrays import RowArray
from rfablate.case.messages.suggestions import near_path
from rfablate.case.read.case_file import dump_case
from rfablate.case.tables.schema import Case
from rfablate.errors import CaseError, Fault, StorageError
from rfablate.files import write_text
from rfablate.results.checkpoint import NEWEST, OLDER, write_checkpoint
from rfablate.results.directory_lock import LOCK
from rfablate.results.field_frames import FrameStore
from rfablate.results.fields_file import FieldsFile, FieldsMesh, columns
from rfablate.results.fields_reader import refuse_crashing
from rfablate.results.history_file import HistoryFile
from rfablate.results.summary_file import write_summary
from rfablate.results.summary_models import RunSummary

FRAMES = "frames"
"""Folder of the frames written so far, until the run has completed."""

log = logging.getLogger("rfablate")

NAMES = (
    "case.toml",
    "run.log",
    "history.csv",
    "fields.vtkhdf",
    "fields.vtkhdf.part",
    OLDER,
    f"{NEWEST}.part",
    NEWEST,
    "summary.json",
    "report.html",
)


class RunDirectory:
    """Writer of the files of one run.

    An error of writing is not raised at once, on rank 0 alone, but kept as `fault`, with which all ranks end the run;
    after it nothing more is written.
    """

    def __init__(self, path: Path, history_bytes: int = 0) -> None:
        """Open the files of a prepared directory; the first `history_bytes` of history.csv are kept."""
        self.path = path
        self.fault: StorageError | None = None
        self._history = HistoryFile(path / "history.csv", history_bytes)
        self._fields: FieldsFile | None = None
        self._frames = FrameStore(path / FRAMES)

    @classmethod
    def prepare(cls, path: Path, case: Case, *, overwrite: bool) -> RunDirectory:
        """Create the directory and write the resolved case into it.

        Raises:
            CaseError: the directory is not empty and `overwrite` is False, or the case starts from the run in it.
        """
        require_unused(path, overwrite=overwrite)
        require_other_than_start(path, case)
        path.mkdir(parents=True, exist_ok=True)
        for name in NAMES:
            if name not in ("run.log", "case.toml"):  # the log file is already open
                (path / name).unlink(missing_ok=True)
        shutil.rmtree(path / FRAMES, ignore_errors=True)
        try:
            write_text(path / "case.toml", dump_case(case))
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path / "case.toml")) from None
        return cls(path)

    @classmethod
    def reopen(cls, path: Path, history_bytes: int) -> RunDirectory:
        """Open the directory of a resumed run; history.csv is truncated to `history_bytes`."""
        for name in ("fields.vtkhdf", "fields.vtkhdf.part", "summary.json", "report.html"):
            (path / name).unlink(missing_ok=True)
        history = path / "history.csv"
        if not history.is_file() or history.stat().st_size < history_bytes:
            log.warning("history.csv is shorter than at the checkpoint: some rows are missing")
        return cls(path, history_bytes)

    def open_fields(self, mesh: FieldsMesh) -> None:
        """Create fields.vtkhdf and write the mesh into it."""
        with self._kept("fields.vtkhdf"):
            self._fields = FieldsFile(self.path / "fields.vtkhdf", mesh)

    def fields_frame(self, t: float, nodal: Mapping[str, Any], cells: Mapping[str, Any]) -> None:
        """Append a frame with the fields at time `t` [s]."""
        fields = self._fields
        if fields is None or self.fault is not None:
            return
        nodal, cells = columns("PointData", fields.n_points, nodal), columns("CellData", fields.n_cells, cells)
        with self._kept(f"the frame of t = {t:g} s"):
            self._frames.keep(t, nodal, cells)
            fields.append(t, nodal, cells)

    def take_up_frames(self, times: Collection[float]) -> None:
        """Append the frames at these times [s] from the earlier part of a resumed run, and delete all other frames."""
        missing = set(times)
        with self._kept("fields.vtkhdf"):
            for frame in self._frames.take_up(times):
                if self._fields is not None:
                    self._fields.append(*frame)
                missing.discard(frame[0])
        for t in sorted(missing):
            log.warning("the frame at t = %g s is missing from fields.vtkhdf", t)

    def history_row(self, row: Mapping[str, float | None]) -> None:
        """Append a row to history.csv."""
        if self.fault is None:
            with self._kept("history.csv"):
                self._history.append(row)

    def history_size(self) -> int:
        """Flush history.csv to disk and return its size [bytes]."""
        size = 0
        with self._kept("history.csv"):
            size = self._history.size()
        return size

    def checkpoint(self, memory: Any, arrays: Mapping[str, RowArray]) -> bool:
        """Write a checkpoint, the state tree `memory` and its arrays; return whether it succeeded.

        A checkpoint that does not fit on the disk is a warning.
        """
        if self.fault is not None:
            return False
        try:
            write_checkpoint(self.path, memory, arrays)
            return True
        except FileNotFoundError as error:  # the directory is gone
            self.fault = self.fault or self._storage_error("checkpoint.h5", error)
        except OSError as error:
            log.warning("no checkpoint: %s; the earlier one is kept", self._storage_text("checkpoint.h5", error))
        return False

    def release(self) -> None:
        """Close the files of a run that has not ended; does nothing after `finish`."""
        with suppress(OSError):  # buffered rows do not fit on the disk; this has been reported
            self._history.close()
        if self._fields is not None:
            self._fields.leave()

    def finish(self, summary: RunSummary) -> None:
        """Close the files and write summary.json, which marks the run as ended.

        Raises:
            StorageError: one of them cannot be written.
        """
        with self._kept("history.csv"):
            self._history.close()
        with self._kept("fields.vtkhdf"):
            if self._fields is not None:
                self._fields.close()
        if self.fault is None:
            with self._kept("summary.json"):
                write_summary(self.path / "summary.json", summary.tree())
        if self.fault is not None:
            raise self.fault
        if summary.status == "completed":
            self._frames.remove()
            (self.path / OLDER).unlink(missing_ok=True)

    @contextmanager
    def _kept(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.fault = self.fault or self._storage_error(name, error)

    def _storage_error(self, name: str, error: OSError) -> StorageError:
        resumed = "the run starts again from t = 0"
        if any((self.path / each).is_file() for each in (NEWEST, OLDER)):
            resumed = "it continues from the last checkpoint"
        hint = f"free some space, then `rfablate resume {self.path}`: {resumed}"
        if not self.path.is_dir():
            hint = "the run directory was deleted and the run is lost"
        return StorageError(f"{self._storage_text(name, error)}; {hint}")

    def _storage_text(self, name: str, error: OSError) -> str:
        try:
            room = f"; {shutil.disk_usage(self.path).free / 2**20:.0f} MiB are free"
        except OSError:
            room = ""
        return f"{name} cannot be written in {self.path}: {error.strerror or error}{room}"

    def written(self) -> list[str]:
        """Return the names of the existing files of the run, report.html first."""
        return present_files(self.path)


def present_files(path: Path) -> list[str]:
    """Return the names of the existing files of a run, report.html first."""
    return [name for name in reversed(NAMES) if (path / name).is_file()]


def require_unused(path: Path, *, overwrite: bool) -> None:
    """Raise CaseError where `path` is not a directory, or is not empty and must not be overwritten."""
    if path.exists() and not path.is_dir():
        raise CaseError([Fault(str(path), "found a file", "a run directory", "choose another -o")], "output")
    if path.is_dir() and not overwrite and any(not each.name.startswith(LOCK) for each in path.iterdir()):
        raise CaseError(
            [
                Fault(
                    str(path),
                    "the run directory is not empty",
                    "a new or empty directory",
                    "add --overwrite, choose another -o, or continue the run with rfablate resume",
                )
            ],
            "output",
        )


def require_other_than_start(path: Path, case: Case) -> None:
    """Raise CaseError where a run would overwrite the run that it starts from."""
    if case.start_from is not None and path.resolve() == Path(case.start_from).resolve():
        expected = "a directory other than that of the run in start_from"
        raise CaseError([Fault(str(path), "found the run of start_from", expected, "choose another -o")], "output")


def end_reason(path: Path) -> str:
    """Return status and reason of an ended run, '' for a run that can be resumed.

    Raises:
        CaseError: the path is not a run directory.
    """
    if not (path / "case.toml").is_file():
        expected = "a run directory of `rfablate run`"
        found = "no case.toml in the directory" if path.is_dir() else "no such directory"
        near = near_path(path, lambda each: (each / "case.toml").is_file())
        raise CaseError([Fault(str(path), found, expected, near or "check the path")], "resume")
    summary = _summary(path)
    if summary is None or summary.get("status") not in ("completed", "stopped"):
        return ""
    return f"{summary['status']}, {summary.get('reason')}"


def _summary(path: Path) -> dict[str, Any] | None:
    """Return the summary of a run; None where it is missing or, after a power failure, cannot be read."""
    try:
        found = json.loads((path / "summary.json").read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def require_finished(paths: Sequence[Path], verb: str) -> None:
    """Check that each path is the directory of a finished run.

    Raises:
        CaseError: some are not; one fault for each of them, with the path that was probably meant. Or reading the
            fields of one of them crashes.
    """
    faults = [_unfinished(path) for path in paths if _summary(path) is None]
    if faults:
        raise CaseError(faults, verb)
    for path in paths:
        if (path / "fields.vtkhdf").is_file():
            refuse_crashing(path / "fields.vtkhdf")


def _unfinished(path: Path) -> Fault:
    hint = "give the directory written by `rfablate run`; an interrupted run has no summary.json"
    if (path / "case.toml").is_file():
        hint = f"continue an interrupted run with: rfablate resume {path}"
    elif not path.is_dir():
        hint = near_path(path, lambda each: (each / "summary.json").is_file()) or hint
    found = "no summary.json in the directory" if path.is_dir() else "no such directory"
    if (path / "summary.json").exists():
        found = "its summary.json cannot be read"
    return Fault(str(path), found, "a finished run's directory", hint)
