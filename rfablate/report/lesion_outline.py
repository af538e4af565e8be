"""Report figure: dimension drawing of the lesion outline and the cannula, to scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.report import figure_style as style
from rfablate.report.field_maps import draw_metal
from rfablate.report.map_labels import dimension
from rfablate.results.run_view import View
from rfablate.results.wording import number

SIZE_IN = (3.6, 3.9)
"""Size of the drawing [in]."""


def dimension_drawing(view: View) -> str:
    """Return the SVG of the lesion of the verdict rule with dimensions and of the other rules' outlines.

    Returns '' where there is no lesion or no cannula.
    """
    if not view.levels:
        return ""
    rule = next(iter(view.levels))
    card = view.run.table("lesion").get(rule) or {}
    outlines = [view.lesion(piece, rule) for piece in view.slices]
    widths = [np.ptp(np.concatenate(lines)[:, 0]) if lines else 0.0 for lines in outlines]
    widest = int(np.argmax(widths))
    if not outlines[widest] or not view.cannulas:
        return ""
    fig = style.figure(*SIZE_IN)
    ax = fig.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    ax.set_aspect("equal")
    _draw_lesions(ax, view, widest)
    box = _box(outlines[widest])
    _window(ax, box)
    _silhouette(ax, view, widest)
    draw_metal(ax, view, view.windowed(widest))
    _dimensions(ax, view, widest, box, card)
    return style.svg(fig, f"Outline of the lesion: {number(card.get('width_mm'))} mm wide")


def _box(lines: list[FloatArray]) -> FloatArray:
    points = np.concatenate(lines)
    return np.array([points.min(axis=0), points.max(axis=0)])


def _draw_lesions(ax: Any, view: View, number_: int) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.tri import Triangulation

    styles = style.rule_styles(view.run.rules())
    piece = view.windowed(number_)
    for place, rule in enumerate(view.levels):
        colour, dashes = styles[rule]
        if place == 0:
            tissue = Triangulation(piece.points[:, 0], piece.points[:, 1], piece.triangles[view.tissue(piece)])
            level = piece.at(view.levels[rule])
            ax.tricontourf(tissue, level, levels=[0.0, max(float(level.max()), 0.0) + 1.0], colors=["#f3e1d4"])
        lines = view.lesion(piece, rule)
        ax.add_collection(
            LineCollection(lines, color=colour, linestyle=dashes, linewidth=1.6 if place == 0 else 0.9, zorder=4)
        )


def _window(ax: Any, box: FloatArray) -> None:
    """Set the axis limits with space around the lesion for the dimension lines."""
    width, height = box[1] - box[0]
    scale = max(width / (0.50 * SIZE_IN[0]), height / (0.64 * SIZE_IN[1]))
    middle = box.mean(axis=0)
    ax.set_xlim(middle[0] - 0.5 * scale * SIZE_IN[0], middle[0] + 0.5 * scale * SIZE_IN[0])
    ax.set_ylim(middle[1] - 0.48 * scale * SIZE_IN[1], middle[1] + 0.52 * scale * SIZE_IN[1])


def _silhouette(ax: Any, view: View, number_: int) -> None:
    """Draw the side view of a straight active tip in a pale colour: the slice may cut only part of a bevelled tip."""
    from matplotlib.patches import Rectangle

    cannula, plane = view.cannulas[0], view.slices[number_].plane
    if len(cannula.path):
        return
    x, y = plane.coordinates(cannula.tip[None])[0] - (cannula.diameter / 2, 0.0)
    tip = Rectangle((x, y), cannula.diameter, cannula.active_tip, facecolor="#f4f5f7", edgecolor="#9aa4b1")
    tip.set(linewidth=0.6, linestyle=(0, (2, 1.5)), zorder=1.4)
    ax.add_patch(tip)


def _dimensions(ax: Any, view: View, number_: int, box: FloatArray, card: Mapping[str, Any]) -> None:
    plane = view.slices[number_].plane
    cannula = view.cannulas[0]
    tip = plane.coordinates(cannula.tip[None])[0]
    end = tip[1] + cannula.span
    (left, low), (right, high) = box
    unit = (ax.get_xlim()[1] - ax.get_xlim()[0]) / SIZE_IN[0]  # [mm] per inch of the drawing
    below, outside, beside = low - 0.22 * unit, right + 0.22 * unit, left - 0.22 * unit
    for x in (left, right):
        _extension(ax, (x, (low + high) / 2), (x, below - 0.06 * unit))
    for y in (low, high):
        _extension(ax, ((left + right) / 2, y), (outside + 0.06 * unit, y))
    for y in (low, tip[1], end, high):
        _extension(ax, (tip[0], y), (beside - 0.06 * unit, y))
    dimension(ax, (left, below), (right, below), f"width {number(card.get('width_mm'))} mm", side="below")
    dimension(ax, (outside, low), (outside, high), f"length\n{number(card.get('length_mm'))} mm", side="right")
    spans = (
        (low, tip[1], f"distal\n{number(card.get('depth_distal_mm'))} mm"),
        (tip[1], end, f"active tip\n{number(cannula.active_tip)} mm"),
        (end, high, f"proximal\n{number(card.get('depth_proximal_mm'))} mm"),
    )
    for start, stop, text in spans:
        dimension(ax, (beside, start), (beside, stop), text, side="left")


def _extension(ax: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    ax.plot(*zip(start, end, strict=True), color="#9aa4b1", linewidth=0.5, linestyle=(0, (2, 2)), zorder=3)
