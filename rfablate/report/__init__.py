"""The HTML report and the pictures of a run. Reads a run directory and needs no DOLFINx."""

from pathlib import Path


def write_report(directory: Path) -> Path:
    """Write `report.html` of a run directory and return its path; see `report_page`. Root only."""
    from rfablate.report.report_page import write_report as write  # figures and tables only where a page is written

    return write(directory)


__all__ = ["write_report"]
