"""A run's lesion surfaces as STL files, and its mesh and fields as NumPy arrays. Root only."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rfablate.arrays import FloatArray
from rfablate.results.fields_reader import FieldsReader
from rfablate.results.run_reader import FIELDS, RunData
from rfablate.results.run_view import metal_regions
from rfablate.results.volume_export import chosen_levels, refuse_half_plane

_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def export_surfaces(run: RunData, folder: Path, rule: str | None = None) -> list[Path]:
    """Write the closed surface of each lesion as FOLDER/lesion_RULE.stl, lengths in mm; return the files.

    The coordinates are those of the case. For a label image their system is in the header, where 3D Slicer reads it.

    Raises:
        CaseError: an axisymmetric run, or an unknown rule.
        OSError: a file cannot be written.
    """
    import pyvista

    systems = {each["coordinates"] for each in run.case.get("structures", ()) if each.get("kind") == "label"}
    space = f"SPACE={systems.pop()}; " if len(systems) == 1 else ""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    with FieldsReader(run.directory / FIELDS) as fields:
        refuse_half_plane(fields, run)
        tags = [tag for tag, name in fields.region_names.items() if name in metal_regions(run)]
        cells = fields.cells[~np.isin(fields.region, tags)]
        for name, level in chosen_levels(run, fields, rule).items():
            if not (level[cells] > 0.0).any():
                continue
            mesh = pyvista.UnstructuredGrid({pyvista.CellType.TETRA: cells}, fields.points_mm)
            mesh.point_data["level"] = level
            surface = (
                mesh.clip_scalar(scalars="level", invert=False, value=0.0).extract_surface(algorithm=None).triangulate()
            )
            corners = np.asarray(surface.points)[surface.regular_faces]
            files.append(folder / f"lesion_{name}.stl")
            write_stl(files[-1], corners, f"{space}lesion by {name} in mm, rfablate")
    return files


def write_stl(file: Path, corners: FloatArray, header: str) -> None:
    """Write triangles, shape (n, 3, 3), as a binary STL file."""
    triangles = np.zeros(len(corners), dtype=_TRIANGLE)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    triangles["normal"] = normal / np.where(length > 0.0, length, 1.0)
    triangles["corners"] = corners
    head = header.encode("ascii", "replace")[:80].ljust(80)
    file.write_bytes(head + np.uint32(len(corners)).astype("<u4").tobytes() + triangles.tobytes())


def export_arrays(run: RunData, folder: Path) -> list[Path]:
    """Write mesh and fields as .npy files; return them.

    `points_mm` (n, 3), `cells` (m, 4 or 3), `region` (m,) with `region_names.json`, `times_s` (frames,), and each nodal
    field, (frames, n).

    Raises:
        OSError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = []

    def save(name: str, values: npt.NDArray) -> None:
        files.append(folder / f"{name}.npy")
        np.save(files[-1], values)

    with FieldsReader(run.directory / FIELDS) as fields:
        save("points_mm", fields.points_mm)
        save("cells", fields.cells)
        save("region", fields.region)
        save("times_s", fields.times_s)
        for name in fields.point_names():
            save(name, np.stack([fields.point_data(name, n).astype(np.float32) for n in range(len(fields.times_s))]))
        names = {str(tag): name for tag, name in fields.region_names.items()}
    files.append(folder / "region_names.json")
    files[-1].write_text(json.dumps(names, indent=1) + "\n", encoding="utf-8")
    return files
