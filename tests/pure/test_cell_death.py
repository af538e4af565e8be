"""Three-state cell death compared with a general ODE solver, and properties of the model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from rfablate.physics.cell_death import ALIVE_AT_START, LETHAL, ThreeState
from rfablate.physics.damage import logit, parse_rule

MODEL = ThreeState()


def solved(T: Callable[[float], float], end: float) -> tuple[float, float]:
    """Return (A, D) at `end` [s] by scipy, to 1e-10."""

    def rates(t: float, y: np.ndarray) -> list[float]:
        a, d = y
        kf = 3.33e-3 * np.exp(T(t) / 40.5) * (1.0 - a)
        return [7.77e-3 * (1.0 - a - d) - kf * a, kf * (1.0 - a - d)]

    found = solve_ivp(rates, (0.0, end), [ALIVE_AT_START, 0.0], rtol=1e-10, atol=1e-12, method="DOP853")
    return float(found.y[0, -1]), float(found.y[1, -1])


def stepped(T: Callable[[float], float], end: float, dt: float) -> tuple[float, float]:
    a, d = np.array([ALIVE_AT_START]), np.zeros(1)
    for n in range(round(end / dt)):
        a, d = MODEL.advance(a, d, (np.array([T(n * dt)]), np.array([T((n + 1) * dt)])), dt)
    return float(a[0]), float(d[0])


def ramp(t: float) -> float:
    """A ramp of 15 s from 37 to 70 degC, then a hold; a step ends at the transition."""
    return 37.0 + 33.0 * min(t / 15.0, 1.0)


@pytest.mark.parametrize(("dt", "allowed"), [(5.0, 2e-5), (1.0, 5e-8)])
@pytest.mark.parametrize("T", [ramp, lambda t: 55.0, lambda t: 100.0], ids=["ramp", "55 degC", "100 degC"])
def test_steps_follow_the_differential_equations(T: Callable[[float], float], dt: float, allowed: float) -> None:
    assert stepped(T, 90.0, dt) == pytest.approx(solved(T, 90.0), abs=allowed)


def test_the_error_falls_with_the_fourth_power_of_the_step() -> None:
    exact = solved(ramp, 60.0)[1]
    errors = [abs(stepped(ramp, 60.0, dt)[1] - exact) for dt in (15.0, 7.5, 3.75)]
    observed = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    print("orders", observed)
    assert observed.mean() > 3.3


def test_fractions_stay_between_none_and_all() -> None:
    a, d = np.full(4, ALIVE_AT_START), np.zeros(4)
    T = np.array([20.0, 37.0, 60.0, 110.0])
    for _ in range(720):
        a, d = MODEL.advance(a, d, (T, T), 10.0)
        assert (a >= 0.0).all() and (d >= 0.0).all() and (a + d <= 1.0 + 1e-12).all()


def test_hotter_cells_die_sooner_and_the_trap_at_37_degC_is_as_told() -> None:
    def time_to_die(T: float) -> float:
        a, d, t = np.array([ALIVE_AT_START]), np.zeros(1), 0.0
        while d[0] < LETHAL:
            a, d = MODEL.advance(a, d, (np.array([T]), np.array([T])), 1.0)
            t += 1.0
        return t

    times = [time_to_die(T) for T in (50.0, 60.0, 70.0, 80.0)]
    print("seconds to 80 % dead at 50, 60, 70, 80 degC:", times)
    assert times == sorted(times, reverse=True)
    at_rest = [solved(lambda t: 37.0, 60.0 * minutes)[1] for minutes in (5.0, 15.0, 60.0)]
    print("dead at 37 degC after 5, 15, 60 min:", *(f"{each:.4f}" for each in at_rest))
    assert at_rest[0] < 0.001 and at_rest[1] < 0.01 and at_rest[2] == pytest.approx(0.65, abs=0.01)


def test_the_rule_is_zero_where_its_fraction_is_dead() -> None:
    nothing = np.zeros(3)
    dead = np.array([0.1, 0.8, 0.95])
    assert parse_rule("cell_death").level(nothing, nothing, nothing, dead) == pytest.approx(
        [np.log(1 / 9) - np.log(4), 0.0, np.log(19) - np.log(4)], abs=1e-12
    )
    assert parse_rule("cell_death_0.5").threshold == 0.5
    assert np.isfinite(logit(np.array([0.0, 1.0]))).all()
    with pytest.raises(ValueError, match="cell_death"):
        parse_rule("cell_death_2")
