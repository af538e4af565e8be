"""A tumour as a closed surface, similar to one exported from a segmentation: the surface of cases/own_surface.

    python -m meshes.tumour_surface [FILE]

Writes a binary STL file (default: cases/own_surface/tumour.stl) in mm. The shape is a formula and contains no patient
data: a ball of 5 mm radius with lobes, around the origin of the file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pyvista

RADIUS = 5.0
"""Mean radius [mm]."""


def tumour_surface() -> pyvista.PolyData:
    """Return the surface, 1280 triangles that face outwards [mm]."""
    ball = pyvista.Icosphere(radius=1.0, nsub=3)
    x, y, z = np.asarray(ball.points, dtype=np.float64).T
    lobes = 1.0 + 0.10 * (x**3 - 3.0 * x * y**2) + 0.12 * z * (x + y) + 0.06 * z
    ball.points = RADIUS * lobes[:, None] * np.column_stack([x, y, 1.15 * z])
    return ball


def main() -> None:
    """Write the file of the case."""
    parser = argparse.ArgumentParser(prog="python -m meshes.tumour_surface", description="Write a tumour as STL.")
    default = Path(__file__).parents[1] / "cases" / "own_surface" / "tumour.stl"
    parser.add_argument("file", nargs="?", type=Path, default=default, help="default: cases/own_surface/tumour.stl")
    file = parser.parse_args().file
    tumour_surface().save(file)
    print(f"{file}: {file.stat().st_size} bytes")


if __name__ == "__main__":
    main()
