"""Report section: dose-volume histograms of the structures, and coverage of targets with margins."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from rfablate.report import figure_style as style
from rfablate.report.html_elements import table, together
from rfablate.report.page_templates import element
from rfablate.report.report_tables import definitions
from rfablate.results.quantities import COVERED_WITH_MARGIN, DOSE_VOLUME, STRUCTURE, Quantity
from rfablate.results.run_reader import RunData
from rfablate.results.wording import number, percent

SIDE_IN = 1.9
"""Height of a panel [in]."""
LEFT_IN, GAP_IN = 0.56, 0.36
"""Room for the labels of the vertical axis, and between panels [in]."""


def dose_volume(run: RunData) -> Markup:
    """Return the table of margins and the plot of the histograms; empty without structures that have them."""
    curves = run.table("structures")
    shown = [each for each in DOSE_VOLUME if any(each.key in (s.get("dose_volume") or {}) for s in curves.values())]
    if not shown:
        return Markup()
    figure = element("figure", _figure(run, shown))
    return together([_margins(run), figure, definitions(shown)])


def _margins(run: RunData) -> Markup:
    """Return the table of the covered fractions of targets with margins; empty without targets."""
    keys = ("covered_fraction", *COVERED_WITH_MARGIN)
    rows = [
        [name, *(percent(s.get(key)) for key in keys), number(s.get("min_margin_mm"), 2), _point(s)]
        for name, s in run.table("structures").items()
        if s.get(COVERED_WITH_MARGIN[0]) is not None
    ]
    if not rows:
        return Markup()
    head = ["target", "covered", "with 5 mm margin", "with 10 mm margin", "smallest margin (mm)", "at (mm)"]
    used = [each for each in STRUCTURE if each.key in (*keys, "min_margin_mm")]
    return table(head, rows, caption="Coverage of targets with margins") + definitions(used)


def _point(s: dict[str, Any]) -> str:
    point = s.get("min_margin_point_mm")
    return "–" if not point else "(" + ", ".join(number(x) for x in point) + ")"


def _figure(run: RunData, shown: list[Quantity]) -> Markup:
    """Return the SVG of the histograms: one panel for each quantity, one curve for each structure."""
    structures, colours = run.table("structures"), style.structure_colours(run)
    fig = style.figure(style.WIDTH_IN, SIDE_IN + 0.6)
    panel = (style.WIDTH_IN - LEFT_IN) / len(shown)
    for n, quantity in enumerate(shown):
        ax = fig.add_axes(((LEFT_IN + n * panel) / style.WIDTH_IN, 0.2, (panel - GAP_IN) / style.WIDTH_IN, 0.62))
        for name, s in structures.items():
            found = (s.get("dose_volume") or {}).get(quantity.key)
            if found:
                role = style.role(run, name)
                look = {"color": colours[name], "ls": style.ROLE_DASHES[role], "lw": style.ROLE_WIDTHS[role]}
                ax.plot(found["thresholds"], [100.0 * each for each in found["fractions"]], label=name, **look)
        ax.set_ylim(-2.0, 102.0)
        if quantity.key in ("cem43_min", "omega"):
            ax.set_xscale("log")
        if n == 0:
            ax.set_ylabel("volume at or above (%)")
        unit = quantity.unit.replace("degC", "°C")
        ax.set_xlabel(f"{quantity.label} ({unit})" if unit else quantity.label, labelpad=2)
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
    fig.legend(*fig.axes[0].get_legend_handles_labels(), loc="upper left", ncols=6, borderaxespad=0.2)
    return style.svg(fig, "Dose-volume histograms of the structures")
