"""Data for the pictures of a run: fields, slices through the applicator, the window around the lesion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rfablate.arrays import BoolArray, FloatArray
from rfablate.physics.damage import Rule, parse_rule
from rfablate.physics.library import tissue_entry, tissue_names
from rfablate.results.exact_shapes import depth_mm, outline_placed, placed_shapes, window_grid
from rfablate.results.field_slices import Slice, cut, isolines, mirrored, outline, planes_through
from rfablate.results.fields_reader import FieldsReader
from rfablate.results.run_reader import FIELDS, RunData
from rfablate.results.wording import is_number

if TYPE_CHECKING:
    from rfablate.case.tables.geometry_tables import Structure


@dataclass(frozen=True)
class Cannula:
    """The geometry of an applicator for drawing; lengths in mm."""

    name: str
    tip: FloatArray
    direction: FloatArray
    """Unit vector along which extents are measured: along the shaft, or along the chord of a curved tip."""
    span: float
    """Extent of the active tip along `direction` [mm]."""
    active_tip: float
    diameter: float
    shaft: FloatArray
    """Unit vector along the straight shaft."""
    path: FloatArray
    """Points of the centre line of a curved tip, shape (n, 3) [mm]; (0, 3) for a straight tip."""
    regions: tuple[str, ...]
    """Names of the mesh regions of the applicator."""
    tines: tuple[tuple[FloatArray, float], ...]
    """Points of the centre line of each tine, shape (n, 3), and its diameter [mm]."""


@dataclass(frozen=True)
class View:
    """The slices of a run and the nodal values that the figures show.

    time_s: time of the temperature shown [s]. end_s: time of the damage shown, that of the last frame [s].
    """

    run: RunData
    slices: tuple[Slice, ...]
    names: dict[int, str]
    temperature: FloatArray
    omega: FloatArray
    levels: dict[str, FloatArray]
    """Rule -> nodal level, positive inside the lesion and linear in each cell."""
    time_s: float
    end_s: float
    cannulas: tuple[Cannula, ...]
    shapes: Mapping[str, Structure]
    """Structures that are drawn with their exact shape."""
    half_size: float
    """Half side length of the square window [mm]."""
    centres: tuple[tuple[float, float], ...]
    """Centre of the window in each slice [mm]."""
    before: FloatArray | None = None
    """Nodal level of the verdict rule at the start of a repeated treatment; None for a first treatment."""

    def tissue(self, piece: Slice) -> BoolArray:
        """Return which triangles of a slice are tissue, not metal."""
        metal = [tag for tag, name in self.names.items() if any(name in c.regions for c in self.cannulas)]
        return ~np.isin(piece.region, metal)

    def lesion(self, piece: Slice, rule: str) -> list[FloatArray]:
        """Return the outline of the lesion of `rule` in the tissue of a slice."""
        return self._outline(piece, self.levels[rule])

    def earlier(self, piece: Slice) -> list[FloatArray]:
        """Return the outline of the lesion before a repeated treatment, by the verdict rule; empty otherwise."""
        return [] if self.before is None else self._outline(piece, self.before)

    def _outline(self, piece: Slice, level: FloatArray) -> list[FloatArray]:
        return isolines(piece.points, piece.triangles[self.tissue(piece)], piece.at(level), 0.0)

    def structures(self, piece: Slice) -> list[tuple[int, str]]:
        """Return tag and name of the structures that a slice cuts."""
        named = self.run.table("structures")
        return [(tag, name) for tag, name in self.names.items() if name in named and np.any(piece.region == tag)]

    def outline(self, number: int, piece: Slice, tag: int, name: str) -> list[FloatArray]:
        """Return the outline of a structure in slice `number`: of its region, or of its exact shape in `shapes`."""
        if name not in self.shapes:
            return outline(piece.points, piece.triangles, piece.region == tag)
        low, high = ([middle + side * self.half_size for middle in self.centres[number]] for side in (-1.0, 1.0))
        points = piece.plane.positions(window_grid(low, high))
        return outline_placed(depth_mm(self.shapes, name, points), low, high)

    def windowed(self, number: int) -> Slice:
        """Return the part of slice `number` inside the window."""
        centre = np.array(self.centres[number])
        return self.slices[number].within(centre - self.half_size, centre + self.half_size)


def read_cannulas(run: RunData) -> tuple[Cannula, ...]:
    """Return the geometry of the applicators; an applicator with incomplete data is omitted."""
    found = []
    for number, item in enumerate(run.applicators()):
        tip, direction = item.get("tip_mm", (0, 0, 0)), item.get("direction", (0, 0, 1))
        active, diameter = item.get("active_tip_mm"), item.get("outer_diameter_mm")
        if len(tip) == 3 and len(direction) == 3 and is_number(active) and is_number(diameter):
            shaft = np.asarray(direction, dtype=np.float64) / np.linalg.norm(direction)
            path = np.asarray(item.get("path_mm", ()), dtype=np.float64).reshape(-1, 3)
            line = path_until(path, float(active))[-1] - tip if len(path) else float(active) * shaft
            name = str(item.get("name", f"applicator {number + 1}"))
            found.append(
                Cannula(
                    name,
                    np.asarray(tip, dtype=np.float64),
                    line / np.linalg.norm(line),
                    float(np.linalg.norm(line)),
                    float(active),
                    float(diameter),
                    shaft,
                    path,
                    tuple(item.get("regions", (name,))),
                    tuple((np.asarray(t["path_mm"], float), float(t["diameter_mm"])) for t in item.get("tines", ())),
                )
            )
    return tuple(found)


def metal_regions(run: RunData) -> set[str]:
    """Return the regions that are parts of an applicator or, of a user's mesh, of metal."""
    names = {name for cannula in read_cannulas(run) for name in cannula.regions}
    for region in run.case.get("domain", {}).get("regions", ()):
        tissue = region.get("tissue")
        if tissue in tissue_names() and tissue_entry(tissue).tissue.is_metal:
            names.add(region["name"])
    return names


def path_until(path: FloatArray, length: float) -> FloatArray:
    """Return the points of a path up to the arc length `length` [mm], including the end point, shape (n, 3)."""
    s = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    end = [np.interp(length, s, path[:, i]) for i in range(3)]
    return np.vstack([path[s < length - 1e-3], end])


def rule_levels(run: RunData, fields: FieldsReader, frame: int = -1) -> dict[str, FloatArray]:
    """Return the nodal level of each lesion rule at a frame, the verdict rule first; unknown rules are omitted."""
    peak, omega, cem43 = (fields.point_data(name, frame) for name in ("peak_temperature_degC", "omega", "cem43_min"))
    rules: list[Rule] = []
    for name in run.rules():
        try:
            rules.append(parse_rule(name))
        except ValueError:
            continue
    needs_cell_death = any(rule.kind == "cell_death" for rule in rules)
    dead = fields.point_data("dead_fraction", frame) if needs_cell_death else np.zeros_like(peak)
    return {rule.name: rule.level(peak, omega, cem43, dead) for rule in rules}


def heating_end(run: RunData) -> float | None:
    """Return the time at which the generator was last on [s], from the voltage in the history, or from its set point.

    With several channels the total power is used, because they have no common voltage.
    """
    time = run.history.get("time_s")
    for column in ("power_W",) if run.table("channels") else ("voltage_V", "setpoint_degC"):
        values = run.history.get(column)
        if time is not None and values is not None and np.any(on := np.nan_to_num(values) > 0):
            return float(time[on][-1])
    return None


def load_view(run: RunData) -> View:
    """Read the frames for the pictures and cut the slices.

    The temperature is that of the last frame at or before the end of heating; damage and peak values are those of the
    last frame.

    Raises:
        ValueError, OSError: the fields file cannot be read or has no frame.
    """
    with FieldsReader(run.directory / FIELDS) as fields:
        if not len(fields.times_s):
            raise ValueError("the file has a mesh but no frame")
        end = heating_end(run)
        hot = np.flatnonzero(fields.times_s <= end * (1 + 1e-9)) if end is not None else np.zeros(0)
        frame = int(hot[-1]) if len(hot) else len(fields.times_s) - 1
        temperature = fields.point_data("temperature_degC", frame)
        omega, levels = fields.point_data("omega"), rule_levels(run, fields)
        before = next(iter(rule_levels(run, fields, 0).values()), None) if run.table("repeat") else None
        cannulas = read_cannulas(run)
        slices = _slices(fields, cannulas)
        names = dict(fields.region_names)
        times = fields.times_s
    times_s = (float(times[frame]), float(times[-1]))
    bare = View(run, slices, names, temperature, omega, levels, *times_s, cannulas, placed_shapes(run), 1.0, (), before)
    half_size, centres = _window(bare)
    return replace(bare, half_size=half_size, centres=centres)


def _slices(fields: FieldsReader, cannulas: tuple[Cannula, ...]) -> tuple[Slice, ...]:
    points, cells, region = fields.points_mm, fields.cells, fields.region
    if cells.shape[1] == 3:
        return (mirrored(points, cells, region),)
    tip, direction = np.zeros(3), np.eye(3)[2]
    if cannulas:  # several applicators: midway between the tips
        tip, direction = np.mean([c.tip for c in cannulas], axis=0), sum(c.direction for c in cannulas)
        direction = direction if np.linalg.norm(direction) > 0.1 else cannulas[0].direction
    return tuple(cut(points, cells, region, plane) for plane in planes_through(tip.tolist(), direction.tolist()))


def _window(view: View) -> tuple[float, tuple[tuple[float, float], ...]]:
    """Return the half side of a square window [mm], 2.4 times the lesion in full, and its centre in each slice [mm]."""
    boxes = [_lesion_box(view, piece) for piece in view.slices]
    cannula = view.cannulas[0] if view.cannulas else None
    middles = [each.tip + 0.5 * each.span * each.direction for each in view.cannulas]
    middle = np.mean(middles, axis=0) if middles else np.zeros(3)
    centres, size = [], 2.0 * (cannula.active_tip if cannula else 5.0)
    found = [float((box[1] - box[0]).max()) for box in boxes if box is not None]
    if found:
        size = max(*found, cannula.active_tip if cannula else 0.0)
    half = 1.2 * size
    for piece, box in zip(view.slices, boxes, strict=True):
        centre = piece.plane.coordinates(middle[None])[0] if box is None else box.mean(axis=0)
        centre[0] = piece.plane.coordinates(middle[None])[0][0] if cannula else centre[0]
        centres.append((float(centre[0]), float(centre[1])))
    widest = max(float(np.ptp(piece.points, axis=0).max()) for piece in view.slices)
    return min(half, 0.5 * widest), tuple(centres)


def _lesion_box(view: View, piece: Slice) -> FloatArray | None:
    """Return the bounding box of the lesion of the first rule in a slice, shape (2, 2) [mm]."""
    lines = [line for rule in list(view.levels)[:1] for line in view.lesion(piece, rule)]
    if not lines:
        return None
    points = np.concatenate(lines)
    return np.array([points.min(axis=0), points.max(axis=0)])
