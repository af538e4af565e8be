"""Reading any case file gives a case or faults, never a traceback."""

from __future__ import annotations

import copy
import datetime
import math
import random
from pathlib import Path
from typing import Any

import pytest

from rfablate.case.checks.all_checks import case_warnings
from rfablate.case.describe.case_text import describe_case
from rfablate.case.read.case_file import dump_case, parse_case
from rfablate.errors import CaseError
from rfablate.toml import tomllib

CASE = Path(__file__).parent / "data" / "trigeminal.toml"
JUNK: tuple[Any, ...] = (
    *(math.nan, math.inf, -1, 0, 1e-30, 1e300, 2**70, True, "", "40 mm", "nerve", [], {}, [1, 2], [[]], [{}]),
    *(
        [0, 0, 0],
        [0.0, "x", 1],
        [[0, 0, 0], [0, 0, 0]],
        {"kind": "tube"},
        {"kind": ["tube"]},
        {"name": 3},
        "mesh",
    ),
    *(datetime.date(2026, 1, 1), "axisymmetric", "bevel", 1000, 310.15, ["isotherm_50C"], "half_space"),
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in _places(item, (*path, key)))]


def _mutate(data: dict[str, Any], chance: random.Random) -> None:
    place = chance.choice(_places(data)[1:])
    table: Any = data
    for key in place[:-1]:
        table = table[key]
    if chance.random() < 0.25:
        del table[place[-1]]
    elif chance.random() < 0.2 and isinstance(table, dict):
        table[str(place[-1])[:-1] + "x"] = chance.choice(JUNK)
    else:
        table[place[-1]] = copy.deepcopy(chance.choice(JUNK))


@pytest.mark.parametrize("seed", range(8))
def test_junk_in_a_case_gives_a_case_or_faults(seed: int) -> None:
    chance = random.Random(seed)
    start = tomllib.loads(dump_case(parse_case(tomllib.loads(CASE.read_text()))))
    start["domain"]["kind"] = chance.choice(["cylinder", "axisymmetric", "cylinder"])
    for _ in range(60):
        data = copy.deepcopy(start)
        for _ in range(chance.randint(1, 3)):
            _mutate(data, chance)
        try:
            case = parse_case(data)
        except CaseError as error:
            assert error.faults
            assert all(fault.where and fault.found for fault in error.faults)
            assert "None" not in str(error)
        else:
            describe_case(case)
            case_warnings(case)
            assert parse_case(tomllib.loads(dump_case(case))) == case
