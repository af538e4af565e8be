"""A case with labels, surfaces or shapes has the same numbers on one, two and three ranks: 1e-6.

The case contains what depends on distances: margins, coverage with margins, dose-volume histograms.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from tests.mpi.launch import rfablate
from tests.phantom import analytic_case, labels_case, phantom_labels, surfaces_case, write_image

KEYS = (
    "volume_mm3", "covered_fraction", "covered_fraction_5mm", "covered_fraction_10mm", "max_degC", "min_margin_mm",
)  # fmt: skip


@pytest.mark.parametrize("kind", ["labels", "surfaces", "shapes"])
def test_numbers_do_not_depend_on_the_ranks(kind: str, tmp_path: Path) -> None:
    write_image(tmp_path / "ph.nii.gz", phantom_labels())
    made = {
        "labels": lambda: labels_case("ph.nii.gz"),
        "surfaces": lambda: surfaces_case(tmp_path),
        "shapes": analytic_case,
    }
    tables = made[kind]()
    (tmp_path / "case.toml").write_text(tomli_w.dumps(tables | {"mesh": {"accuracy": "draft"}}))
    summaries = []
    for ranks in (1, 2, 3):
        done = rfablate(ranks, "run", tmp_path / "case.toml", "-o", tmp_path / f"run{ranks}")
        assert done.code == 0 and done.errors == [], done.text[-2000:]
        assert "volumes in the mesh and" in done.text
        summaries.append(json.loads((tmp_path / f"run{ranks}" / "summary.json").read_text()))
    one, *others = summaries
    for other in others:
        _compare(one, other)


def _compare(one: dict[str, Any], other: dict[str, Any]) -> None:
    for rule, lesion in one["lesion"].items():
        for key in ("width_mm", "length_mm", "volume_mm3"):
            assert other["lesion"][rule][key] == pytest.approx(lesion[key], rel=1e-6), (rule, key)
    for name, entry in one["structures"].items():
        found = other["structures"][name]
        for key in KEYS:
            if entry[key] is not None:
                assert found[key] == pytest.approx(entry[key], rel=1e-6, abs=1e-9), (name, key)
        for key, histogram in entry["dose_volume"].items():
            assert found["dose_volume"][key]["fractions"] == pytest.approx(histogram["fractions"], abs=1e-6), (
                name,
                key,
            )
        assert found["verdict"] == entry["verdict"]
