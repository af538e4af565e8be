"""The report of a run; reads a run directory and needs no DOLFINx."""

from rfablate.report.report_page import write_report

__all__ = ["write_report"]
