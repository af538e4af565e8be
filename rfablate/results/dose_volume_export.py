"""A run's dose-volume histograms as a CSV table. Root only."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from rfablate.files import write_text
from rfablate.results.quantities import DOSE_VOLUME
from rfablate.results.run_reader import RunData

COLUMNS = ("structure", "role", "quantity", "unit", "threshold", "volume_fraction", "volume_mm3")


def export_dose_volume(run: RunData, file: Path) -> int:
    """Write one row for each structure, quantity and threshold; return the number of structures.

    Raises:
        ValueError: the run has no histograms.
        OSError: the file cannot be written.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    names = set()
    for name, s in run.table("structures").items():
        for quantity in DOSE_VOLUME:
            found = (s.get("dose_volume") or {}).get(quantity.key)
            if not found:
                continue
            names.add(name)
            head = (name, s["role"], quantity.key, quantity.unit)
            for threshold, fraction in zip(found["thresholds"], found["fractions"], strict=True):
                table.writerow([*head, f"{threshold:g}", f"{fraction:.6g}", f"{fraction * s['volume_mm3']:.6g}"])
    if not names:
        raise ValueError("no dose-volume histograms: the case has no structures, or an earlier version made the run")
    write_text(file, text.getvalue())
    return len(names)
