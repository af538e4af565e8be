"""Reader of fields.vtkhdf without VTK: the mesh, its named regions and the arrays of one frame at a time."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from rfablate.arrays import FloatArray, IntArray
from rfablate.errors import CaseError, Fault
from rfablate.isolation import ReaderCrashed, isolated

ROWS = 1 << 20
"""Rows of an array that are read at once by `refuse_crashing`."""


class FieldsReader:
    """An open `fields.vtkhdf` file. Root only.

    times_s: time of each frame [s], shape (frames,).
    points_mm: nodes [mm], shape (n, 3). cells: node numbers, shape (m, 4) or (m, 3).
    region: region tag of each cell, shape (m,). region_names: tag -> name.
    axisymmetric: whether the points are (r, 0, z).

    Raises:
        OSError: the file is not HDF5.
        ValueError: the file was not written by `FieldsFile`.
    """

    def __init__(self, path: Path) -> None:
        self._file = h5py.File(path, "r")
        try:
            root = self._root = self._file["VTKHDF"]
            self.points_mm: FloatArray = root["Points"][:].astype(np.float64)
            offsets = root["Offsets"][:2]
            self.cells: IntArray = root["Connectivity"][:].reshape(-1, int(offsets[1] - offsets[0]))
            self.region: IntArray = root["CellData"]["region"][:].astype(np.int64)
            field = root["FieldData"]
            names = field["region_names"].asstr("utf-8")[:]
            self.region_names: dict[int, str] = {
                int(tag): str(name) for tag, name in zip(field["region_tags"][:], names, strict=True)
            }
            self.axisymmetric = bool(field["axisymmetric"][0])
            self.times_s: FloatArray = root["Steps"]["Values"][:] if "Steps" in root else np.zeros(0)
        except (KeyError, IndexError, TypeError, AttributeError, ValueError, RuntimeError, ZeroDivisionError) as error:
            self._file.close()
            raise ValueError(f"{Path(path).name} is not a fields file of rfablate: {error}") from error

    def point_names(self) -> tuple[str, ...]:
        """Return the names of the nodal arrays."""
        return tuple(self._root["PointData"])

    def point_data(self, name: str, frame: int = -1) -> FloatArray:
        """Return the nodal array `name` of a frame, shape (n,); a negative frame number counts from the end."""
        return self._frame("PointData", name, frame)

    def cell_data(self, name: str, frame: int = -1) -> FloatArray:
        """Return the cell array `name` of a frame, shape (m,)."""
        return self._frame("CellData", name, frame)

    def _frame(self, group: str, name: str, frame: int) -> FloatArray:
        frames = len(self.times_s)
        if not -frames <= frame < frames:
            raise IndexError(f"frame {frame} of {frames}")
        start = int(self._root["Steps"][group + "Offsets"][name][frame])
        size = len(self.points_mm) if group == "PointData" else len(self.cells)
        values: FloatArray = self._root[group][name][start : start + size].astype(np.float64)
        return values

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> FieldsReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def refuse_crashing(path: Path) -> None:
    """Read all data of a file of another person once in a child process, so that later reading does not crash.

    Raises:
        CaseError: the reader was ended by a signal or did not end.
    """
    try:
        isolated(lambda: _read_all(path))
    except ReaderCrashed as error:
        raise CaseError([Fault(str(path), str(error), "a fields file of rfablate")], "results") from None


def _read_all(path: Path) -> None:
    with suppress(Exception), h5py.File(path, "r") as file:  # faults that are no crash are reported by the reader
        file.visititems(lambda _, item: _touch(item))


def _touch(item: Any) -> None:
    rows = len(item) if getattr(item, "shape", ()) else 0
    for start in range(0, rows, ROWS):
        item[start : start + ROWS]
