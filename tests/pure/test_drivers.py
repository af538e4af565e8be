"""The ranked drivers of uncertain numbers against functions of known Sobol indices and elementary effects.

| law                                          | design            | expected                                          |
|----------------------------------------------|-------------------|---------------------------------------------------|
| Ishigami (a = 7, b = 0.1)                    | saltelli          | total 0.558, 0.442, 0.244; first 0.314, 0.442, 0  |
| the same                                     | surrogate, 256    | the same ranking                                  |
| sum of a normal and a uniform input          | surrogate, 64     | shares of the variances of the distributions      |
| linear                                       | morris            | slopes; no bands                                  |
| two correlated inputs                        | sobol             | rank correlation, with the reason                 |
| rows of a Saltelli design that are draws     | saltelli          | no two share the value of an input                |
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rfablate.study.distributions import Z_95
from rfablate.study.results_table import StudyTable
from rfablate.study.study_plan import Plan, load_plan
from rfablate.study.uncertainty import independent_rows, read_uncertainty, uncertainty_of, write_uncertainty

pytest.importorskip("SALib")
pytest.importorskip("sklearn")

from rfablate.study.design import unit_cube
from rfablate.study.drivers import CORRELATION, EFFECT, TOTAL

CASE = Path(__file__).parent / "data" / "trigeminal.toml"
AXES = (("generator.target_degC", 60.0, 80.0), ("generator.hold_s", 20.0, 40.0), ("generator.ramp_s", 5.0, 25.0))
"""Key, lower and upper end."""
WIDTH = "lesion.isotherm_50C.width_mm"


def study(
    folder: Path, design: str, answer: Callable[..., float], kinds: tuple[str, ...] = ("uniform",) * 3, more: str = ""
) -> tuple[Plan, StudyTable]:
    """A study with one axis for each distribution, and its table; `answer` takes (value - low) / (high - low)."""
    used = AXES[: len(kinds)]
    axes = "".join(
        f'[[axes]]\nkey = "{key}"\nlow = {low}\nhigh = {high}\ndistribution = "{kind}"\nsource = "assumed"\n'
        for (key, low, high), kind in zip(used, kinds, strict=True)
    )
    (folder / "study.toml").write_text(f'base = "{CASE}"\n[design]\n{design}\n{axes}{more}')
    plan = load_plan(folder / "study.toml")
    table = StudyTable([key for key, _, _ in used])
    for point, number in zip(plan.points, plan.rows, strict=True):
        u = [(value - low) / (high - low) for value, (_, low, high) in zip(point, used, strict=True)]
        row = dict(zip(table.axes, point, strict=True))
        table.append({"member": plan.members[number].name, "status": "completed", **row, WIDTH: answer(*u)})
    return plan, table


def ishigami(*u: float) -> float:
    """sin x1 + 7 sin(x2)^2 + 0.1 x3^4 sin x1, each x uniform from -pi to pi."""
    x = [math.pi * (2.0 * each - 1.0) for each in u]
    return math.sin(x[0]) + 7.0 * math.sin(x[1]) ** 2 + 0.1 * x[2] ** 4 * math.sin(x[0])


def exact_ishigami() -> tuple[list[float], list[float]]:
    """First-order and total indices (T. Ishigami and T. Homma, ISUMA 1990)."""
    a, b = 7.0, 0.1
    v1, v2 = 0.5 * (1.0 + b * math.pi**4 / 5.0) ** 2, a**2 / 8.0
    v13 = b**2 * math.pi**8 * (1.0 / 18.0 - 1.0 / 50.0)
    total = v1 + v2 + v13
    return [v1 / total, v2 / total, 0.0], [(v1 + v13) / total, v2 / total, v13 / total]


def test_the_drivers_of_a_saltelli_design_are_its_sobol_indices(tmp_path: Path) -> None:
    plan, table = study(tmp_path, 'kind = "saltelli"\nsamples = 256', ishigami)
    found, indices = uncertainty_of(plan, table)
    (ranking,) = found.rankings
    first, total = exact_ishigami()
    keys = [key for key, _, _ in AXES]
    assert ranking.measure == TOTAL and len(indices) == 1
    assert [each.key for each in ranking.drivers] == keys  # the totals fall in the order of the axes
    assert [each.strength for each in ranking.drivers] == pytest.approx(total, abs=0.08)
    assert [each.first_order for each in ranking.drivers] == pytest.approx(first, abs=0.15)
    for each, exact in zip(ranking.drivers, total, strict=True):
        assert each.interval is not None and abs(each.strength - exact) < 2.0 * each.interval
    assert found.bands[0].draws == 2 * 256 and found.bands[0].drivers == ranking.drivers


def test_a_surrogate_ranks_the_drivers_of_few_draws(tmp_path: Path) -> None:
    plan, table = study(tmp_path, 'kind = "sobol"\nsamples = 256', ishigami)
    (ranking,) = uncertainty_of(plan, table)[0].rankings
    assert ranking.measure == TOTAL and "Gaussian process" in ranking.how
    assert [each.key for each in ranking.drivers] == [key for key, _, _ in AXES]
    assert [each.strength for each in ranking.drivers] == pytest.approx(exact_ishigami()[1], abs=0.08)


def test_indices_are_those_of_the_distributions(tmp_path: Path) -> None:
    """Variances of the sum: ((high - low) / (2 z))^2 of the normal input, (high - low)^2 / 12 of the uniform one."""
    plan, table = study(tmp_path, 'kind = "sobol"\nsamples = 64', lambda a, b: 8.0 + a - b, ("normal", "uniform"))
    (ranking,) = uncertainty_of(plan, table)[0].rankings
    normal, uniform = 1.0 / (2.0 * Z_95) ** 2, 1.0 / 12.0
    found = {each.key: each for each in ranking.drivers}
    assert found[AXES[0][0]].strength == pytest.approx(normal / (normal + uniform), abs=0.02)
    assert found[AXES[1][0]].strength == pytest.approx(uniform / (normal + uniform), abs=0.02)
    assert found[AXES[0][0]].correlation > 0.0 > found[AXES[1][0]].correlation


def test_a_morris_design_gives_effects_and_no_bands(tmp_path: Path) -> None:
    plan, table = study(tmp_path, 'kind = "morris"\nsamples = 6', lambda a, b, c: 3.0 * b - a + 0.5 * c)
    table.columns["structures.ganglion.verdict"] = ["reached"] * table.length
    found, _ = uncertainty_of(plan, table)
    (ranking,) = found.rankings
    assert ranking.measure == EFFECT and found.bands == () and found.verdicts == ()
    assert [each.key for each in ranking.drivers] == [AXES[1][0], AXES[0][0], AXES[2][0]]
    # quantiles are cut at 0.1 and 99.9 %
    assert [each.strength for each in ranking.drivers] == pytest.approx([3.0, 1.0, 0.5], rel=5e-3)


def test_correlated_inputs_have_no_sobol_indices(tmp_path: Path) -> None:
    pair = f'[[correlations]]\nkeys = ["{AXES[0][0]}", "{AXES[1][0]}"]\ncorrelation = 0.5\n'
    plan, table = study(tmp_path, 'kind = "sobol"\nsamples = 32', lambda a, b: a + b, ("normal", "normal"), pair)
    found, indices = uncertainty_of(plan, table)
    (ranking,) = found.rankings
    assert (ranking.measure, indices) == (CORRELATION, []) and "correlated" in ranking.warning
    assert all(each.interval is None and each.first_order is None for each in ranking.drivers)


def test_a_poor_surrogate_ranks_nothing(tmp_path: Path) -> None:
    noise = np.random.default_rng(3)
    plan, table = study(tmp_path, 'kind = "latin_hypercube"\nsamples = 40', lambda *u: float(noise.normal()))
    (ranking,) = uncertainty_of(plan, table)[0].rankings
    assert ranking.measure == CORRELATION and "poor" in ranking.warning


def test_the_draws_of_a_saltelli_design_are_independent(tmp_path: Path) -> None:
    plan, table = study(tmp_path, 'kind = "saltelli"\nsamples = 8', ishigami)
    cube = unit_cube(plan.study.design, 3)
    rows = independent_rows(plan, table.length)
    assert len(rows) == 16 and all(len(np.unique(column)) == 16 for column in cube[rows].T)
    assert all(len(np.unique(column)) < table.length for column in cube.T)


def test_every_number_of_a_lesion_and_of_a_judged_structure_has_a_band(tmp_path: Path) -> None:
    plan, table = study(tmp_path, 'kind = "sobol"\nsamples = 16', lambda a, b: a + b, ("uniform", "uniform"))
    u = [float(each) for each in table.numbers(AXES[0][0])]
    for name in ("lesion.arrhenius.depth_distal_mm", "structures.nerve.max_degC", "structures.bone.max_degC"):
        table.columns[name] = list(u)
    table.columns["structures.nerve.volume_mm3"] = [3.0] * table.length
    table.columns["structures.nerve.verdict"] = ["safe"] * table.length
    found, _ = uncertainty_of(plan, table)
    columns = [each.column for each in found.bands]
    assert {WIDTH, "lesion.arrhenius.depth_distal_mm", "structures.nerve.max_degC"} <= set(columns)
    assert "structures.nerve.volume_mm3" not in columns
    assert columns.index("structures.nerve.max_degC") < columns.index("structures.bone.max_degC")
    assert [each.column for each in found.rankings] == columns


def test_rankings_are_kept_in_the_file(tmp_path: Path) -> None:
    plan, table = study(tmp_path, 'kind = "sobol"\nsamples = 32', lambda a, b: 2.0 * a + b, ("uniform", "uniform"))
    found, _ = uncertainty_of(plan, table)
    file = write_uncertainty(found, tmp_path)
    assert json.loads(file.read_text())["rankings"][0]["drivers"][0]["key"] == AXES[0][0]
    assert read_uncertainty(tmp_path) == found
