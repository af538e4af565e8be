"""The shape of a structure of your own: a tumour of two lobes, two balls that overlap.

A shape is an object that meets `rfablate.case.tables.structure_object.StructureShape`: signed distance, bounds and
smallest extent, in metres. The case has a structure of kind "object" with its name, tissue and role. `TwoLobes` is
meshed by assigning cells; `MeshedTwoLobes` also makes its solid and, for balls on the axis of an axisymmetric case, its
half section, so that the mesh conforms to its surface.

    python docs/examples/own_structure.py cases/needle_benchmark runs/lobes
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

import rfablate as rfa
from rfablate.case.tables.structure_base import Bodies, SectionBuilder, SolidBuilder

Floats = npt.NDArray[np.float64]
Point = tuple[float, float, float]


@dataclass(frozen=True)
class TwoLobes:
    """The union of two balls [m]."""

    centres: tuple[Point, Point]
    radii: tuple[float, float]

    def distance(self, points: Floats) -> Floats:
        """Return the signed distance [m]: exact outside, a lower bound inside."""
        each = [np.linalg.norm(points - centre, axis=1) - radius for centre, radius in self.balls()]
        return np.minimum(*each)

    def bounds(self) -> Floats:
        """Return the lower and the upper corner [m]."""
        corners = np.array([[np.subtract(centre, radius), np.add(centre, radius)] for centre, radius in self.balls()])
        return np.array([corners[:, 0].min(axis=0), corners[:, 1].max(axis=0)])

    def thinnest(self) -> float:
        """Return the diameter of the smaller ball [m]."""
        return 2.0 * min(self.radii)

    def balls(self) -> list[tuple[Point, float]]:
        """Return centre and radius of each ball [m]."""
        return list(zip(self.centres, self.radii, strict=True))


class MeshedTwoLobes(TwoLobes):
    """The same shape with its solid and its half section."""

    def solid(self, build: SolidBuilder, reach: float) -> Bodies:
        """Make the shape in 3-D."""
        return build.fuse([body for centre, radius in self.balls() for body in build.ball(centre, radius)])

    def section(self, build: SectionBuilder, reach: float) -> Bodies:
        """Make its half section (r, z); the part of the disks at r < 0 is cut off."""
        return build.fuse([body for centre, radius in self.balls() for body in build.disk(centre[2], radius)])


if __name__ == "__main__":
    tumour = {"kind": "object", "name": "lobes", "tissue": "liver_tumour", "role": "target", "required_fraction": 0.5}
    case = rfa.load_case(sys.argv[1])
    case = case.model_copy(update={"structures": (*case.structures, rfa.ObjectStructure.model_validate(tumour))})
    shape = TwoLobes(centres=((0.0, 0.0, -4e-3), (0.0, 0.0, 1e-3)), radii=(4e-3, 3e-3))
    result = rfa.run(case, sys.argv[2], extensions=rfa.Extensions(structures={"lobes": shape}))
    print(result.card)
