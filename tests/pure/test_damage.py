"""Damage at constant temperature compared with published numbers; integration in time; lesion rules."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad

from rfablate.physics.damage import Arrhenius, Rule, cem43_rate, integrate_rate, parse_rule
from rfablate.physics.library import damage_set


def _rate(model: Arrhenius, T: float) -> float:
    return float(model.rate(np.array(T)))


LIVER = Arrhenius(*damage_set("liver")[:2])


def test_liver_reaches_omega_1_after_61_s_at_50_degC() -> None:
    assert 1.0 / _rate(LIVER, 50.0) == pytest.approx(61.4, abs=0.05)


def test_liver_reaches_omega_1_after_12_min_at_41_9_degC() -> None:
    """The overestimation for long protocols described in the table."""
    assert 1.0 / _rate(LIVER, 41.9) / 60.0 == pytest.approx(12.0, abs=0.5)


def test_the_arrhenius_rate_grows_by_its_activation_energy() -> None:
    """d ln(rate) / d(1/T) = -Ea / R, with T in kelvin."""
    R, (A, Ea) = 8.314, (LIVER.A, LIVER.Ea)
    low, high = 320.0, 360.0
    slope = math.log(_rate(LIVER, high - 273.15) / _rate(LIVER, low - 273.15)) / (1.0 / high - 1.0 / low)
    assert slope == pytest.approx(-Ea / R, rel=1e-9)
    assert _rate(LIVER, low - 273.15) == pytest.approx(A * math.exp(-Ea / (R * low)), rel=1e-9)


@pytest.mark.parametrize(("T", "seconds"), [(55.0, 3.52), (50.0, 112.5), (43.0, 240.0 * 60.0), (44.0, 120.0 * 60.0)])
def test_240_equivalent_minutes_at_constant_temperature(T: float, seconds: float) -> None:
    assert 240.0 / float(cem43_rate(np.array(T))) == pytest.approx(seconds, rel=2e-3)


def test_below_43_degC_a_degree_counts_four_times_and_below_39_nothing() -> None:
    rate = cem43_rate(np.array([43.0, 42.0, 41.0, 39.0, 38.999, 37.0])) * 60.0
    assert rate == pytest.approx([1.0, 0.25, 0.0625, 0.25**4, 0.0, 0.0])


# --- integration in time --------------------------------------------------------------------------


def test_the_log_mean_is_exact_where_the_logarithm_of_the_rate_runs_linearly() -> None:
    dt, slope = 3.0, 1.7
    r0, r1 = np.array([2e-4]), np.array([2e-4 * math.exp(slope * dt)])
    exact = 2e-4 * (math.exp(slope * dt) - 1.0) / slope
    assert integrate_rate(r0, r1, dt) == pytest.approx([exact], rel=1e-12)
    assert integrate_rate(r1, r0, dt) == pytest.approx([exact], rel=1e-12), "cooling as heating"


def test_equal_nearly_equal_and_zero_rates_are_no_special_case() -> None:
    r = np.array([0.3, 0.3, 0.3, 0.0, 0.0])
    s = np.array([0.3, 0.3 * (1 + 1e-7), 0.3 * (1 + 2e-6), 0.0, 0.5])
    assert integrate_rate(r, s, 2.0) == pytest.approx([0.6, 0.6, 0.6, 0.0, 0.5], rel=2e-6)


def test_the_log_mean_lies_between_the_geometric_and_the_arithmetic_mean() -> None:
    r, s = np.array([1e-9, 1e-3, 1.0]), np.array([1.0, 2e-3, 1.0 + 1e-5])
    mean = integrate_rate(r, s, 1.0)
    assert (mean >= np.sqrt(r * s) * (1 - 1e-12)).all() and (mean <= 0.5 * (r + s) * (1 + 1e-12)).all()


def test_damage_along_a_heating_curve_converges_with_the_square_of_the_step() -> None:
    def T(t: float) -> float:
        return 37.0 + 25.0 * (1.0 - math.exp(-t / 8.0))

    def omega(n: int) -> float:
        t = np.linspace(0.0, 30.0, n + 1)
        rate = LIVER.rate(np.array([T(each) for each in t]))
        return float(sum(integrate_rate(rate[i : i + 1], rate[i + 1 : i + 2], 30.0 / n)[0] for i in range(n)))

    exact = quad(lambda t: _rate(LIVER, T(t)), 0.0, 30.0, epsabs=0.0, epsrel=1e-12)[0]
    errors = [abs(omega(n) - exact) / exact for n in (10, 20, 40)]
    assert errors[0] < 0.02, "3 s steps through a heating curve"
    assert math.log2(errors[1] / errors[2]) == pytest.approx(2.0, abs=0.1), errors


# --- rules ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("isotherm_50C", Rule("isotherm_50C", "isotherm", 50.0)),
        ("isotherm_45.5C", Rule("isotherm_45.5C", "isotherm", 45.5)),
        ("arrhenius", Rule("arrhenius", "arrhenius", 1.0)),
        ("arrhenius_4.6", Rule("arrhenius_4.6", "arrhenius", 4.6)),
        ("cem43_240", Rule("cem43_240", "cem43", 240.0)),
    ],
)
def test_a_rule_says_itself_by_its_name(name: str, rule: Rule) -> None:
    assert parse_rule(name) == rule


@pytest.mark.parametrize(
    "name", ["isotherm_50", "isotherm_C", "arrhenius_", "cem43", "cem43_0", "arrhenius_0", "x", ""]
)
def test_no_other_name_is_a_rule(name: str) -> None:
    with pytest.raises(ValueError, match="found lesion rule"):
        parse_rule(name)


@pytest.mark.parametrize("name", ["isotherm_50C", "arrhenius", "arrhenius_4.6", "cem43_240"])
def test_a_level_is_zero_at_the_threshold_and_grows_with_the_damage(name: str) -> None:
    rule = parse_rule(name)
    value = rule.threshold * np.array([0.0, 0.5, 1.0, 2.0])
    level = rule.level(value, value, value, value)
    assert level[2] == pytest.approx(0.0, abs=1e-12)
    assert (np.diff(level) > 0.0).all() and np.isfinite(level).all()


def test_a_level_reads_the_quantity_of_its_rule_only() -> None:
    high, low = np.array([1e3]), np.array([1e-3])
    assert parse_rule("isotherm_50C").level(high, low, low, low) > 0.0
    assert parse_rule("arrhenius").level(low, high, low, low) > 0.0
    assert parse_rule("cem43_240").level(low, low, high, low) > 0.0
    assert parse_rule("cem43_240").level(high, high, low, low) < 0.0
