"""Anisotropic conductivity in a case file: allowed structures and faults."""

from __future__ import annotations

from typing import Any

import pytest

from rfablate.case.describe.case_text import describe_case
from rfablate.case.read.case_file import parse_case
from rfablate.errors import CaseError

NERVE = {"name": "root", "kind": "tube", "path_mm": [[6, -10, 0], [6, 10, 0]], "diameter_mm": 2, "tissue": "nerve"}


def case_of(**keys: Any) -> dict[str, Any]:
    return {
        "domain": {"kind": "cylinder", "radius_mm": 40, "height_mm": 80, "tissue": "muscle"},
        "structures": [{**NERVE, **keys}],
        "applicators": [{"model": "cannula-22g-5mm-blunt"}],
        "generator": {"kind": "temperature", "target_degC": 80, "hold_s": 60},
    }


def test_a_nerve_conducts_along_and_across() -> None:
    case = parse_case(case_of(sigma_along_S_per_m=0.57))
    assert "sigma 0.57 S/m along the axis, 0.111 across" in describe_case(case)


@pytest.mark.parametrize(
    ("keys", "where", "said"),
    [
        ({"sigma_along_S_per_m": 57}, "sigma_along_S_per_m", "within a factor of 50"),
        ({"sigma_along_S_per_m": 0}, "sigma_along_S_per_m", "found 0"),
        ({"sigma_along_S_per_m": 0.5, "tissue": "nitinol"}, "sigma_along_S_per_m", "conducts no current"),
        ({"sigma_along": 0.5}, "sigma_along", "sigma_along_S_per_m"),
        (
            {"kind": "sphere", "centre_mm": [6, 0, 0], "radius_mm": 1, "sigma_along_S_per_m": 0.5},
            "sigma_along_S_per_m",
            "unknown key",
        ),
    ],
)
def test_a_wrong_direction_is_refused(keys: dict[str, Any], where: str, said: str) -> None:
    data = case_of(**keys)
    if "kind" in keys:
        for key in ("path_mm", "diameter_mm"):
            del data["structures"][0][key]
    with pytest.raises(CaseError) as caught:
        parse_case(data)
    assert any(fault.where.endswith(where) and said in str(fault) for fault in caught.value.faults), caught.value.faults
