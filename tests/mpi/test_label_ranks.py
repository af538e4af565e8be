"""A case with labels or surfaces has the same numbers on one and two ranks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tomli_w

from tests.mpi.launch import rfablate
from tests.phantom import labels_case, phantom_labels, surfaces_case, write_image


@pytest.mark.parametrize("kind", ["voxels", "surfaces"])
def test_two_ranks_have_the_numbers_of_one(kind: str, tmp_path: Path) -> None:
    write_image(tmp_path / "ph.nii.gz", phantom_labels())
    case = labels_case("ph.nii.gz") if kind == "voxels" else surfaces_case(tmp_path)
    case["mesh"] = {"accuracy": "draft"}
    (tmp_path / "case.toml").write_text(tomli_w.dumps(case))
    summaries = []
    for ranks in (1, 2):
        done = rfablate(ranks, "run", tmp_path / "case.toml", "-o", tmp_path / f"run{ranks}")
        assert done.code == 0 and done.errors == [], done.text[-2000:]
        assert f"volumes in the mesh and in the {kind}: tumour" in done.text
        summaries.append(json.loads((tmp_path / f"run{ranks}" / "summary.json").read_text()))
    one, two = summaries
    for rule, lesion in one["lesion"].items():
        for key in ("width_mm", "length_mm", "volume_mm3"):
            assert two["lesion"][rule][key] == pytest.approx(lesion[key], rel=1e-6), (rule, key)
    for name, entry in one["structures"].items():
        for key in ("volume_mm3", "covered_fraction", "max_degC"):
            assert two["structures"][name][key] == pytest.approx(entry[key], rel=1e-6, abs=1e-9), (name, key)
        assert two["structures"][name]["verdict"] == entry["verdict"]
