"""Dose-volume histograms in card, report and export."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

import rfablate as rfa
from rfablate.report.dose_volume_section import dose_volume
from rfablate.results.card import lesion_card
from rfablate.results.dose_volume_export import export_dose_volume
from rfablate.results.flatten import _flatten
from rfablate.results.quantities import DOSE_VOLUME, HISTOGRAM_KEYS
from rfablate.results.run_reader import load_run
from rfablate.results.summary_models import RunSummary
from tests.pure.test_report import _structure, _summary
from tests.summaries import complete_run

HISTOGRAM = {
    "peak_temperature_degC": {"thresholds": [45.0, 50.0, 60.0], "fractions": [1.0, 0.93, 0.25]},
    "cem43_min": {"thresholds": [1.0, 240.0], "fractions": [1.0, 0.9]},
}


def _run(folder: Path, **structure: Any) -> dict[str, Any]:
    """Write the summary of a run with one target; return it."""
    summary: dict[str, Any] = _summary(False)
    target = {"required_fraction": 1.0, "dose_volume": HISTOGRAM, "verdict": "reached", **structure}
    summary["structures"] = {"ganglion": _structure("ellipsoid", "nerve", "target", **target)}
    (folder / "summary.json").write_text(json.dumps(summary))
    return summary


def _typed(summary: dict[str, Any]) -> RunSummary:
    return RunSummary.model_validate(complete_run(summary))


def test_every_kind_of_rule_has_a_histogram_key_with_a_definition() -> None:
    assert set(HISTOGRAM_KEYS.values()) == {each.key for each in DOSE_VOLUME}


def test_the_exported_table_has_one_row_for_each_threshold(tmp_path: Path) -> None:
    _run(tmp_path)
    assert export_dose_volume(load_run(tmp_path), tmp_path / "dvh.csv") == 1
    with (tmp_path / "dvh.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["threshold"] for row in rows] == ["45", "50", "60", "1", "240"]
    assert rows[1]["quantity"] == "peak_temperature_degC" and rows[1]["unit"] == "degC"
    assert float(rows[1]["volume_fraction"]) == 0.93 and float(rows[1]["volume_mm3"]) == pytest.approx(186.0)


def test_a_run_without_histograms_is_refused(tmp_path: Path) -> None:
    _run(tmp_path, dose_volume={})
    with pytest.raises(rfa.CaseError, match="no dose-volume histograms"):
        rfa.export(tmp_path, dose_volume=tmp_path / "dvh.csv")


def test_the_report_has_the_plot_and_the_margins(tmp_path: Path) -> None:
    _run(
        tmp_path, covered_fraction=1.0, covered_fraction_5mm=0.4242, covered_fraction_10mm=0.1313,
        min_margin_mm=0.7, min_margin_point_mm=[1.0, -2.0, 3.46],
    )  # fmt: skip
    text = dose_volume(load_run(tmp_path))
    for part in ("42 %", "13 %", "(1.0, −2.0, 3.5)", "CEM43", "<svg", "ganglion"):
        assert part in text
    _run(tmp_path, dose_volume={})
    assert dose_volume(load_run(tmp_path)) == ""


def test_the_card_says_where_the_margin_is_and_how_much_a_margin_of_5_mm_covers(tmp_path: Path) -> None:
    margin = {"min_margin_mm": 0.7, "min_margin_point_mm": [1.0, -2.04, -0.01], "covered_fraction_5mm": 0.4242}
    complete = {"numerics": {**_summary(False)["numerics"], "potential_iterations": 1}}  # type: ignore[dict-item]
    card = lesion_card(_typed({**_run(tmp_path, **margin), **complete}), "runs/x", [])
    assert "at least 0.70 mm inside the lesion surface at [1.0, -2.0, 0.0] mm, 42 % with a 5 mm margin" in card
    out = lesion_card(_typed({**_run(tmp_path, **{**margin, "min_margin_mm": -0.4}), **complete}), "runs/x", [])
    assert "extends 0.40 mm outside the lesion at [1.0, -2.0, 0.0] mm" in out and "5 mm margin" not in out


def test_lists_are_not_flattened(tmp_path: Path) -> None:
    flat: dict[str, Any] = {}
    _flatten("structures", _run(tmp_path, min_margin_point_mm=[1.0, 2.0, 3.0])["structures"], flat, empty=False)
    assert "structures.ganglion.covered_fraction" in flat
    assert not any("dose_volume" in key or "point" in key for key in flat)
