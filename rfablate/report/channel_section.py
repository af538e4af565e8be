"""Report section: the output of each channel of the generator."""

from __future__ import annotations

from rfablate.report.html_elements import table
from rfablate.results.run_reader import RunData
from rfablate.results.wording import number

COLUMNS = (
    ("power_W", "power (W)", 2),
    ("voltage_V", "voltage (V)", 1),
    ("current_A", "current (A)", 3),
    ("impedance_ohm", "impedance (Ω)", 1),
    ("sensor_degC", "sensor (°C)", 1),
    ("energy_J", "energy (J)", 0),
    ("on_s", "time on (s)", 0),
)


def channels(run: RunData) -> str:
    """Return the table of the channels, each at the end of its heating; '' without channels."""
    found = run.table("channels")
    rows = [[name, *(number(each.get(key), digits) for key, _, digits in COLUMNS)] for name, each in found.items()]
    caption = "Channels, each at the end of its heating"
    return table(("channel", *(head for _, head, _ in COLUMNS)), rows, caption=caption) if rows else ""
