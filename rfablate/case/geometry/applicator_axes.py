"""The axes of an applicator, straight or with a curved tip: from lengths along it to points, and back. Pure.

A curved tip is an arc of a circle tangent to the straight shaft. With s the length from the tip P along the centre
line, the bend's length L and angle theta, R = L / theta, d along the shaft and b across it to the side it is bent to:

    joint J = P + R sin(theta) d - R (1 - cos(theta)) b,  centre of the bend C = J + R b
    s >= L:  J + (s - L) d
    s <  L:  C - R (cos(t) b + sin(t) d),  t = (L - s) / R

A point's coordinates are x and y across the centre line at s and z = s, as if the needle were straight: along the bend
they turn with it, and its tests of what lies inside are those of a straight needle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from rfablate.case.tables.geometry_tables import Applicator

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Arc:
    """A curved tip."""

    length: float
    """Along the centre line [m]."""
    angle: float
    """Between the shaft and the centre line's end [rad]."""
    towards: FloatArray
    """Unit vector across the shaft, to the side the tip is bent to."""

    @property
    def radius(self) -> float:
        """Radius of the centre line [m]."""
        return self.length / self.angle


@dataclass(frozen=True)
class Frame:
    """Axes of an applicator: `tip` most distal, `axis` along the shaft away from the tip, `u` and `v` across it."""

    tip: FloatArray
    axis: FloatArray
    u: FloatArray
    v: FloatArray
    arc: Arc | None = None

    @property
    def joint(self) -> FloatArray:
        """Point of the centre line where the bend begins [m]."""
        arc = self.arc
        assert arc is not None
        along, aside = np.sin(arc.angle), 1.0 - np.cos(arc.angle)
        return np.asarray(self.tip + arc.radius * (along * self.axis - aside * arc.towards))

    def turn(self, s: float) -> float:
        """Return the angle between the shaft and the centre line at length s [m] from the tip [rad]."""
        return 0.0 if self.arc is None else float(np.clip((self.arc.length - s) / self.arc.radius, 0.0, self.arc.angle))

    def direction(self, s: float) -> FloatArray:
        """Return the unit vector along the centre line, away from the tip, at length s [m]."""
        return _turned(self.axis, self.axis, self.arc, self.turn(s))

    def at(self, x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return the points [m] x and y across the centre line at the length z from the tip, shape (n, 3)."""
        arc = self.arc
        if arc is None:
            return np.asarray(self.tip + np.outer(x, self.u) + np.outer(y, self.v) + np.outer(z, self.axis))
        points = []
        for across, aside, s in zip(x, y, z, strict=True):
            t = self.turn(s)
            u, v, along = (_turned(each, self.axis, arc, t) for each in (self.u, self.v, self.axis))
            centre = self.joint + arc.radius * ((1.0 - np.cos(t)) * arc.towards - np.sin(t) * self.axis)
            beyond = s - (arc.length - arc.radius * t)  # straight on ahead of the tip, and behind the bend
            points.append(centre + beyond * along + across * u + aside * v)
        return np.array(points).reshape(-1, 3)

    def centre_line(self, s: FloatArray) -> FloatArray:
        """Return the points of the centre line at the lengths s [m] from the tip, shape (n, 3)."""
        zero = np.zeros(len(s))
        return self.at(zero, zero, np.asarray(s))

    def coordinates(self, points: FloatArray) -> FloatArray:
        """Return the points' x and y across the centre line and length z from the tip [m], shape (n, 3)."""
        arc = self.arc
        if arc is None:
            return np.asarray((points - self.tip) @ np.stack([self.u, self.v, self.axis], axis=1))
        aside = np.cross(self.axis, arc.towards)
        b, n, z = ((points - self.joint) @ each for each in (arc.towards, aside, self.axis))
        t = np.where(z >= 0.0, 0.0, np.arctan2(-z, arc.radius - b))
        on_arc = (t > 0.0) & (t <= arc.angle)
        ahead = self.at_tip().coordinates(points) @ np.stack([self.u, self.v, self.axis])
        found = [
            np.where(on_arc, arc.radius - np.hypot(arc.radius - b, z), np.where(t > 0.0, ahead @ arc.towards, b)),
            np.where(t > arc.angle, ahead @ aside, n),
            np.where(on_arc, arc.length - arc.radius * t, np.where(t > 0.0, ahead @ self.axis, arc.length + z)),
        ]
        return np.asarray(np.stack(found, axis=1) @ np.array([self._of(arc.towards), self._of(aside), [0, 0, 1]]))

    def at_tip(self) -> Frame:
        """Return the straight axes that a curved tip has at its end."""
        u, v = (_turned(each, self.axis, self.arc, self.turn(0.0)) for each in (self.u, self.v))
        return Frame(self.tip, self.direction(0.0), u, v)

    def upright(self) -> Frame:
        """Return the same needle with its tip at the origin and its shaft along z, x along u."""
        x, y, z = np.eye(3)
        arc = None if self.arc is None else replace(self.arc, towards=self._of(self.arc.towards))
        return Frame(np.zeros(3), z, x, y, arc)

    def _of(self, across: FloatArray) -> FloatArray:
        return np.array([across @ self.u, across @ self.v, 0.0])


def _turned(vector: FloatArray, axis: FloatArray, arc: Arc | None, t: float) -> FloatArray:
    """Return a vector turned with the centre line by the angle t: the axis leans away from the bend's side."""
    if arc is None or t == 0.0:
        return vector
    along, towards = float(vector @ axis), float(vector @ arc.towards)
    rest = vector - along * axis - towards * arc.towards
    return np.asarray(
        rest
        + (along * np.cos(t) + towards * np.sin(t)) * axis
        + (towards * np.cos(t) - along * np.sin(t)) * arc.towards
    )


def applicator_frame(applicator: Applicator) -> Frame:
    """Return the applicator's axes; u is x made perpendicular to the axis, y where the axis is along x."""
    axis = np.array(applicator.direction) / np.linalg.norm(applicator.direction)
    start = np.array([1.0, 0.0, 0.0]) if abs(axis[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    u = start - (start @ axis) * axis
    u /= np.linalg.norm(u)
    v = np.cross(axis, u)
    bend = applicator.bend
    if bend is None:
        return Frame(np.array(applicator.tip), axis, u, v)
    azimuth = np.radians(bend.azimuth)
    towards = np.cos(azimuth) * u + np.sin(azimuth) * v
    length = applicator.active_tip if bend.length is None else bend.length
    return Frame(np.array(applicator.tip), axis, u, v, Arc(length, float(np.radians(bend.angle)), towards))
