"""A run's directory: fixed names, nothing half written, nothing of an older run left over. Root only."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rfablate.case.load import dump_case
from rfablate.case.schema import Case
from rfablate.errors import CaseError, Fault
from rfablate.output.checkpoint import write_checkpoint
from rfablate.output.fields import FieldsFile
from rfablate.output.history import HistoryFile
from rfablate.output.summary import write_summary

log = logging.getLogger("rfablate")

NAMES = (
    "case.toml",
    "run.log",
    "history.csv",
    "fields.vtkhdf",
    "fields.vtkhdf.part",
    "checkpoint.h5",
    "summary.json",
    "report.html",
)


class RunDirectory:
    """The open files of one run."""

    def __init__(self, path: Path) -> None:
        """Open the files of a prepared directory."""
        self.path = path
        self._history = HistoryFile(path / "history.csv")
        self._fields: FieldsFile | None = None

    @classmethod
    def prepare(cls, path: Path, case: Case, *, overwrite: bool) -> RunDirectory:
        """Make the directory and write the resolved case into it.

        Raises:
            CaseError: it holds something already and `overwrite` is False.
        """
        refuse_used(path, overwrite=overwrite)
        path.mkdir(parents=True, exist_ok=True)
        for name in NAMES:
            if name != "run.log":  # the log is open by now
                (path / name).unlink(missing_ok=True)
        (path / "case.toml").write_text(dump_case(case), encoding="utf-8")
        return cls(path)

    def open_fields(
        self,
        points: npt.NDArray[np.float64],
        cells: npt.NDArray[np.int64],
        region: npt.NDArray[Any],
        names: Mapping[int, str],
        axisymmetric: bool,
    ) -> None:
        """Write the mesh [m] into fields.vtkhdf."""
        self._fields = FieldsFile(self.path / "fields.vtkhdf", points, cells, region, names, axisymmetric)

    def fields_frame(self, t: float, nodal: Mapping[str, Any], cells: Mapping[str, Any]) -> None:
        """Append the fields of time t [s]."""
        assert self._fields is not None
        self._fields.append(t, nodal, cells)

    def history_row(self, row: Mapping[str, float | None]) -> None:
        """Append a row to history.csv."""
        self._history.append(row)

    def checkpoint(self, fields: Mapping[str, npt.NDArray[np.float64]], memory: Mapping[str, object]) -> None:
        """Write checkpoint.h5."""
        write_checkpoint(self.path / "checkpoint.h5", fields, memory)

    def finish(self, summary: Mapping[str, Any], *, with_report: bool) -> None:
        """Close the files, write the summary, whose existence says that the run ended, and the report made from it."""
        self._history.close()
        if self._fields is not None:
            self._fields.close()
        write_summary(self.path / "summary.json", summary)
        if with_report:
            self._report()

    def written(self) -> list[str]:
        """Return the names of the files that are there now, the page for people first."""
        return [name for name in reversed(NAMES) if (self.path / name).is_file()]

    def _report(self) -> None:
        """Write report.html; a page that cannot be drawn is a warning, for the run itself is done."""
        from rfablate.report import write_report

        try:
            write_report(self.path)
        except Exception as error:  # whatever a plotting library may raise
            log.warning("no report.html: %s; `rfablate report %s` tries again", error, self.path)


def refuse_used(path: Path, *, overwrite: bool) -> None:
    """Raise CaseError where `path` holds files and may not be overwritten, or is no directory."""
    if path.exists() and not path.is_dir():
        raise CaseError([Fault(str(path), "a file stands here", "a run directory", "choose another -o")], "output")
    if path.is_dir() and any(path.iterdir()) and not overwrite:
        raise CaseError(
            [
                Fault(
                    str(path),
                    "the run directory is not empty",
                    "a new one",
                    "add --overwrite, or choose another -o",
                )
            ],
            "output",
        )
