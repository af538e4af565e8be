"""Report section: current and sensor temperature of each electrode at the end of heating."""

from __future__ import annotations

from rfablate.report.html_elements import table
from rfablate.results.run_reader import RunData
from rfablate.results.wording import is_number, number


def electrodes(run: RunData) -> str:
    """Return the table of electrodes; '' for a run with a single electrode."""
    found = run.table("electrodes")
    rows = []
    for name, tip in found.get("tips", {}).items():
        rows.append([name, str(tip.get("electrode", "–")), *_values(tip)])
    if not rows:
        return ""
    if is_number(found.get("return_current_A")):
        rows.append(["outer boundary", "return", *_values({"current_A": found["return_current_A"]})])
    caption = "Electrodes at the end of heating; current from electrode to tissue"
    return table(("", "role", "current, mA", "sensor, °C"), rows, caption=caption, texts=2)


def _values(tip: object) -> list[str]:
    assert isinstance(tip, dict)
    current = tip.get("current_A")
    return [number(1e3 * current) if is_number(current) else "–", number(tip.get("sensor_degC"))]
