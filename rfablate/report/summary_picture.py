"""Summary picture of a run: the 3-D view next to the temperature on a slice, with legends."""

from __future__ import annotations

import io
import textwrap
from base64 import b64decode
from pathlib import Path
from typing import Any

import numpy as np

from rfablate.report import figure_style as style
from rfablate.report.field_maps import draw_key, heat_bar, heat_panel
from rfablate.report.picture_process import PICTURE, PictureJob
from rfablate.report.scene_3d import LESION, Picture
from rfablate.results.run_reader import RunData, load_run
from rfablate.results.run_view import View, load_view
from rfablate.results.wording import duration, rule_label

SIZE_IN = (10.4, 4.95)
DPI = 100
TITLE_CHARACTERS = 110
SCENE_IN, SLICE_IN = (0.12, 0.9, 4.9, 3.43), (5.75, 0.9, 3.43, 3.43)
"""Left, bottom, width and height of the two panels [in]."""


def write_summary_picture(directory: Path, target: Path) -> Path:
    """Write the summary picture of a run directory to the PNG file `target` and return its path. Root only.

    Raises:
        ValueError, OSError: the fields file cannot be read, or `target` cannot be written.
    """
    run = load_run(directory)
    job = PictureJob(directory, [PICTURE])
    try:
        view = load_view(run)
    finally:
        picture, _ = job.collect()
    fig = style.figure(*SIZE_IN)
    title = str(run.summary.get("title") or run.case.get("title") or directory.name).replace(" degC", " °C")
    fig.text(0.12 / SIZE_IN[0], 1 - 0.14 / SIZE_IN[1], textwrap.shorten(title, TITLE_CHARACTERS, placeholder=" …"),
             fontsize=11, va="top")  # fmt: skip
    _scene(fig, run, view, picture)
    _slice(fig, view)
    style.outline_labels(fig)
    fig.savefig(target, dpi=DPI, facecolor="white")
    return target


def _axes(fig: Any, box: tuple[float, float, float, float]) -> Any:
    """Return axes at a box of left, bottom, width, height [in]."""
    left, bottom, width, height = box
    return fig.add_axes((left / SIZE_IN[0], bottom / SIZE_IN[1], width / SIZE_IN[0], height / SIZE_IN[1]))


def _scene(fig: Any, run: RunData, view: View, picture: Picture) -> None:
    """Draw the 3-D picture with a scale bar and a colour legend below it."""
    from matplotlib.image import imread
    from matplotlib.patches import Patch

    ax = _axes(fig, SCENE_IN)
    ax.set_xticks([])
    ax.set_yticks([])
    rules = list(view.levels)[:1]
    lesion = [rule for rule in rules if (run.table("lesion").get(rule) or {}).get("volume_mm3")]
    what = "Lesion" if lesion else "No lesion" if rules else "Structures"
    ax.set_title(f"{what} ({rule_label(rules[0])}) at {duration(view.end_s)}" if rules else what, loc="left", pad=5)
    if not picture.url:
        ax.text(0.5, 0.5, textwrap.fill(f"No 3-D picture: {picture.reason}.", 60), ha="center", color=style.MUTED)
        return
    pixels = imread(io.BytesIO(b64decode(picture.url.partition(",")[2])), format="png")
    height, width = pixels.shape[:2]
    ax.imshow(pixels, extent=(0, picture.width_mm, 0, picture.width_mm * height / width), interpolation="antialiased")
    length = picture.scale_mm
    right, low = 0.97 * picture.width_mm, 0.04 * picture.width_mm * height / width
    ax.plot([right - length, right], [low, low], color=style.INK, linewidth=1.4, solid_capstyle="butt")
    ax.annotate(f"{length} mm", (right - length / 2, low), (0, 3), textcoords="offset points", ha="center")
    colours, structures = style.structure_colours(run), run.table("structures")
    keys = [(LESION, "lesion")] if lesion else []
    words = {"target": " (target)", "protect": " (protected)"}
    keys += [(colours[name], name + words.get(str(structures[name].get("role")), "")) for name in picture.shown]
    patches = [Patch(facecolor=colour, label=label) for colour, label in keys]
    fig.legend(
        handles=patches, loc="upper left", bbox_to_anchor=(0.05 / SIZE_IN[0], (SCENE_IN[1] - 0.06) / SIZE_IN[1]),
        ncols=3, handlelength=1.0, columnspacing=1.2,
    )  # fmt: skip


def _slice(fig: Any, view: View) -> None:
    """Draw the temperature on the most informative slice."""
    number = _best_slice(view)
    ax = _axes(fig, SLICE_IN)
    filled = heat_panel(ax, view, number)
    title = view.slices[number].plane.title
    where = title[0].lower() + title[1:] if title.startswith(("Plane", "Half")) else "a plane through the axis"
    ax.set_title(f"Temperature at {duration(view.time_s)}; {where}", loc="left", pad=5)
    left, bottom, width, height = SLICE_IN
    heat_bar(fig, _axes(fig, (left + width + 0.14, bottom + 0.15 * height, 0.11, 0.7 * height)), filled)
    draw_key(fig, view, list(view.levels)[:1], columns=3, corner=((left - 0.5) / SIZE_IN[0], 0.04 / SIZE_IN[1]))


def _best_slice(view: View) -> int:
    """Return the number of the slice with the most applicators, then targets and protected structures, then anatomy."""

    def content(number: int) -> tuple[int, int, int, float]:
        piece = view.windowed(number)
        roles = [style.role(view.run, name) for _, name in view.structures(piece)]
        lines = [line for rule in list(view.levels)[:1] for line in view.lesion(piece, rule)]
        width = float(np.ptp(np.concatenate(lines)[:, 0])) if lines else 0.0
        inside = sum(piece.plane.distance(cannula.tip) < 0.5 * cannula.diameter for cannula in view.cannulas)
        return inside, sum(role != "anatomy" for role in roles), len(roles), width

    return max(range(len(view.slices)), key=content)
