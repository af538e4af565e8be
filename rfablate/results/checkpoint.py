"""checkpoint.h5: the complete state of a run in the order of the input mesh, for any number of ranks. Root only.

The newest checkpoint is `checkpoint.h5`, the previous one `checkpoint.older.h5`. Each is written to a temporary file,
flushed to disk and renamed, so that both stay complete at any power failure. After the HDF5 data, each file ends with
the SHA-256 of all bytes before it. The hash is checked before the file is opened, because HDF5 can crash on a damaged
file.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rfablate.results.guarded_file import GuardedFile

NEWEST, OLDER = "checkpoint.h5", "checkpoint.older.h5"
FORMAT = "rfablate-checkpoint-2"
"""Format version; increased when older files can no longer be read."""
TAIL = b"\nsha256 "
"""Marker before the hash at the end of the file."""
BLOCK = 1 << 22
"""Block size of reads [bytes]."""
MEMORY = "memory"
"""Name of the dataset with the state tree (state_tree.py) as JSON; all other datasets are the arrays of the tree."""

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Checkpoint:
    """Content of a checkpoint file."""

    name: str
    memory: Any
    arrays: dict[str, npt.NDArray[Any]]


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
                file.create_dataset(name, data=values)
    finally:
        disk.close()
    disk.check()
    digest = _digest_of_file(part, part.stat().st_size)
    with part.open("ab") as end:
        end.write(TAIL + digest)
    sync(part)


def read_checkpoint(path: Path) -> Checkpoint:
    """Return the content of a checkpoint file.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file is damaged or of another format version.
    """
    import h5py

    size = path.stat().st_size - len(TAIL) - 64
    with path.open("rb") as file:
        file.seek(max(0, size))
        end = file.read()
    if size < 0 or end != TAIL + _digest_of_file(path, size):
        raise ValueError("damaged: its checksum does not match its content")
    try:
        with h5py.File(path, "r") as content:
            if content.attrs["format"] != FORMAT:
                raise ValueError(f"its format is {content.attrs['format']}, expected {FORMAT}")
            arrays: dict[str, npt.NDArray[Any]] = {}
            content.visititems(lambda name, item: _add_array(arrays, name, item))
            memory = json.loads(content[MEMORY].asstr()[()])
    except (OSError, KeyError, TypeError, AttributeError, RuntimeError, RecursionError) as error:
        raise ValueError(f"not a checkpoint of rfablate: {type(error).__name__}: {error}") from None
    if not isinstance(memory, dict):
        raise ValueError("not a checkpoint of rfablate: its memory is no table")
    return Checkpoint(path.name, memory, arrays)


def newest_checkpoint(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """Return the newest valid checkpoint of a run directory, or None, and a warning for each invalid one."""
    warnings: list[str] = []
    for name in (NEWEST, OLDER):
        try:
            return read_checkpoint(folder / name), warnings
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            warnings.append(f"{name} cannot be used ({error}); trying the previous checkpoint")
    return None, warnings


def mesh_digest(
    points: npt.NDArray[Any], cells: npt.NDArray[Any], region: npt.NDArray[Any], names: Mapping[int, str]
) -> str:
    """Return a hash of a mesh: its nodes, cells and region tags in order, and the region names."""
    digest = hashlib.sha256(json.dumps({int(tag): name for tag, name in names.items()}).encode())
    for values in (points, cells.astype(np.int64), region.astype(np.int64)):
        digest.update(f"{values.shape}".encode())
        digest.update(np.ascontiguousarray(values).view(np.uint8).data)
    return digest.hexdigest()[:20]


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _add_array(arrays: dict[str, npt.NDArray[Any]], name: str, item: Any) -> None:
    if hasattr(item, "shape") and name != MEMORY:
        arrays[name] = item[()]


def _digest_of_file(path: Path, size: int) -> bytes:
    """Return the SHA-256 of the first `size` bytes of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while size > 0 and (block := file.read(min(size, BLOCK))):
            digest.update(block)
            size -= len(block)
    return digest.hexdigest().encode()
