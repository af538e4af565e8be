"""`start_from` must name a finished run; otherwise the fault states the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rfablate.case.read.case_file import dump_case, parse_case
from rfablate.errors import CaseError
from tests.shipped import stand_in

BASE: dict[str, Any] = {
    "domain": {"kind": "axisymmetric", "radius_mm": 20, "height_mm": 40, "tissue": "muscle"},
    "applicators": [{"model": "cannula-22g-5mm-blunt"}],
    "generator": {"kind": "temperature", "target_degC": 70, "hold_s": 60},
}


def faults(base_dir: Path, **keys: Any) -> list[str]:
    with pytest.raises(CaseError) as caught:
        parse_case({**BASE, **keys}, base_dir)
    return [str(fault) for fault in caught.value.faults]


def test_the_place_of_the_run_is_relative_to_the_case(tmp_path: Path) -> None:
    stand_in(tmp_path / "runs" / "first")
    case = parse_case({**BASE, "start_from": "runs/first"}, tmp_path)
    assert case.start_from == str((tmp_path / "runs" / "first").resolve()) and case.cooled
    assert 'start_from = "' in dump_case(case)


def test_a_run_that_is_not_there_is_told_with_what_was_meant(tmp_path: Path) -> None:
    stand_in(tmp_path / "runs" / "first")
    (found,) = faults(tmp_path, start_from="runs/frist")
    assert "no such directory" in found and "first" in found.split("try:")[1]
    (found,) = faults(tmp_path, start_from="nowhere/at/all")
    assert "rfablate run" in found


def test_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    folder = stand_in(tmp_path / "first")
    (folder / "summary.json").unlink()
    (found,) = faults(tmp_path, start_from="first")
    assert "no run has finished there" in found and "rfablate resume" in found


def test_a_failed_run_and_one_without_a_checkpoint_are_refused(tmp_path: Path) -> None:
    folder = stand_in(tmp_path / "first", "failed")
    (folder / "checkpoint.h5").unlink()
    failed, without = faults(tmp_path, start_from="first")
    assert "has the status failed" in failed and "without a checkpoint.h5" in without


def test_warmth_of_no_run_is_a_fault(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, cooled=False)
    assert found.startswith("cooled: found false")


def test_a_fault_elsewhere_does_not_hide_it(tmp_path: Path) -> None:
    found = faults(tmp_path, start_from="first", generator={"kind": "temperature", "target_degC": "hot"})
    assert any(line.startswith("start_from") for line in found) and len(found) > 1
