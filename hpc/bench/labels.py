"""A large label image from file to lesion card: processor time and memory of the complete command.

    python -m hpc.bench.labels [--voxels 256] [--accuracy standard] [--keep FOLDER]

Writes an image with this number of voxels of 0.5 mm along each edge and ten labels (nested balls, tubes, a plate and an
organ), runs `rfablate run` on it with a 17 G electrode for 60 s, and prints the card, the user and system time of the
command and its largest resident memory.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK
import tomli_w

SPACING = 0.5
"""[mm]"""
TISSUES = ("muscle", "liver", "blood", "blood", "nerve", "nerve", "cortical_bone", "fat", "kidney", "liver_tumour")


def ten_labels(count: int) -> npt.NDArray[np.uint8]:
    """Return labels 1 to 10 on a cube of `count` voxels; sizes grow with the cube."""
    line = np.linspace(-1.0, 1.0, count, dtype=np.float32)
    x, y, z = np.meshgrid(line, line, line, indexing="ij")
    labels = np.zeros((count,) * 3, dtype=np.uint8)
    labels[x**2 / 0.8 + y**2 / 0.6 + z**2 / 0.9 < 1.0] = 1
    labels[(x + 0.1) ** 2 / 0.4 + y**2 / 0.3 + z**2 / 0.35 < 1.0] = 2
    labels[(x - 0.25) ** 2 + (y + 0.05 * z) ** 2 < 0.004] = 3
    labels[(y + 0.3) ** 2 + (z - 0.2 * x) ** 2 < 0.006] = 4
    labels[(x - 0.12) ** 2 + (y + 0.12) ** 2 < 0.0006] = 5
    labels[(y - 0.15) ** 2 + (z + 0.12) ** 2 < 0.0006] = 6
    labels[(np.abs(z + 0.8) < 0.02) & (labels > 0)] = 7
    labels[(x + 0.5) ** 2 + (y - 0.3) ** 2 + z**2 < 0.02] = 8
    labels[(x - 0.6) ** 2 / 2.0 + y**2 + (z - 0.3) ** 2 < 0.02] = 9
    labels[x**2 + y**2 + z**2 < 0.012] = 10
    return labels


def write_case(folder: Path, count: int, accuracy: str) -> Path:
    """Write image and case into a folder; return the case file."""
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(ten_labels(count).transpose()))
    image.SetSpacing((SPACING,) * 3)
    image.SetOrigin([-0.5 * (count - 1) * SPACING] * 3)
    SimpleITK.WriteImage(image, str(folder / "large.nii.gz"), useCompression=True)
    roles = {5: {"role": "protect", "limit_degC": 45}, 10: {"role": "target", "required_fraction": 0.5}}
    entries = [
        {"label": n, "name": f"{tissue}_{n}", "tissue": tissue, **roles.get(n, {})}
        for n, tissue in enumerate(TISSUES, 1)
    ]
    case = {
        "title": f"Ten labels on {count}^3 voxels",
        "domain": {
            "kind": "labels", "image": "large.nii.gz", "tissue": "fat", "coordinates": "LPS", "labels": entries
        },
        "applicators": [{"model": "cannula-17g-15mm", "target_mm": [0, 0, -5], "entry_mm": [20, 30, 60]}],
        "generator": {"kind": "temperature", "target_degC": 80, "ramp_s": 10, "hold_s": 50},
        "mesh": {"accuracy": accuracy},
        "output": {"error_bar": False},
    }  # fmt: skip
    file = folder / "case.toml"
    file.write_text(tomli_w.dumps(case), encoding="utf-8")
    return file


def main() -> None:
    """Write the case, run it, and print time and memory."""
    parser = argparse.ArgumentParser(prog="python -m hpc.bench.labels", description="A large label image.")
    parser.add_argument("--voxels", type=int, default=256, help="voxels along each edge (default: 256)")
    parser.add_argument("--accuracy", default="standard", choices=("draft", "standard", "fine"))
    parser.add_argument("--keep", type=Path, help="folder for image, case and run (default: a temporary one)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        file = write_case(folder, args.voxels, args.accuracy)
        cache = {"XDG_CACHE_HOME": str(folder / "cache")}  # the mesh is part of the measurement
        command = [sys.executable, "-m", "rfablate", "run", str(file), "-o", str(folder / "run"), "--overwrite"]
        done = subprocess.run(command, env={**os.environ, **cache}, check=False)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{args.voxels}^3 voxels, {args.accuracy}: exit code {done.returncode}, {used.ru_utime + used.ru_stime:.1f} s "
        f"of processor time, {used.ru_maxrss / 2**20:.2f} GiB"
    )


if __name__ == "__main__":
    main()
