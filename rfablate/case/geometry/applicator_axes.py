"""The axes of an applicator, straight or with a curved tip: conversion between axial coordinates and points. Pure.

A curved tip is a circular arc tangent to the straight shaft. With the arc length s from the tip P along the centre
line, the bend's length L and angle theta, R = L / theta, unit vectors d along the shaft and b towards the bend:

    joint J = P + R sin(theta) d - R (1 - cos(theta)) b,  centre of the bend C = J + R b
    s >= L:  J + (s - L) d
    s <  L:  C - R (cos(t) b + sin(t) d),  t = (L - s) / R

The coordinates of a point are x and y across the centre line at s, and z = s, as for a straight needle. The axes x and
y rotate with the bend, so the point-in-part tests of a straight needle also apply to a curved one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rfablate.arrays import FloatArray

if TYPE_CHECKING:
    from rfablate.case.tables.geometry_tables import Applicator


@dataclass(frozen=True)
class Arc:
    """A curved tip."""

    length: float
    """Length along the centre line [m]."""
    angle: float
    """Angle between the shaft and the end of the centre line [rad]."""
    towards: FloatArray
    """Unit vector across the shaft, in the direction of the bend."""

    @property
    def radius(self) -> float:
        """Radius of the centre line [m]."""
        return self.length / self.angle


@dataclass(frozen=True)
class ApplicatorFrame:
    """Axes of an applicator: `tip` is the distal end, `axis` points from it along the shaft, `u` and `v` across it."""

    tip: FloatArray
    axis: FloatArray
    u: FloatArray
    v: FloatArray
    arc: Arc | None = None

    @property
    def joint(self) -> FloatArray:
        """Point of the centre line at which the bend begins [m]."""
        arc = self.arc
        assert arc is not None
        along, aside = np.sin(arc.angle), 1.0 - np.cos(arc.angle)
        return np.asarray(self.tip + arc.radius * (along * self.axis - aside * arc.towards))

    def turn(self, s: float) -> float:
        """Return the angle between the shaft and the centre line at arc length s [m] from the tip [rad]."""
        return 0.0 if self.arc is None else float(np.clip((self.arc.length - s) / self.arc.radius, 0.0, self.arc.angle))

    def direction(self, s: float) -> FloatArray:
        """Return the unit vector along the centre line, pointing away from the tip, at arc length s [m]."""
        return _turned(self.axis, self.axis, self.arc, self.turn(s))

    def at(self, x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return the points [m] at x and y across the centre line and arc length z from the tip, shape (n, 3)."""
        arc = self.arc
        if arc is None:
            return np.asarray(self.tip + np.outer(x, self.u) + np.outer(y, self.v) + np.outer(z, self.axis))
        points = []
        for across, aside, s in zip(x, y, z, strict=True):
            t = self.turn(s)
            u, v, along = (_turned(each, self.axis, arc, t) for each in (self.u, self.v, self.axis))
            centre = self.joint + arc.radius * ((1.0 - np.cos(t)) * arc.towards - np.sin(t) * self.axis)
            beyond = s - (arc.length - arc.radius * t)  # straight extension distal to the tip and proximal to the bend
            points.append(centre + beyond * along + across * u + aside * v)
        return np.array(points).reshape(-1, 3)

    def centre_line(self, s: FloatArray) -> FloatArray:
        """Return the points of the centre line at arc lengths s [m] from the tip, shape (n, 3)."""
        zero = np.zeros(len(s))
        return self.at(zero, zero, np.asarray(s))

    def coordinates(self, points: FloatArray) -> FloatArray:
        """Return x and y of points across the centre line, and arc length z from the tip [m], shape (n, 3)."""
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

    def at_tip(self) -> ApplicatorFrame:
        """Return the straight axes tangent to the distal end of a curved tip."""
        u, v = (_turned(each, self.axis, self.arc, self.turn(0.0)) for each in (self.u, self.v))
        return ApplicatorFrame(self.tip, self.direction(0.0), u, v)

    def upright(self) -> ApplicatorFrame:
        """Return the axes of the same needle with its tip at the origin, its shaft along z and x along u."""
        x, y, z = np.eye(3)
        arc = None if self.arc is None else replace(self.arc, towards=self._of(self.arc.towards))
        return ApplicatorFrame(np.zeros(3), z, x, y, arc)

    def _of(self, across: FloatArray) -> FloatArray:
        return np.array([across @ self.u, across @ self.v, 0.0])


def _turned(vector: FloatArray, axis: FloatArray, arc: Arc | None, t: float) -> FloatArray:
    """Return a vector rotated with the centre line by the angle t; the axis rotates away from the bend."""
    if arc is None or t == 0.0:
        return vector
    along, towards = float(vector @ axis), float(vector @ arc.towards)
    rest = vector - along * axis - towards * arc.towards
    return np.asarray(
        rest
        + (along * np.cos(t) + towards * np.sin(t)) * axis
        + (towards * np.cos(t) - along * np.sin(t)) * arc.towards
    )


def applicator_frame(applicator: Applicator) -> ApplicatorFrame:
    """Return the axes of an applicator; u is x (y for an axis along x) made perpendicular to the axis."""
    axis = np.array(applicator.direction) / np.linalg.norm(applicator.direction)
    start = np.array([1.0, 0.0, 0.0]) if abs(axis[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    u = start - (start @ axis) * axis
    u /= np.linalg.norm(u)
    v = np.cross(axis, u)
    bend = applicator.bend
    if bend is None:
        return ApplicatorFrame(np.array(applicator.tip), axis, u, v)
    azimuth = np.radians(bend.azimuth)
    towards = np.cos(azimuth) * u + np.sin(azimuth) * v
    length = applicator.active_tip if bend.length is None else bend.length
    return ApplicatorFrame(np.array(applicator.tip), axis, u, v, Arc(length, float(np.radians(bend.angle)), towards))
