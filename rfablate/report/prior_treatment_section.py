"""Report section of a repeated treatment: lesion volumes before it and added by it."""

from __future__ import annotations

from html import escape
from pathlib import Path

from rfablate.report.html_elements import table
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
        rows.append([f"<b>{escape(rule_label(rule))}</b>", *cells, increase, number(volume.get("in_its_own_run"))])
        has_own_volume = has_own_volume or is_number(volume.get("in_its_own_run"))
    head = ["lesion volume, mm³", "before", "added", "after", "increase", "before, as in the earlier run"]
    count = len(head) if has_own_volume else len(head) - 1
    start = Path(str(repeat.get("start_from", ""))).name
    state = "body temperature" if repeat.get("cooled") else "the final temperature of that run"
    text = (
        f"This run starts from <code>{escape(start)}</code> with the tissue at {state}. Lesions and verdicts include "
        "both treatments. Dashed outlines on the slices: lesion before this treatment."
    )
    if has_own_volume:
        text += (
            " Both runs have the same mesh."
            if repeat.get("same_mesh")
            else " The volume in the earlier run excludes the space of its cannula and refers to a different mesh."
        )
    return table(head[:count], [row[:count] for row in rows], kind="repeat") + f'<p class="small">{text}</p>'


def _percent_increase(added: object, before: object) -> str:
    """Return the added volume in percent of the earlier volume as text; a dash below 0.05 mm3."""
    if not (is_number(added) and is_number(before)) or before < 0.05:
        return "–"
    return f"{100 * added / before:+.0f} %".replace("-", "−")
