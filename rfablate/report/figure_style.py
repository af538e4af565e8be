"""Colours, line styles and matplotlib settings of all report figures."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from markupsafe import Markup, escape

from rfablate.results.run_reader import RunData

# Two colour maps with equal steps of CIELAB colour difference, from light to dark, so that they work in greyscale.
TEMPERATURE_MAP = "#fbf9f3 #ffedc9 #fddb9b #fac16e #f7a24b #f4813d #ea5b35 #c43c33 #a52237 #83163a #62153d".split()
DAMAGE_MAP = "#f6fafa #d2f2ef #a8e3e1 #7ccfd2 #4bb9c5 #0fa3bd #0090b7 #0079a9 #006396 #004f86 #1a3c76".split()
DIFFERENCE_MAP = "#1a3c76 #0079a9 #4bb9c5 #a8e3e1 #fbfbf9 #fddb9b #f7a24b #ea5b35 #83163a".split()
"""From colder over equal to hotter; equal steps of lightness on both sides."""
COMPARED = ("#b3541e", "#0079a9", "#6b4e9b", "#4c9a2a", "#b5307a", "#5a6675", "#007f8c", "#8a6a3b")
"""Colour of the lesions of each compared run."""

INK = "#1c2430"
MUTED = "#5d6878"
RULE_LINE = "#d5dae1"
LESION = "#10213f"
RULE_COLOURS = (LESION, "#0079a9", "#b3541e", "#6b4e9b")
RULE_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
METAL_ACTIVE = "#c9ced6"
METAL_SHAFT = "#6f7987"
RING = "#8fc1ea"

# Colour and line style both show the role: solid targets, dashed protected structures, thin anatomy.
ROLE_COLOURS = {
    "target": ("#00745c", "#4c9a2a", "#007f8c"),
    "protect": ("#7b2d90", "#b5307a", "#4a3fb0"),
    "anatomy": ("#5a6675", "#8a6a3b", "#3f74a3", "#7d7d3a", "#b08968", "#2f4858", "#7fa3b5", "#a39a86"),
}
ROLE_DASHES: Mapping[str, Any] = {"target": "-", "protect": (0, (4, 1.6)), "anatomy": "-"}
ROLE_WIDTHS = {"target": 1.7, "protect": 1.7, "anatomy": 1.0}

WIDTH_IN = 8.8
"""Width of a full-width figure [in]: text of 8.5 pt is then 13 px on a laptop screen and 6.8 pt on A4."""

_KEPT: ContextVar[list[Any] | None] = ContextVar("kept figures", default=None)


def role(run: RunData, name: str) -> str:
    """Return the role of a structure; "anatomy" where it has none."""
    found = str(run.table("structures")[name].get("role"))
    return found if found in ROLE_COLOURS else "anatomy"


def structure_colours(run: RunData) -> dict[str, str]:
    """Return the colour of each structure, the same in all pictures."""
    colours, used = {}, dict.fromkeys(ROLE_COLOURS, 0)
    for name in run.table("structures"):
        shades = ROLE_COLOURS[role(run, name)]
        colours[name] = shades[used[role(run, name)] % len(shades)]
        used[role(run, name)] += 1
    return colours


def rule_styles(rules: Sequence[str]) -> dict[str, tuple[str, Any]]:
    """Return colour and dashes of each lesion rule, the same in all figures."""
    return {
        rule: (RULE_COLOURS[i % len(RULE_COLOURS)], RULE_DASHES[i % len(RULE_DASHES)]) for i, rule in enumerate(rules)
    }


def colour_map(name: str, colours: Sequence[str]) -> Any:
    """Return a matplotlib colour map of evenly spaced colours."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list(name, list(colours))


def figure(width: float, height: float) -> Any:
    """Return an empty figure of the given size [in]; needs no display."""
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams.update(
        {
            "font.family": "sans-serif",
            "font.sans-serif": ["DejaVu Sans"],  # for text sizes only; the page sets its own font
            "font.size": 8.5,
            "axes.titlesize": 8.5,
            "axes.labelsize": 8.5,
            "xtick.labelsize": 8,
            "ytick.labelsize": 8,
            "legend.fontsize": 8,
            "axes.edgecolor": "#9aa4b1",
            "axes.labelcolor": MUTED,
            "axes.linewidth": 0.7,
            "xtick.color": "#9aa4b1",
            "ytick.color": "#9aa4b1",
            "xtick.labelcolor": MUTED,
            "ytick.labelcolor": MUTED,
            "xtick.major.size": 2.5,
            "ytick.major.size": 2.5,
            "xtick.major.width": 0.7,
            "ytick.major.width": 0.7,
            "text.color": INK,
            "legend.frameon": False,
            "svg.fonttype": "none",
            "svg.hashsalt": "rfablate",  # reproducible SVG identifiers
        }
    )
    return Figure(figsize=(width, height))


def map_canvas(panels: int) -> tuple[Any, list[Any], Any]:
    """Return a figure, its one or two square panels and the axes of a colour bar on the right."""
    width = WIDTH_IN if panels > 1 else WIDTH_IN / 2
    left, gap, right = 0.52, 0.62, 0.62
    side = (width - left - right - gap * (panels - 1)) / panels
    bottom, height = 0.78, 0.78 + side + 0.3
    fig = figure(width, height)
    axes = [
        fig.add_axes(((left + i * (side + gap)) / width, bottom / height, side / width, side / height))
        for i in range(panels)
    ]
    bar = fig.add_axes(
        ((width - right + 0.12) / width, (bottom + 0.15 * side) / height, 0.11 / width, 0.7 * side / height)
    )
    return fig, axes, bar


@contextmanager
def kept() -> Iterator[list[Any]]:
    """Yield a list to which every figure is added that becomes an SVG in the `with` block."""
    figures: list[Any] = []
    before = _KEPT.set(figures)
    try:
        yield figures
    finally:
        _KEPT.reset(before)


def outline_labels(fig: Any) -> None:
    """Draw a white outline around the labels on maps, as the style sheet of a page does."""
    from matplotlib.patheffects import withStroke

    for text in fig.findobj(lambda artist: str(artist.get_gid() or "").startswith("halo")):
        text.set_path_effects([withStroke(linewidth=2.2, foreground=(1, 1, 1, 0.85))])


def svg(fig: Any, description: str) -> Markup:
    """Return a figure as inline SVG that scales with the page; text is kept as text."""
    figures = _KEPT.get()
    if figures is not None:
        figures.append(fig)
    buffer = io.StringIO()
    fig.savefig(buffer, format="svg", dpi=220, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"([^>]*?) width="[^"]*"', r"\1\2", text, count=1)
    text = text.replace("<svg", f'<svg role="img" aria-label="{escape(description)}"', 1)
    return Markup(re.sub(r'\s*xmlns:xlink="[^"]*"|\s*version="1.1"', "", text).replace("xlink:href", "href"))
