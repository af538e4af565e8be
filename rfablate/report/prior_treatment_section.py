"""A second treatment of the same tissue on the page: what was there before, and what this one adds."""

from __future__ import annotations

from html import escape
from pathlib import Path

from rfablate.report.html_elements import table
from rfablate.results.run_reader import RunData
from rfablate.results.wording import is_number, number, rule_label


def added(run: RunData) -> str:
    """Make the table of volumes before, added by this treatment and after it; empty for a first treatment."""
    repeat = run.table("repeat")
    if not repeat:
        return ""
    rows, own = [], False
    for rule, volume in repeat.get("volume_mm3", {}).items():
        more = _percent_more(volume.get("added"), volume.get("before"))
        cells = [number(volume.get(key)) for key in ("before", "added", "after")]
        rows.append([f"<b>{escape(rule_label(rule))}</b>", *cells, more, number(volume.get("in_its_own_run"))])
        own = own or is_number(volume.get("in_its_own_run"))
    head = ["lesion, mm³", "before", "added", "after", "more", "before, in its own run"]
    count = len(head) if own else len(head) - 1
    start = Path(str(repeat.get("start_from", ""))).name
    state = "had cooled to body temperature" if repeat.get("cooled") else "was as warm as that run had left it"
    said = (
        f"This run starts from <code>{escape(start)}</code>; tissue {state}. Lesions and verdicts are of both "
        "together; dashed outlines on the slices: the lesion before this treatment."
    )
    if own:
        said += (
            " The meshes are the same."
            if repeat.get("same_mesh")
            else " The earlier run's own volume leaves out the room of its cannula, and its mesh is another one."
        )
    return table(head[:count], [row[:count] for row in rows], kind="repeat") + f'<p class="small">{said}</p>'


def _percent_more(added: object, before: object) -> str:
    """Format what is added in percent of what was there."""
    if not (is_number(added) and is_number(before)) or before < 0.05:
        return "–"
    return f"{100 * added / before:+.0f} %".replace("-", "−")
