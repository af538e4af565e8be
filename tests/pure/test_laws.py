"""The laws of sigma, k and perfusion: 1 at 37 degC, continuous, monotone, bounded; drying by orders of magnitude.

| law                       | value                                                         |
|---------------------------|---------------------------------------------------------------|
| linear, 1.5 %/K           | 1.345 at 60 degC, 1.945 at 100 degC and above                 |
| exponential, 1.5 %/K      | exp(0.345) = 1.412 at 60 degC, exp(0.945) = 2.573 above 100   |
| drying to 1e-3 over 5 K   | a hundred and a half degrees: 10^(-3/10); 105 degC: 1e-3      |
| rise of perfusion         | 1 up to 37 degC, `most` from 45 degC                          |
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from rfablate.physics.laws import Drying, Exponential, Law, Linear, Rising, TabulatedLaw
from rfablate.physics.perfusion import linear_stop, stasis

TABLE = TabulatedLaw((20.0, 37.0, 60.0, 100.0), (0.8, 1.0, 1.5, 2.4))
LAWS: list[Law] = [Linear(0.015), Exponential(0.015), TABLE, Drying(Linear(0.015), 1e-3), Drying(TABLE, 0.01)]
FINE = np.linspace(0.0, 150.0, 150001)


def at(law: Law | Rising, T: float) -> float:
    return float(law(np.array([T]))[0])


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_a_law_is_one_at_37_degC_positive_and_continuous(law: Law) -> None:
    assert at(law, 37.0) == pytest.approx(1.0, rel=1e-12)
    factor = law(FINE)
    assert (factor > 0.0).all()
    assert np.abs(np.diff(factor)).max() < 5e-3, "a thousandth of a kelvin moves it by little"


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_a_law_rises_to_100_degC_and_not_beyond(law: Law) -> None:
    assert (np.diff(law(FINE[FINE <= 100.0])) >= 0.0).all()
    assert (np.diff(law(FINE[FINE >= 100.0])) <= 1e-12).all()


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_the_slope_is_that_at_37_degC(law: Law) -> None:
    h = 0.5
    assert law.slope == pytest.approx(at(law, 37.0 + h) - at(law, 37.0 - h), rel=1e-4)


def test_values_by_hand() -> None:
    assert (at(Linear(0.015), 60.0), at(Linear(0.015), 130.0)) == pytest.approx((1.345, 1.945))
    assert at(Exponential(0.015), 60.0) == pytest.approx(math.exp(0.345))
    assert at(Exponential(0.015), 130.0) == pytest.approx(math.exp(0.945))
    assert (at(TABLE, 48.5), at(TABLE, 0.0), at(TABLE, 150.0)) == pytest.approx((1.25, 0.8, 2.4))
    assert at(Linear(0.015), -400.0) == 0.01


def test_drying_takes_three_orders_of_magnitude_over_5_K() -> None:
    wet, dry = Linear(0.015), Drying(Linear(0.015), 1e-3)
    assert at(dry, 99.9) == at(wet, 99.9)
    assert at(dry, 100.5) / at(wet, 100.5) == pytest.approx(10.0**-0.3)
    assert at(dry, 105.0) / at(wet, 105.0) == pytest.approx(1e-3)
    assert at(dry, 140.0) == at(dry, 105.0)


def test_perfusion_rises_to_its_most_at_45_degC() -> None:
    muscle = Rising(8.9)
    assert (at(muscle, 20.0), at(muscle, 37.0), at(muscle, 45.0), at(muscle, 60.0)) == pytest.approx((1, 1, 8.9, 8.9))
    assert (np.diff(muscle(FINE)) >= 0.0).all()
    # Lang 1999 for muscle: 0.45 + 3.55 exp(-(45 - T)^2 / 12) kg/m3/s; scaled to 1 at 37 degC here
    for T in (40.0, 42.0, 44.0):
        assert at(muscle, T) == pytest.approx((0.45 + 3.55 * math.exp(-((45.0 - T) ** 2) / 12.0)) / 0.45, rel=0.04)


def test_perfusion_stops_with_damage() -> None:
    omega = np.array([0.0, 0.5, 0.75, 1.0, 9.0])
    assert linear_stop(omega, 1.0, 0.5) == pytest.approx([1.0, 1.0, 0.5, 0.0, 0.0])
    assert linear_stop(omega, 1.0, 0.0) == pytest.approx([1.0, 1.0, 1.0, 0.0, 0.0])


def test_the_degree_of_stasis_first_lets_perfusion_rise_then_stops_it() -> None:
    def of(degree: float) -> float:
        return float(stasis(np.array([-math.log(1.0 - degree)]))[0])

    assert of(0.0) == 1.0 and of(0.01) == pytest.approx(1.3) and of(0.02) == pytest.approx(1.6)
    assert of(0.05) == pytest.approx(1.86 - 13 * 0.05, abs=0.01)
    assert of(0.5) == pytest.approx(0.884 - 0.79 * 0.5, abs=0.01)
    assert float(stasis(np.array([50.0]))[0]) == pytest.approx(0.0, abs=1e-9)
