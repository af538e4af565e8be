"""Generates the gallery page from docs/gallery.json and the READMEs of the cases. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rfablate.case.messages.schema_guide import split_unit
from rfablate.report.report_tables import METRICS
from rfablate.results.wording import duration, number, rule_label, short

HERE = Path(__file__).parent
CASES = HERE.parent / "cases"
HEAD = """# Gallery

All shipped cases with their question and results. `make gallery` generates this page with its numbers and pictures
(`make gallery ARGS=trigeminal` updates one case). Left picture: the lesion in 3-D at the end of the run. Right picture:
the temperature on a slice at the end of heating, with isotherms in °C. ± is the numerical error bar, the change of a
number on a mesh twice as coarse with longer time steps. It does not include the uncertainty of the tissue properties,
which is much larger. These numbers are not a validation; the README of each case describes comparisons with
measurements. Wall times were measured while other programs were running, with meshes from the cache where available.

[applicators.md](applicators.md) shows the applicators of the library.
"""


def gallery_page(record: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the text of gallery.md, one section per case."""
    return "\n".join([HEAD, *(_section(name, entry) for name, entry in record.items())])


def _section(name: str, entry: Mapping[str, Any]) -> str:
    lines = [
        f"## [{_clean(entry['title'])}](../cases/{name}/README.md)",
        "",
        f"*{question(name)}*",
        "",
        f"![{_clean(entry['title'])}](pictures/{name}.png)",
        "",
        *(_trends(entry) if "trends" in entry else _numbers(entry)),
        "",
        *(_study_made(name, entry) if "trends" in entry else _made(name, entry)),
        "",
    ]
    return "\n".join(lines)


def question(name: str) -> str:
    """Return the question of a case: its README's first paragraph up to the first question mark, links from docs/."""
    text = (CASES / name / "README.md").read_text(encoding="utf-8")
    asked = re.sub(r"\s+", " ", text.split("\n", 1)[1].strip().partition("?")[0]) + "?"
    return re.sub(r"\]\(\.\./", "](../cases/", re.sub(r"(\]\(\.\./[\w]+)\)", r"\1/README.md)", asked))


def _clean(title: str) -> str:
    return title.replace(" degC", " °C")


def _numbers(entry: Mapping[str, Any]) -> list[str]:
    rows = [f"| {label(item['key'])[0]} | {number_text(item)} |" for item in entry["numbers"]]
    return [_escaped(entry["answer"]), "", "| | |", "|---|---|", *rows]


def number_text(item: Mapping[str, Any]) -> str:
    """Return a number with its error bar and unit, as shown on the page."""
    _, unit, scale, digits = label(item["key"])
    value = scale * item["value"]
    text = number(value, 0 if abs(value) >= 1000 else digits)
    if item["error"]:
        text += f" ± {short(float(format(scale * item['error'], '.1g')))}"
    return f"{text} {unit}"


def label(key: str) -> tuple[str, str, float, int]:
    """Return for a key of summary.json its label, the unit shown, the factor to that unit, and the decimals."""
    parts = key.split(".")
    if parts[0] == "lesion":
        quantity = {each.key: each for each in METRICS}[parts[2]]
        unit = quantity.unit.replace("mm3", "mm³")
        return f"{rule_label(parts[1])}, {quantity.label}", unit, 1.0, quantity.decimals
    if parts[0] == "structures":
        measure, unit, scale, digits = {
            "covered_fraction": ("inside the lesion", "%", 100.0, 0),
            "max_degC": ("maximum temperature", "°C", 1.0, 1),
            "coagulated_length_mm": ("coagulated length", "mm", 1.0, 1),
        }[parts[2]]
        return f"`{parts[1]}`, {measure}", unit, scale, digits
    if parts[:2] == ["repeat", "volume_mm3"]:
        when = {"before": "before this treatment", "added": "added by this treatment", "after": "after all treatments"}[
            parts[3]
        ]
        return f"{rule_label(parts[2])}, volume {when}", "mm³", 1.0, 1
    name, unit = split_unit(parts[-1])
    of = "" if parts[0] == "electric" else f"{' '.join(parts[:-1])}, "
    return f"{of}{name}".replace("_", " "), {"ohm": "Ω", "degC": "°C", "mm3": "mm³"}.get(unit, unit), 1.0, 2


def _trends(entry: Mapping[str, Any]) -> list[str]:
    rows = [
        f"| {t['title']} | {span(t['published'], t['unit'])} | {span(t['seen'], t['unit'])} |" for t in entry["trends"]
    ]
    key = "Grey: published range; dots: computed values, one per gauge and tip length."
    return [key, "", "| trend | published | computed, all gauges and tips |", "|---|---|---|", *rows]


def span(limits: tuple[float, float], unit: str) -> str:
    """Return a range in the format of the READMEs: percentages with their sign."""
    if unit == "%":
        return f"{limits[0]:+.0f} to {limits[1]:+.0f} %"
    return f"{limits[0]:.2g} to {limits[1]:.2g} {unit}"


def _made(name: str, entry: Mapping[str, Any]) -> list[str]:
    how = "axisymmetric" if entry["axisymmetric"] else "3-D"
    ranks = "one rank" if entry["ranks"] == 1 else f"{entry['ranks']} ranks"
    return [
        f"`rfablate run cases/{name}`: {how}, {entry['accuracy']} accuracy, {entry['nodes']:,} nodes, "
        f"{duration(entry['simulated_s'])} simulated in {entry['wall_s']:.0f} s of wall time on {ranks}; "
        f"{entry['day']}, {entry['versions']}."
    ]


def _study_made(name: str, entry: Mapping[str, Any]) -> list[str]:
    return [
        f"`rfablate study cases/{name}`: {entry['members']} runs, {duration(entry['wall_s'])} of one core; "
        f"{entry['day']}, {entry['versions']}."
    ]


def _escaped(text: str) -> str:
    return text.replace("_", "\\_").replace("*", "\\*")
