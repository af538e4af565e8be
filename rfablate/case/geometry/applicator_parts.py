"""The parts of an applicator with their materials, and the geometry of its tines. Pure.

A tine is described in its own plane: `start` S, unit vectors `ahead` t (initial direction) and `outward` n (towards
the centre of the bend). The centre line at arc length s, with bend radius R, is

    S + R n + R (sin(s / R) t - cos(s / R) n),        straight:  S + s t
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rfablate.arrays import BoolArray, FloatArray
from rfablate.case.geometry.applicator_axes import applicator_frame
from rfablate.case.tables.geometry_tables import Applicator


@dataclass(frozen=True)
class DevicePart:
    """A part of an applicator that has its own volume in the mesh."""

    kind: str
    """`tines`, `tip`, `gap`, `ring`, `shaft`, `insulation` or `lumen`."""
    region: str
    """Name of its mesh region; parts of the same material share one."""
    material: str
    key: str
    """Key of the material in the applicator's table."""
    electrode: str = ""
    """Name of the electrode to which its surface belongs; empty for an insulated part."""


def device_parts(applicator: Applicator) -> tuple[DevicePart, ...]:
    """Return the parts of an applicator; where two overlap, the later one takes precedence."""
    name, metal, tines = applicator.name, applicator.metal, applicator.tines
    found = []
    if tines is not None:
        own, key = (metal, "metal") if tines.metal is None else (tines.metal, "tines.metal")
        found.append(DevicePart("tines", name if own == metal else f"{name}_tines", own, key, name))
    found.append(DevicePart("tip", name, metal, "metal", name))
    if applicator.ring is not None:
        found.append(DevicePart("gap", name, metal, "metal"))
        found.append(DevicePart("ring", f"{name}_ring", metal, "metal", f"{name}_ring"))
    shaft, key = (applicator.shaft_material, "shaft_material") if applicator.shaft_material else (metal, "metal")
    found.append(DevicePart("shaft", name if shaft == metal else f"{name}_shaft", shaft, key))
    if applicator.insulation is not None:
        coat = applicator.insulation_material
        found.append(DevicePart("insulation", f"{name}_insulation", coat, "insulation_material"))
    if applicator.wall is not None:
        found.append(DevicePart("lumen", f"{name}_lumen", applicator.lumen_material, "lumen_material"))
    return tuple(found)


def device_materials(applicator: Applicator) -> dict[str, str]:
    """Return the material of each region of an applicator, except a lumen with coolant, which is not meshed."""
    parts = [part for part in device_parts(applicator) if not (part.kind == "lumen" and applicator.coolant)]
    return {part.region: part.material for part in parts}


def electrode_roles(applicators: Sequence[Applicator]) -> dict[str, Literal["active", "return"]]:
    """Return the role of each electrode: tips, and rings, whose role is opposite to that of their tip."""
    roles: dict[str, Literal["active", "return"]] = {}
    for each in applicators:
        roles[each.name] = each.electrode
        if each.ring is not None:
            roles[f"{each.name}_ring"] = "return" if each.electrode == "active" else "active"
    return roles


def bare_length(applicator: Applicator) -> float:
    """Return the distance from the tip to the insulated shaft, i.e. the length of active tip, gap and ring [m]."""
    ring = applicator.ring
    return applicator.active_tip + (ring.gap + ring.length if ring is not None else 0.0)


def lengths_of(applicator: Applicator, length: float) -> dict[str, tuple[float, float]]:
    """Return start and end [m from the tip] of the parts proximal to the active tip of a needle of `length` [m]."""
    active, bare, ring = applicator.active_tip, bare_length(applicator), applicator.ring
    if ring is None:
        return {"shaft": (active, length)}
    return {"gap": (active, active + ring.gap), "ring": (active + ring.gap, bare), "shaft": (bare, length)}


def electrode_surface(name: str) -> str:
    """Return the mesh name of the bare surface of the electrode `name`, used if there are several electrodes."""
    return f"electrode {name}"


def point_length(applicator: Applicator) -> float:
    """Return the length of the bevel or cone [m], 0 for a blunt tip."""
    across = {"bevel": applicator.outer_diameter, "conical": 0.5 * applicator.outer_diameter, "blunt": 0.0}
    return across[applicator.tip_shape] / float(np.tan(np.radians(applicator.bevel_angle)))


def tip_profile(applicator: Applicator) -> list[tuple[float, float]]:
    """Return the distal outline in the plane of the bevel: points (across, along) [m] from one side to the other."""
    r, point = 0.5 * applicator.outer_diameter, point_length(applicator)
    return {
        "blunt": [(-r, 0.0), (r, 0.0)],
        "bevel": [(-r, 0.0), (r, point)],
        "conical": [(-r, point), (0.0, 0.0), (r, point)],
    }[applicator.tip_shape]


def sharp_edges(applicator: Applicator) -> list[float]:
    """Return the distances from the tip [m] of the circular edges at which the current density is singular.

    They are the edges of the insulation, of a ring and of a blunt tip.
    """
    edges = [0.0, applicator.active_tip] if applicator.tip_shape == "blunt" else [applicator.active_tip]
    if applicator.ring is not None:
        edges += [bare_length(applicator) - applicator.ring.length, bare_length(applicator)]
    return edges


def lumen(applicator: Applicator) -> tuple[float, float]:
    """Return the radius of the lumen and the distance of its closed end from the tip [m]; requires a wall."""
    assert applicator.wall is not None
    start = applicator.lumen_start
    radius = 0.5 * applicator.outer_diameter - applicator.wall
    return radius, point_length(applicator) + applicator.wall if start is None else start


def active_line(applicator: Applicator) -> tuple[FloatArray, FloatArray, float]:
    """Return origin, unit vector and length [m] of the line along which lesion dimensions are measured.

    The line runs from the tip along the bare parts. For a curved tip it is the chord.
    """
    frame, bare = applicator_frame(applicator), bare_length(applicator)
    if frame.arc is None:
        return frame.tip, frame.axis, bare
    chord = frame.centre_line(np.array([bare]))[0] - frame.tip
    length = float(np.linalg.norm(chord))
    return frame.tip, chord / length, length


@dataclass(frozen=True)
class Tine:
    """One deployed tine [m]; see the module docstring for its centre line."""

    start: FloatArray
    ahead: FloatArray
    outward: FloatArray
    length: float
    radius: float
    bend_radius: float | None

    @property
    def centre(self) -> FloatArray:
        """Centre of the bend [m]."""
        assert self.bend_radius is not None
        return np.asarray(self.start + self.bend_radius * self.outward)

    def at(self, s: FloatArray) -> FloatArray:
        """Return the points of the centre line at arc lengths s [m] from the start, shape (n, 3)."""
        R = self.bend_radius
        if R is None:
            return np.asarray(self.start + np.outer(s, self.ahead))
        turn = np.asarray(s) / R
        return np.asarray(self.centre + R * (np.outer(np.sin(turn), self.ahead) - np.outer(np.cos(turn), self.outward)))

    def direction(self, s: float) -> FloatArray:
        """Return the unit vector along the tine at arc length s [m]."""
        if self.bend_radius is None:
            return self.ahead
        turn = s / self.bend_radius
        return np.asarray(np.cos(turn) * self.ahead + np.sin(turn) * self.outward)

    def end_circle(self, count: int) -> FloatArray:
        """Return `count` points on the rim of the distal end, shape (count, 3)."""
        beyond, aside = self.direction(self.length), np.cross(self.ahead, self.outward)
        angles = 2 * np.pi * np.arange(count) / count
        across = np.outer(np.cos(angles), aside) + np.outer(np.sin(angles), np.cross(beyond, aside))
        return np.asarray(self.at(np.array([self.length])) + self.radius * across)

    def contains(self, points: FloatArray, slack: float = 1e-9) -> BoolArray:
        """Return which points, shape (n, 3), lie inside the tine, whose ends are flat."""
        R = self.bend_radius
        if R is None:
            along = (points - self.start) @ self.ahead
            across = np.linalg.norm(points - self.start - np.outer(along, self.ahead), axis=1)
        else:
            ahead, out = (points - self.centre) @ self.ahead, (points - self.centre) @ self.outward
            aside = (points - self.centre) @ np.cross(self.ahead, self.outward)
            turn = np.arctan2(ahead, -out)
            along = R * np.where(turn < -slack / R, turn + 2 * np.pi, turn)
            across = np.hypot(np.hypot(ahead, out) - R, aside)
        return np.asarray((along >= -slack) & (along <= self.length + slack) & (across <= self.radius + slack))


def tines_of(applicator: Applicator) -> tuple[Tine, ...]:
    """Return the deployed tines of an applicator; empty for a plain cannula."""
    tines = applicator.tines
    if tines is None:
        return ()
    frame = applicator_frame(applicator)
    angle, ahead = np.radians(tines.exit_angle), -frame.axis
    found = []
    for number in range(tines.count):
        azimuth = np.radians(tines.first_azimuth) + 2 * np.pi * number / tines.count
        radial = np.cos(azimuth) * frame.u + np.sin(azimuth) * frame.v
        found.append(
            Tine(
                start=frame.tip + tines.exit * frame.axis + tines.offset * radial,
                ahead=np.cos(angle) * ahead + np.sin(angle) * radial,
                outward=np.cos(angle) * radial - np.sin(angle) * ahead,
                length=tines.deployment * tines.length,
                radius=0.5 * tines.diameter,
                bend_radius=tines.bend_radius,
            )
        )
    return tuple(found)


def in_metal(applicator: Applicator, points: FloatArray) -> BoolArray:
    """Return which points lie inside the cannula or a tine."""
    inside = in_cannula(applicator, points)
    for tine in tines_of(applicator):
        inside |= tine.contains(np.asarray(points).reshape(-1, 3))
    return inside


def in_cannula(applicator: Applicator, points: FloatArray) -> BoolArray:
    """Return which points lie inside the cannula.

    The bevel plane is inclined at `bevel_angle` to the axis; the most distal point is on the rim opposite to
    `bevel_azimuth`. The apex of a cone is at the tip.
    """
    radius, slope = 0.5 * applicator.outer_diameter, np.tan(np.radians(applicator.bevel_angle))
    points = np.asarray(points).reshape(-1, 3)
    x, y, z = applicator_frame(applicator).coordinates(points).T
    across, slack = np.hypot(x, y), 1e-9
    inside = (across <= radius + slack) & (z >= -slack) & (z <= (applicator.shaft_length or np.inf) + slack)
    x, y, z = applicator_frame(applicator).at_tip().coordinates(points).T  # the faces of the bevel or cone are straight
    if applicator.tip_shape == "conical":
        inside &= np.hypot(x, y) <= z * slope + slack
    elif applicator.tip_shape == "bevel":
        azimuth = np.radians(applicator.bevel_azimuth)
        inside &= (x * np.cos(azimuth) + y * np.sin(azimuth) + radius) <= z * slope + slack
    return np.asarray(inside)


def active_surface_points(applicator: Applicator) -> FloatArray:
    """Return points just outside the active tip, around it and distal to it, shape (n, 3) [m]."""
    radius = 0.5 * applicator.outer_diameter
    heights = np.repeat(np.linspace(0.0, applicator.active_tip, 41), 16)
    angles = np.tile(np.linspace(0.0, 2 * np.pi, 16, endpoint=False), 41)
    frame = applicator_frame(applicator)
    around = frame.at(1.02 * radius * np.cos(angles), 1.02 * radius * np.sin(angles), heights)
    return np.vstack([around, frame.at(np.zeros(1), np.zeros(1), np.full(1, -0.02 * radius))])
