"""A vertebra as a label image, similar to a segmentation of a CT: the image of cases/patient_vertebra.

    python -m meshes.vertebra_image [FOLDER]

Writes vertebra.nii.gz and plan.mrk.json into FOLDER (default: cases/patient_vertebra). The shapes are formulas and
contain no patient data: the body of the first lumbar vertebra with its arch and processes, discs, canal with fat, fluid
and cord, the roots in the foramina and a lytic metastasis that has grown into the right pedicle. Voxels are
0.6 x 0.6 x 1 mm; the first axis runs from right to left, as in most NIfTI files. Formulas are in mm in RAS coordinates:
x to the right, y forwards, z towards the head, the origin in the middle of the vertebral body.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK
from scipy import ndimage

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Grid = tuple[FloatArray, FloatArray, FloatArray]
"""Coordinates x, y, z of the voxels' centres [mm]."""

SPACING = np.array([0.6, 0.6, 1.0])
LOWER, UPPER = np.array([-42.0, -64.0, -28.0]), np.array([42.0, 26.0, 28.0])
NAMES = {
    1: "cortical bone",
    2: "cancellous bone",
    3: "discs",
    4: "epidural fat",
    5: "cerebrospinal fluid",
    6: "spinal cord",
    7: "right nerve root",
    8: "left nerve root",
    9: "metastasis",
}
SHELL = 1.0
"""Thickness of the cortical bone [mm]: one to two voxels, as in segmentations."""
TARGET, ENTRY = (6.0, -2.0, 2.5), (28.4, -59.6, 8.9)
"""The plan: through the right pedicle into the metastasis, from the skin of the back."""


def vertebra_labels() -> npt.NDArray[np.uint8]:
    """Return the labels on axes x, y, z."""
    x, y, z = grid()
    labels = np.zeros(x.shape, dtype=np.uint8)
    canal = _ellipse(x, y + 21.2, 9.5, 7.5)
    disc = _outline(x, y, 0.97) & (np.abs(z) > 13.0) & (np.abs(z) < 22.0)
    bone = _bone(x, y, z) & ~canal
    for side in (1.0, -1.0):
        foramen = ((side * x - 14.0) / 6.0) ** 2 + ((y + 18.5) / 5.0) ** 2 + ((z + 8.5) / 6.5) ** 2 <= 1.0
        labels[foramen & ~bone] = 4
    labels[disc & (labels == 0)] = 3
    labels[canal] = 4
    labels[_ellipse(x, y + 21.5, 7.3, 5.9)] = 5
    labels[_ellipse(x, y + 22.2, 4.6, 3.7)] = 6
    depth = ndimage.distance_transform_edt(bone, sampling=SPACING)
    labels[bone] = np.where(depth[bone] <= SHELL, 1, 2)
    for side, label in ((1.0, 7), (-1.0, 8)):
        path = [
            (side * px, py, pz) for px, py, pz in ((6.6, -20.0, -5), (11, -19.5, -8), (17, -16.5, -11), (30, -8, -20))
        ]
        root = _tube(x, y, z, path, 2.0) | _tube(x, y, z, path[1:3], 2.7)  # thicker at the ganglion
        labels[root & ~bone & ~_ellipse(x, y + 21.5, 7.3, 5.9)] = label
    labels[_metastasis(x, y, z) & bone] = 9
    return labels


def grid() -> Grid:
    """Return the coordinates of the voxels' centres [mm]."""
    axes = [np.arange(low + 0.5 * d, high, d) for low, high, d in zip(LOWER, UPPER, SPACING, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    return x, y, z


def _ellipse(x: FloatArray, y: FloatArray, a: float, b: float) -> BoolArray:
    return (x / a) ** 2 + (y / b) ** 2 <= 1.0


def _outline(x: FloatArray, y: FloatArray, scale: Any) -> BoolArray:
    """Return the outline of body and discs from above: 42 x 31 mm, hollow at the back."""
    hollow = 2.5 * np.exp(-((x / 9.0) ** 2)) * (y < 0.0)
    return (np.abs(x) / (21.0 * scale)) ** 2.5 + (np.abs(y) / (15.5 * scale - hollow)) ** 2.5 <= 1.0


def _bone(x: FloatArray, y: FloatArray, z: FloatArray) -> BoolArray:
    body = _outline(x, y, 1.0 - 0.09 * (1.0 - np.minimum(1.0, (z / 13.0) ** 2))) & (np.abs(z) <= 13.0)
    parts = [body, (np.abs(x) <= 3.2) & (y < -32.0) & (y > -56.0) & (np.abs(z + 3.0) <= 8.0)]
    for side in (1.0, -1.0):
        parts += [
            _strut((x, y, z), (side * 11.5, -11.0, 4.5), (side * 13.5, -27.0, 4.5), 4.2, 1.75),  # pedicle
            _strut((x, y, z), (side * 13.0, -28.0, 1.0), (0.0, -33.5, -2.0), 3.6, 2.6),  # lamina
            _strut((x, y, z), (side * 14.0, -27.0, 4.0), (side * 36.0, -32.0, 5.0), 4.0, 1.2),  # transverse process
            _strut((x, y, z), (side * 14.5, -29.0, 8.0), (side * 14.5, -31.0, -13.0), 5.0, 1.0),  # facets
        ]
    return np.any(parts, axis=0)


def _strut(at: Grid, start: Any, end: Any, radius: float, higher: float) -> BoolArray:
    """Return what is within `radius` of a segment; along z it is `higher` times as far."""
    x, y, z = at
    p = np.stack([x - start[0], y - start[1], (z - start[2]) / higher], axis=-1)
    axis = np.subtract(end, start) / [1.0, 1.0, higher]
    along = np.clip(p @ axis / (axis @ axis), 0.0, 1.0)
    return np.asarray(((p - along[..., None] * axis) ** 2).sum(axis=-1) <= radius**2)


def _tube(x: FloatArray, y: FloatArray, z: FloatArray, path: Any, radius: float) -> BoolArray:
    return np.any([_strut((x, y, z), a, b, radius, 1.0) for a, b in zip(path[:-1], path[1:], strict=True)], axis=0)


def _metastasis(x: FloatArray, y: FloatArray, z: FloatArray) -> BoolArray:
    """Return a lobed ball with an outgrowth into the right pedicle."""
    dx, dy, dz = x - 8.5, y + 5.0, z - 2.0
    r = np.sqrt(dx**2 + dy**2 + dz**2) + 1e-9
    lobes = 6.6 + 0.7 * np.sin(3.0 * np.arctan2(dy, dx)) * (1.0 - (dz / r) ** 2) + 0.5 * dz / r
    return (r <= lobes) | _strut((x, y, z), (10.0, -9.0, 3.0), (12.3, -15.0, 4.5), 3.2, 1.0)


def write_vertebra(folder: Path) -> tuple[Path, Path]:
    """Write the image and the plan; return their paths."""
    labels = np.flip(vertebra_labels(), 0)  # from right to left
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(labels.transpose()))
    image.SetSpacing(SPACING.tolist())
    first = np.array([UPPER[0] - 0.5 * SPACING[0], LOWER[1] + 0.5 * SPACING[1], LOWER[2] + 0.5 * SPACING[2]])
    image.SetOrigin((first * [-1.0, -1.0, 1.0]).tolist())  # RAS to the library's LPS
    image.SetDirection([1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0])
    files = folder / "vertebra.nii.gz", folder / "plan.mrk.json"
    SimpleITK.WriteImage(image, str(files[0]), useCompression=True)
    points = [
        {"id": str(n), "label": name, "position": [-p[0], -p[1], p[2]], "positionStatus": "defined"}
        for n, (name, p) in enumerate((("entry", ENTRY), ("target", TARGET)), 1)
    ]
    plan = {
        "markups": [{"type": "Fiducial", "coordinateSystem": "LPS", "coordinateUnits": "mm", "controlPoints": points}]
    }
    files[1].write_text(json.dumps(plan, indent=1) + "\n", encoding="utf-8")
    return files


def main() -> None:
    """Write the files of the case."""
    parser = argparse.ArgumentParser(
        prog="python -m meshes.vertebra_image", description="Write the image of a vertebra."
    )
    default = Path(__file__).parents[1] / "cases" / "patient_vertebra"
    parser.add_argument("folder", nargs="?", type=Path, default=default, help="where (default: cases/patient_vertebra)")
    for file in write_vertebra(parser.parse_args().folder):
        print(f"{file}: {file.stat().st_size} bytes")


if __name__ == "__main__":
    main()
