"""Report section of a replayed treatment: misfit between the model and the device log."""

from __future__ import annotations

from rfablate.case.messages.schema_guide import split_unit
from rfablate.report.html_elements import table
from rfablate.results.run_reader import RunData
from rfablate.results.wording import short


def misfit(run: RunData) -> str:
    """Return the table of modelled minus measured values, one row for each column that did not drive the model.

    Returns '' for a run without replay.
    """
    replay = run.table("replay")
    if not replay:
        return ""
    rows = []
    for column, found in replay["misfit"].items():
        name, unit = split_unit(column)
        unit = {"degC": "K", "ohm": "Ω"}.get(unit, unit)
        at = f"{short(found['largest'])} {unit} at {short(found['largest_at_s'])} s"
        rows.append([name, f"{short(found['rms'])} {unit}", at])
    caption = f"Modelled minus measured values; the model is driven by the logged {replay['driven_by']}"
    return table(("", "RMS", "largest"), rows, caption=caption)
