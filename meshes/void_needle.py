"""A typical user's mesh from Gmsh's API: tissue around a void needle, with named surfaces.

    python -m meshes.void_needle needle.msh [--unit mm] [--tip 0.15]

The needle is a void of 0.9 mm diameter along z, its flat tip at z = -5 mm, active up to z = +5 mm and insulated above.
A lens of another tissue below the tip is a second region. Physical names: `tissue`, `lens`, `active`,
`shaft`, `outer`.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import gmsh
import numpy as np

from rfablate.mesh.gmsh_session import gmsh_session

RADIUS, HALF_HEIGHT = 20.0, 20.0
NEEDLE, TIP, INSULATED = 0.45, -5.0, 5.0


@dataclass(frozen=True)
class MshFormat:
    """The form of a .msh file."""

    version: float = 4.1
    binary: bool = False
    unit: str = "mm"
    """Of the lengths."""
    names: bool = True
    """Whether the groups have names, besides their tags."""


USUAL = MshFormat()


def write_needle(path: Path, *, tip_size: float = 0.2, form: MshFormat = USUAL) -> None:
    """Write the mesh (.msh); `tip_size` in mm."""
    scale = {"mm": 1.0, "m": 1e-3}[form.unit]
    with gmsh_session():
        _build(tip_size)
        gmsh.model.mesh.generate(3)
        gmsh.model.mesh.affineTransform(list((np.eye(4) * [scale, scale, scale, 1.0])[:3].ravel()))
        if not form.names:
            for dim, tag in gmsh.model.getPhysicalGroups():
                gmsh.model.removePhysicalName(gmsh.model.getPhysicalName(dim, tag))
        gmsh.option.setNumber("Mesh.MshFileVersion", form.version)
        gmsh.option.setNumber("Mesh.Binary", int(form.binary))
        gmsh.write(str(path))


def _build(tip_size: float) -> None:
    occ = gmsh.model.occ
    block = occ.addCylinder(0, 0, -HALF_HEIGHT, 0, 0, 2 * HALF_HEIGHT, RADIUS)
    bare = occ.addCylinder(0, 0, TIP, 0, 0, INSULATED - TIP, NEEDLE)
    shaft = occ.addCylinder(0, 0, INSULATED, 0, 0, HALF_HEIGHT - INSULATED, NEEDLE)
    lens = occ.addSphere(1.0, 0.5, TIP - 4.0, 2.0)
    tissue, _ = occ.cut([(3, block)], [(3, bare), (3, shaft)])
    occ.fragment(tissue, [(3, lens)])
    occ.synchronize()
    volumes = {tag: gmsh.model.occ.getMass(3, tag) for _, tag in gmsh.model.getEntities(3)}
    lens, tissue = sorted(volumes, key=lambda tag: volumes[tag])
    groups: dict[str, list[int]] = {"active": [], "shaft": [], "outer": []}
    for _, tag in gmsh.model.getBoundary([(3, tissue), (3, lens)], oriented=False, combined=True):
        groups[_which(tag)].append(tag)
    gmsh.model.addPhysicalGroup(3, [tissue], 1, "tissue")
    gmsh.model.addPhysicalGroup(3, [lens], 2, "lens")
    for number, (name, tags) in enumerate(groups.items(), start=1):
        gmsh.model.addPhysicalGroup(2, tags, number, name)
    field = gmsh.model.mesh.field
    below = "0.5 * (Sqrt((z + 5)^2) - (z + 5))"
    size = f"{tip_size} + 0.3 * Sqrt(x * x + y * y + ({below})^2)"  # grows with the distance from the needle axis
    number = field.add("MathEval")
    field.setString(number, "F", size)
    field.setAsBackgroundMesh(number)


def _which(surface: int) -> str:
    x0, y0, z0, x1, y1, z1 = gmsh.model.getBoundingBox(2, surface)
    if max(x1 - x0, y1 - y0) > 1.5:
        return "outer"
    return "active" if z1 < INSULATED + 0.01 else "shaft"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--unit", choices=("mm", "m"), default="mm")
    parser.add_argument("--tip", type=float, default=0.2, help="edge length on the tip [mm]")
    arguments = parser.parse_args()
    write_needle(arguments.path, tip_size=arguments.tip, form=MshFormat(unit=arguments.unit))
