"""A run's directory: fixed names, nothing half written, nothing of an older run left over. Root only."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rfablate.case.messages.suggestions import near_path
from rfablate.case.read.case_file import dump_case
from rfablate.case.tables.schema import Case
from rfablate.errors import CaseError, Fault, StorageError
from rfablate.results.checkpoint import NEWEST, OLDER, write_checkpoint
from rfablate.results.directory_lock import LOCK
from rfablate.results.field_frames import KeptFrames
from rfablate.results.fields_file import FieldsFile, columns
from rfablate.results.history_file import HistoryFile
from rfablate.results.summary_file import write_summary

FRAMES = "frames"
"""Folder of the frames so far, while the run goes on."""

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
    """The open files of one run.

    A file that cannot be written is not raised at once, on rank 0 alone, but kept as `fault` for all ranks to end with;
    after it nothing more is written.
    """

    def __init__(self, path: Path, history_bytes: int = 0) -> None:
        """Open the files of a prepared directory; so much of history.csv is kept."""
        self.path = path
        self.fault: StorageError | None = None
        self._history = HistoryFile(path / "history.csv", history_bytes)
        self._fields: FieldsFile | None = None
        self._frames = KeptFrames(path / FRAMES)

    @classmethod
    def prepare(cls, path: Path, case: Case, *, overwrite: bool) -> RunDirectory:
        """Make the directory and write the resolved case into it.

        Raises:
            CaseError: it holds something already and `overwrite` is False, or is the run that the case starts from.
        """
        refuse_used(path, overwrite=overwrite)
        refuse_own_start(path, case)
        path.mkdir(parents=True, exist_ok=True)
        for name in NAMES:
            if name not in ("run.log", "case.toml"):  # the log is open by now
                (path / name).unlink(missing_ok=True)
        shutil.rmtree(path / FRAMES, ignore_errors=True)
        part = path / "case.toml.part"
        try:
            part.write_text(dump_case(case), encoding="utf-8")
        except OSError as error:
            part.unlink(missing_ok=True)
            raise OSError(error.errno, error.strerror, str(path / "case.toml")) from None
        part.replace(path / "case.toml")
        return cls(path)

    @classmethod
    def reopen(cls, path: Path, history_bytes: int) -> RunDirectory:
        """Open the directory of a run that goes on; of history.csv so many bytes are kept, the rest goes."""
        for name in ("fields.vtkhdf", "fields.vtkhdf.part", "summary.json", "report.html"):
            (path / name).unlink(missing_ok=True)
        history = path / "history.csv"
        if not history.is_file() or history.stat().st_size < history_bytes:
            log.warning("history.csv is shorter than it was at the checkpoint: rows are missing from it")
        return cls(path, history_bytes)

    def open_fields(
        self,
        points: npt.NDArray[np.float64],
        cells: npt.NDArray[np.int64],
        region: npt.NDArray[Any],
        names: Mapping[int, str],
        axisymmetric: bool,
    ) -> None:
        """Write the mesh [m] into fields.vtkhdf."""
        with self._kept("fields.vtkhdf"):
            self._fields = FieldsFile(self.path / "fields.vtkhdf", points, cells, region, names, axisymmetric)

    def fields_frame(self, t: float, nodal: Mapping[str, Any], cells: Mapping[str, Any]) -> None:
        """Append the fields of time t [s]."""
        fields = self._fields
        if fields is None or self.fault is not None:
            return
        nodal, cells = columns("PointData", fields.n_points, nodal), columns("CellData", fields.n_cells, cells)
        with self._kept(f"the frame of t = {t:g} s"):
            self._frames.keep(t, nodal, cells)
            fields.append(t, nodal, cells)

    def take_up_frames(self, times: Collection[float]) -> None:
        """Append the frames of these times [s] that an earlier part of the run has written, and forget any others."""
        missing = set(times)
        with self._kept("fields.vtkhdf"):
            for frame in self._frames.take_up(times):
                if self._fields is not None:
                    self._fields.append(*frame)
                missing.discard(frame[0])
        for t in sorted(missing):
            log.warning("the frame of t = %g s is lost: fields.vtkhdf goes without it", t)

    def history_row(self, row: Mapping[str, float | None]) -> None:
        """Append a row to history.csv."""
        if self.fault is None:
            with self._kept("history.csv"):
                self._history.append(row)

    def history_size(self) -> int:
        """Return how many bytes of history.csv are on the disk."""
        size = 0
        with self._kept("history.csv"):
            size = self._history.size()
        return size

    def checkpoint(self, memory: Any, arrays: Mapping[str, npt.NDArray[Any]]) -> bool:
        """Write checkpoint.h5 and return whether it is there; one that does not fit on the disk is a warning."""
        if self.fault is not None:
            return False
        try:
            write_checkpoint(self.path, memory, arrays)
            return True
        except FileNotFoundError as error:  # the directory is gone
            self.fault = self.fault or self._storage_error("checkpoint.h5", error)
        except OSError as error:
            log.warning("no checkpoint: %s; the one before it stays", self._storage_text("checkpoint.h5", error))
        return False

    def release(self) -> None:
        """Close the files of a run that has not come to its end; does nothing after `finish`."""
        with suppress(OSError):  # what was held back does not fit on the disk: that is told by now
            self._history.close()
        if self._fields is not None:
            self._fields.leave()

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Close the files and write the summary, whose existence says that the run ended.

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
                write_summary(self.path / "summary.json", summary)
        if self.fault is not None:
            raise self.fault
        if summary["status"] == "completed":
            self._frames.remove()
            (self.path / OLDER).unlink(missing_ok=True)

    @contextmanager
    def _kept(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.fault = self.fault or self._storage_error(name, error)

    def _storage_error(self, name: str, error: OSError) -> StorageError:
        resumed = "the run starts anew"
        if any((self.path / each).is_file() for each in (NEWEST, OLDER)):
            resumed = "goes on from the last checkpoint"
        hint = f"make room, then `rfablate resume {self.path}`: {resumed}"
        if not self.path.is_dir():
            hint = "the run directory is gone, and the run with it"
        return StorageError(f"{self._storage_text(name, error)}; {hint}")

    def _storage_text(self, name: str, error: OSError) -> str:
        try:
            room = f"; {shutil.disk_usage(self.path).free / 2**20:.0f} MiB are free there"
        except OSError:
            room = ""
        return f"{name} cannot be written in {self.path}: {error.strerror or error}{room}"

    def written(self) -> list[str]:
        """Return the names of the files that are there now, the page for people first."""
        return present_files(self.path)


def present_files(path: Path) -> list[str]:
    """Return the names of the files of a run that are there, the page for people first."""
    return [name for name in reversed(NAMES) if (path / name).is_file()]


def refuse_used(path: Path, *, overwrite: bool) -> None:
    """Raise CaseError where `path` holds files and may not be overwritten, or is no directory."""
    if path.exists() and not path.is_dir():
        raise CaseError([Fault(str(path), "a file stands here", "a run directory", "choose another -o")], "output")
    if path.is_dir() and not overwrite and any(not each.name.startswith(LOCK) for each in path.iterdir()):
        raise CaseError(
            [
                Fault(
                    str(path),
                    "the run directory is not empty",
                    "a new one",
                    "add --overwrite, choose another -o, or go on with it: rfablate resume",
                )
            ],
            "output",
        )


def refuse_own_start(path: Path, case: Case) -> None:
    """Raise CaseError where a run would overwrite the one it starts from."""
    if case.start_from is not None and path.resolve() == Path(case.start_from).resolve():
        expected = "another directory than the one of the run that the case starts from"
        raise CaseError([Fault(str(path), "the run of start_from", expected, "choose another -o")], "output")


def ended(path: Path) -> str:
    """Return what a finished run says about its end, '' for one that can go on.

    Raises:
        CaseError: it is no run's directory.
    """
    if not (path / "case.toml").is_file():
        expected = "a directory that `rfablate run` has begun"
        found = "no case.toml in it" if path.is_dir() else "no such directory"
        near = near_path(path, lambda each: (each / "case.toml").is_file())
        raise CaseError([Fault(str(path), found, expected, near or "is the path right?")], "resume")
    summary = _summary(path)
    if summary is None or summary.get("status") not in ("completed", "stopped"):
        return ""
    return f"{summary['status']}, {summary.get('reason')}"


def _summary(path: Path) -> dict[str, Any] | None:
    """Return the summary of a run; None where it is not there or, after a power failure, cannot be read."""
    try:
        found = json.loads((path / "summary.json").read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def refuse_unfinished(paths: Sequence[Path], verb: str) -> None:
    """Check that each path holds a finished run.

    Raises:
        CaseError: some do not; tells every one, and what was probably meant.
    """
    faults = [_unfinished(path) for path in paths if _summary(path) is None]
    if faults:
        raise CaseError(faults, verb)


def _unfinished(path: Path) -> Fault:
    hint = "the folder that `rfablate run` wrote; a run that was stopped has no summary.json"
    if (path / "case.toml").is_file():
        hint = f"rfablate resume {path} goes on with a run that was stopped"
    elif not path.is_dir():
        hint = near_path(path, lambda each: (each / "summary.json").is_file()) or hint
    found = "no summary.json in it" if path.is_dir() else "no such directory"
    if (path / "summary.json").exists():
        found = "its summary.json cannot be read"
    return Fault(str(path), found, "a finished run's directory", hint)
