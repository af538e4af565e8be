"""A pancreas with its vessels as a label image, similar to a segmentation of a CT: the image of cases/patient_pancreas.

    python -m meshes.pancreas_image [FOLDER]

Writes pancreas.nii.gz into FOLDER (default: cases/patient_pancreas). The shapes are formulas without patient data:
the body of the pancreas with a tumour, the aorta with the coeliac trunk and its two branches, the superior mesenteric
artery, the portal vein, the ganglia of the coeliac plexus beside the trunk, and the body of a vertebra. Voxels are
0.8 x 0.8 x 1 mm. Formulas are in mm in RAS coordinates: x to the right, y forwards, z towards the head, origin in the
middle of the tumour. The splenic vein is a tube of the case, because its blood flows.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

SPACING = np.array([0.8, 0.8, 1.0])
LOWER, UPPER = np.array([-40.0, -44.0, -30.0]), np.array([40.0, 28.0, 30.0])
NAMES = {
    1: "pancreas",
    2: "tumour",
    3: "aorta and arteries",
    4: "portal vein",
    5: "coeliac plexus",
    6: "vertebral body",
}


def pancreas_labels() -> npt.NDArray[np.uint8]:
    """Return the labels on axes x, y, z."""
    p = _grid()
    labels = np.zeros(p.shape[:3], dtype=np.uint8)
    labels[_bent_organ(p)] = 1
    labels[((p[..., 0] / 21.0) ** 2 + ((p[..., 1] + 47.0) / 15.0) ** 2 <= 1.0)] = 6
    for side in (1.0, -1.0):  # the ganglia, flat bodies at both sides of the trunk in front of the aorta
        labels[_ellipsoid(p, (side * 8.5, -12.5, 9.0), (6.0, 1.6, 7.5))] = 5
    labels[_tube(p, [(26, -4, 30), (17, -2, 12), (14, 1, 2), (13, 2, -30)], 5.5)] = 4
    labels[_ball(p, (0.0, 0.0, 0.0), 6.6) | _ellipsoid(p, (-4.5, 1.0, 1.5), (5.5, 4.5, 4.0))] = 2
    labels[_tube(p, [(0, -25, -30), (0, -25, 30)], 9.5)] = 3
    labels[_tube(p, [(0, -17, 12), (0, -8, 14)], 3.5)] = 3  # the coeliac trunk
    labels[_tube(p, [(0, -8, 14), (12, -4, 17), (26, 2, 18)], 2.4)] = 3  # the common hepatic artery
    labels[_tube(p, [(0, -8, 14), (-12, -7, 13), (-40, -12, 18)], 2.6)] = 3  # the splenic artery
    labels[_tube(p, [(0, -17, -4), (2, -11, -10), (3, -9, -30)], 3.2)] = 3  # the superior mesenteric artery
    return labels


def _grid() -> FloatArray:
    """Return the centres of the voxels [mm], shape (i, j, k, 3)."""
    axes = [np.arange(low + 0.5 * d, high, d) for low, high, d in zip(LOWER, UPPER, SPACING, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def _ball(p: FloatArray, centre: tuple[float, float, float], radius: float) -> BoolArray:
    return _ellipsoid(p, centre, (radius, radius, radius))


def _ellipsoid(p: FloatArray, centre: tuple[float, float, float], axes: tuple[float, float, float]) -> BoolArray:
    return np.asarray((((p - centre) / axes) ** 2).sum(axis=-1) <= 1.0)


def _tube(p: FloatArray, path: list[tuple[float, float, float]], radius: float) -> BoolArray:
    return np.any(
        [_strut(p, a, b, (1.0, 1.0, 1.0)) <= radius for a, b in zip(path[:-1], path[1:], strict=True)], axis=0
    )


def _strut(
    p: FloatArray, start: tuple[float, float, float], end: tuple[float, float, float], scale: tuple[float, float, float]
) -> FloatArray:
    """Return the distance from a segment, in coordinates divided by `scale`."""
    d, axis = (p - start) / scale, np.subtract(end, start) / scale
    along = np.clip(d @ axis / (axis @ axis), 0.0, 1.0)
    return np.asarray(np.linalg.norm(d - along[..., None] * axis, axis=-1))


def _bent_organ(p: FloatArray) -> BoolArray:
    """Return neck, body and tail: 17 mm from front to back, 26 mm high."""
    path = [(22.0, 6.0, -10.0), (8.0, 3.0, 0.0), (-12.0, 0.0, 2.0), (-40.0, -9.0, 8.0)]
    scale = (1.0, 1.0, 1.5)
    pairs = zip(path[:-1], path[1:], strict=True)
    return np.any([_strut(p, a, b, scale) <= 8.5 for a, b in pairs], axis=0)


def write_pancreas(folder: Path) -> Path:
    """Write the image; return its path."""
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(np.flip(pancreas_labels(), 0).transpose()))
    image.SetSpacing(SPACING.tolist())
    first = np.array([UPPER[0] - 0.5 * SPACING[0], LOWER[1] + 0.5 * SPACING[1], LOWER[2] + 0.5 * SPACING[2]])
    image.SetOrigin((first * [-1.0, -1.0, 1.0]).tolist())  # RAS to the library's LPS
    image.SetDirection([1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0])
    file = folder / "pancreas.nii.gz"
    SimpleITK.WriteImage(image, str(file), useCompression=True)
    return file


def main() -> None:
    """Write the file of the case."""
    parser = argparse.ArgumentParser(
        prog="python -m meshes.pancreas_image", description="Write the image of a pancreas."
    )
    default = Path(__file__).parents[1] / "cases" / "patient_pancreas"
    parser.add_argument("folder", nargs="?", type=Path, default=default, help="where (default: cases/patient_pancreas)")
    file = write_pancreas(parser.parse_args().folder)
    print(f"{file}: {file.stat().st_size} bytes")


if __name__ == "__main__":
    main()
