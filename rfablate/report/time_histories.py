"""Report figure: curves over time of temperatures, generator output, lesion size and structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.report import figure_style as style
from rfablate.results.run_reader import RunData
from rfablate.results.wording import limit_degC, rule_short

COLUMNS = 3
SIDE_IN, KEY_IN = 1.35, 0.165
"""Height of a panel, and of a row of its legend [in]."""
MEASURED: tuple[str, Any, float] = (style.INK, (0, (1, 1.4)), 1.2)
"""Colour, dashes and width of measured curves."""
READINGS = 200
"""Times at which the page has values for the pointer [1]."""
HEADLINES = ("sensor_degC", "power_W", "impedance_ohm")
HEADLINE_PANELS = ("Lesion width", "Lesion volume")
KEY_CHARACTERS = 47
"""Characters that fit in a row of a legend."""


@dataclass(frozen=True)
class HistoryCurve:
    """A column of the history and its line style."""

    column: str
    label: str
    colour: str
    dashes: Any = "-"
    width: float = 1.5


@dataclass(frozen=True)
class Panel:
    """One panel of the figure; `limits`: value and colour of the temperature limits."""

    title: str
    unit: str
    curves: tuple[HistoryCurve, ...]
    limits: tuple[tuple[float, str], ...] = ()
    percent: bool = False


def history_figure(run: RunData) -> str:
    """Return the SVG of the curves over time; '' where the history has less than two steps or no curves."""
    time = run.history.get("time_s")
    if time is None or len(time) < 2:
        return ""
    panels = _shown(run)
    if not panels:
        return ""
    rows = [panels[start : start + COLUMNS] for start in range(0, len(panels), COLUMNS)]
    keys = [max(len(_key_rows(panel)) for panel in row) for row in rows]
    heights = [KEY_IN * count + 0.3 + SIDE_IN + 0.28 for count in keys]
    height = sum(heights) + 0.18
    fig = style.figure(style.WIDTH_IN, height)
    left, gap, right = 0.46, 0.56, 0.08
    width = (style.WIDTH_IN - left - right - (COLUMNS - 1) * gap) / COLUMNS
    top = height
    for row, tall, key in zip(rows, heights, keys, strict=True):
        bottom = (top - tall + 0.28) / height
        for column, panel in enumerate(row):
            x = (left + column * (width + gap)) / style.WIDTH_IN
            ax = fig.add_axes((x, bottom, width / style.WIDTH_IN, SIDE_IN / height))
            _draw(ax, time, run.history, panel)
            ax.patch.set_gid(f"panel-{panels.index(panel)}")
            _head(ax, panel, key)
            if row is rows[-1]:
                ax.set_xlabel("time (s)", labelpad=2)
        top -= tall
    return style.svg(fig, "Curves over time")


def history_readings(run: RunData) -> dict[str, Any]:
    """Return times and values of the curves of `history_figure`, for the values under the pointer.

    `panels` are in the order of the figure; values are thinned to `READINGS` times, None where a value is missing.
    `headline` marks the curves whose values stand below the time slider of the scene.
    """
    time = run.history.get("time_s")
    if time is None or len(time) < 2:
        return {"time": [], "panels": []}
    kept = np.unique(np.linspace(0, len(time) - 1, min(len(time), READINGS)).round().astype(int))

    def values(curve: HistoryCurve, panel: Panel) -> list[float | None]:
        scaled = run.history[curve.column][kept] * (100.0 if panel.percent else 1.0)
        return [float(f"{value:.5g}") if np.isfinite(value) else None for value in scaled]

    return {
        "time": [float(f"{value:.6g}") for value in time[kept]],
        "panels": [
            {
                "title": panel.title,
                "unit": panel.unit,
                "curves": [
                    {
                        "label": curve.label,
                        "colour": curve.colour,
                        "values": values(curve, panel),
                        "headline": curve.column in HEADLINES or place == 0 and panel.title in HEADLINE_PANELS,
                    }
                    for place, curve in enumerate(panel.curves)
                ],
            }
            for panel in _shown(run)
        ],
    }


def _shown(run: RunData) -> list[Panel]:
    """Return the panels that have curves."""
    return [kept for panel in _panels(run) if (kept := _present(run.history, panel)) is not None]


def _panels(run: RunData) -> list[Panel]:
    rules, styles = run.rules(), style.rule_styles(run.rules())
    structures, colours = run.table("structures"), style.structure_colours(run)
    judged = [name for name, s in structures.items() if s.get("role") in ("target", "protect")]
    heat, blue = style.TEMPERATURE_MAP[7], style.DAMAGE_MAP[7]
    temperatures = (
        HistoryCurve("max_degC", "hottest point", "#c9822b", width=1.1),
        HistoryCurve("sensor_degC", "sensor", heat),
        HistoryCurve("setpoint_degC", "set point", style.INK, (0, (3, 2)), 1.0),
        HistoryCurve("measured_temperature_degC", "sensor, measured", *MEASURED),
    )

    def growth(quantity: str) -> tuple[HistoryCurve, ...]:
        return tuple(HistoryCurve(f"{rule}_{quantity}", rule_short(rule), *styles[rule]) for rule in rules)

    def found(quantity: str, roles: Sequence[str]) -> tuple[HistoryCurve, ...]:
        kept = [name for name in judged if structures[name].get("role") in roles]
        return tuple(
            HistoryCurve(f"{name}_{quantity}", name, colours[name], style.ROLE_DASHES[structures[name]["role"]])
            for name in kept
        )

    limits = {(limit, colours[n]) for n in judged if (limit := limit_degC(structures[n])) is not None}
    return [
        Panel("Temperature", "°C", temperatures),
        Panel(
            "Power",
            "W",
            (HistoryCurve("power_W", "power", blue), HistoryCurve("measured_power_W", "measured", *MEASURED)),
        ),
        Panel(
            "Voltage",
            "V",
            (HistoryCurve("voltage_V", "voltage", blue), HistoryCurve("measured_voltage_V", "measured", *MEASURED)),
        ),
        *_current(run, blue),
        Panel(
            "Impedance",
            "Ω",
            (
                HistoryCurve("impedance_ohm", "impedance", blue),
                HistoryCurve("measured_impedance_ohm", "measured", *MEASURED),
            ),
        ),
        *_channels(run),
        Panel("Lesion width", "mm", growth("width_mm")),
        Panel("Lesion length", "mm", growth("length_mm")),
        Panel("Lesion volume", "mm³", growth("volume_mm3")),
        Panel(
            "Maximum temperature of structures",
            "°C",
            found("max_degC", ("target", "protect")),
            tuple(sorted(limits)),
        ),
        Panel("Covered fraction", "%", found("covered_fraction", ("target", "protect")), percent=True),
    ]


def _channels(run: RunData) -> list[Panel]:
    """Return the panels of power, sensor temperature and impedance of several channels."""
    styles = style.rule_styles(list(run.table("channels")))
    shown = {
        "Power of each channel": ("power_W", "W"),
        "Sensor of each channel": ("sensor_degC", "°C"),
        "Impedance of each channel": ("impedance_ohm", "Ω"),
    }
    return [
        Panel(
            title, unit, tuple(HistoryCurve(f"channel_{name}_{column}", name, *drawn) for name, drawn in styles.items())
        )
        for title, (column, unit) in shown.items()
        if styles
    ]


def _current(run: RunData, colour: str) -> list[Panel]:
    """Return the panel of the current where a measured current exists; otherwise voltage and impedance are enough."""
    if "measured_current_A" not in run.history:
        return []
    curves = (HistoryCurve("current_A", "current", colour), HistoryCurve("measured_current_A", "measured", *MEASURED))
    return [Panel("Current", "A", curves)]


def _present(history: Mapping[str, FloatArray], panel: Panel) -> Panel | None:
    """Return the panel with the curves that have values in the history; None where no curve has."""
    curves = tuple(c for c in panel.curves if c.column in history and np.isfinite(history[c.column]).any())
    return Panel(panel.title, panel.unit, curves, panel.limits, panel.percent) if curves else None


def _key_rows(panel: Panel) -> list[list[HistoryCurve]]:
    """Return the rows of a panel's legend; none for a single curve."""
    rows: list[list[HistoryCurve]] = []
    room = 0
    for curve in panel.curves if len(panel.curves) > 1 else ():
        need = len(curve.label) + 6
        if need > room:
            rows.append([])
            room = KEY_CHARACTERS
        rows[-1].append(curve)
        room -= need
    return rows


def _head(ax: Any, panel: Panel, keys: int) -> None:
    """Draw title and legend above a panel; the titles of a row of panels have the same height."""
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D

    ax.set_title(f"{panel.title} ({panel.unit})", loc="left", color=style.INK, pad=7 + 72 * KEY_IN * keys)
    for number, row in enumerate(_key_rows(panel)):
        lines = [Line2D([], [], color=c.colour, linestyle=c.dashes, linewidth=c.width) for c in row]
        key = Legend(
            ax, lines, [c.label for c in row], loc="upper left", ncols=len(row), fontsize=7.5,
            handlelength=1.5, columnspacing=1.0, handletextpad=0.4, borderaxespad=0.0, borderpad=0.0,
            bbox_to_anchor=(0.0, 1 + (0.01 + KEY_IN * (keys - number)) / SIDE_IN),
            bbox_transform=ax.transAxes,
        )  # fmt: skip
        ax.add_artist(key)


def _draw(ax: Any, time: FloatArray, history: Mapping[str, FloatArray], panel: Panel) -> None:
    for curve in panel.curves:
        values = history[curve.column] * (100.0 if panel.percent else 1.0)
        ax.plot(time, values, color=curve.colour, linestyle=curve.dashes, linewidth=curve.width)
    low, high = ax.get_ylim()
    for value, colour in panel.limits:
        ax.axhline(value, color=colour, linewidth=0.8, alpha=0.8)
        high = max(high, value + 0.15 * (high - low))
        place, side = _free_side(time, history, panel, (value, value + 0.12 * (high - low)))
        ax.annotate(
            f"limit {value:g}", (place, value), (2 - 4 * place, 2), xycoords=("axes fraction", "data"),
            textcoords="offset points", ha=side, va="bottom", fontsize=7.5, color=colour, gid="halolimit",
        )  # fmt: skip
    if panel.unit != "°C":
        low = min(0.0, low)
    if panel.percent:
        low, high = -3, 103
    ax.set_ylim(low, high if high > low else low + 1)
    ax.set_xlim(float(time[0]), float(time[-1]))
    for spine in ("top", "right"):
        ax.spines[spine].set_visible(False)
    ax.grid(axis="y", color="#e6e9ee", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.locator_params(axis="y", nbins=5)


def _free_side(
    time: FloatArray, history: Mapping[str, FloatArray], panel: Panel, band: tuple[float, float]
) -> tuple[float, str]:
    """Return the place along a limit line, left, middle or right, where its label overlaps the curves least."""
    span = float(time[-1] - time[0])
    best, fewest = (1.0, "right"), np.inf
    for place, side in ((1.0, "right"), (0.0, "left"), (0.5, "center")):
        start = float(time[0]) + 0.78 * place * span
        at = np.linspace(start, start + 0.22 * span, 30)
        drawn = [np.interp(at, time, history[curve.column]) for curve in panel.curves]
        met = float(sum(((values > band[0]) & (values < band[1])).sum() for values in drawn))
        if met < fewest:
            best, fewest = (place, side), met
    return best
