"""Closed surfaces of triangles from files: STL, PLY, OBJ and VTP. Pure.

VTK (BSD-3), which the report uses too, reads all four formats; trimesh and meshio do not read VTP. Corners with the
same coordinates are merged, as STL repeats them for each triangle.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from rfablate.arrays import FloatArray, IntArray
from rfablate.errors import CaseError, Fault
from rfablate.isolation import ReaderCrashed, isolated

SUFFIXES = (".stl", ".ply", ".obj", ".vtp")
UNITS = {"m": 1.0, "cm": 1e-2, "mm": 1e-3, "um": 1e-6}
MOST_TRIANGLES = 1_000_000
LARGEST_FILE = 1 << 28
"""Largest size of a file [B]."""
_STL_HEAD, _STL_TRIANGLE = 84, 50
"""Bytes of a binary STL file before the triangles, and per triangle."""
_EXPECTED = "a surface of triangles (.stl, .ply, .obj, .vtp)"


@dataclass(frozen=True, eq=False)
class TriangleSurface:
    """Triangles in space; counter-clockwise corners, seen from outside."""

    points: FloatArray
    """Shape (n, 3)."""
    triangles: IntArray
    """Point numbers, shape (m, 3)."""

    @property
    def corners(self) -> FloatArray:
        """Corners of the triangles, shape (m, 3, 3)."""
        return np.asarray(self.points[self.triangles])

    @cached_property
    def volume(self) -> float:
        """Enclosed volume; negative if the triangles face inwards."""
        a, b, c = (self.corners[:, n] - self.points.mean(axis=0) for n in range(3))
        return float((a * np.cross(b, c)).sum() / 6.0)

    @cached_property
    def areas(self) -> FloatArray:
        """Area of each triangle."""
        a, b, c = (self.corners[:, n] for n in range(3))
        return np.asarray(0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1))

    @cached_property
    def bounds(self) -> FloatArray:
        """Lower and upper corner, shape (2, 3)."""
        return np.array([self.points.min(axis=0), self.points.max(axis=0)])

    def scaled(self, factor: float) -> TriangleSurface:
        """Return the surface with all coordinates multiplied by a factor."""
        return TriangleSurface(self.points * factor, self.triangles)


def read_triangles(file: str | Path) -> TriangleSurface:
    """Return the triangles of a file, in the unit of the file.

    Raises:
        CaseError: the file does not exist, has another format, is truncated, or contains no triangles.
    """
    path = Path(file)
    if path.suffix.lower() not in SUFFIXES:
        raise surface_error(path, f'found "{path.name}"', f"a name that ends with one of {', '.join(SUFFIXES)}")
    try:
        size = path.stat().st_size
        head = path.open("rb").read(_STL_HEAD) if path.is_file() else b""
    except OSError as error:
        raise surface_error(path, error.strerror or str(error), _EXPECTED) from None
    if not head:
        raise surface_error(path, "an empty file" if path.is_file() else "not a regular file", _EXPECTED)
    if size > LARGEST_FILE:
        raise surface_error(path, f"{size} bytes", f"at most {LARGEST_FILE}", "reduce the number of triangles")
    if path.suffix.lower() == ".stl":
        _refuse_short_stl(path, head, size)
    try:  # the readers of VTK end the process on some damaged files
        points, triangles = isolated(lambda: _vtk_triangles(path))
    except ReaderCrashed as error:
        raise surface_error(path, f"the reader of VTK failed: {error}", f"a complete {path.suffix} file") from None
    if len(triangles) and not 0 <= triangles.min() <= triangles.max() < len(points):
        found = f"a triangle with the corner {triangles.max()} of {len(points)}"
        raise surface_error(path, found, "corners that the file defines", "export it again")
    if not len(triangles):
        raise surface_error(path, "no triangles", _EXPECTED, "export the surface, not its points or outlines")
    if len(triangles) > MOST_TRIANGLES:
        hint = "reduce their number; the mesh resolves no triangle far below the cell size"
        raise surface_error(path, f"{len(triangles)} triangles", f"at most {MOST_TRIANGLES}", hint)
    if not np.isfinite(points[triangles]).all():
        raise surface_error(path, "coordinates that are not finite", "numbers", "export it again")
    merged, number = np.unique(points, axis=0, return_inverse=True)
    triangles = number.reshape(-1)[triangles]
    used, packed = np.unique(triangles, return_inverse=True)
    return TriangleSurface(merged[used], packed.reshape(-1, 3).astype(np.int64))


def surface_error(file: str | Path, found: str, expected: str, hint: str = "") -> CaseError:
    """Return the error of a surface file."""
    return CaseError([Fault(str(file), found, expected, hint)], "surface")


def _refuse_short_stl(path: Path, head: bytes, size: int) -> None:
    """Raise CaseError where a binary STL file is shorter than its header states."""
    if len(head) == _STL_HEAD:
        (count,) = struct.unpack("<I", head[80:])
        if size == _STL_HEAD + _STL_TRIANGLE * count:
            return
    if head.lstrip().lower().startswith(b"solid") and b"\0" not in head:
        if b"endsolid" not in _end(path).lower():
            raise surface_error(path, "truncated: no endsolid at its end", "a complete STL file", "copy it again")
        return
    if len(head) < _STL_HEAD:
        raise surface_error(path, f"{size} bytes", "an STL file, text or binary")
    found = f"truncated or damaged: {size} bytes, {_STL_HEAD + _STL_TRIANGLE * count} from its header"
    raise surface_error(path, found, "a complete STL file", "copy it again")


def _end(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - 4096))
        return file.read()


def _vtk_triangles(path: Path) -> tuple[FloatArray, IntArray]:
    """Return the points and triangles as VTK reads them; polygons are cut into triangles."""
    from vtkmodules.util import numpy_support  # imported late: most cases do not use it
    from vtkmodules.vtkFiltersCore import vtkTriangleFilter

    to_numpy: Any = numpy_support.vtk_to_numpy

    failed: list[str] = []
    reader = _reader(path.suffix.lower())
    for each in (reader, reader.GetExecutive()):  # with observers VTK prints nothing
        each.AddObserver("ErrorEvent", lambda *_: failed.append("error"))
        each.AddObserver("WarningEvent", lambda *_: None)
    reader.SetFileName(str(path))
    reader.Update()
    only = vtkTriangleFilter()
    only.PassVertsOff()
    only.PassLinesOff()
    only.SetInputData(reader.GetOutput())
    only.Update()
    found = only.GetOutput()
    if failed or reader.GetErrorCode():
        raise surface_error(path, "it cannot be read", f"a complete {path.suffix} file", "export it again")
    if not found.GetNumberOfPolys():
        return np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64)
    points = np.asarray(to_numpy(found.GetPoints().GetData()), dtype=np.float64)
    triangles = np.asarray(to_numpy(found.GetPolys().GetConnectivityArray()), dtype=np.int64)
    return points, triangles.reshape(-1, 3)


def _reader(suffix: str) -> Any:
    if suffix == ".ply":
        from vtkmodules.vtkIOPLY import vtkPLYReader

        return vtkPLYReader()
    if suffix == ".vtp":
        from vtkmodules.vtkIOXML import vtkXMLPolyDataReader

        return vtkXMLPolyDataReader()
    from vtkmodules.vtkIOGeometry import vtkOBJReader, vtkSTLReader

    return vtkSTLReader() if suffix == ".stl" else vtkOBJReader()
