"""Backup of the frames of fields.vtkhdf, one file for each frame, until the run has completed. Root only.

A run that is killed during a write may leave an unreadable fields file. The backup files are always complete, and a
resumed run rebuilds the fields file from them.
"""

from __future__ import annotations

import logging
import shutil
import zipfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rfablate.arrays import RowArray, blocks
from rfablate.files import sync
from rfablate.guarded_file import GuardedFile

log = logging.getLogger("rfablate")

Columns = Mapping[str, RowArray]
NODAL, CELL = "nodal:", "cell:"


class FrameStore:
    """A folder of frames; each file is named by its time [s]."""

    def __init__(self, folder: Path) -> None:
        """Create the folder where it does not exist."""
        self._folder = folder
        folder.mkdir(exist_ok=True)

    def keep(self, t: float, nodal: Columns, cells: Columns) -> None:
        """Write the frame of time `t` [s] atomically."""
        part, path = self._folder / "part", self._folder / f"{float(t)!r}.npz"
        arrays = {NODAL + name: values for name, values in nodal.items()}
        arrays |= {CELL + name: values for name, values in cells.items()}
        disk: Any = GuardedFile(part)  # zipfile, too, makes much of a write that fails
        try:
            _save(disk, arrays)
        finally:
            disk.close()
        if disk.fault is not None:
            part.unlink(missing_ok=True)
            raise OSError(disk.fault.errno, disk.fault.strerror, str(path))
        sync(part)
        part.replace(path)

    def take_up(self, times: Collection[float]) -> Iterator[tuple[float, Columns, Columns]]:
        """Yield the frames of these times [s] in ascending order, and delete all others."""
        (self._folder / "part").unlink(missing_ok=True)
        for path in sorted(self._folder.glob("*.npz"), key=lambda path: float(path.stem)):
            t = float(path.stem)
            if t not in times:
                path.unlink()
                continue
            try:
                with np.load(path) as file:
                    arrays = {name: file[name] for name in file.files}
            except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
                log.warning("%s is damaged: %s", path.name, error)
                continue
            yield t, _arrays_of_kind(arrays, NODAL), _arrays_of_kind(arrays, CELL)

    def remove(self) -> None:
        """Delete all frames; fields.vtkhdf contains them."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _save(file: Any, arrays: Columns) -> None:
    """Write an .npz file in blocks."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, rows in arrays.items():
            header = {"descr": np.dtype(rows.dtype).str, "fortran_order": False, "shape": tuple(rows.shape)}
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array_header_1_0(entry, header)  # type: ignore[no-untyped-call]
                for _, block in blocks(rows):
                    entry.write(np.ascontiguousarray(block).tobytes())


def _arrays_of_kind(arrays: Columns, kind: str) -> Columns:
    return {name[len(kind) :]: values for name, values in arrays.items() if name.startswith(kind)}
