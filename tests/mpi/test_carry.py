"""A repeat treatment on 1 and 2 ranks, after a first one on 2 and 1 ranks, agrees in every number within 1e-6."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.compare import leaves
from tests.mpi.launch import rfablate

CASE = Path(__file__).parent / "cases" / "axisymmetric.toml"
KEYS = ("lesion", "structures", "energy", "repeat")


@pytest.mark.parametrize("cooled", ["true", "false"])
def test_a_repeat_is_the_same_on_one_and_two_ranks(tmp_path: Path, cooled: str) -> None:
    """Different meshes, cooled and warm: the prior state is interpolated on rank 0 and distributed."""
    first = rfablate(2, "run", CASE, "-o", tmp_path / "first", "--set", "generator.hold_s=5")
    assert first.code == 0, first.text[-2000:]
    found = []
    for ranks in (1, 2):
        changes = (f"start_from={tmp_path / 'first'}", f"cooled={cooled}", "applicators.0.tip_mm=[0,0,3]")
        arguments = [part for change in (*changes, "generator.hold_s=5") for part in ("--set", change)]
        done = rfablate(ranks, "run", CASE, "-o", tmp_path / f"{ranks}", *arguments)
        assert done.code == 0, done.text[-2000:]
        summary = json.loads((tmp_path / f"{ranks}" / "summary.json").read_text())
        found.append(dict(leaves({key: summary[key] for key in KEYS})))
    one, two = found
    assert one.keys() == two.keys() and len(one) > 50
    for key, value in one.items():
        assert two[key] == (pytest.approx(value, rel=1e-6, abs=1e-14) if isinstance(value, float) else value), key
