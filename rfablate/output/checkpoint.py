"""checkpoint.h5: all a run needs to go on, in the input mesh's order, for any number of ranks to read. Root only.

The newest is `checkpoint.h5`, the one before it `checkpoint.older.h5`. Each is written beside its name, forced to the
disk and renamed, so both are whole whenever the machine stops; each carries the SHA-256 of what it holds.
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

NEWEST, OLDER = "checkpoint.h5", "checkpoint.older.h5"
FORMAT = "rfablate-checkpoint-2"
"""Raised whenever files of before cannot be read any more."""
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
    """Write the newest checkpoint of a run directory; the newest so far becomes the older one."""
    import h5py

    newest, part = folder / NEWEST, folder / f"{NEWEST}.part"
    text = json.dumps(memory)
    with h5py.File(part, "w") as file:
        file.attrs["format"] = FORMAT
        file.attrs["sha256"] = _digest(text, arrays)
        file.create_dataset(MEMORY, data=text)
        for name, values in arrays.items():
            file.create_dataset(name, data=values)
    sync(part)
    if newest.is_file():
        newest.replace(folder / OLDER)
    part.replace(newest)
    sync(folder)


def read_checkpoint(path: Path) -> Checkpoint:
    """Return what the checkpoint file holds.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is damaged or of another version; says which.
    """
    import h5py

    if not path.is_file():
        raise FileNotFoundError(path)
    try:
        with h5py.File(path, "r") as file:
            found, digest = str(file.attrs["format"]), str(file.attrs["sha256"])
            text = str(file[MEMORY].asstr()[()])
            arrays: dict[str, npt.NDArray[Any]] = {}
            file.visititems(lambda name, item: _take(arrays, name, item))
    except Exception as error:  # a damaged file can fail anywhere in HDF5
        raise ValueError(f"damaged: {error}") from None
    if found != FORMAT:
        raise ValueError(f"of the format {found}, expected {FORMAT}")
    if digest != _digest(text, arrays):
        raise ValueError("damaged: its checksum is not that of what it holds")
    return Checkpoint(path.name, json.loads(text), arrays)


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
    arrays = {"points": points, "cells": cells.astype(np.int64), "region": region.astype(np.int64)}
    return _digest(json.dumps({int(tag): name for tag, name in names.items()}), arrays)[:20]


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


def _digest(text: str, arrays: Arrays) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {values.dtype.str} {values.shape}".encode())
        digest.update(values.view(np.uint8).reshape(-1).data)
    return digest.hexdigest()
