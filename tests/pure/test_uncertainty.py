"""Uncertain inputs of a study: distributions, correlations, bands, field of probabilities against closed forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from rfablate.case.read.case_file import load_case
from rfablate.errors import CaseError
from rfablate.study.design import points_of
from rfablate.study.distributions import TAIL, correlate, quantile
from rfablate.study.drivers import by_correlation, rank_correlation
from rfablate.study.probability_field import PROBABILITY_FILE, probability_field, write_probability
from rfablate.study.study_file import parse_study
from rfablate.study.study_plan import load_plan
from rfablate.study.study_tables import Correlation, Design, StudyAxis
from rfablate.study.uncertainty import band_of, score_interval
from tests.pure.test_compare import ball_run, half_plane

ROOT = Path(__file__).parents[2]
SIGMA = "tissues.liver_ex_vivo.sigma_S_per_m"


def axis(**values: object) -> StudyAxis:
    return StudyAxis.model_validate(
        {"key": "generator.power_W", "low": 2.0, "high": 5.0, "source": "assumed", **values}
    )


@pytest.mark.parametrize("u", [0.01, 0.025, 0.3, 0.5, 0.975, 0.99])
def test_quantiles_are_those_of_the_distributions(u: float) -> None:
    assert quantile(axis(distribution="uniform"), u) == pytest.approx(2.0 + 3.0 * u)
    deviation = 1.5 / stats.norm.ppf(0.975)
    assert quantile(axis(distribution="normal"), u) == pytest.approx(stats.norm.ppf(u, 3.5, deviation))
    log = np.log([2.0, 5.0])
    scale = np.ptp(log) / 2 / stats.norm.ppf(0.975)
    exact = stats.lognorm.ppf(u, scale, scale=np.exp(log.mean()))
    assert quantile(axis(distribution="lognormal"), u) == pytest.approx(exact)
    # a triangle with its peak at 3: the first part has a third of the area
    low = 2.0 + np.sqrt(u * 3.0 * 1.0)
    high = 5.0 - np.sqrt((1.0 - u) * 3.0 * 2.0)
    assert quantile(axis(distribution="triangular", mode=3.0), u) == pytest.approx(low if u < 1 / 3 else high)


def test_the_ends_of_a_normal_distribution_enclose_95_percent_and_tails_are_cut() -> None:
    normal = axis(distribution="normal")
    assert quantile(normal, 0.025) == pytest.approx(2.0) and quantile(normal, 0.975) == pytest.approx(5.0)
    assert quantile(normal, 0.0) == quantile(normal, TAIL) and np.isfinite(quantile(normal, 1.0))


def test_correlated_samples_keep_their_distributions() -> None:
    axes = [axis(key=key, distribution="uniform") for key in ("a.b", "c.d", "e.f")]
    cube = np.random.default_rng(5).random((20_000, 3))
    found = correlate(cube, axes, [Correlation(keys=("a.b", "c.d"), correlation=0.7)])
    scores = stats.norm.ppf(found)
    expected = np.array([[1.0, 0.7, 0.0], [0.7, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert np.corrcoef(scores.T) == pytest.approx(expected, abs=0.02)
    for column in found.T:
        assert stats.kstest(column, "uniform").statistic < 0.015


def test_a_sobol_design_follows_its_distribution() -> None:
    design = Design(kind="sobol", samples=256)
    values = [point[0] for point in points_of(design, [axis(distribution="lognormal")])]
    assert np.median(values) == pytest.approx(np.sqrt(10.0), rel=0.01)
    assert np.mean((np.array(values) >= 2.0) & (np.array(values) <= 5.0)) == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        ('low = 0.2\nhigh = 0.7\ndistribution = "normal"', "axes[0].source: missing key"),
        ('values = [0.2, 0.7]\ndistribution = "normal"\nsource = "assumed"', "low and high as well"),
        ('low = -0.2\nhigh = 0.7\ndistribution = "lognormal"\nsource = "assumed"', "axes[0].low"),
        ('low = 0.2\nhigh = 0.7\nmode = 0.9\ndistribution = "triangular"\nsource = "assumed"', "axes[0].mode"),
        ('low = 0.2\nhigh = 0.7\nscale = "log"\ndistribution = "normal"\nsource = "assumed"', "lognormal"),
        ('low = 0.2\nhigh = 0.7\nsource = "a paper"', "a distribution as well"),
    ],
)
def test_a_wrong_distribution_is_refused_with_its_reason(axes: str, said: str, tmp_path: Path) -> None:
    head = f'base = "{ROOT / "cases" / "ex_vivo_gauge"}"\n[design]\nkind = "sobol"\nsamples = 8\n[[axes]]\n'
    (tmp_path / "study.toml").write_text(f'{head}key = "{SIGMA}"\n{axes}\n')
    with pytest.raises(CaseError) as caught:
        load_plan(tmp_path / "study.toml")
    assert said in str(caught.value)


def test_a_distribution_that_leaves_the_range_of_its_key_is_refused(tmp_path: Path) -> None:
    """The ends lie in the range of sigma, but the draws beyond them do not."""
    head = f'base = "{ROOT / "cases" / "ex_vivo_gauge"}"\n[design]\nkind = "sobol"\nsamples = 8\n[[axes]]\n'
    text = 'low = 0.02\nhigh = 0.7\ndistribution = "normal"\nsource = "assumed"\n'
    (tmp_path / "study.toml").write_text(f'{head}key = "{SIGMA}"\n{text}')
    with pytest.raises(CaseError, match="sigma"):
        load_plan(tmp_path / "study.toml")


def test_correlations_are_checked() -> None:
    table = {"distribution": "normal", "low": 1.0, "high": 2.0, "source": "assumed"}
    data = {
        "base": "case.toml",
        "design": {"kind": "sobol", "samples": 8},
        "axes": [{"key": key, **table} for key in ("a.b", "c.d", "e.f")],
    }
    pairs = [(("a.b", "c.d"), 0.9), (("c.d", "e.f"), 0.9), (("a.b", "e.f"), -0.9)]
    with pytest.raises(CaseError, match="contradict"):
        parse_study({**data, "correlations": [{"keys": list(keys), "correlation": value} for keys, value in pairs]})
    with pytest.raises(CaseError, match="a key of an axis with a distribution"):
        parse_study({**data, "correlations": [{"keys": ["a.b", "x.y"], "correlation": 0.5}]})
    saltelli = {**data, "design": {"kind": "saltelli", "samples": 8}}
    with pytest.raises(CaseError, match="found in a saltelli design"):
        parse_study({**saltelli, "correlations": [{"keys": ["a.b", "c.d"], "correlation": 0.5}]})
    assert len(parse_study({**data, "correlations": [{"keys": ["a.b", "c.d"], "correlation": 0.5}]}).correlations) == 1


def test_a_band_has_the_percentiles_of_its_distribution() -> None:
    u = (np.arange(2000) + 0.5) / 2000
    x = stats.norm.ppf(u, 8.0, 0.5)
    noise = np.random.default_rng(2).permutation(u)
    correlations = {"none": rank_correlation(noise, x), "strong": rank_correlation(x**3, x)}
    band = band_of("width", x, by_correlation("width", correlations, "a test").drivers)
    assert band is not None
    assert (band.low, band.median, band.high) == pytest.approx(stats.norm.ppf([0.05, 0.5, 0.95], 8.0, 0.5), abs=2e-3)
    assert band.mean == pytest.approx(8.0) and band.deviation == pytest.approx(0.5, rel=1e-2)
    assert band.low_interval[0] < band.low < band.low_interval[1]
    # standard error of a percentile: sqrt(p (1 - p) / n) / density
    error = np.sqrt(0.05 * 0.95 / 2000) / stats.norm.pdf(stats.norm.ppf(0.05)) * 0.5
    assert np.ptp(band.low_interval) == pytest.approx(2 * 1.96 * error, rel=0.25)
    assert [each.key for each in band.drivers] == ["strong", "none"]
    assert band.drivers[0].strength == pytest.approx(1.0) and band.drivers[1].strength < 0.01
    assert band_of("width", x[:5], ()) is None


def test_score_intervals_are_wilsons() -> None:
    for hits, draws in ((0, 10), (5, 10), (58, 64), (64, 64)):
        exact = stats.binomtest(hits, draws).proportion_ci(method="wilson")
        assert score_interval(hits, draws) == pytest.approx((exact.low, exact.high))


def test_the_field_is_the_distribution_of_the_radius(tmp_path: Path) -> None:
    """Spherical lesions with a normal radius: at distance d, the probability is that of a radius above d."""
    draws = 200
    radii = stats.norm.ppf((np.arange(draws) + 0.5) / draws, 3.0, 0.4)
    fine, coarse = half_plane(24), half_plane(20)
    runs = [ball_run(tmp_path / f"run{n}", fine if n % 20 else coarse, float(r)) for n, r in enumerate(radii)]
    field = probability_field(runs[1:] + runs[:1])
    file = write_probability(field, tmp_path)
    import pyvista as pv

    grid = pv.get_reader(file).read()
    d = np.linalg.norm(grid.points, axis=1)
    found = np.asarray(grid.point_data["probability_isotherm_50C"])
    assert file.name == PROBABILITY_FILE
    # 10 of the 200 draws come from the other mesh, where interpolation of the level moves the surface
    assert np.abs(found - stats.norm.sf(d, 3.0, 0.4)).max() < 0.01
    assert found.max() == 1.0 and found.min() == 0.0


def test_the_shipped_study_is_valid() -> None:
    plan = load_plan(ROOT / "cases" / "ex_vivo_gauge" / "uncertainty_study.toml")
    sigma, k = np.array(plan.points)[:, :2].T
    assert len(plan.members) == 64
    assert stats.spearmanr(sigma, k).statistic == pytest.approx(6 / np.pi * np.arcsin(0.25), abs=0.12)
    assert load_case(ROOT / "cases" / "ex_vivo_gauge").output.error_bar
