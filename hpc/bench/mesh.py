"""Generates the meshes of benchmark B1 with Gmsh's API: a cylinder of tissue without the cannula, lengths in m.

    python -m hpc.bench.mesh small bench/small.msh

A void of 0.9 mm diameter on the axis with a flat tip at z = -5 mm, active up to z = +5 mm, insulated above; tissue of
40 mm radius and 80 mm height. Physical names: `tissue`; `active`, `shaft`, `outer`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import gmsh

from rfablate.mesh.gmsh_session import gmsh_session

RADIUS, HALF_HEIGHT = 0.04, 0.04
NEEDLE, TIP, INSULATED = 0.00045, -0.005, 0.005
SIZES = {
    "tiny": (0.0004, 0.4, 0.012),
    "small": (0.00016, 0.12, 0.0045),
    "medium": (0.0001, 0.06, 0.0022),
    "large": (0.00006, 0.038, 0.00138),
    "million": (0.00005, 0.032, 0.00115),
}
"""Element size on the active tip [m], its growth with distance, and the largest size [m].

4,450, 25,231, 146,469, 588,999 and 991,800 nodes with Gmsh 4.15.
"""
SHAFT_SIZE, SHAFT_GROWTH = 0.00035, 0.3
"""Element size on the insulated shaft, a seventh of its circumference: coarser facets would intersect."""


def write_mesh(size: str, path: Path) -> None:
    """Write the mesh of the given size as binary MSH 4.1."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with gmsh_session():
        active, shaft = _geometry()
        _sizes(active, shaft, *SIZES[size])
        gmsh.option.setNumber("Mesh.Algorithm3D", 10)
        gmsh.option.setNumber("Mesh.Binary", 1)
        gmsh.model.mesh.generate(3)
        part = path.with_name(f"part-{path.name}")
        gmsh.write(str(part))
        part.replace(path)


def _geometry() -> tuple[list[int], list[int]]:
    occ = gmsh.model.occ
    tissue = occ.addCylinder(0, 0, -HALF_HEIGHT, 0, 0, 2 * HALF_HEIGHT, RADIUS)
    bare = occ.addCylinder(0, 0, TIP, 0, 0, INSULATED - TIP, NEEDLE)
    covered = occ.addCylinder(0, 0, INSULATED, 0, 0, HALF_HEIGHT - INSULATED, NEEDLE)
    occ.cut([(3, tissue)], [(3, bare), (3, covered)])
    centre = occ.addPoint(0, 0, TIP)  # a node for the sensor
    occ.synchronize()
    groups: dict[str, list[int]] = {"active": [], "shaft": [], "outer": []}
    for _, surface in gmsh.model.getEntities(2):
        x0, _, _, x1, _, z1 = gmsh.model.getBoundingBox(2, surface)
        inner = max(abs(x0), abs(x1)) < 1.1 * NEEDLE
        if inner and z1 < TIP + 1e-5:
            gmsh.model.mesh.embed(0, [centre], 2, surface)
        groups["outer" if not inner else "active" if z1 < INSULATED + 1e-5 else "shaft"].append(surface)
    gmsh.model.addPhysicalGroup(3, [tag for _, tag in gmsh.model.getEntities(3)], 1, "tissue")
    for tag, (name, surfaces) in enumerate(groups.items(), start=1):
        gmsh.model.addPhysicalGroup(2, surfaces, tag, name)
    return groups["active"], groups["shaft"]


def _sizes(active: list[int], shaft: list[int], least: float, growth: float, largest: float) -> None:
    field = gmsh.model.mesh.field
    laws = [(active, f"min({largest}, {least} + {growth} * F1)"), (shaft, f"{SHAFT_SIZE} + {SHAFT_GROWTH} * F3")]
    for number, (surfaces, law) in zip((1, 3), laws, strict=True):
        field.add("Distance", number)
        field.setNumbers(number, "SurfacesList", surfaces)
        field.setNumber(number, "Sampling", 60 if number == 1 else 200)
        field.add("MathEval", number + 1)
        field.setString(number + 1, "F", law)
    field.add("Min", 5)
    field.setNumbers(5, "FieldsList", [2, 4])
    field.setAsBackgroundMesh(5)
    for source in ("ExtendFromBoundary", "FromPoints", "FromCurvature"):
        gmsh.option.setNumber(f"Mesh.MeshSize{source}", 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()
    write_mesh(arguments.size, arguments.file)
