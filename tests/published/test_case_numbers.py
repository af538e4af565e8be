"""The shipped cases give the numbers of their READMEs, at their own accuracy.

These numbers are results of the program: the tests check that it still reproduces them. They are no validation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rfablate.toml import tomllib
from tests.shipped import CASES, NAMES, load_shipped


@pytest.mark.slow
def test_a_solid_cylinder_gains_41_percent_in_width_from_22_to_16_gauge(summary_of: Any) -> None:
    """PHYSICS section 7, from an independent method; a tube with air in its lumen has a smaller gain."""

    def gain(suffix: str) -> float:
        models = [f"applicators.0.model=cannula-{gauge}g-10mm-blunt{suffix}" for gauge in (22, 16)]
        thin, thick = (summary_of("ex_vivo_gauge", "mesh.accuracy=standard", model)["lesion"] for model in models)
        return float(thick["isotherm_50C"]["width_mm"] / thin["isotherm_50C"]["width_mm"] - 1.0)

    assert gain("") == pytest.approx(0.41, abs=0.01)
    assert gain("-tube") < gain("")


def expected(name: str) -> list[dict[str, Any]]:
    """Return the entries of a case's expected.toml: key in summary.json, value, tolerance."""
    text = (CASES / name / "expected.toml").read_text(encoding="utf-8")
    numbers: list[dict[str, Any]] = tomllib.loads(text)["number"]
    return numbers


@pytest.mark.parametrize("name", NAMES)
def test_a_readme_tells_the_expected_numbers(name: str) -> None:
    """The README contains the numbers that the next test compares."""
    text = (CASES / name / "README.md").read_text(encoding="utf-8")
    assert [entry["key"] for entry in expected(name) if f"| {entry['value']:g}" not in text] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_case_still_gives_the_numbers_of_its_readme(name: str, summary_of: Any, tmp_path: Path) -> None:
    """At the case's own accuracy, on conforming interfaces, within expected.toml's tolerances."""
    summary = summary_of(name, f"mesh.accuracy={load_shipped(CASES / name / 'case.toml', tmp_path).mesh.accuracy}")
    assert summary["warnings"] == []
    away = {}
    for entry in expected(name):
        seen: Any = summary
        for part in entry["key"].split("."):
            seen = seen[part]
        if abs(seen - entry["value"]) > entry["tolerance"]:
            away[entry["key"]] = (seen, entry["value"], entry["tolerance"])
    assert away == {}
