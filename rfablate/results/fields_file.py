"""Writer of fields.vtkhdf: a temporal VTKHDF unstructured grid for ParaView and PyVista.

The mesh, the region tags and the region names are stored once. Each frame adds its point and cell arrays (float32,
shuffled and compressed). Layout: VTKHDF version 2, UnstructuredGrid with a `Steps` group, in which all geometry
offsets are zero because the mesh does not move.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from rfablate.arrays import MappedRows, RowArray, as_rows, blocks
from rfablate.guarded_file import GuardedFile

VERSION = (2, 0)
"""VTKHDF version of the file; VTK 9.3 and later read it."""
CELL_TYPES = {3: 5, 4: 10}
"""Points per cell -> VTK cell type: triangle, tetrahedron."""
CHUNK = 65536
"""Values per compressed chunk [1]: 0.5 MB of 64-bit geometry, 0.25 MB of float32."""
LARGEST = float(np.finfo(np.float32).max)

Arrays = Mapping[str, RowArray | npt.ArrayLike]


@dataclass(frozen=True)
class FieldsMesh:
    """The whole mesh of a run, in one numbering."""

    points_m: RowArray | npt.ArrayLike
    """Nodes [m], shape (n, 3); when axisymmetric (r, z, ...) with shape (n, 2) or (n, 3)."""
    cells: RowArray | npt.ArrayLike
    """Node numbers, shape (m, 4) for tetrahedra or (m, 3) for triangles."""
    region: RowArray | npt.ArrayLike
    """Region tag of each cell, shape (m,)."""
    region_names: Mapping[int, str]
    axisymmetric: bool = False


class FieldsFile:
    """Writer of `fields.vtkhdf`. Root only: takes arrays of the whole mesh, in one numbering, and reads them in blocks.

    The file is written as `<path>.part`, which `close` renames to `path`. A run that fails must still close the file to
    keep its frames: use the writer as a context manager, or call `close` in a `finally`.

    Coordinates are written in millimetres (field array `length_unit`), (r, z) of an axisymmetric mesh as x = r, y = 0,
    z = z, so that the fields overlay a 3-D picture of the case; region names as the field arrays `region_tags` and
    `region_names`.
    """

    def __init__(self, path: Path, mesh: FieldsMesh) -> None:
        self.path = Path(path)
        self.part = self.path.with_name(self.path.name + ".part")
        points = _points_mm(mesh.points_m, axisymmetric=mesh.axisymmetric)
        topology = MappedRows(as_rows(mesh.cells), lambda rows: rows.astype(np.int64))
        tags = MappedRows(as_rows(mesh.region), lambda rows: rows.astype(np.int32))
        _check_mesh(points, topology, tags, mesh.region_names)
        self.n_points, self.n_cells = len(points), len(topology)
        self.frames = 0
        self._static = {"region"}
        self._disk = GuardedFile(self.part)
        self._file: h5py.File | None = h5py.File(self._disk, "w")
        root = self._root = self._file.create_group("VTKHDF")
        root.attrs["Version"] = np.array(VERSION, dtype=np.int64)
        root.attrs.create("Type", np.bytes_("UnstructuredGrid"))
        self._write_mesh(points, topology)
        self._write_field_data(mesh.region_names, axisymmetric=mesh.axisymmetric)
        for name in ("PointData", "CellData"):
            root.create_group(name)
        _store(root["CellData"], "region", tags)
        self._file.flush()
        self._check_disk()

    def append(self, time_s: float, point_data: Arrays, cell_data: Arrays) -> None:
        """Add one frame at `time_s` [s]: nodal and cell arrays by name, with the same names in every frame.

        Raises:
            ValueError: a shape, a name or the order of times is wrong; earlier frames stay valid.
            OSError: it cannot be written; the file is then closed and deleted.
        """
        if self._file is None:
            raise ValueError(f"{self.path.name} is closed: no frame can be added")
        groups = (("PointData", self.n_points, point_data), ("CellData", self.n_cells, cell_data))
        ready = {group: columns(group, n, arrays) for group, n, arrays in groups}
        self._check_frame(time_s, ready)
        for group, n, _ in groups:
            for name, values in ready[group].items():
                _extend(self._root[group], name, values, self.frames * n)
        steps = self._root["Steps"] if self.frames else self._create_steps(ready)
        first_size = {"PointDataOffsets": self.n_points, "CellDataOffsets": self.n_cells}
        for group, size in first_size.items():
            for name in steps[group]:
                _extend(steps[group], name, [0 if name in self._static else self.frames * size], self.frames)
        for name in ("PartOffsets", "PointOffsets", "CellOffsets", "ConnectivityIdOffsets"):
            _extend(steps, name, [0] if steps[name].ndim == 1 else [[0]], self.frames)
        for name in self._root["FieldData"]:
            _extend(steps["FieldDataOffsets"], name, [0], self.frames)
            _extend(steps["FieldDataSizes"], name, [[1, len(self._root["FieldData"][name])]], self.frames)
        _extend(steps, "NumberOfParts", [1], self.frames)
        _extend(steps, "Values", [time_s], self.frames)
        self.frames += 1
        steps.attrs["NSteps"] = np.int64(self.frames)
        self._file.flush()
        self._check_disk()

    def close(self) -> None:
        """Finish the file and rename it to `path`; a second call does nothing.

        Raises:
            OSError: it cannot be written; the file is then deleted.
        """
        if self._file is None:
            return
        try:
            if "Steps" in self._root:
                self._root["Steps"]["Values"].resize(self.frames, axis=0)
        finally:
            self.leave()
        self._check_disk()
        os.replace(self.part, self.path)

    def leave(self) -> None:
        """Close the file and keep its `.part` name, because the run may be resumed."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self._disk.close()

    def _check_disk(self) -> None:
        """Raise OSError where a write has failed, and delete the file: it is whole or not there, and takes no room."""
        if self._disk.fault is not None:
            self.leave()
            self.part.unlink(missing_ok=True)
            self._disk.check()

    def __enter__(self) -> FieldsFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write_mesh(self, points: RowArray, cells: RowArray) -> None:
        root, n, corners = self._root, len(cells), cells.shape[1]
        for name, count in (
            ("NumberOfPoints", len(points)),
            ("NumberOfCells", n),
            ("NumberOfConnectivityIds", n * corners),
        ):
            root.create_dataset(name, data=np.array([count], dtype=np.int64))
        _store(root, "Points", points)
        connectivity = _compressed(root, "Connectivity", (n * corners,), np.dtype(np.int64))
        offsets = _compressed(root, "Offsets", (n + 1,), np.dtype(np.int64))
        kinds = _compressed(root, "Types", (n,), np.dtype(np.uint8))
        for first, block in blocks(cells):
            end = first + len(block)
            connectivity[corners * first : corners * end] = block.ravel()
            offsets[first : end + 1] = corners * np.arange(first, end + 1)
            kinds[first:end] = CELL_TYPES[corners]

    def _write_field_data(self, region_names: Mapping[int, str], *, axisymmetric: bool) -> None:
        group = self._root.create_group("FieldData")
        tags = sorted(region_names)
        text = h5py.string_dtype("ascii")  # the VTK reader crashes on strings marked as UTF-8; it keeps raw bytes
        group.create_dataset("region_tags", data=np.array(tags, dtype=np.int32))
        group.create_dataset("region_names", data=[region_names[tag].encode() for tag in tags], dtype=text)
        group.create_dataset("length_unit", data=[b"mm"], dtype=text)
        group.create_dataset("axisymmetric", data=np.array([int(axisymmetric)], dtype=np.int32))

    def _create_steps(self, ready: Mapping[str, Mapping[str, Any]]) -> h5py.Group:
        """Create the empty `Steps` group for the arrays of the first frame."""
        steps = self._root.create_group("Steps")
        steps.attrs["NSteps"] = np.int64(0)
        for group in ("PointData", "CellData"):
            offsets = steps.create_group(group + "Offsets")
            for name in [*ready[group], *(self._static if group == "CellData" else ())]:
                _create(offsets, name, np.int64, ())
        _create(steps, "Values", np.float64, ())
        for name in ("PartOffsets", "NumberOfParts", "PointOffsets"):
            _create(steps, name, np.int64, ())
        for name in ("CellOffsets", "ConnectivityIdOffsets"):
            _create(steps, name, np.int64, (1,))
        field_offsets, field_sizes = (steps.create_group("FieldData" + part) for part in ("Offsets", "Sizes"))
        for name in self._root["FieldData"]:
            _create(field_offsets, name, np.int64, ())
            _create(field_sizes, name, np.int64, (2,))
        return steps

    def _check_frame(self, time_s: float, ready: Mapping[str, Mapping[str, Any]]) -> None:
        if not np.isfinite(time_s):
            raise ValueError(f"frame at t = {time_s} s: the time must be finite")
        if not self.frames:
            return
        last = float(self._root["Steps"]["Values"][self.frames - 1])
        if time_s < last:
            raise ValueError(f"frame at t = {time_s:g} s follows one at {last:g} s: times must not decrease")
        for group, arrays in ready.items():
            known = set(self._root[group]) - self._static
            if known != set(arrays):
                raise ValueError(
                    f"frame at t = {time_s:g} s has {group} {sorted(arrays)}, the first frame {sorted(known)}"
                )


def _points_mm(points_m: RowArray | npt.ArrayLike, *, axisymmetric: bool) -> RowArray:
    rows = as_rows(points_m)
    if len(rows.shape) != 2 or rows.shape[1] not in (2, 3):
        raise ValueError(f"points have shape {rows.shape}, expected (n, 3), or (n, 2) in a half plane")

    def in_space(points: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        flat = np.zeros(len(points))
        if axisymmetric:
            points = np.column_stack([points[:, 0], flat, points[:, 1]])
        elif points.shape[1] == 2:
            points = np.column_stack([points, flat])
        return (points.astype(np.float64) * 1e3).astype(np.float32)

    return MappedRows(rows, in_space)


def _check_mesh(points: RowArray, cells: RowArray, region: RowArray, names: Any) -> None:
    if len(cells.shape) != 2 or cells.shape[1] not in CELL_TYPES:
        raise ValueError(f"cells have shape {cells.shape}, expected (m, 4) tetrahedra or (m, 3) triangles")
    if region.shape != (len(cells),):
        raise ValueError(f"region has shape {region.shape}, expected ({len(cells)},), one tag for each cell")
    low = min((int(block.min()) for _, block in blocks(cells)), default=0)
    high = max((int(block.max()) for _, block in blocks(cells)), default=-1)
    if low < 0 or high >= len(points):
        raise ValueError(f"cells have node numbers {low} to {high}, expected 0 to {len(points) - 1}")
    unnamed = sorted({tag for _, block in blocks(region) for tag in np.unique(block).tolist()} - set(names))
    if unnamed:
        raise ValueError(f"region tags {unnamed} have no name")


def columns(group: str, n: int, arrays: Arrays) -> dict[str, RowArray]:
    """Return the arrays of a frame as float32 of length `n`; larger values are clipped to the float32 range.

    Raises:
        ValueError: an array has another shape than (n,).
    """
    ready: dict[str, RowArray] = {}
    for name, values in arrays.items():
        rows = as_rows(values)
        if rows.shape != (n,):
            raise ValueError(f"{group} {name} has shape {rows.shape}, expected ({n},)")
        ready[name] = MappedRows(rows, _single)
    return ready


def _single(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    return np.clip(values.astype(np.float64), -LARGEST, LARGEST).astype(np.float32)


def _store(group: h5py.Group, name: str, rows: RowArray) -> None:
    """Store a static array, compressed."""
    stored = _compressed(group, name, rows.shape, rows.dtype)
    for first, block in blocks(rows):
        stored[first : first + len(block)] = block


def _compressed(group: h5py.Group, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> h5py.Dataset:
    """Return a new dataset of fixed shape."""
    chunks = (max(1, min(shape[0], CHUNK)), *shape[1:])
    return group.create_dataset(name, shape, dtype, chunks=chunks, compression="gzip", compression_opts=4, shuffle=True)


def _create(group: h5py.Group, name: str, dtype: Any, tail: tuple[int, ...], rows: int = 64) -> None:
    """Create an empty array that can grow along its first axis."""
    group.create_dataset(name, shape=(0, *tail), maxshape=(None, *tail), dtype=dtype, chunks=(rows, *tail))


def _extend(group: h5py.Group, name: str, values: RowArray | npt.ArrayLike, start: int) -> None:
    """Write `values` from index `start` on and truncate the array after them; create the array at first use."""
    rows = as_rows(values)
    if name not in group:
        group.create_dataset(
            name,
            shape=(0,),
            maxshape=(None,),
            dtype=rows.dtype,
            chunks=(max(1, min(len(rows), CHUNK)),),
            compression="gzip",
            compression_opts=4,
            shuffle=True,
        )
    dataset = group[name]
    dataset.resize(start + len(rows), axis=0)
    for first, block in blocks(rows):
        dataset[start + first : start + first + len(block)] = block
