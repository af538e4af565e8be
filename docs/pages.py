"""The gallery's page, made of its record, the cases' READMEs and nothing else. Pure."""

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

Every shipped case, what it asks and what it gave. `make gallery` makes this page, its numbers and its pictures
(`make gallery ARGS=trigeminal` one case's); nothing in it is typed. Left: the lesion in three dimensions at the end;
right: the temperature on a slice at the end of heating, with isotherms in °C. ± is the numerical error bar: how far a
number moves on a mesh twice as coarse with longer steps. It says nothing about tissue values, by far the larger
uncertainty. These numbers are no evidence that the model is right: what is compared with measurements stands in each
case's README. Wall times were taken beside other work, with meshes from the cache where it had them.

The applicators of the library are drawn in [applicators.md](applicators.md).
"""


def gallery_page(record: Mapping[str, Mapping[str, Any]]) -> str:
    """Return gallery.md of what the runs gave, a section a case."""
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
    """Return what a case asks: its README's first paragraph up to the first question mark, links from docs/."""
    text = (CASES / name / "README.md").read_text(encoding="utf-8")
    asked = re.sub(r"\s+", " ", text.split("\n", 1)[1].strip().partition("?")[0]) + "?"
    return re.sub(r"\]\(\.\./", "](../cases/", re.sub(r"(\]\(\.\./[\w]+)\)", r"\1/README.md)", asked))


def _clean(title: str) -> str:
    return title.replace(" degC", " °C")


def _numbers(entry: Mapping[str, Any]) -> list[str]:
    rows = [f"| {label(item['key'])[0]} | {number_text(item)} |" for item in entry["numbers"]]
    return [_escaped(entry["answer"]), "", "| | |", "|---|---|", *rows]


def number_text(item: Mapping[str, Any]) -> str:
    """Return a number with its error bar and unit, as the page shows it."""
    _, unit, scale, digits = label(item["key"])
    value = scale * item["value"]
    text = number(value, 0 if abs(value) >= 1000 else digits)
    if item["error"]:
        text += f" ± {short(float(format(scale * item['error'], '.1g')))}"
    return f"{text} {unit}"


def label(key: str) -> tuple[str, str, float, int]:
    """Return what a key of summary.json is in words, its unit here, what it is multiplied by, and its decimals."""
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
        when = {"before": "before this treatment", "added": "added by it", "after": "of all treatments"}[parts[3]]
        return f"{rule_label(parts[2])}, volume {when}", "mm³", 1.0, 1
    name, unit = split_unit(parts[-1])
    of = "" if parts[0] == "electric" else f"{' '.join(parts[:-1])}, "
    return f"{of}{name}".replace("_", " "), {"ohm": "Ω", "degC": "°C", "mm3": "mm³"}.get(unit, unit), 1.0, 2


def _trends(entry: Mapping[str, Any]) -> list[str]:
    rows = [
        f"| {t['title']} | {span(t['published'], t['unit'])} | {span(t['seen'], t['unit'])} |" for t in entry["trends"]
    ]
    key = "Grey: the printed range; dots: this program, one a gauge and tip."
    return [key, "", "| trend | printed | here, all gauges and tips |", "|---|---|---|", *rows]


def span(limits: tuple[float, float], unit: str) -> str:
    """Return a range as the READMEs write it: gains with their sign."""
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
