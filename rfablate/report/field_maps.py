"""Report figures: temperature and damage on slices through the applicator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.report import figure_style as style
from rfablate.report.map_labels import Placer
from rfablate.results.field_slices import Slice, isolines, outline
from rfablate.results.run_view import View
from rfablate.results.wording import duration, rule_label

ISOTHERMS = (45.0, 50.0, 60.0, 80.0)
"""Labelled isotherms [degC]: nerve injury, ex vivo lesion, instant coagulation, near the set point."""
MILD = (38.0, 40.0, 42.0)
"""Labelled isotherms of a run that stays below all of `ISOTHERMS` [degC]."""
EARLIER: dict[str, Any] = {"color": style.LESION, "linewidth": 1.1, "linestyle": (0, (4, 2.5))}
"""Line style of the lesion outline of an earlier treatment."""
KILLED_99 = float(-np.log(0.01))
"""Omega at which 99 % of the tissue is dead."""


def temperature_figure(view: View) -> str:
    """Return the SVG of the temperature at the end of heating, with isotherms and the lesion of the verdict rule."""
    fig, axes, bar = style.map_canvas(len(view.slices))
    for number, ax in enumerate(axes):
        filled = heat_panel(ax, view, number)
    heat_bar(fig, bar, filled)
    draw_key(fig, view, list(view.levels)[:1], columns=None if len(axes) > 1 else 3)
    return style.svg(fig, f"Temperature at {duration(view.time_s)} on slices through the applicator")


def heat_panel(ax: Any, view: View, number: int) -> Any:
    """Draw the complete temperature panel of slice `number`; return the filled contours."""
    top = max(5 * np.ceil(float(view.temperature.max()) / 5), 40.0)
    levels = np.linspace(min(float(np.floor(view.temperature.min())), top - 5), top, 61)
    piece = view.windowed(number)
    values = piece.at(view.temperature)
    filled = _fill(ax, piece, piece.triangles, values, _Shades(levels, style.colour_map("heat", style.TEMPERATURE_MAP)))
    placer = _frame(ax, view, number)
    _finish(ax, view, number, placer, list(view.levels)[:1])
    tissue = piece.triangles[view.tissue(piece)]
    levels_shown = ISOTHERMS if view.temperature.max() > ISOTHERMS[0] else MILD
    isotherms = {level: isolines(piece.points, tissue, values, level) for level in levels_shown}
    for level, lines in isotherms.items():
        _lines(ax, lines, color="#3a2430", linewidth=0.7, zorder=4)
        placer.isotherm(lines, f"{level:g}")
    placer.block([line for lines in isotherms.values() for line in lines])
    _names(view, piece, placer)
    return filled


def heat_bar(fig: Any, bar: Any, filled: Any) -> None:
    """Draw the colour bar of a `heat_panel` into the axes `bar`."""
    low, high = filled.levels[0], filled.levels[-1]
    step = 10 if high - low > 25 else 2
    _bar(fig, bar, filled, "°C", [level for level in np.arange(0, high + 0.1 * step, step) if level >= low])


def damage_figure(view: View) -> str:
    """Return the SVG of the Arrhenius fraction of dead tissue, with the lesion outline of each rule."""
    levels = np.linspace(0, 100, 51)
    levels[-1] += 1e-6  # values equal to the last level would stay unfilled
    fig, axes, bar = style.map_canvas(len(view.slices))
    shades = _Shades(levels, style.colour_map("damage", style.DAMAGE_MAP))
    rules = list(view.levels)
    for number, ax in enumerate(axes):
        piece = view.windowed(number)
        omega = np.exp(piece.at(np.log(np.maximum(view.omega, 1e-12))))
        tissue = piece.triangles[view.tissue(piece)]
        filled = _fill(ax, piece, tissue, -100 * np.expm1(-omega), shades)
        placer = _frame(ax, view, number)
        lines = isolines(piece.points, tissue, omega, KILLED_99)
        _lines(ax, lines, color="white", linewidth=0.8, zorder=4)
        _finish(ax, view, number, placer, rules)
        _names(view, piece, placer)
    _bar(fig, bar, filled, "% dead", [0, 20, 40, 60, 80, 100])
    draw_key(fig, view, rules, columns=None if len(axes) > 1 else 3)
    return style.svg(fig, f"Dead tissue at {duration(view.end_s)} on slices through the applicator")


@dataclass(frozen=True)
class _Shades:
    """Colours of a map and the values between them."""

    levels: FloatArray
    colours: Any


def probability_figure(view: View, probability: FloatArray, rule: str) -> str:
    """Return the SVG of the probability of a lesion, with lines at 5, 50 and 95 %.

    Args:
        view: the run on whose mesh the probability is given.
        probability: from 0 to 1, shape (nodes,).
        rule: label of the lesion rule, for the description.
    """
    levels = np.linspace(0.0, 100.0, 51)
    levels[-1] += 1e-6
    fig, axes, bar = style.map_canvas(len(view.slices))
    shades = _Shades(levels, style.colour_map("damage", style.DAMAGE_MAP))
    for number, ax in enumerate(axes):
        piece = view.windowed(number)
        tissue, values = piece.triangles[view.tissue(piece)], 100.0 * piece.at(probability)
        filled = _fill(ax, piece, tissue, values, shades)
        placer = _frame(ax, view, number)
        _finish(ax, view, number, placer, ())
        for level, dashes in ((5.0, (0, (1.5, 1.5))), (50.0, "-"), (95.0, (0, (5, 2)))):
            lines = isolines(piece.points, tissue, values, level)
            _lines(ax, lines, color="white", linewidth=2.4, alpha=0.75, zorder=5)
            _lines(ax, lines, color=style.LESION, linewidth=1.2, linestyle=dashes, zorder=5.5)
            placer.isotherm(lines, f"{level:g}")
        _names(view, piece, placer)
    _bar(fig, bar, filled, "%", [0, 20, 40, 60, 80, 100])
    draw_key(fig, view, (), columns=None if len(axes) > 1 else 3)
    return style.svg(fig, f"Probability of a lesion by {rule} on slices through the applicator")


def _fill(ax: Any, piece: Slice, triangles: Any, values: FloatArray, shades: _Shades) -> Any:
    levels = shades.levels
    ax.set_rasterization_zorder(2)  # the map becomes an image; lines and text above it stay vectors
    inside = np.clip(values, levels[0], levels[-1])
    x, y = piece.points.T
    return ax.tricontourf(x, y, triangles, inside, levels=levels, cmap=shades.colours, antialiased=False, zorder=1)


def _frame(ax: Any, view: View, number: int) -> Placer:
    """Set the window, the axes in mm and the title; return the label placer of the panel."""
    (x, y), half, plane = view.centres[number], view.half_size, view.slices[number].plane
    ax.set_xlim(x - half, x + half)
    ax.set_ylim(y - half, y + half)
    ax.set_aspect("equal")
    ax.set_facecolor("#eef0f3")
    ax.set_xlabel(plane.across_label, labelpad=2)
    ax.set_ylabel(plane.along_label, labelpad=1)
    ax.set_title(plane.title, loc="left", color=style.INK, pad=5)
    for axis in (ax.xaxis, ax.yaxis):
        axis.get_major_locator().set_params(nbins=8, steps=[1, 2, 5, 10])
    return Placer(ax, (x - half, x + half), (y - half, y + half))


def _finish(ax: Any, view: View, number: int, placer: Placer, rules: Sequence[str]) -> None:
    """Draw lesion outlines, the cannula and the structures on a panel."""
    piece = view.windowed(number)
    styles = style.rule_styles(view.run.rules())
    for rule in reversed(rules):
        colour, dashes = styles[rule]
        lines = view.lesion(piece, rule)
        _lines(ax, lines, color="white", linewidth=3.2, alpha=0.75, zorder=5)
        _lines(ax, lines, color=colour, linewidth=1.8, linestyle=dashes, zorder=5.5)
        placer.block(lines)
    _lines(ax, view.earlier(piece), zorder=5.6, **EARLIER)
    placer.block(draw_metal(ax, view, piece))
    colours = style.structure_colours(view.run)
    for tag, name in view.structures(piece):
        lines = view.outline(number, piece, tag, name)
        role = style.role(view.run, name)
        width = style.ROLE_WIDTHS[role]
        how = {"color": colours[name], "linewidth": width, "linestyle": style.ROLE_DASHES[role]}
        _lines(ax, lines, color="white", linewidth=width + 1.4, alpha=0.7, zorder=6)
        _lines(ax, lines, **how, zorder=6.5)
        placer.block(lines)


def _names(view: View, piece: Slice, placer: Placer) -> None:
    """Write the names of the structures in the panel, the smallest structure first."""
    colours = style.structure_colours(view.run)
    inside = {
        name: piece.points[piece.triangles[piece.region == tag]].mean(axis=1) for tag, name in view.structures(piece)
    }
    for name in sorted(inside, key=lambda name: float(np.ptp(inside[name], axis=0).max())):
        placer.structure(inside[name], name, colours[name])


def draw_metal(ax: Any, view: View, piece: Slice) -> list[FloatArray]:
    """Draw the cannulae, active tip light and shaft dark, and return their outlines.

    A cannula is drawn from its mesh region, or from its dimensions where the mesh has none.
    """
    _draw_rings(ax, view, piece)
    outlines: list[FloatArray] = []
    for cannula in view.cannulas:
        tags = [tag for tag, name in view.names.items() if name in cannula.regions]
        metal = np.isin(piece.region, tags)
        if not np.any(metal) and piece.plane.distance(cannula.tip) > 0.5 * cannula.diameter:
            continue  # not in this slice
        plane = piece.plane
        origin = plane.coordinates(cannula.tip[None])[0]
        along = np.array([cannula.direction @ plane.across, cannula.direction @ plane.along])
        if np.any(metal):
            depth = (piece.points - origin) @ along
            levels = [depth.min() - 1, cannula.span, max(depth.max(), cannula.span) + 1]
            ax.tricontourf(
                *piece.points.T,
                piece.triangles[metal],
                depth,
                levels=levels,
                colors=[style.METAL_ACTIVE, style.METAL_SHAFT],
                zorder=7,
            )
            lines = outline(piece.points, piece.triangles, metal)
            _lines(ax, lines, color="#3c4552", linewidth=0.6, zorder=7.1)
            outlines += lines
        elif np.linalg.norm(along) > 0.99:
            _draw_rectangle(ax, cannula.diameter, cannula.span, origin, along)
    return outlines


def _draw_rings(ax: Any, view: View, piece: Slice) -> None:
    """Fill the mesh regions of the ring electrodes."""
    from matplotlib.patches import Polygon

    for name in view.run.rings():
        tags = [tag for tag, region in view.names.items() if region == f"{name}_ring"]
        for line in outline(piece.points, piece.triangles, np.isin(piece.region, tags)):
            ax.add_patch(Polygon(line, facecolor=style.RING, edgecolor="#3c4552", linewidth=0.6, zorder=7.2))


def _draw_rectangle(ax: Any, diameter: float, active: float, origin: FloatArray, along: FloatArray) -> None:
    from matplotlib.patches import Polygon

    side = np.array([-along[1], along[0]]) * diameter / 2
    for start, end, colour in ((0.0, active, style.METAL_ACTIVE), (active, 1000.0, style.METAL_SHAFT)):
        a, b = origin + start * along, origin + end * along
        corners = [a - side, a + side, b + side, b - side]
        ax.add_patch(Polygon(corners, facecolor=colour, edgecolor="#3c4552", linewidth=0.6, zorder=7))


def _lines(ax: Any, lines: Sequence[FloatArray], **how: Any) -> None:
    from matplotlib.collections import LineCollection

    if lines:
        ax.add_collection(LineCollection(lines, capstyle="butt", joinstyle="round", **how), autolim=False)


def _bar(fig: Any, bar: Any, filled: Any, title: str, ticks: Sequence[float]) -> None:
    colorbar = fig.colorbar(filled, cax=bar, ticks=list(ticks))
    colorbar.outline.set_visible(False)
    bar.set_rasterization_zorder(3)
    bar.set_title(title, loc="left", color=style.MUTED, pad=8)


def draw_key(
    fig: Any, view: View, rules: Sequence[str], *, columns: int | None = None, corner: tuple[float, float] = (0.0, 0.0)
) -> None:
    """Draw the legend of lines and fills below the panels.

    columns: largest number of columns. corner: lower left corner of the legend in figure fractions.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    styles = style.rule_styles(view.run.rules())
    handles: list[Any] = [
        Line2D([], [], color=styles[rule][0], linestyle=styles[rule][1], linewidth=1.8, label=rule_label(rule))
        for rule in rules
    ]
    if view.before is not None:
        handles.append(Line2D([], [], **EARLIER, label="before this treatment"))
    handles.append(Patch(facecolor=style.METAL_ACTIVE, edgecolor="#3c4552", linewidth=0.6, label="active tip"))
    if view.run.rings():
        handles.append(Patch(facecolor=style.RING, edgecolor="#3c4552", linewidth=0.6, label="ring electrode"))
    handles.append(Patch(facecolor=style.METAL_SHAFT, edgecolor="#3c4552", linewidth=0.6, label="insulated shaft"))
    fig.legend(
        handles=handles, loc="lower left", bbox_to_anchor=corner, handlelength=2.2,
        ncols=min(len(handles), columns or len(handles)),
    )  # fmt: skip
