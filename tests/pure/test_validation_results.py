"""Verdicts by ASME V&V 20 and statistics of agreement by Bland and Altman."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from rfablate.evidence.validation_page import validation_page
from rfablate.evidence.validation_results import (
    ComparedNumber,
    ExperimentResult,
    Scope,
    Validation,
    agreement_of,
    verdict_counts,
)
from rfablate.evidence.validation_table import validation_markdown, validation_text


def number(modelled: float, **changes: Any) -> ComparedNumber:
    values: dict[str, Any] = {
        "name": "width", "unit": "mm", "modelled": modelled, "measured": 10.0, "low": None, "high": None,
        "u_num": 0.3, "u_input": 0.4, "u_data": 1.2, "limit": 3.0, **changes,
    }  # fmt: skip
    return ComparedNumber(**values)


def experiment(*numbers: ComparedNumber, fault: str = "", kind: str = "experiment") -> ExperimentResult:
    return ExperimentResult(
        name="bench", title="Bench", field="pain", kind=kind, citation="own <bench>", address="", read_from="table",
        full_text=True, access="own", boundary="white", assumptions="none", limits_set="2026-11-30",
        rule="isotherm_50C", numbers=numbers, runs=1, seconds=1.0, fault=fault,
    )  # fmt: skip


def validation(*experiments: ExperimentResult) -> Validation:
    return Validation(
        experiments, Scope(everything=True), ranks=1, seconds=2.0, cpu_s=1.0, versions={"a": "1"}, date="now"
    )


def test_the_uncertainties_add_in_quadrature() -> None:
    assert number(10.0).u_val == pytest.approx(1.3)


@pytest.mark.parametrize(
    ("modelled", "changes", "verdict"),
    [
        (12.0, {}, "PASS"),
        (12.0, {"u_data": 2.0}, "PASS (weak)"),
        (13.5, {}, "FAIL"),
        (13.5, {"u_data": 2.0}, "FAIL (unresolved)"),
        (math.nan, {}, "FAIL (unresolved)"),
    ],
)
def test_the_verdict_follows_limit_and_noise(modelled: float, changes: dict[str, float], verdict: str) -> None:
    assert number(modelled, **changes).verdict == verdict


def test_a_bound_counts_only_what_lies_beyond_it() -> None:
    upper = {"measured": None, "high": 16.0}
    assert number(15.0, **upper).error == 0.0
    assert number(17.5, **upper).error == pytest.approx(1.5)
    assert number(15.0, **upper).verdict == "PASS"  # 1 mm inside and 3 mm allowed: more than 2 u_val = 2.6 mm
    assert number(15.9, **upper, limit=1.0).verdict == "PASS (weak)"
    lower = {"measured": None, "low": 0.0}
    assert number(3.0, **lower).error == 0.0
    assert number(-2.0, **lower).error == pytest.approx(-2.0)


def test_agreement_of_known_errors() -> None:
    found = agreement_of("mm", [number(11.0), number(12.0), number(9.0)])
    assert found.bias == pytest.approx(2 / 3)
    assert found.rmse == pytest.approx(math.sqrt(2.0))
    spread = math.sqrt(((1 / 3) ** 2 + (4 / 3) ** 2 + (5 / 3) ** 2) / 2)
    assert found.upper - found.bias == pytest.approx(1.96 * spread)
    assert found.relative_bias == pytest.approx(2 / 30)
    with pytest.raises(ValueError, match="measured"):
        agreement_of("mm", [number(1.0, measured=None, high=2.0)])


def test_models_and_bounds_do_not_count_as_agreement() -> None:
    bound = number(15.0, measured=None, high=16.0)
    found = validation(experiment(number(11.0), bound), experiment(number(20.0), kind="model"))
    (only,) = found.agreement
    assert (only.count, only.bias) == (1, 1.0)


def test_a_failed_run_is_shown_and_is_no_pass() -> None:
    broken = experiment(fault="SolveError: did not converge\nmore")
    found = validation(experiment(number(14.0, likely_reason="wrong tissue")), broken)
    assert not broken.passed and found.faults == {"bench": "SolveError: did not converge\nmore"}
    for text in (validation_text(found), validation_markdown(found), validation_page(found)):
        assert "NOT RUN" in text and "wrong tissue" in text and "SolveError" in text


def test_table_page_and_json_hold_every_number() -> None:
    found = validation(experiment(number(11.0), number(13.5, name="length")))
    assert verdict_counts(found.numbers) == {"PASS": 1, "PASS (weak)": 0, "FAIL (unresolved)": 0, "FAIL": 1}
    text, page = validation_text(found), validation_page(found)
    assert "1 PASS, 1 FAIL" in text and "10 ± 1.2" in text
    assert "own &lt;bench&gt;" in page and "<svg" in page
    kept = json.loads(json.dumps(found.to_dict()))
    assert kept["experiments"][0]["numbers"][1]["verdict"] == "FAIL"
