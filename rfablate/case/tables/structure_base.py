"""Base class of all kinds of structures: geometry, checks and description.

Lengths in m. Every place of the program that depends on the kind of a structure calls these methods.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar, Literal, Protocol

import numpy as np
from pydantic import Field

from rfablate.arrays import BoolArray, FloatArray
from rfablate.case.tables.base import Table
from rfablate.case.tables.liquids import Flow
from rfablate.case.tables.shape_math import Point
from rfablate.case.tables.units import Celsius, Fraction, MmPositive
from rfablate.errors import Fault, MeshError

Bodies = list[tuple[int, int]]
"""(dimension, tag) pairs of the geometry kernel."""
OFF_AXIS_HINT = 'move it onto the axis, or solve in 3-D: --set domain.kind="cylinder"'


def axis_text(axis: FloatArray) -> str:
    """Return the position (x, y) [m] of a vertical axis in mm, as faults show it."""
    return f"x, y = {axis[0] * 1e3:g}, {axis[1] * 1e3:g} mm"


def place_text(point: Point) -> str:
    """Return a point [m] in mm, as faults show it."""
    return "(" + ", ".join(f"{value * 1e3:g}" for value in point) + ") mm"


class SolidBuilder(Protocol):
    """Makes solids in the geometry kernel; implemented by `rfablate.mesh.occ_shapes`. Lengths in m."""

    def ball(self, centre: Point, radius: float) -> Bodies:
        """Add a ball."""

    def ellipsoid(self, centre: Point, semi_axes: Point) -> Bodies:
        """Add an ellipsoid with axes along x, y, z."""

    def box(self, centre: Point, size: Point) -> Bodies:
        """Add a box with edges along x, y, z."""

    def tube(self, path: tuple[Point, ...], radius: float) -> Bodies:
        """Add the union of a cylinder per segment and a ball per bend of a polyline; two points: a cylinder."""

    def plate(self, point: Point, normal: Point, *, bottom: float, thickness: float, reach: float) -> Bodies:
        """Add a square plate of edge 2 `reach` across `normal` that starts at `bottom` from `point`."""

    def fuse(self, bodies: Bodies) -> Bodies:
        """Unite bodies that overlap."""


class SectionBuilder(Protocol):
    """Makes half sections (r, z) in the geometry kernel; implemented by `rfablate.mesh.occ_shapes_rz`. Lengths in m."""

    def disk(self, z: float, radius: float) -> Bodies:
        """Add a disk on the axis; the part at r < 0 is cut off later."""

    def ellipse(self, z: float, radius: float, height: float) -> Bodies:
        """Add an ellipse on the axis with these semi-axes; the part at r < 0 is cut off later."""

    def rectangle(self, radius: float, low: float, high: float) -> Bodies:
        """Add the rectangle 0 < r < `radius`, `low` < z < `high`."""

    def fuse(self, bodies: Bodies) -> Bodies:
        """Unite bodies that overlap."""


class StructureTable(Table):
    """A structure of any kind: its tissue and role, and the geometry that each kind defines."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", examples=["nerve"])
    """Name of the structure in all results; unique, a letter followed by letters, digits or _."""
    tissue: str = Field(examples=["nerve"])
    """Tissue or metal the structure is made of: a name of the library or of [tissues]."""
    role: Literal["target", "protect", "anatomy"] = "anatomy"
    """Role in the report: "target" for a volume to be ablated, "protect" for a structure that must remain below
    `limit_degC`, "anatomy" for a structure without a verdict."""
    limit: Celsius | None = Field(default=None, alias="limit_degC", examples=[45])
    """Highest temperature a protected structure may reach [degC]; above body temperature and at most 200. Needed with
    role "protect"."""
    required_fraction: Fraction = 1.0
    """Fraction of a target's volume that must lie inside the lesion for it to be reached. The default is all of it."""
    held: Celsius | None = Field(default=None, alias="held_degC", examples=[37])
    """Fixed temperature of the structure, or of its liquid where it has a `flow` [degC]; at most 200. By default it is
    not held."""
    flow: Flow | None = None
    """Flow of liquid through the structure, which cools its wall by convection. By default there is none."""
    shell: MmPositive | None = Field(default=None, alias="shell_mm", examples=[1.5])
    """Thickness of a shell inside the shape, as the cortex of a bone [mm]; it becomes a structure NAME_shell. For
    ellipsoid, sphere, tube, box and cylinder. By default there is none."""
    shell_tissue: str | None = Field(default=None, examples=["cortical_bone"])
    """Tissue of the shell. By default cortical_bone."""

    place_key: ClassVar[str] = "centre_mm"
    """The key that positions the structure; faults of the position name it."""
    bounded: ClassVar[bool] = True
    """False if the domain always cuts the structure."""

    @property
    def kind_name(self) -> str:
        """The value of the table's key `kind`."""
        return str(type(self).model_fields["kind"].default)

    @property
    def has_shape(self) -> bool:
        """False while the shape is an object that has not been passed."""
        return True

    @property
    def sampled(self) -> bool:
        """Whether 3-D meshes are not cut at its surface: cells are assigned by samples, then nodes move onto it."""
        return False

    def conforms(self, dim: int) -> bool:
        """Return whether a mesh of `dim` dimensions is cut at its surface."""
        return not self.sampled

    @abstractmethod
    def distance(self, points: FloatArray) -> FloatArray:
        """Return the signed distance [m] of points (n, 3) to the surface; negative inside, see `shape_math`."""

    def contains(self, points: FloatArray) -> BoolArray:
        """Return which points (n, 3) [m] lie inside the structure or on its surface."""
        return np.asarray(self.distance(points) <= 0.0)

    @abstractmethod
    def bounds(self) -> FloatArray:
        """Return the lower and upper corner [m], shape (2, 3); infinite where the structure is unbounded."""

    @abstractmethod
    def samples(self, spread: FloatArray, window: FloatArray) -> FloatArray:
        """Return points of the structure [m] from points `spread` of the unit cube, half of them near its surface.

        Unbounded structures are sampled within `window`, bounds of shape (2, 3) [m].
        """

    @abstractmethod
    def solid(self, build: SolidBuilder, reach: float) -> Bodies:
        """Make the structure in 3-D; unbounded ones end at `reach` [m] from their point."""

    def section(self, build: SectionBuilder, reach: float) -> Bodies:
        """Make the half section (r, z) of a body of revolution; unbounded ones end at `reach` [m].

        Raises:
            MeshError: the kind is no body of revolution.
        """
        raise MeshError(
            f"structure '{self.name}' is a {self.kind_name}, which is no body of revolution; use a 3-D domain"
        )

    @abstractmethod
    def thinnest(self) -> float | None:
        """Return the smallest extent [m], which sets the element size; None if there is none."""

    @abstractmethod
    def lengths(self) -> Iterator[tuple[str, float]]:
        """Yield each length that a wrong unit would change, with its key [m]."""

    @abstractmethod
    def text(self) -> str:
        """Return kind, size and position in words, for `rfablate check`."""

    def rounding(self) -> float:
        """Return c in the relative volume c (h / thinnest)^2 that flat facets of edge h cut off; 0 for flat faces."""
        return 0.0

    def degenerate_faults(self, where: str) -> Iterator[Fault]:
        """Yield directions and axes without length; `where` is the structure's place in the case."""
        yield from ()

    def revolution_fault(self, where: str, axis: FloatArray) -> Fault | None:
        """Return why the structure is no body of revolution about the vertical axis through (x, y) = `axis` [m]."""
        found = f'found "{self.kind_name}"'
        return Fault(f"{where}.kind", found, "a body of revolution, for example a cylinder on the axis", OFF_AXIS_HINT)
