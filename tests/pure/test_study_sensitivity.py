"""Sensitivity and surrogates compared with functions of known indices."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rfablate.errors import CaseError
from rfablate.study.results_table import StudyTable
from rfablate.study.study_data import effect, pareto_front, varied_axes
from rfablate.study.study_plan import Plan, load_plan

pytest.importorskip("SALib")
pytest.importorskip("sklearn")

from rfablate.study.sensitivity import analyse
from rfablate.study.surrogate import fit, parse_point

CASE = Path(__file__).parent / "data" / "trigeminal.toml"
TARGET, HOLD = "generator.target_degC", "generator.hold_s"
Answer = Callable[[float, float], float]


def study(folder: Path, design: str, answer: Answer) -> tuple[Plan, StudyTable]:
    """A study of target (60 to 80) and hold (20 to 40) with this answer, by both from 0 to 1, and its table."""
    axes = f'[[axes]]\nkey = "{TARGET}"\nlow = 60\nhigh = 80\n{{0}}[[axes]]\nkey = "{HOLD}"\nlow = 20\nhigh = 40\n{{0}}'
    axes = axes.format("count = 7\n" if "grid" in design else "")
    (folder / "study.toml").write_text(f'base = "{CASE}"\n{axes}[design]\n{design}\n')
    plan = load_plan(folder / "study.toml")
    table = StudyTable([TARGET, HOLD])
    for point, number in zip(plan.points, plan.rows, strict=True):
        found = answer((point[0] - 60) / 20, (point[1] - 20) / 20)
        name = plan.members[number].name
        table.append(
            {"member": name, "status": "completed", TARGET: point[0], HOLD: point[1], "lesion.a.width_mm": found}
        )
    return plan, table


def linear(a: float, b: float) -> float:
    """Indices in proportion to the squares of the slopes: 0.9 and 0.1."""
    return 3 * a + b


def with_interaction(a: float, b: float) -> float:
    """Variance 1/12 + 1/144 x 16: first order 3/7 for a, total 1 - 0; b acts only through a."""
    return a + 4 * (a - 0.5) * (b - 0.5)


def test_sobol_indices_of_a_linear_answer(tmp_path: Path) -> None:
    plan, table = study(tmp_path, 'kind = "saltelli"\nsamples = 512', linear)
    found = analyse(plan, table, "lesion.a.width_mm")
    assert found.first == pytest.approx([0.9, 0.1], abs=0.03)
    assert found.second == pytest.approx([0.9, 0.1], abs=0.03)


def test_an_interaction_is_in_the_total_alone(tmp_path: Path) -> None:
    """var(a) = 1/12, var(4 (a - 1/2)(b - 1/2)) = 16/144: first order (3/7, 0), total (1, 4/7)."""
    plan, table = study(tmp_path, 'kind = "saltelli"\nsamples = 512', with_interaction)
    found = analyse(plan, table, "lesion.a.width_mm")
    assert found.first == pytest.approx([3 / 7, 0], abs=0.06)
    assert found.second == pytest.approx([1, 4 / 7], abs=0.06)


def test_morris_effects_of_a_linear_answer_are_its_slopes(tmp_path: Path) -> None:
    plan, table = study(tmp_path, 'kind = "morris"\nsamples = 8', linear)
    found = analyse(plan, table, "lesion.a.width_mm")
    assert found.first == pytest.approx([3, 1], rel=1e-4)
    assert found.second == pytest.approx([0, 0], abs=1e-4)


def test_any_study_has_sobol_indices_by_its_surrogate(tmp_path: Path) -> None:
    plan, table = study(tmp_path, 'kind = "grid"', with_interaction)
    found = analyse(plan, table, "lesion.a.width_mm")
    assert found.first == pytest.approx([3 / 7, 0], abs=0.06)
    assert found.second == pytest.approx([1, 4 / 7], abs=0.06)
    assert "cross-validation error" in found.how and not found.warning


def test_a_surrogate_of_noise_says_that_it_is_poor(tmp_path: Path) -> None:
    noise = np.random.default_rng(3)
    plan, table = study(tmp_path, 'kind = "latin_hypercube"\nsamples = 40', lambda a, b: float(noise.normal()))
    assert fit(table, "lesion.a.width_mm").q2 < 0.5
    assert "poor" in analyse(plan, table, "lesion.a.width_mm").warning


def test_a_surrogate_answers_between_rows_as_well_as_its_error_says(tmp_path: Path) -> None:
    _, table = study(tmp_path, 'kind = "sobol"\nsamples = 64', lambda a, b: math.sin(3 * a) + b * b)
    model = fit(table, "lesion.a.width_mm")
    rng = np.random.default_rng(0)
    unit = rng.uniform(0.1, 0.9, (200, 2))
    answers, _ = model.predict(np.stack([60 + 20 * unit[:, 0], 20 + 20 * unit[:, 1]], axis=1))
    errors = answers - np.sin(3 * unit[:, 0]) - unit[:, 1] ** 2
    assert math.sqrt(float((errors**2).mean())) < 3 * model.rmse < 0.1


@pytest.mark.parametrize(("target", "said"), [(59.0, "does not extrapolate"), (90.0, "does not extrapolate")])
def test_a_surrogate_never_extrapolates(target: float, said: str, tmp_path: Path) -> None:
    _, table = study(tmp_path, 'kind = "grid"', linear)
    model = fit(table, "lesion.a.width_mm")
    point = parse_point([f"{HOLD}=30", f"{TARGET}={target}"], model.keys)
    with pytest.raises(CaseError, match=said):
        model.predict(point)
    assert model.predict(parse_point([f"{HOLD}=30", f"{TARGET}=65"], model.keys))[0] == pytest.approx([1.25], abs=0.02)


def test_a_line_through_the_ranges_is_no_study_of_their_box(tmp_path: Path) -> None:
    """Correlated axes: the surrogate gives no value off their diagonal, and the indices have a warning."""
    (tmp_path / "list.csv").write_text("\n".join([f"{TARGET},{HOLD}", *(f"{60 + n},{20 + n}" for n in range(20))]))
    (tmp_path / "study.toml").write_text(f'base = "{CASE}"\n[design]\nkind = "csv"\nfile = "list.csv"\n')
    plan = load_plan(tmp_path / "study.toml")
    table = StudyTable([TARGET, HOLD])
    for n, point in enumerate(plan.points):
        row = {"member": str(n), "status": "completed", TARGET: point[0], HOLD: point[1]}
        table.append(row | {"lesion.a.width_mm": math.sin(0.6 * n)})
    model = fit(table, "lesion.a.width_mm")
    assert model.predict(parse_point([f"{TARGET}=65.5", f"{HOLD}=25.5"], model.keys))
    with pytest.raises(CaseError, match="far from every row"):
        model.predict(parse_point([f"{TARGET}=60", f"{HOLD}=39"], model.keys))
    assert "far from every row" in analyse(plan, table, "lesion.a.width_mm").warning


def test_a_point_that_names_no_axis_is_refused() -> None:
    with pytest.raises(CaseError, match='did you mean "generator.hold_s"') as caught:
        parse_point(["generator.hold=5"], (HOLD, TARGET))
    assert f"{TARGET} is missing" in str(caught.value)


def test_gaps_in_a_sampled_design_are_refused(tmp_path: Path) -> None:
    plan, table = study(tmp_path, 'kind = "morris"\nsamples = 4', linear)
    table.columns["lesion.a.width_mm"][2] = None
    with pytest.raises(CaseError, match="1 rows have no number"):
        analyse(plan, table, "lesion.a.width_mm")


def test_the_front_is_what_no_other_beats() -> None:
    x, y = np.array([1, 2, 2, 3, 4, np.nan]), np.array([5, 3, 4, 3, 1, 0])
    assert pareto_front(x, y) == [0, 1, 4]


def test_the_effect_of_an_axis_is_the_span_of_its_means(tmp_path: Path) -> None:
    plan, table = study(tmp_path, 'kind = "grid"', linear)
    spans = [effect(axis, table.numbers("lesion.a.width_mm")) for axis in varied_axes(plan, table)]
    assert spans == pytest.approx([3, 1], rel=1e-9)
