"""Writer of history.csv, one row for each accepted step. Root only."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path


class HistoryFile:
    """Writer of history.csv. Each row is flushed at once, so that a killed run keeps its rows."""

    def __init__(self, path: Path, kept: int = 0) -> None:
        """Open the file. The keys of the first row become the header of a new file.

        Args:
            path: the file.
            kept: size of an existing file to keep [bytes]; the rest is truncated.
        """
        kept = min(kept, path.stat().st_size) if path.is_file() else 0
        self._file = path.open("r+" if kept else "w", newline="")
        self._file.truncate(kept)
        self._file.seek(kept)
        self._has_header = kept > 0
        self._writer: csv.DictWriter[str] | None = None

    def append(self, row: Mapping[str, float | None]) -> None:
        """Write one row; None becomes an empty cell."""
        if self._writer is None:
            self._writer = csv.DictWriter(self._file, list(row))
            if not self._has_header:
                self._writer.writeheader()
        self._writer.writerow({key: "" if value is None else f"{value:.10g}" for key, value in row.items()})
        self._flush()

    def size(self) -> int:
        """Flush the rows to disk and return the size of the file [bytes]."""
        self._flush()
        os.fsync(self._file.fileno())
        return os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _flush(self) -> None:
        try:
            self._file.flush()
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._file.name) from None
