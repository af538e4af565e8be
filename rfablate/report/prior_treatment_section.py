"""Report section of a repeated treatment: lesion volumes before it and added by it."""

from __future__ import annotations

from pathlib import Path

from rfablate.report.html_elements import table
from rfablate.report.page_templates import element, render
from rfablate.results.run_reader import RunData
from rfablate.results.wording import is_number, number, rule_label


def added(run: RunData) -> str:
    """Return the table of lesion volumes before this treatment, added and after it; '' for a first treatment."""
    repeat = run.table("repeat")
    if not repeat:
        return ""
    rows, has_own_volume = [], False
    for rule, volume in repeat.get("volume_mm3", {}).items():
        increase = _percent_increase(volume.get("added"), volume.get("before"))
        cells = [number(volume.get(key)) for key in ("before", "added", "after")]
        rows.append([element("strong", rule_label(rule)), *cells, increase, number(volume.get("in_its_own_run"))])
        has_own_volume = has_own_volume or is_number(volume.get("in_its_own_run"))
    head = ["lesion volume, mm³", "before", "added", "after", "increase", "before, as in the earlier run"]
    count = len(head) if has_own_volume else len(head) - 1
    text = render(
        "prior_treatment.html",
        start=Path(str(repeat.get("start_from", ""))).name,
        cooled=bool(repeat.get("cooled")),
        has_own_volume=has_own_volume,
        same_mesh=bool(repeat.get("same_mesh")),
    )
    return table(head[:count], [row[:count] for row in rows], kind="repeat") + text


def _percent_increase(added: object, before: object) -> str:
    """Return the added volume in percent of the earlier volume as text; a dash below 0.05 mm3."""
    if not (is_number(added) and is_number(before)) or before < 0.05:
        return "–"
    return f"{100 * added / before:+.0f} %".replace("-", "−")
