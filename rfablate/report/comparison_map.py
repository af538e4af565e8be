"""Difference maps of two runs: temperature difference and both lesion outlines on slices through the applicator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.report import figure_style as style
from rfablate.report.comparison_scene import common_box, common_frames
from rfablate.report.field_samples import axis_of, lesion_box, values_at
from rfablate.results.field_slices import Plane, planes_through
from rfablate.results.fields_reader import FieldsReader
from rfablate.results.run_reader import FIELDS, RunData
from rfablate.results.run_view import read_cannulas
from rfablate.results.wording import duration, rule_label

SIDE = 141
"""Points along each side of a map [1]."""
DASHES: tuple[Any, ...] = ("-", (0, (4, 2)))
"""Line style of the lesion of each run."""
SMALLEST_K = 0.5
"""Smallest range of the colour scale [K], so that rounding does not fill it."""


def difference_figure(a: RunData, b: RunData, letters: tuple[str, str]) -> str:
    """Return the SVG of the temperature of B minus that of A at the last common time, with both lesion outlines.

    Raises:
        ValueError, OSError: a fields file cannot be read or has no frame.
    """
    with FieldsReader(a.directory / FIELDS) as first, FieldsReader(b.directory / FIELDS) as second:
        pairs = common_frames([first.times_s.tolist(), second.times_s.tolist()])
        times = [(float(first.times_s[i]), float(second.times_s[j])) for i, j in pairs]
        chosen = max(range(len(pairs)), key=lambda k: (times[k][0] == times[k][1], k))
        at = pairs[chosen]
        low, high = common_box([lesion_box(a, first, at[:1]), lesion_box(b, second, at[1:])])
        middle, half = (low + high) / 2, 0.5 * float(high[0] - low[0])
        planes = _planes(a, first)
        flat = first.axisymmetric and second.axisymmetric
        panels = [
            _panel(plane, middle, half, ((a, first, at[:1]), (b, second, at[1:])))
            for plane in (planes[:1] if flat else planes)
        ]
    top = max(max(float(np.nanmax(np.abs(each.difference))) for each in panels), SMALLEST_K)
    fig, axes, bar = style.map_canvas(len(panels))
    for ax, panel in zip(axes, panels, strict=True):
        filled = _draw(ax, panel, top)
    fig.colorbar(filled, cax=bar, ticks=[-top, 0, top], format=lambda value, _: f"{value:+.2g}" if value else "0")
    bar.set_title("K", fontsize=8, color=style.MUTED)
    _key(fig, a, letters)
    return style.svg(fig, f"Temperature difference {letters[1]} − {letters[0]} at {duration(times[chosen][0])}")


def _planes(run: RunData, fields: FieldsReader) -> tuple[Plane, Plane]:
    cannulas = read_cannulas(run)
    axis = axis_of(fields, cannulas)
    if axis is not None:
        return planes_through([*axis, 0.0], (0.0, 0.0, 1.0))
    if not cannulas:
        return planes_through((0.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    tip, direction = np.mean([c.tip for c in cannulas], axis=0), np.sum([c.direction for c in cannulas], axis=0)
    direction = direction if np.linalg.norm(direction) > 0.1 else cannulas[0].direction
    return planes_through(tip.tolist(), direction.tolist())


@dataclass(frozen=True)
class _MapPanel:
    """The values of one map at points of a plane, shape (SIDE, SIDE)."""

    plane: Plane
    x: FloatArray
    y: FloatArray
    """Coordinates in the plane, shape (SIDE,) [mm]."""
    difference: FloatArray
    """[K]"""
    levels: tuple[FloatArray, ...]
    """Level of the verdict rule of each run."""


def _panel(plane: Plane, middle: FloatArray, half: float, sides: Any) -> _MapPanel:
    """Return the values of one map."""
    centre = plane.coordinates(middle[None])[0]
    line = np.linspace(-half, half, SIDE)
    x, y = centre[0] + line, centre[1] + line
    points = plane.positions(np.column_stack([each.ravel() for each in np.meshgrid(x, y)]))
    found = [values_at(run, fields, frames, points) for run, fields, frames in sides]
    levels = [next(iter(each.levels.values()), np.full((1, len(points)), -1.0))[0] for each in found]
    difference = found[1].temperature[0] - found[0].temperature[0]
    shape = (SIDE, SIDE)
    return _MapPanel(plane, x, y, difference.reshape(shape), tuple(level.reshape(shape) for level in levels))


def _draw(ax: Any, panel: _MapPanel, top: float) -> Any:
    x, y, plane = panel.x, panel.y, panel.plane
    ax.set_rasterization_zorder(2)
    shades = style.colour_map("difference", style.DIFFERENCE_MAP)
    bands = np.linspace(-top, top, 61)
    filled = ax.contourf(x, y, panel.difference, bands, cmap=shades, antialiased=False, zorder=1)
    for level, colour, dashes in zip(panel.levels, style.COMPARED, DASHES, strict=False):
        if (level > 0).any():
            ax.contour(x, y, level, [0.0], colors="white", linewidths=3.2, alpha=0.75, zorder=3)
            ax.contour(x, y, level, [0.0], colors=colour, linewidths=1.8, linestyles=[dashes], zorder=4)
    ax.set_aspect("equal")
    ax.set_facecolor("#eef0f3")
    ax.set_xlabel(plane.across_label, labelpad=2)
    ax.set_ylabel(plane.along_label, labelpad=1)
    ax.set_title(plane.title, loc="left", color=style.INK, pad=5)
    return filled


def _key(fig: Any, run: RunData, letters: tuple[str, str]) -> None:
    from matplotlib.lines import Line2D

    rule = rule_label(run.rules()[0]) if run.rules() else "lesion"
    styles = zip(letters, style.COMPARED, DASHES, strict=False)
    lines = [
        Line2D([], [], color=colour, linestyle=dashes, label=f"lesion of {letter}, {rule}")
        for letter, colour, dashes in styles
    ]
    fig.legend(handles=lines, loc="lower left", bbox_to_anchor=(0.05, 0.0), ncols=2)
