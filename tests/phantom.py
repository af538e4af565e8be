"""A sphere and a tube near a needle, as label image, as surfaces and as analytic structures; their files. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyvista
import SimpleITK

SPACING = 0.5
"""[mm]"""
COUNT = 80
CENTRE, RADIUS = (0.1, -0.05, 7.4), 3.4
"""Radius of the sphere [mm]: on this grid its voxels have 0.1 % less volume than the sphere."""
AXIS, TUBE_RADIUS, HALF_LENGTH = (2.3, 1.4), 1.25, 6.0
"""Centre of the tube along y in the plane y = 0, (x, z) [mm]: its voxels have 1.9 % more volume than the tube."""


def phantom_labels() -> npt.NDArray[np.uint8]:
    """Return the labels on axes x, y, z that are RAS; the middle of the grid is the origin."""
    line = (np.arange(COUNT) + 0.5 - COUNT / 2) * SPACING
    x, y, z = np.meshgrid(line, line, line, indexing="ij")
    labels = np.zeros((COUNT,) * 3, dtype=np.uint8)
    labels[(x - CENTRE[0]) ** 2 + (y - CENTRE[1]) ** 2 + (z - CENTRE[2]) ** 2 <= RADIUS**2] = 1
    labels[((x - AXIS[0]) ** 2 + (z - AXIS[1]) ** 2 <= TUBE_RADIUS**2) & (np.abs(y) <= HALF_LENGTH)] = 2
    return labels


def write_image(
    file: Path,
    labels: npt.NDArray[Any],
    *,
    flipped: tuple[int, ...] = (),
    order: tuple[int, int, int] = (0, 1, 2),
    spacing: float = SPACING,
    keys: dict[str, str] | None = None,
) -> Path:
    """Write labels on axes x, y, z that are RAS, with the origin in the middle of the grid.

    Args:
        file: the format follows from its name.
        labels: shape (i, j, k).
        flipped: axes of the array that the file stores in reverse.
        order: axes of the array in the order of the file.
        spacing: edge of a voxel [mm].
        keys: other keys of the file's header.
    """
    first = -0.5 * (np.array(labels.shape) - 1.0) * spacing
    last = -first
    directions = np.diag([-1.0, -1.0, 1.0])  # RAS axes in LPS
    origin, steps = first.copy(), directions.copy()
    for axis in flipped:
        labels = np.flip(labels, axis)
        origin[axis] = last[axis]
        steps[:, axis] *= -1.0
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(labels.transpose(order).transpose()))
    image.SetSpacing((spacing,) * 3)
    image.SetOrigin((directions @ origin).tolist())
    image.SetDirection(steps[:, list(order)].ravel().tolist())
    for key, value in (keys or {}).items():
        image.SetMetaData(key, value)
    SimpleITK.WriteImage(image, str(file), True)
    return file


def labels_case(file: str, *, coordinates: str = "RAS") -> dict[str, Any]:
    """Return the tables of a case of the phantom as labels of a file."""
    return {
        **_common(),
        "domain": {
            "kind": "labels",
            "image": file,
            "coordinates": coordinates,
            "tissue": "muscle",
            "labels": [{"label": 1, **_TARGET}, {"label": 2, **_NERVE}],
        },
    }


def analytic_case() -> dict[str, Any]:
    """Return the tables of the same case with sphere and tube as analytic structures."""
    edge = COUNT * SPACING
    ends = [[AXIS[0], y, AXIS[1]] for y in (-HALF_LENGTH, HALF_LENGTH)]
    return {
        **_common(),
        "domain": {"kind": "box", "size_mm": [edge] * 3, "tissue": "muscle"},
        "structures": [
            {"kind": "sphere", "centre_mm": list(CENTRE), "radius_mm": RADIUS, **_TARGET},
            {"kind": "tube", "path_mm": ends, "diameter_mm": 2.0 * TUBE_RADIUS, **_NERVE},
        ],
    }


def surfaces_case(folder: Path, *, suffix: str = ".stl") -> dict[str, Any]:
    """Return the tables of the same case with sphere and tube as surfaces, written into a folder."""
    files = [folder / f"{name}{suffix}" for name in ("tumour", "nerve")]
    ball = pyvista.Icosphere(radius=RADIUS, center=CENTRE, nsub=4)
    tube = pyvista.Cylinder(
        center=(AXIS[0], 0.0, AXIS[1]),
        direction=(0.0, 1.0, 0.0),
        radius=TUBE_RADIUS,
        height=2.0 * HALF_LENGTH,
        resolution=128,
    )
    for file, surface in zip(files, (ball, tube.triangulate().clean()), strict=True):
        surface.save(file)
    edge = COUNT * SPACING
    return {
        **_common(),
        "domain": {"kind": "box", "size_mm": [edge] * 3, "tissue": "muscle"},
        "structures": [
            {"kind": "surface", "file": file.name, "length_unit": "mm", **role}
            for file, role in zip(files, (_TARGET, _NERVE), strict=True)
        ],
    }


_TARGET = {"name": "tumour", "tissue": "liver", "role": "target"}
_NERVE = {"name": "nerve", "tissue": "nerve", "role": "protect", "limit_degC": 95}


def _common() -> dict[str, Any]:
    return {
        "title": "phantom",
        "applicators": [{"model": "cannula-20g-10mm", "entry_mm": [0, 0, 20], "target_mm": [0, 0, 0]}],
        "generator": {"kind": "temperature", "target_degC": 80, "ramp_s": 10, "hold_s": 60},
        "output": {"error_bar": False, "report": False},
    }
