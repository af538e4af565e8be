"""The HTML report and the pictures of a run. Reads a run directory and needs no DOLFINx."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rfablate.report.picture_process import Caller


def write_report(directory: Path, caller: Caller | None = None) -> Path:
    """Write `report.html` of a run directory and return its path; see `report_page`. Root only."""
    from rfablate.report.report_page import write_report as write  # figures and tables only where a page is written

    return write(directory, caller)


__all__ = ["write_report"]
