"""Conversion of a summary to a flat table: each number and verdict under its path, with its error bar. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rfablate.results.summary_models import Observed, RunSummary

SECTIONS = ("lesion", "structures", "electric", "energy", "numerics", "timing_s")
"""Sections of a summary that contain numbers."""
LEFT_OUT = ("hottest_point_mm", "min_margin_point_mm", "dose_volume", "error_bar")


def flatten(summary: RunSummary | Observed, *, empty: bool = False) -> dict[str, Any]:
    """Return the numbers and verdicts of a summary by path, with the error bars under `<path>.bar`.

    empty: include None, for numbers that a run can have and this run has not.
    """
    sections = summary.model_dump(include={*SECTIONS}, exclude_unset=True)
    flat: dict[str, Any] = {}
    for section in SECTIONS:
        _flatten(section, sections.get(section, {}), flat, empty=empty)
    for key, bar in summary.numerics.error_bar.items() if isinstance(summary, RunSummary) else ():
        for section in ("lesion", "structures"):
            if f"{section}.{key}" in flat:
                flat[f"{section}.{key}.bar"] = bar
    return flat


def _flatten(path: str, table: Mapping[str, Any], flat: dict[str, Any], *, empty: bool) -> None:
    for key, value in table.items():
        if key in LEFT_OUT:
            continue
        if isinstance(value, Mapping):
            _flatten(f"{path}.{key}", value, flat, empty=empty)
        elif isinstance(value, int | float) or key == "verdict" or (empty and value is None):
            flat[f"{path}.{key}"] = value
