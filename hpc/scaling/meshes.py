"""The meshes of benchmark B1 and their refinements: `medium+1` is `medium` with each tetrahedron split in eight."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hpc.bench.mesh import SIZES
from rfablate.case.read.case_file import load_case
from rfablate.case.tables.geometry_tables import MeshDomain
from rfablate.mesh.mesh_data import MeshData
from rfablate.mesh.mesh_file import write_mesh_file
from rfablate.mesh.user_mesh import read_mesh

CASE = Path(__file__).parents[1] / "bench" / "b1.toml"
FOLDER = Path("runs/scaling")
IntArray = npt.NDArray[np.int64]

_PAIRS = list(combinations(range(4), 2))
_CHILDREN = [
    [0, 4, 5, 6],
    [4, 1, 7, 8],
    [5, 7, 2, 9],
    [6, 8, 9, 3],
    [4, 5, 6, 8],
    [4, 5, 7, 8],
    [5, 6, 8, 9],
    [5, 7, 8, 9],
]
"""Four corner tetrahedra, and the inner octahedron split in four; 4 to 9 are the midpoints of `_PAIRS`."""


def prepare(name: str) -> Path:
    """Return the file of a mesh; a missing file is generated in a separate process, outside the measured step."""
    path = FOLDER / f"{name}.h5"
    if not path.is_file():
        subprocess.run([sys.executable, "-m", "hpc.scaling.meshes", name], check=True)
    return path


def make(name: str) -> MeshData:
    """Return a mesh by name: a size of hpc.bench.mesh and its number of refinements, e.g. `large+1`."""
    size, _, times = name.partition("+")
    if size not in SIZES:
        raise SystemExit(f"unknown mesh '{name}'; sizes: {', '.join(SIZES)}, each with +1 or +2 for refinements")
    file = Path("runs/bench").resolve() / f"{size}.msh"
    if not file.is_file():
        subprocess.run([sys.executable, "-m", "hpc.bench.mesh", size, str(file)], check=True)
    domain = load_case(CASE, [f"domain.file={file}"]).domain
    assert isinstance(domain, MeshDomain)
    mesh = read_mesh(domain)
    for _ in range(int(times or 0)):
        mesh = refine(mesh)
    return mesh


def refine(mesh: MeshData) -> MeshData:
    """Split each tetrahedron in eight at the midpoints of its edges, and the facets of each surface in four."""
    n = len(mesh.points)
    key = np.concatenate([_key(mesh.cells[:, i], mesh.cells[:, j], n) for i, j in _PAIRS])
    edges, place = np.unique(key, return_inverse=True)
    points = np.concatenate([mesh.points, 0.5 * (mesh.points[edges // n] + mesh.points[edges % n])])
    ten = np.concatenate([mesh.cells, n + place.reshape(6, -1).T], axis=1)
    del key, place
    return replace(
        mesh,
        points=points,
        cells=np.concatenate([ten[:, child] for child in _CHILDREN]),
        region=np.tile(mesh.region, 8),
        surfaces={name: _cut_facets(facets, edges, n) for name, facets in mesh.surfaces.items()},
    )


def _key(i: IntArray, j: IntArray, n: int) -> IntArray:
    return np.minimum(i, j) * n + np.maximum(i, j)


def _cut_facets(facets: IntArray, edges: IntArray, n: int) -> IntArray:
    a, b, c = facets.T
    ab, bc, ca = (n + np.searchsorted(edges, _key(i, j, n)) for i, j in ((a, b), (b, c), (c, a)))
    return np.concatenate([np.stack(three, axis=1) for three in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_mesh_file(FOLDER / f"{sys.argv[1]}.h5", make(sys.argv[1]))
