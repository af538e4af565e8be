"""Figures of a study as SVG: main effects, interactions, contours, parallel coordinates, Pareto front."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.report import figure_style as style
from rfablate.results.wording import short
from rfablate.study.study_data import Varied, effect, finite, level_means, pareto_front, response_title, running_mean

BLUE, HOT = style.DAMAGE_MAP[7], style.TEMPERATURE_MAP[7]
MOST_AXES = 6
"""Largest number of axes in a figure; with more axes only those with the largest effect are drawn."""
CONTOURS_A_ROW = 3
TITLE_LETTERS = 16
"""Largest number of characters in a line of an axis title in parallel coordinates; longer words are not broken."""


def main_effects(axes: Sequence[Varied], responses: Sequence[tuple[str, FloatArray]]) -> str:
    """Return the SVG of the mean of each response over each axis, with the range of all rows as a band."""
    axes = strongest(axes, responses[0][1], MOST_AXES)
    fig, grid = _panels(len(responses), len(axes), tall=1.5)
    for row, (name, y) in zip(grid, responses, strict=True):
        for ax, axis in zip(row, axes, strict=True):
            if axis.ranged:
                thin = 0.25 if len(y) > 300 else 0.6
                ax.plot(axis.x, y, "o", color=BLUE, alpha=thin, markersize=3, markeredgewidth=0)
                ax.plot(*running_mean(axis, y), color=HOT, linewidth=1.6)
            else:
                means, low, high = level_means(axis, y)
                ax.fill_between(axis.levels, low, high, color=BLUE, alpha=0.12, linewidth=0)
                ax.plot(axis.levels, means, "o-", color=BLUE, markersize=3.5, linewidth=1.6)
            _scale(ax, axis)
            ax.set_ylim(*_limits(y))
            if ax is not row[0]:
                ax.tick_params(labelleft=False)
            if row is grid[-1]:
                ax.set_xlabel(axis.title, labelpad=2)
        row[0].set_title(response_title(name), loc="left", color=style.INK)
    return style.svg(fig, "Main effects")


def interactions(axes: Sequence[Varied], name: str, y: FloatArray) -> str:
    """Return the SVG of the mean of a response over one axis for each level of another, for all pairs of axes.

    Returns '' where fewer than two axes have levels.
    """
    few = [axis for axis in strongest(axes, y, 5) if not axis.ranged]
    if len(few) < 2:
        return ""
    fig, grid = _panels(len(few) - 1, len(few) - 1, tall=1.55, right=0.75)
    for row, column in itertools.product(range(len(few) - 1), repeat=2):
        ax = grid[row][column]
        if column > row:
            ax.set_visible(False)
            continue
        across, lines = few[column], few[row + 1]
        colours = _shades(len(lines.levels))
        for level, label, colour in zip(lines.levels, lines.labels, colours, strict=True):
            means = level_means(across, np.where(lines.x == level, y, np.nan))[0]
            ax.plot(across.levels, means, "o-", color=colour, markersize=2.5, linewidth=1.2, label=label)
        _scale(ax, across)
        ax.set_ylim(*_limits(y))
        if row == len(few) - 2:
            ax.set_xlabel(across.title, labelpad=2)
        if column:
            ax.tick_params(labelleft=False)
        if column == row:
            ax.legend(title=lines.title, loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=7.5, title_fontsize=8)
    grid[0][0].set_title(response_title(name), loc="left", color=style.INK)
    return style.svg(fig, "Interactions")


def contours(axes: Sequence[Varied], responses: Sequence[tuple[str, FloatArray]]) -> str:
    """Return the SVG of contours of each response over the two numeric axes with the largest effect on the first one.

    Values are means over the other axes. Returns '' where fewer than two axes are numeric.
    """
    numeric = strongest([axis for axis in axes if not axis.named or len(axis.levels) > 2], responses[0][1], 2)
    if len(numeric) < 2:
        return ""
    across, up = numeric
    rows = math.ceil(len(responses) / CONTOURS_A_ROW)
    columns = math.ceil(len(responses) / rows)
    fig, grid = _panels(rows, columns, tall=2.3, gap=0.8, right=0.5)
    panels = list(itertools.chain.from_iterable(grid))
    for number, (ax, (name, y)) in enumerate(zip(panels, responses, strict=False)):
        drawn = _contour(ax, across, up, y)
        if drawn is not None:
            bar = fig.colorbar(drawn, ax=ax, fraction=0.06, pad=0.03)
            bar.outline.set_visible(False)
            bar.ax.tick_params(labelsize=7)
        ax.set_title(response_title(name), loc="left", color=style.INK)
        if number + columns >= len(responses):
            ax.set_xlabel(across.title, labelpad=2)
        if number % columns == 0:
            ax.set_ylabel(up.title)
        _scale(ax, across)
        _scale(ax, up, vertical=True)
        ax.grid(visible=False)
    for ax in panels[len(responses) :]:
        ax.set_visible(False)
    return style.svg(fig, "Contours")


def _contour(ax: Any, across: Varied, up: Varied, y: FloatArray) -> Any:
    colours = style.colour_map("sizes", style.DAMAGE_MAP[:-2])
    if across.ranged or up.ranged:
        kept = np.isfinite(y)
        if kept.sum() < 4:
            return None
        drawn = ax.tricontourf(across.x[kept], up.x[kept], y[kept], levels=9, cmap=colours)
        ax.plot(across.x[kept], up.x[kept], ".", color=style.INK, markersize=1.5, alpha=0.5)
        return drawn
    means = np.array([level_means(across, np.where(up.x == level, y, np.nan))[0] for level in up.levels])
    if not np.isfinite(means).any() or np.nanmax(means) == np.nanmin(means):
        return None
    drawn = ax.contourf(across.levels, up.levels, means, levels=9, cmap=colours)
    lines = ax.contour(across.levels, up.levels, means, levels=drawn.levels[1:-1:2], colors=style.INK, linewidths=0.6)
    ax.clabel(lines, fontsize=7, inline_spacing=2)
    return drawn


def parallel(axes: Sequence[Varied], responses: Sequence[tuple[str, FloatArray]]) -> str:
    """Return the SVG of parallel coordinates: each row is a line over all axes, coloured by the first response."""
    name, first = responses[0]
    scales = [(axis.title, axis.x, axis) for axis in axes] + [(response_title(n), y, None) for n, y in responses]
    fig = style.figure(style.WIDTH_IN, 3.0)
    ax = fig.add_axes((0.04, 0.12, 0.92, 0.68))
    low, high = _limits(first, room=0.0)
    colours = style.colour_map("sizes", style.DAMAGE_MAP[2:])
    heights = np.array(
        [axis_heights(axis.levels, x) if axis is not None else axis_heights(x, x) for _, x, axis in scales]
    )
    rows = np.flatnonzero(np.isfinite(heights).all(axis=0))
    thin = max(0.08, min(0.8, 60 / max(1, len(rows))))
    for n in rows[np.argsort(first[rows])]:
        colour = colours((first[n] - low) / (high - low))
        ax.plot(range(len(scales)), heights[:, n], color=colour, linewidth=0.8, alpha=max(0.25, thin))
    for place, (title, x, axis) in enumerate(scales):
        ax.axvline(place, color=style.MUTED, linewidth=0.8)
        ax.annotate(
            textwrap.fill(title, TITLE_LETTERS, break_long_words=False),
            (place, 1.07),
            ha="center",
            va="bottom",
            fontsize=7.5,
            annotation_clip=False,
        )
        for height, label in axis_marks(axis, x):
            ax.annotate(
                label, (place, height), (3, 0), textcoords="offset points", fontsize=7, va="center", gid=f"halo{place}"
            )
    ax.set_xlim(-0.1, len(scales) - 0.75)
    ax.set_ylim(-0.04, 1.04)
    ax.axis("off")
    return style.svg(fig, f"Parallel coordinates, coloured by {response_title(name)}")


def axis_heights(levels: FloatArray, x: FloatArray) -> FloatArray:
    """Return `x` from 0 at the lowest of `levels` to 1 at the highest."""
    low, high = np.nanmin(levels), np.nanmax(levels)
    result: FloatArray = (x - low) / (high - low if high > low else 1.0)
    return result


def axis_marks(axis: Varied | None, x: FloatArray) -> list[tuple[float, str]]:
    """Return height (0 to 1) and label of each mark on a line of parallel coordinates; axis None: a response."""
    if axis is not None and not axis.ranged:
        return list(zip(map(float, axis_heights(axis.levels, axis.levels)), axis.labels, strict=True))
    low, high = _limits(x, room=0.0)
    return [(height, short(low + height * (high - low))) for height in (0.0, 0.5, 1.0)]


def pareto(goals: Sequence[tuple[str, str, FloatArray]], names: Sequence[str]) -> tuple[str, list[int]]:
    """Return the SVG of all rows over two goals with their Pareto front, and the rows of the front.

    goals: two tuples of sense (`min` or `max`), column name and numbers.
    """
    (sense_x, name_x, x), (sense_y, name_y, y) = goals
    front = pareto_front(x if sense_x == "min" else -x, y if sense_y == "min" else -y)
    fig = style.figure(0.62 * style.WIDTH_IN, 3.1)
    ax = fig.add_axes((0.1, 0.14, 0.87, 0.8))
    ax.plot(x, y, "o", color=BLUE, alpha=0.35, markersize=3.5, markeredgewidth=0)
    ax.plot(x[front], y[front], "o-", color=HOT, markersize=5, linewidth=1.2, drawstyle="steps-post")
    notes = {"min": "minimised", "max": "maximised"}
    ax.set_xlabel(f"{response_title(name_x)}, {notes[sense_x]}")
    ax.set_ylabel(f"{response_title(name_y)}, {notes[sense_y]}")
    _plain(ax)
    return style.svg(fig, "Pareto front"), front


def strongest(axes: Sequence[Varied], y: FloatArray, count: int) -> list[Varied]:
    """Return the `count` axes with the largest effect on `y`, in descending order; all axes where there are no more."""
    if len(axes) <= count:
        return list(axes)
    return sorted(axes, key=lambda axis: -effect(axis, y))[:count]


# --- drawing --------------------------------------------------------------------------------------


def _panels(rows: int, columns: int, tall: float, gap: float = 0.3, right: float = 0.1) -> tuple[Any, list[list[Any]]]:
    """Return a full-width figure and its grid of panels, each `tall` inches high."""
    left, head, foot = 0.5, 0.32, 0.2
    height = rows * (tall + head + foot) + 0.2
    fig = style.figure(style.WIDTH_IN, height)
    width = min(3.4, (style.WIDTH_IN - left - right - (columns - 1) * gap) / columns)
    grid = []
    for row in range(rows):
        bottom = height - (row + 1) * (tall + head + foot) + foot
        boxes = [
            ((left + n * (width + gap)) / style.WIDTH_IN, bottom / height, width / style.WIDTH_IN, tall / height)
            for n in range(columns)
        ]
        grid.append([fig.add_axes(box) for box in boxes])
    for ax in itertools.chain.from_iterable(grid):
        _plain(ax)
    return fig, grid


def _plain(ax: Any) -> None:
    for spine in ("top", "right"):
        ax.spines[spine].set_visible(False)
    ax.grid(axis="y", color="#e6e9ee", linewidth=0.6)
    ax.set_axisbelow(True)


def _scale(ax: Any, axis: Varied, *, vertical: bool = False) -> None:
    which = ax.yaxis if vertical else ax.xaxis
    if axis.log:
        (ax.set_yscale if vertical else ax.set_xscale)("log")
    elif not axis.ranged and len(axis.levels) <= 6:
        near = 0.11 * (axis.levels[-1] - axis.levels[0])
        labels, last = [], -np.inf
        for level, label in zip(axis.levels, axis.labels, strict=True):
            labels.append(label if level - last > near else "")
            last = level if labels[-1] else last
        which.set_ticks(axis.levels, labels)


def _limits(y: FloatArray, room: float = 0.05) -> tuple[float, float]:
    values = finite(y) or [0.0, 1.0]
    low, high = min(values), max(values)
    if high <= low:
        low, high = low - 0.5, high + 0.5
    return low - room * (high - low), high + room * (high - low)


def _shades(count: int) -> list[Any]:
    shades = style.colour_map("levels", style.DAMAGE_MAP[3:])
    return [shades(n / max(1, count - 1)) for n in range(count)]
