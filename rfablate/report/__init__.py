"""The HTML report and the pictures of a run. Reads a run directory and needs no DOLFINx."""

from rfablate.report.report_page import write_report

__all__ = ["write_report"]
