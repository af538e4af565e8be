"""checkpoint.h5: all a run needs to go on, in the input mesh's order, for any number of ranks to read. Root only.

The newest is `checkpoint.h5`, the one before it `checkpoint.older.h5`. Each is written beside its name, forced to the
disk and renamed, so both are whole whenever the machine stops. Each ends, behind what HDF5 reads, with the SHA-256 of
all bytes before: HDF5 can crash on a damaged file, so it only ever opens a sound one.
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
"""Raised whenever files of before cannot be read any more."""
TAIL = b"\nsha256 "
"""What the hash at the end follows."""
BLOCK = 1 << 22
"""Bytes read at once."""
MEMORY = "memory"
"""Dataset that holds the tree (see packing.py) as JSON; all others are its arrays."""

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds."""

    name: str
    memory: Any
    arrays: dict[str, npt.NDArray[Any]]


def write_checkpoint(folder: Path, memory: Any, arrays: Arrays) -> None:
    """Write the newest checkpoint of a run directory; the newest so far becomes the older one.

    Raises:
        OSError: it cannot be written; those of before stay as they are.
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
    """Return what the checkpoint file holds.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is damaged or of another version; says which.
    """
    import h5py

    size = path.stat().st_size - len(TAIL) - 64
    with path.open("rb") as file:
        file.seek(max(0, size))
        end = file.read()
    if size < 0 or end != TAIL + _digest_of_file(path, size):
        raise ValueError("damaged: its checksum is not that of what it holds")
    with h5py.File(path, "r") as content:
        if content.attrs["format"] != FORMAT:
            raise ValueError(f"of the format {content.attrs['format']}, expected {FORMAT}")
        arrays: dict[str, npt.NDArray[Any]] = {}
        content.visititems(lambda name, item: _take(arrays, name, item))
        return Checkpoint(path.name, json.loads(content[MEMORY].asstr()[()]), arrays)


def newest_checkpoint(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """Return the newest good checkpoint of a run directory, None if there is none, and a line for each bad one."""
    told: list[str] = []
    for name in (NEWEST, OLDER):
        try:
            return read_checkpoint(folder / name), told
        except FileNotFoundError:
            continue
        except ValueError as error:
            told.append(f"{name} cannot be used ({error}); the one before it is tried")
    return None, told


def mesh_digest(
    points: npt.NDArray[Any], cells: npt.NDArray[Any], region: npt.NDArray[Any], names: Mapping[int, str]
) -> str:
    """Return a hash of a mesh: nodes, cells and named regions in their order."""
    digest = hashlib.sha256(json.dumps({int(tag): name for tag, name in names.items()}).encode())
    for values in (points, cells.astype(np.int64), region.astype(np.int64)):
        digest.update(f"{values.shape}".encode())
        digest.update(np.ascontiguousarray(values).view(np.uint8).data)
    return digest.hexdigest()[:20]


def sync(path: Path) -> None:
    """Force a file, or a folder's names, to the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _take(arrays: dict[str, npt.NDArray[Any]], name: str, item: Any) -> None:
    if hasattr(item, "shape") and name != MEMORY:
        arrays[name] = item[()]


def _digest_of_file(path: Path, size: int) -> bytes:
    """Return the SHA-256 of the first `size` bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while size > 0 and (block := file.read(min(size, BLOCK))):
            digest.update(block)
            size -= len(block)
    return digest.hexdigest().encode()
