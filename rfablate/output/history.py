"""history.csv: one row a step. Root only."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path


class HistoryFile:
    """Writes rows as they come, so that a killed run leaves what it had."""

    def __init__(self, path: Path) -> None:
        """Open the file; the first row's keys become the header."""
        self._file = path.open("w", newline="")
        self._writer: csv.DictWriter[str] | None = None

    def append(self, row: Mapping[str, float | None]) -> None:
        """Write one row; None is an empty cell."""
        if self._writer is None:
            self._writer = csv.DictWriter(self._file, list(row))
            self._writer.writeheader()
        self._writer.writerow({key: "" if value is None else f"{value:.10g}" for key, value in row.items()})
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
