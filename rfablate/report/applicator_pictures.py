"""Pictures of the applicators in the library, to scale: side view, and for a tube a section along the axis."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.case.geometry.applicator_axes import applicator_frame
from rfablate.case.geometry.applicator_parts import Tine, bare_length, lumen, tines_of, tip_profile
from rfablate.case.tables.geometry_tables import Applicator
from rfablate.physics.library import applicator_model
from rfablate.report import figure_style as style
from rfablate.report.map_labels import dimension

SIZE_IN = (6.0, 6.0)
SHEET_IN = (10.4, 6.2)
SHEET_COLUMNS = 4
SHAFT_MM, STEP_MM = 4.0, 3.4
"""Length of shaft shown on a sheet, and distance between its cannulae [mm]."""
COOLANT = "#8cc6dd"
MM = 1e3
EDGE: dict[str, Any] = {"edgecolor": "#3c4552", "linewidth": 0.8}


def write_picture(name: str, folder: Path) -> Path:
    """Write the PNG picture of the applicator `name` of the library into `folder` and return its path.

    Raises:
        KeyError: the library has no such model.
        OSError: the file cannot be written.
    """
    file = folder / f"{name}.png"
    folder.mkdir(parents=True, exist_ok=True)
    _draw(name, Applicator.model_validate(applicator_model(name))).savefig(file, dpi=110)
    return file


def _draw(name: str, applicator: Applicator) -> Any:
    fig = style.figure(*SIZE_IN)
    ax = fig.add_axes((0.1, 0.08, 0.86, 0.84))
    ax.set_aspect("equal")
    r, active = 0.5 * applicator.outer_diameter * MM, applicator.active_tip * MM
    lines = [_side_on(tine) for tine in tines_of(applicator)]
    low = min([0.0, *(float(line[:, 1].min()) for line in lines)])
    wide = max([r, *(float(np.abs(line[:, 0]).max()) for line in lines)])
    bare = bare_length(applicator) * MM
    top = bare + 0.35 * (bare - low)
    cut = 3.0 * r + 0.3 * active if applicator.wall is not None else 0.0
    for line, tine in zip(lines, tines_of(applicator), strict=True):
        _tine(ax, line, tine.radius * MM)
    _cannula(_Drawing(ax, applicator, 0.0), top)
    if applicator.wall is not None:
        _cannula(_Drawing(ax, applicator, cut), top)
        _lumen(_Drawing(ax, applicator, cut), top)
        x, z = _side(applicator, top + 0.02 * (top - low))
        ax.text(cut + x, z, "section", ha="center", va="bottom", color=style.MUTED)
    x, z = _side(applicator, applicator.sensor_offset * MM)
    ax.plot([cut + x], [z], marker="o", markersize=4, color="#b5307a", zorder=6)
    _sizes(ax, applicator, wide, (low, top))
    reach = 0.5 * max(top - low, 2.0 * (wide + cut)) * 1.3
    middle = (0.5 * cut, 0.5 * (low + top))
    ax.set_xlim(middle[0] - reach, middle[0] + reach)
    ax.set_ylim(middle[1] - reach, middle[1] + reach)
    ax.set_xlabel("mm")
    ax.set_ylabel("mm from the tip")
    ax.set_title(f"{name}    (light: active surface; dot: sensor)", loc="left")
    return fig


def _side(applicator: Applicator, s: float) -> FloatArray:
    """Return the point (x, z) of the centre line [mm] at the arc length `s` [mm] from the tip."""
    return np.asarray(applicator_frame(applicator).centre_line(np.array([s / MM]))[0, [0, 2]] * MM)


def _side_on(tine: Tine) -> FloatArray:
    """Return the centre line of a tine in the side view, shape (n, 2) [mm]: x across, z along the axis."""
    return np.asarray(tine.at(np.linspace(0.0, tine.length, 101))[:, [0, 2]] * MM)


def _tine(ax: Any, line: FloatArray, radius: float) -> None:
    """Draw the outline of a tine: its centre line offset to both sides; a tine seen end-on becomes a bar."""
    from matplotlib.patches import Polygon

    along = np.gradient(line, axis=0)
    length = np.linalg.norm(along, axis=1)
    along = np.where(length[:, None] > 1e-9, along / np.maximum(length, 1e-9)[:, None], [[0.0, -1.0]])
    across = radius * np.stack([-along[:, 1], along[:, 0]], axis=1)
    outline = np.concatenate([line + across, (line - across)[::-1]])
    ax.add_patch(Polygon(outline, facecolor=style.METAL_ACTIVE, zorder=2, **EDGE))


@dataclass(frozen=True)
class _Drawing:
    """An applicator drawn in axes."""

    ax: Any
    applicator: Applicator
    x: float
    """Shift sideways [mm]."""


def _cannula(drawing: _Drawing, top: float) -> None:
    applicator = drawing.applicator
    r, active = 0.5 * applicator.outer_diameter * MM, applicator.active_tip * MM
    distal = [(MM * across, MM * along) for across, along in tip_profile(applicator)]
    _fill(drawing, [(-r, active), *distal, (r, active)], style.METAL_ACTIVE, 3)
    _fill(drawing, [(-r, top), (-r, active), (r, active), (r, top)], style.METAL_SHAFT, 3)
    if applicator.ring is not None:
        end = bare_length(applicator) * MM
        start = end - applicator.ring.length * MM
        _fill(drawing, [(-r, end), (-r, start), (r, start), (r, end), (-r, end)], style.METAL_ACTIVE, 3)


def _fill(drawing: _Drawing, corners: list[tuple[float, float]], colour: str, z: int) -> None:
    """Fill a polygon with corners (across, along) relative to the centre line [mm]."""
    from matplotlib.patches import Polygon

    fine = np.concatenate([np.linspace(a, b, 33) for a, b in itertools.pairwise(corners)]) / MM
    points = applicator_frame(drawing.applicator).at(fine[:, 0], np.zeros(len(fine)), fine[:, 1]) * MM
    drawing.ax.add_patch(Polygon(points[:, [0, 2]] + (drawing.x, 0.0), facecolor=colour, zorder=z, **EDGE))


def _lumen(drawing: _Drawing, top: float) -> None:
    ax, applicator, x = drawing.ax, drawing.applicator, drawing.x
    inner, start = (length * MM for length in lumen(applicator))
    colour = "white" if applicator.coolant is None else COOLANT
    _fill(drawing, [(-inner, top), (-inner, start), (inner, start), (inner, top)], colour, 4)
    if applicator.coolant is not None:
        label = f"coolant\n{applicator.coolant.temperature:g} °C"
        ax.annotate(label, (x + 0.5 * applicator.outer_diameter * MM, 0.5 * (start + top)), (6, 0),
                    textcoords="offset points", va="center", color=style.MUTED)  # fmt: skip


def _sizes(ax: Any, applicator: Applicator, wide: float, span: tuple[float, float]) -> None:
    low, top = span
    r, active = 0.5 * applicator.outer_diameter * MM, applicator.active_tip * MM
    end, shaft = _side(applicator, active), _side(applicator, top + 0.02 * (top - low))
    beside = shaft[0] - r - 0.08 * (top - low)
    dimension(ax, (beside, 0.0), (beside, end[1]), f"active tip\n{active:g} mm", side="left")
    ax.text(*shaft, f"{2 * r:.4g} mm", ha="center", va="bottom", color=style.INK)
    if applicator.tines is not None:
        below = low - 0.06 * (top - low)
        dimension(ax, (-wide, below), (wide, below), f"width {2 * wide:.3g} mm", side="below")


def write_sheet(title: str, names: list[str], file: Path) -> Path:
    """Write a picture of the cannulae `names`, grouped by gauge and to one scale, and return its path.

    Tubes are shown in section along the axis.

    Raises:
        KeyError: the library has no such model.
        OSError: the file cannot be written.
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.split("-")[1], []).append(name)
    rows = -(-len(groups) // SHEET_COLUMNS)
    fig = style.figure(*SHEET_IN)
    for number, (gauge, members) in enumerate(groups.items()):
        row, column = divmod(number, SHEET_COLUMNS)
        wide, tall = 1.0 / SHEET_COLUMNS, 0.93 / rows
        ax = fig.add_axes((column * wide + 0.005, 0.93 - (row + 1) * tall, wide - 0.01, 0.96 * tall))
        _group(ax, gauge, [Applicator.model_validate(applicator_model(name)) for name in members])
    fig.text(0.01, 0.975, f"{title}    (light: active surface; dot: sensor; all to the same scale)", va="center")
    fig.savefig(file, dpi=100)
    return file


def _group(ax: Any, gauge: str, members: list[Applicator]) -> None:
    ax.set_aspect("equal")
    ax.set_axis_off()
    for number, applicator in enumerate(members):
        x, active = number * STEP_MM, applicator.active_tip * MM
        _cannula(_Drawing(ax, applicator, x), active + SHAFT_MM)
        if applicator.wall is not None:
            _lumen(_Drawing(ax, applicator, x), active + SHAFT_MM)
        ax.plot([x], [applicator.sensor_offset * MM], marker="o", markersize=2.5, color="#b5307a", zorder=6)
        ax.text(x, -0.7, f"{active:g}", ha="center", va="top", color=style.MUTED, fontsize=8)
    for patch in ax.patches:
        patch.set_linewidth(0.4)
    ax.text(-0.5 * STEP_MM, 20.6, f"{gauge.upper()}, {members[0].outer_diameter * MM:g} mm", va="bottom")
    ax.text(5 * STEP_MM, -2.2, "active tip (mm)", ha="right", va="top", color=style.MUTED, fontsize=8)
    ax.set_xlim(-0.7 * STEP_MM, 5.7 * STEP_MM)
    ax.set_ylim(-3.6, 22.4)
