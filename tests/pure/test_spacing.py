"""One key moves all applicators: their spacing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rfablate.case.geometry.applicator_spacing import set_spacing, spacing_of
from rfablate.case.read.case_file import dump_case, load_case
from rfablate.errors import CaseError

PAIR = Path(__file__).parents[2] / "cases" / "bipolar_si_joint"
SINGLE = Path(__file__).parent / "data" / "trigeminal.toml"


def test_a_pair_keeps_its_middle(tmp_path: Path) -> None:
    case = load_case(PAIR, ["applicators.spacing_mm=14"])
    assert [a.tip for a in case.applicators] == [(-7e-3, 0.0, 0.5e-3), (7e-3, 0.0, 0.5e-3)]
    assert spacing_of([a.tip for a in case.applicators]) == pytest.approx(14e-3)
    (tmp_path / "case.toml").write_text(dump_case(case))
    assert load_case(tmp_path / "case.toml") == case, "the resolved case holds the tips"


def test_a_row_keeps_its_order_and_proportions() -> None:
    tips = np.array([[0.0, 0.0, 1.0], [3.0, 4.0, 1.0], [9.0, 12.0, 1.0]])
    data = {"applicators": [{"tip_mm": list(tip)} for tip in tips]}
    assert set_spacing(data, 10) is None
    moved = np.array([each["tip_mm"] for each in data["applicators"]])
    assert spacing_of(moved) == pytest.approx(10.0)
    assert moved.mean(axis=0) == pytest.approx(tips.mean(axis=0))
    assert np.diff(moved, axis=0) == pytest.approx(2.0 * np.diff(tips, axis=0))


@pytest.mark.parametrize(
    ("case", "value", "said"),
    [
        (SINGLE, "5", "found 1 applicator;.*at least two"),
        (PAIR, "-5", "a distance above 0"),
        (PAIR, "wide", "a distance above 0"),
    ],
)
def test_a_spacing_that_cannot_be_is_refused(case: Path, value: str, said: str) -> None:
    with pytest.raises(CaseError, match=said):
        load_case(case, [f"applicators.spacing_mm={value}"])


def test_tips_at_one_place_have_no_spacing() -> None:
    assert spacing_of([(1.0, 2.0, 3.0)]) == 0.0
    fault = set_spacing({"applicators": [{}, {}]}, 3.0)
    assert fault is not None and "same position" in str(fault)
