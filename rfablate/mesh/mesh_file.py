"""The mesh file of this package, HDF5: written once by rank 0, read in slices by any number of ranks.

The datasets have the names of `MeshHeader.lengths`; the attribute `header` is JSON. Cells and facets are node numbers
in the order of the file, counted from 0; lengths are in m. The file ends with its hash (see `rfablate.files`).
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from rfablate.files import is_sealed, seal
from rfablate.guarded_file import GuardedFile
from rfablate.mesh.mesh_data import MeshData
from rfablate.mesh.mesh_header import SURFACE, Conformity, MeshHeader
from rfablate.mesh.mesh_slices import SliceSource

FORMAT = "rfablate-mesh-1"
"""Format version; increased when older files can no longer be read."""
CHUNK = 1 << 16
"""Rows of a chunk."""
BLOCK = 16 * CHUNK
"""Rows that are written at once."""


class MeshFile:
    """A mesh file, opened for each read."""

    def __init__(self, path: Path) -> None:
        """Read the header.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is of another format.
        """
        self.path = path
        with h5py.File(path, "r") as file:
            found = file.attrs.get("format", "none")
            if found != FORMAT:
                raise ValueError(f"its format is {found}, expected {FORMAT}")
            self.key = str(file.attrs["key"])
            """Hash of what the mesh was made from, `build.source_key`."""
            self.header = _header(json.loads(file.attrs["header"]))

    def rows(self, name: str, first: int, end: int) -> npt.NDArray[Any]:
        """Return the rows from `first` to before `end` of an array of `MeshHeader.lengths`."""
        with h5py.File(self.path, "r") as file:
            return np.asarray(file[name][first:end])

    def whole(self) -> MeshData:
        """Return the whole mesh as arrays."""
        header = self.header
        arrays = {name: self.rows(name, 0, n) for name, n in header.lengths().items()}
        surfaces = {name: arrays[SURFACE + name].astype(np.int64) for name in header.n_facets}
        cells = arrays["cells"].astype(np.int64)
        main = (arrays["points"], cells, arrays["region"], header.region_names, surfaces)
        return MeshData(*main, header.axisymmetric, header.notes, header.remarks, header.conformity)


def open_mesh_file(path: Path) -> MeshFile:
    """Return a mesh file after a check of its hash, which reads the file once. Root only.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged, or of another format.
    """
    if not is_sealed(path):
        raise ValueError("damaged: its checksum does not match its content")
    return MeshFile(path)


def write_mesh_file(path: Path, mesh: SliceSource, key: str = "") -> None:
    """Write a mesh atomically, in blocks; `key` is the hash of what it was made from. Root only.

    Raises:
        OSError: it cannot be written; an earlier file is unchanged.
    """
    # The process number keeps apart runs of a study that generate the same mesh.
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    header = mesh.header
    try:
        disk = GuardedFile(part)
        try:
            with h5py.File(disk, "w") as file:
                file.attrs["format"], file.attrs["key"] = FORMAT, key
                file.attrs["header"] = json.dumps(asdict(header))
                for name, n in header.lengths().items():
                    _write(file, mesh, name, n)
        finally:
            disk.close()
        disk.check()
        seal(part)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def _write(file: h5py.File, mesh: SliceSource, name: str, n: int) -> None:
    first = mesh.rows(name, 0, min(n, 1))
    kind = first.dtype
    if name == "cells" or name.startswith(SURFACE):
        kind = np.dtype(np.int32 if mesh.header.n_points < 2**31 else np.int64)
    tail = first.shape[1:]
    stored = file.create_dataset(name, (n, *tail), kind, chunks=(max(1, min(n, CHUNK)), *tail))
    for start in range(0, n, BLOCK):
        stored[start : start + BLOCK] = mesh.rows(name, start, min(n, start + BLOCK))


def _header(tree: dict[str, Any]) -> MeshHeader:
    tree["region_names"] = {int(tag): name for tag, name in tree["region_names"].items()}
    tree["conformity"] = Conformity(**tree["conformity"])
    return MeshHeader(**{**tree, "notes": tuple(tree["notes"]), "remarks": tuple(tree["remarks"])})
