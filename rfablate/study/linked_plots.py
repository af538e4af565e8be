"""The linked plots of study.html: a row of the study that is marked in one plot is marked in all of them.

The installed package Bokeh (extra `report`) describes the plots, and its browser file in the page draws them. All
texts of a study are plain text to it: no TeX, no markup.
"""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.report import figure_style as style
from rfablate.report.browser_library import browser_file, licence_of
from rfablate.study.study_data import Varied, level_means, response_title, running_mean
from rfablate.study.study_figures import axis_heights, axis_marks, strongest

LIBRARY = "bokeh"
MOST_ROWS = 5000
"""Largest number of rows in linked plots: with more, a mark follows the pointer too slowly [B]."""
MOST_AXES, MOST_RESPONSES = 5, 4
WIDTH_PX, HEIGHT_PX = 1000, 205
POINT, SMALL_POINT, MARKED = 8, 5, 15
"""Size of a point, of one among more than `FEW_ROWS`, and of a marked one [px]."""
FEW_ROWS = 60
LETTER_PX = 6.5
"""Width of a character of the axis titles [px]."""
INK, HOT = style.MUTED, style.TEMPERATURE_MAP[7]
ABSENT = (
    "The linked plots require the package bokeh, which is not installed. Install the extra report "
    "(pip install -e '.[report]' in the folder of rfablate) and repeat the command."
)
Numbers = Sequence[tuple[str, FloatArray]]


@dataclass(frozen=True)
class LinkedPlots:
    """Description of the plots as JSON data, the library as text; or the reason why there are none."""

    item: dict[str, Any] | None = None
    library: str = ""
    notice: str = ""
    """Licence of the library."""
    reason: str = ""
    reports: tuple[str, ...] = ()
    """Address of each row's page, relative to study.html; '' where there is none."""


def linked_plots(axes: Sequence[Varied], responses: Numbers, names: Sequence[str], pages: Sequence[str]) -> LinkedPlots:
    """Return the plots of a study.

    Args:
        axes: varied axes.
        responses: name and numbers of each shown response.
        names: member of each row, for the values under the pointer.
        pages: address of the page of each row, relative to study.html.
    """
    file = browser_file(LIBRARY, "server/static/js/bokeh.min.js")
    if file is None:
        return LinkedPlots(reason=ABSENT)
    if len(names) > MOST_ROWS:
        return LinkedPlots(reason=f"No linked plots: {len(names)} rows; at most {MOST_ROWS} can be linked.")
    from bokeh.embed import json_item

    shown = _Plots(axes, list(responses)[:MOST_RESPONSES], names)
    item = dict(json_item(shown.layout()))
    return LinkedPlots(item, file.read_text(encoding="utf-8"), licence_of(LIBRARY), reports=tuple(pages))


class _Plots:
    """The plots of a study over one table of rows."""

    def __init__(self, axes: Sequence[Varied], responses: Numbers, names: Sequence[str]) -> None:
        from bokeh.models import ColumnDataSource

        self._responses = responses
        self._axes = strongest(axes, responses[0][1], MOST_AXES)
        self._all_axes = list(axes)
        columns: dict[str, Any] = {"member": list(names)}
        for n, axis in enumerate(axes):
            columns |= {f"x{n}": axis.x, f"label{n}": _labels(axis)}
        for n, (_, y) in enumerate(responses):
            columns[f"y{n}"] = y
        heights = [axis_heights(axis.levels, axis.x) for axis in axes] + [axis_heights(y, y) for _, y in responses]
        lines = np.array(heights).T
        columns["lines_y"] = lines.tolist()
        columns["lines_x"] = [list(range(lines.shape[1]))] * len(lines)
        self._rows = ColumnDataSource(data=columns, name="rows")

    def layout(self) -> Any:
        """Return the plots as one layout."""
        from bokeh.layouts import column, gridplot

        grid = [[self._over_axis(n, axis) for axis in self._axes] for n in range(len(self._responses))]
        grid += [self._against_each_other()] if len(self._responses) > 1 else []
        plots = gridplot(grid, merge_tools=True, toolbar_location="right", toolbar_options={"logo": None})
        return column(plots, self._parallel(), name="linked")

    def _over_axis(self, response: int, axis: Varied) -> Any:
        """Return the plot of a response over an axis: rows as points, their mean as a line."""
        number = self._all_axes.index(axis)
        name, y = self._responses[response]
        plot = self._plot(axis.title, response_title(name), len(self._axes), log=axis.log)
        self._points(plot, f"x{number}", f"y{response}")
        x, means = running_mean(axis, y) if axis.ranged else (axis.levels, level_means(axis, y)[0])
        plot.line(np.asarray(x), np.asarray(means), color=HOT, line_width=1.4, line_alpha=0.7)
        _ticks(plot.xaxis[0], axis)
        return plot

    def _against_each_other(self) -> list[Any]:
        """Return the plots of each further response over the first."""
        plots = []
        for n in range(1, len(self._responses)):
            across, up = (response_title(self._responses[m][0]) for m in (0, n))
            plot = self._plot(across, up, max(2, len(self._axes)))
            self._points(plot, "y0", f"y{n}")
            plots.append(plot)
        return plots

    def _parallel(self) -> Any:
        """Return the parallel coordinates: a line for each row over all axes and responses."""
        from bokeh.models import FixedTicker

        titles = [axis.title for axis in self._all_axes] + [response_title(name) for name, _ in self._responses]
        plot = self._plot("", "", 1)
        drawn = plot.multi_line("lines_x", "lines_y", source=self._rows, color=self._colour(), line_width=1.4)
        drawn.glyph.line_alpha = 0.55
        drawn.hover_glyph = drawn.glyph.clone(line_color=HOT, line_width=4, line_alpha=1.0)
        drawn.nonselection_glyph = drawn.glyph.clone(line_alpha=0.06)
        self._tools(plot, drawn, "follow_mouse")
        plot.yaxis.visible = False
        plot.xgrid.grid_line_color, plot.xgrid.grid_line_width = INK, 1
        places = list(range(len(titles)))
        plot.xaxis.ticker = FixedTicker(ticks=places)
        letters = int(WIDTH_PX / len(titles) / LETTER_PX)
        plot.xaxis.major_label_overrides = {
            place: _text(textwrap.fill(title, letters)) for place, title in zip(places, titles, strict=True)
        }
        plot.xaxis.major_label_text_color = style.INK
        marked = [axis_marks(axis, axis.x) for axis in self._all_axes] + [
            axis_marks(None, y) for _, y in self._responses
        ]
        marks = [(place, height, label) for place, each in enumerate(marked) for height, label in each]
        across, up, labels = (list(each) for each in zip(*marks, strict=True))
        plot.text(across, up, labels, x_offset=5, text_font_size="11px", text_baseline="middle", text_color=style.INK)
        plot.x_range.start, plot.x_range.end = -0.3, len(titles) - 0.3
        return plot

    def _plot(self, x_title: str, y_title: str, columns: int, *, log: bool = False) -> Any:
        """Return an empty plot, `columns` of which stand side by side."""
        from bokeh.plotting import figure

        plot = figure(
            width=WIDTH_PX // columns, height=HEIGHT_PX, tools="", x_axis_type="log" if log else "linear",
            outline_line_color=None, toolbar_location=None,
        )  # fmt: skip
        plot.min_border_left, plot.min_border_right = 8, 12
        for axis, title in ((plot.xaxis[0], x_title), (plot.yaxis[0], y_title)):
            axis.axis_label = _text(title) if title else None
            axis.axis_label_text_font_style = "normal"
            axis.axis_label_text_font_size = axis.major_label_text_font_size = "11px"
            axis.axis_label_text_color = axis.major_label_text_color = INK
            axis.axis_line_color = axis.major_tick_line_color = "#9aa4b1"
            axis.minor_tick_line_color = None
            ticker: Any = axis.ticker
            ticker.desired_num_ticks = 4 if axis is plot.xaxis[0] else 6
        plot.xgrid.grid_line_color, plot.ygrid.grid_line_color = None, "#e6e9ee"
        return plot

    def _points(self, plot: Any, x: str, y: str) -> None:
        """Draw all rows as points, larger where they are marked."""
        few = len(self._responses[0][1]) <= FEW_ROWS
        look = {"size": POINT if few else SMALL_POINT, "line_color": "#ffffff" if few else None}
        drawn = plot.scatter(x, y, source=self._rows, fill_color=self._colour(), **look)
        drawn.hover_glyph = drawn.glyph.clone(size=MARKED, fill_color=HOT, line_color=style.INK)
        drawn.nonselection_glyph = drawn.glyph.clone(fill_alpha=0.12, line_alpha=0.0)
        self._tools(plot, drawn)

    def _tools(self, plot: Any, drawn: Any, policy: Literal["snap_to_data", "follow_mouse"] = "snap_to_data") -> None:
        """Give a plot the values under the pointer, the choice of rows by a box, and zoom."""
        from bokeh.models import BoxSelectTool, HoverTool, ResetTool, TapTool, WheelZoomTool

        hover = HoverTool(renderers=[drawn], tooltips=self._tips, point_policy=policy, attachment="horizontal")
        plot.add_tools(hover, TapTool(renderers=[drawn], behavior="inspect"))
        if policy == "snap_to_data":  # lines have no choice by a box
            box = BoxSelectTool(renderers=[drawn])
            plot.add_tools(box, WheelZoomTool(), ResetTool())
            plot.toolbar.active_drag = box

    @functools.cached_property
    def _tips(self) -> list[tuple[str, str]]:
        """Label and column of each value under the pointer."""
        named = [(axis.title, f"@label{n}") for n, axis in enumerate(self._all_axes)]
        return named + [(response_title(name), f"@y{n}{{0.0[00]}}") for n, (name, _) in enumerate(self._responses)]

    def _colour(self) -> Any:
        """Return the colours of the rows by the first response."""
        from bokeh.transform import linear_cmap

        known = self._responses[0][1][np.isfinite(self._responses[0][1])]
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
        return linear_cmap("y0", list(style.DAMAGE_MAP[3:]), low, high if high > low else low + 1.0)


def _labels(axis: Varied) -> list[str]:
    """Return the label of the axis in each row."""
    if axis.named:
        return [axis.labels[int(x)] for x in axis.x]
    known = dict(zip(axis.levels.tolist(), axis.labels, strict=True))
    return [known.get(float(x), f"{x:g}") for x in axis.x]


def _ticks(drawn: Any, axis: Varied) -> None:
    """Put the ticks of an axis on its levels, with their labels, where it has few."""
    from bokeh.models import FixedTicker

    if axis.ranged or axis.log:
        return
    drawn.ticker = FixedTicker(ticks=axis.levels.tolist())
    drawn.major_label_overrides = {
        level: _text(label) for level, label in zip(axis.levels.tolist(), axis.labels, strict=True)
    }


def _text(text: str) -> Any:
    """Return a text that is never read as TeX."""
    from bokeh.models import PlainText

    return PlainText(text=text)
