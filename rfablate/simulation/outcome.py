"""What a run returns."""

from __future__ import annotations

from dataclasses import dataclass

from rfablate.results.summary_models import RunSummary


@dataclass(frozen=True)
class Outcome:
    """Result of a run; the same on every rank, except that the card is empty on all ranks but 0."""

    summary: RunSummary
    card: str
    exit_code: int
    """0, or 5 where a protected structure exceeded its limit."""
