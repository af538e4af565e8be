"""The meshes of benchmark B1 and their refinements: `medium+1` is `medium` with each tetrahedron split in eight."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from mpi4py import MPI

from hpc.bench.mesh import SIZES
from rfablate.case.read.case_file import load_case
from rfablate.case.tables.geometry_tables import MeshDomain
from rfablate.mesh.mesh_data import MeshData
from rfablate.mesh.mesh_file import write_mesh_file
from rfablate.mesh.mesh_slices import deal_slices
from rfablate.mesh.uniform_refinement import refined
from rfablate.mesh.user_mesh import read_mesh

CASE = Path(__file__).parents[1] / "bench" / "b1.toml"
FOLDER = Path("runs/scaling")


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
    fine = refined(deal_slices(mesh, MPI.COMM_SELF))
    return replace(mesh, points=fine.points, cells=fine.cells, region=fine.region, surfaces=fine.facets)


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_mesh_file(FOLDER / f"{sys.argv[1]}.h5", make(sys.argv[1]))
