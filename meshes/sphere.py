"""A Gmsh mesh of a ball of tissue around a spherical electrode, the geometry of most closed forms.

    python -m meshes.sphere sphere.msh --electrode 0.5 --outer 50 --size 0.05 [--octant]

Lengths in mm. Half plane (r, z) by default, an octant in 3-D with --octant. Physical groups: `tissue`, and the surfaces
`electrode` (absent with --electrode 0: a full ball with a node at its centre) and `outer`. The element size is `size`
on the electrode and grows by `growth` with the distance from it.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import gmsh
import numpy as np

from rfablate.mesh.gmsh_session import gmsh_session


@dataclass(frozen=True)
class Ball:
    """A ball of tissue around a spherical electrode, and its element sizes."""

    electrode: float
    """Radius of the electrode [mm]; 0 for none."""
    outer: float
    """Radius of the tissue [mm]."""
    size: float
    """Element size on the electrode [mm]."""
    growth: float = 0.1
    """Growth of the element size per distance from the electrode [1]."""


def write_sphere(path: Path, ball: Ball, *, octant: bool = False) -> None:
    """Write the mesh: half plane (r, z), or an octant in 3-D."""
    dim, electrode, outer = 3 if octant else 2, ball.electrode, ball.outer
    occ = gmsh.model.occ
    with gmsh_session():
        if octant:
            body = [(3, occ.addSphere(0, 0, 0, outer, angle1=0.0, angle2=np.pi / 2, angle3=np.pi / 2))]
            hole = [(3, occ.addSphere(0, 0, 0, electrode))] if electrode else []
        else:
            disk, half = occ.addDisk(0, 0, 0, outer, outer), occ.addRectangle(0, -outer, 0, outer, 2 * outer)
            body, _ = occ.intersect([(2, disk)], [(2, half)])
            hole = [(2, occ.addDisk(0, 0, 0, electrode, electrode))] if electrode else []
        if hole:
            body, _ = occ.cut(body, hole)
        else:  # a node at the centre
            pieces, _ = occ.fragment(body, [(0, occ.addPoint(0, 0, 0))])
            body = [(d, tag) for d, tag in pieces if d == dim]
        occ.synchronize()
        _name_groups(body, dim, electrode, outer)
        field = gmsh.model.mesh.field
        number = field.add("MathEval")
        field.setString(number, "F", f"{ball.size} + {ball.growth} * Fabs(sqrt(x*x + y*y + z*z) - {electrode})")
        field.setAsBackgroundMesh(number)
        gmsh.option.setNumber("Mesh.Algorithm", 6)
        gmsh.model.mesh.generate(dim)
        gmsh.write(str(path))


def _name_groups(body: list[tuple[int, int]], dim: int, electrode: float, outer: float) -> None:
    """Name the tissue and its spherical surfaces, which are identified by a point of each."""
    gmsh.model.addPhysicalGroup(dim, [tag for _, tag in body], name="tissue")
    found: dict[str, list[int]] = {"electrode": [], "outer": []}
    for d, tag in gmsh.model.getBoundary(body, oriented=False):
        lower, upper = gmsh.model.getParametrizationBounds(d, tag)
        radii = [
            np.linalg.norm(gmsh.model.getValue(d, tag, list(lower + s * (upper - lower)))) for s in (0.25, 0.5, 0.7)
        ]
        for name, radius in (("electrode", electrode), ("outer", outer)):
            if radius and np.allclose(radii, radius, rtol=1e-6):
                found[name].append(tag)
    for name, tags in found.items():
        if tags:
            gmsh.model.addPhysicalGroup(dim - 1, tags, name=name)


def main() -> None:
    """Write the mesh for the command line arguments."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, help="where to write, .msh")
    parser.add_argument("--electrode", type=float, default=0.5, help="radius of the electrode [mm], 0 for none")
    parser.add_argument("--outer", type=float, default=50.0, help="radius of the tissue [mm]")
    parser.add_argument("--size", type=float, default=0.05, help="cells on the electrode [mm]")
    parser.add_argument("--growth", type=float, default=0.1, help="growth of the cells a mm of distance")
    parser.add_argument("--octant", action="store_true", help="an eighth in 3-D in place of the half plane")
    args = parser.parse_args()
    write_sphere(args.file, Ball(args.electrode, args.outer, args.size, args.growth), octant=args.octant)


if __name__ == "__main__":
    main()
