"""A structure whose shape is an object of the user's own: what such an object provides, and the kind `object`.

The case file holds name, tissue and role, as for every structure; the object is passed to the run by name, in
`Extensions(structures={name: shape})`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from pydantic import PrivateAttr

from rfablate.arrays import FloatArray
from rfablate.case.tables import shape_math
from rfablate.case.tables.structure_base import OFF_AXIS_HINT, Bodies, SectionBuilder, SolidBuilder, StructureTable
from rfablate.case.tables.units import in_mm
from rfablate.errors import CaseError, Fault

_PROBES = 2000
"""Number of points at which the distance of an object is checked, and of those that identify it in the mesh cache."""
_MARGIN = 0.25
"""Ratio of the margin around the bounds, in which the distance is checked too, to the extent of the bounds."""
_STEEPEST = 1.01
"""Largest change of a distance over the length of the step."""
_ASYMMETRY = 1e-6
"""Largest change of the distance around the axis of a body of revolution, over the extent of its bounds."""


class StructureShape(Protocol):
    """The shape of a structure as an object of the user's own. Lengths in m, in the coordinates of the case.

    Two more methods are optional. With `solid` (in 3-D) or `section` (in the half plane) the mesh is cut at the surface
    of the object (`SolidShape`, `SectionShape`). Without, in 3-D each cell belongs to the structure with its largest
    part, and then the nodes move onto the surface; in the half plane to the structure that contains its centroid.
    """

    def distance(self, points: FloatArray) -> FloatArray:
        """Return the signed distance of points (n, 3) to the surface, negative inside, shape (n,).

        The magnitude may be smaller than the distance but not larger; the sign must be exact.
        """

    def bounds(self) -> FloatArray:
        """Return the lower and the upper corner of a box around the shape, shape (2, 3); finite."""

    def thinnest(self) -> float:
        """Return the smallest extent, from which the size of the cells at the surface follows."""


@runtime_checkable
class SolidShape(Protocol):
    """An object that can make its own solid."""

    def solid(self, build: SolidBuilder, reach: float) -> Bodies:
        """Make the shape in 3-D from the bodies of `build`; `reach` is twice the diagonal of the domain."""


@runtime_checkable
class SectionShape(Protocol):
    """An object that can make its own half section."""

    def section(self, build: SectionBuilder, reach: float) -> Bodies:
        """Make the half section (r, z) of the shape from the bodies of `build`."""


class ObjectStructure(StructureTable):
    """A structure whose shape is a Python object."""

    kind: Literal["object"] = "object"
    """Selects a shape that is passed to the run as a Python object, by the name of the structure."""

    place_key: ClassVar[str] = "kind"

    _shape: StructureShape | None = PrivateAttr(default=None)

    def with_shape(self, shape: StructureShape) -> ObjectStructure:
        """Return the structure with its shape.

        Raises:
            CaseError: the object does not provide what `StructureShape` requires.
        """
        faults = list(shape_faults(f"extensions.structures.{self.name}", shape))
        if faults:
            raise CaseError(faults, "extensions")
        bound = self.model_copy()
        bound._shape = shape
        return bound

    @property
    def has_shape(self) -> bool:
        """Whether the object has been passed."""
        return self._shape is not None

    @property
    def shape(self) -> StructureShape:
        """The object.

        Raises:
            CaseError: it has not been passed.
        """
        if self._shape is None:
            raise CaseError([missing_object(self.name)], "extensions")
        return self._shape

    @property
    def sampled(self) -> bool:
        """See `StructureTable`; objects that cannot make a solid."""
        return self._shape is not None and not self.conforms(3)

    def conforms(self, dim: int) -> bool:
        """See `StructureTable`."""
        return isinstance(self._shape, SolidShape if dim == 3 else SectionShape)

    def distance(self, points: FloatArray) -> FloatArray:
        """See `StructureTable`."""
        return np.asarray(self.shape.distance(points), dtype=np.float64)

    def bounds(self) -> FloatArray:
        """See `StructureTable`."""
        return np.asarray(self.shape.bounds(), dtype=np.float64)

    def samples(self, spread: FloatArray, window: FloatArray) -> FloatArray:
        """See `StructureTable`."""
        lower, upper = self.bounds()
        points = lower + spread * (upper - lower)
        near = shape_math.onto_surface(self.distance, points[::2], depth=1e-3 * self.shape.thinnest())
        points = np.vstack([near, points[1::2]])
        kept = (self.distance(points) <= 0.0) & ((points >= lower) & (points <= upper)).all(axis=1)
        return np.asarray(points[kept])

    def solid(self, build: SolidBuilder, reach: float) -> Bodies:
        """See `StructureTable`; only where `conforms(3)`."""
        assert isinstance(self.shape, SolidShape)
        return self.shape.solid(build, reach)

    def section(self, build: SectionBuilder, reach: float) -> Bodies:
        """See `StructureTable`; only where `conforms(2)`."""
        assert isinstance(self.shape, SectionShape)
        return self.shape.section(build, reach)

    def thinnest(self) -> float | None:
        """See `StructureTable`; None without the object."""
        return None if self._shape is None else float(self._shape.thinnest())

    def rounding(self) -> float:
        """See `StructureTable`; that of a ball, as the object does not tell."""
        return 1.25

    def lengths(self) -> Iterator[tuple[str, float]]:
        """See `StructureTable`; none, because the case file has no length."""
        yield from ()

    def text(self) -> str:
        """See `StructureTable`."""
        if self._shape is None:
            return "Python object, passed to the run"
        lower, upper = self.bounds()
        return f"{type(self._shape).__name__}, {in_mm(*(upper - lower))}, at {in_mm(*(0.5 * (lower + upper)))}"

    def revolution_fault(self, where: str, axis: FloatArray) -> Fault | None:
        """See `StructureTable`; by the distance at points around the axis."""
        if self._shape is None:
            return None
        lower, upper = self.bounds()
        points = lower + shape_math.spread_points(_PROBES) * (upper - lower)
        radius = np.hypot(*(points[:, :2] - axis).T)
        around = [
            self.distance(np.column_stack([axis[0] + radius * np.cos(a), axis[1] + radius * np.sin(a), points[:, 2]]))
            for a in (0.0, 1.0, 2.5, 4.4)
        ]
        if np.ptp(around, axis=0).max() <= _ASYMMETRY * float(np.linalg.norm(upper - lower)):
            return None
        expected = f"the same distance all around the axis, x, y = {axis[0] * 1e3:g}, {axis[1] * 1e3:g} mm"
        return Fault(where, "found a shape that is no body of revolution", expected, OFF_AXIS_HINT)

    def outline_points(self, spacing: float, most: int) -> FloatArray:
        """Return points on the outline in the plane y = constant through the middle, about `spacing` [m] apart.

        They are farther apart where there would be more than `most`.
        """
        lower, upper = self.bounds()
        lower, size = np.array([lower[0], 0.5 * (lower[1] + upper[1]), lower[2]]), (upper - lower) * [1.0, 0.0, 1.0]
        count = int(np.clip(4.0 * size.sum() / spacing, 200, 8 * most))
        points = shape_math.onto_surface(self.distance, lower + shape_math.spread_points(count) * size, depth=0.0)
        points = points[np.abs(self.distance(points)) < 0.1 * spacing]
        while True:
            _, first = np.unique(np.round(points / spacing).astype(np.int64), axis=0, return_index=True)
            if len(first) <= most:
                return np.asarray(points[np.sort(first)])
            spacing *= 1.2

    def fingerprint(self) -> str:
        """Return a hash of the shape, from its distance at fixed points: equal shapes share a mesh."""
        lower, upper = self.bounds()
        size = upper - lower
        points = lower - _MARGIN * size + shape_math.spread_points(_PROBES) * (1.0 + 2.0 * _MARGIN) * size
        values = np.concatenate([self.bounds().ravel(), [self.shape.thinnest()], self.distance(points)])
        return hashlib.sha256(np.round(values, 12).astype("<f8").tobytes()).hexdigest()


def missing_object(name: str) -> Fault:
    """Return the fault of a structure without its object."""
    return Fault(
        f"extensions.structures.{name}", "missing: the shape of this structure is a Python object", "the object",
        f'run or resume it in Python: rfa.run(..., extensions=rfa.Extensions(structures={{"{name}": shape}}))',
    )  # fmt: skip


def shape_faults(where: str, shape: StructureShape) -> Iterator[Fault]:
    """Yield what an object lacks or contradicts of `StructureShape`; `where` is its place in the extensions."""
    for name in ("distance", "bounds", "thinnest"):
        if not callable(getattr(shape, name, None)):
            yield Fault(where, f"found a {type(shape).__name__} without the method {name}", "a StructureShape")
            return
    bounds = np.asarray(shape.bounds(), dtype=np.float64)
    if bounds.shape != (2, 3) or not np.isfinite(bounds).all() or not (bounds[0] < bounds[1]).all():
        yield Fault(f"{where}.bounds", f"found {bounds.tolist()}", "finite lower and upper corner [m], shape (2, 3)")
        return
    thinnest = float(shape.thinnest())
    if not 0.0 < thinnest <= float((bounds[1] - bounds[0]).max()):
        yield Fault(f"{where}.thinnest", f"found {thinnest:g}", "a length [m] above 0, at most that of the bounds")
    size = bounds[1] - bounds[0]
    points = bounds[0] - _MARGIN * size + shape_math.spread_points(_PROBES) * (1.0 + 2.0 * _MARGIN) * size
    distance = np.asarray(shape.distance(points), dtype=np.float64)
    if distance.shape != (len(points),) or not np.isfinite(distance).all():
        found = f"found values of shape {distance.shape}" if distance.shape != (len(points),) else "found inf or NaN"
        yield Fault(f"{where}.distance", found, f"one finite distance [m] per point, shape ({len(points)},)")
        return
    outside = ((points < bounds[0]) | (points > bounds[1])).any(axis=1)
    if (distance[outside] < 0.0).any():
        found = f"found a negative distance at {in_mm(*points[outside & (distance < 0.0)][0])}, outside the bounds"
        yield Fault(f"{where}.distance", found, "a positive distance there, or larger bounds")
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    slope = np.abs(np.diff(distance)) / steps
    if slope.max() > _STEEPEST:
        found = f"found a change of {slope.max():.3g} m per m"
        yield Fault(f"{where}.distance", found, "at most 1: the distance, or less, to the surface [m]", "mm for m?")
