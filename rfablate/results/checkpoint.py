"""checkpoint.h5: the complete state of a run in the order of the input mesh, for any number of ranks. Root only.

The newest checkpoint is `checkpoint.h5`, the previous one `checkpoint.older.h5`. Each is written to a temporary file,
flushed to disk and renamed, so that both stay complete at any power failure. After the HDF5 data, each file ends with
the SHA-256 of all bytes before it. The hash is checked before the file is opened, because HDF5 can crash on a damaged
file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rfablate.arrays import RowArray, blocks
from rfablate.files import is_sealed, seal, sync
from rfablate.guarded_file import GuardedFile

NEWEST, OLDER = "checkpoint.h5", "checkpoint.older.h5"
FORMAT = "rfablate-checkpoint-2"
"""Format version; increased when older files can no longer be read."""
MEMORY = "memory"
"""Name of the dataset with the state tree (state_tree.py) as JSON; all other datasets are the arrays of the tree."""

Arrays = Mapping[str, RowArray]


@dataclass(frozen=True)
class StoredRows:
    """An array of a checkpoint file, read when rows are requested."""

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.shape[0]

    def __getitem__(self, rows: slice) -> npt.NDArray[Any]:
        """Return consecutive rows."""
        import h5py

        with h5py.File(self.path, "r") as file:
            return np.asarray(file[self.name][rows])


@dataclass(frozen=True)
class Checkpoint:
    """Content of a checkpoint file."""

    name: str
    memory: Any
    arrays: dict[str, RowArray]


def write_checkpoint(folder: Path, memory: Any, arrays: Arrays) -> None:
    """Write a checkpoint into a run directory; the newest checkpoint so far becomes the older one. Root only.

    Raises:
        OSError: it cannot be written; earlier checkpoints are unchanged.
    """
    newest, part = folder / NEWEST, folder / f"{NEWEST}.part"
    try:
        _write_part(part, memory, arrays)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    if newest.is_file():
        newest.replace(folder / OLDER)
    part.replace(newest)
    sync(folder)


def _write_part(part: Path, memory: Any, arrays: Arrays) -> None:
    import h5py

    disk = GuardedFile(part)
    try:
        with h5py.File(disk, "w") as file:
            file.attrs["format"] = FORMAT
            file.create_dataset(MEMORY, data=json.dumps(memory))
            for name, values in arrays.items():
                stored = file.create_dataset(name, values.shape, values.dtype)
                for first, block in blocks(values):
                    stored[first : first + len(block)] = block
    finally:
        disk.close()
    disk.check()
    seal(part)
    sync(part)


def open_checkpoint(path: Path) -> Checkpoint:
    """Return the content of a checkpoint file, whose arrays are read when they are used.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file is damaged or of another format version.
    """
    import h5py

    if not is_sealed(path):
        raise ValueError("damaged: its checksum does not match its content")
    try:
        with h5py.File(path, "r") as content:
            if content.attrs["format"] != FORMAT:
                raise ValueError(f"its format is {content.attrs['format']}, expected {FORMAT}")
            arrays: dict[str, RowArray] = {}
            content.visititems(lambda name, item: _add_array(arrays, path, name, item))
            memory = json.loads(content[MEMORY].asstr()[()])
    except (OSError, KeyError, TypeError, AttributeError, RuntimeError, RecursionError) as error:
        raise ValueError(f"not a checkpoint of rfablate: {type(error).__name__}: {error}") from None
    if not isinstance(memory, dict):
        raise ValueError("not a checkpoint of rfablate: its memory is no table")
    return Checkpoint(path.name, memory, arrays)


def read_checkpoint(path: Path) -> Checkpoint:
    """Return the content of a checkpoint file with its arrays; raises as `open_checkpoint`."""
    found = open_checkpoint(path)
    return Checkpoint(found.name, found.memory, {name: rows[:] for name, rows in found.arrays.items()})


def newest_checkpoint(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """Return the newest valid checkpoint of a run directory, or None, and a warning for each invalid one."""
    warnings: list[str] = []
    for name in (NEWEST, OLDER):
        try:
            return open_checkpoint(folder / name), warnings
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            warnings.append(f"{name} cannot be used ({error}); trying the previous checkpoint")
    return None, warnings


def mesh_digest(points: RowArray, cells: RowArray, region: RowArray, names: Mapping[int, str]) -> str:
    """Return a hash of a mesh: its nodes, cells and region tags in order, and the region names."""
    digest = hashlib.sha256(json.dumps({int(tag): name for tag, name in names.items()}).encode())
    for values, kind in ((points, points.dtype), (cells, np.dtype(np.int64)), (region, np.dtype(np.int64))):
        digest.update(f"{tuple(values.shape)}".encode())
        for _, block in blocks(values):
            digest.update(np.ascontiguousarray(block, dtype=kind).view(np.uint8).data)
    return digest.hexdigest()[:20]


def _add_array(arrays: dict[str, RowArray], path: Path, name: str, item: Any) -> None:
    if hasattr(item, "shape") and name != MEMORY:
        arrays[name] = StoredRows(path, name, item.shape, item.dtype)
