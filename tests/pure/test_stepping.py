"""Steps end exactly at every stop, without very short steps, and within the error tolerance.

| what                                          | expected                              |
|-----------------------------------------------|---------------------------------------|
| weights of order 1, 2, 3, any steps           | exact for polynomials of that degree  |
| error factor x next divided difference        | the error, exact one degree higher    |
| global error on y' = -y                       | dt^order, also with steps of 1 : 1.7  |
| the same, steps of order 3 by StepControl     | tolerance^(3/4)                       |
"""

from __future__ import annotations

import itertools
import math
import operator
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from rfablate.problem.step_control import StepControl, bdf_weights, error_factor, round_to_series

CONTROL = StepControl(tolerance=1e-3, first=0.02, minimum=1e-4, maximum=10.0)


def _walk(control: StepControl, stops: Sequence[float], error: Callable[[float, float], float]) -> list[float]:
    """Return the times of all accepted steps up to the last stop for a local error that depends on (t, dt)."""
    t, memory, times = 0.0, control.start(), [0.0]
    while t < stops[-1]:
        end = control.next_time(t, stops, memory)
        verdict = control.judge(end - t, error(t, end - t), 2, memory)
        assert not verdict.too_small
        memory = verdict.memory
        if verdict.accepted:
            t = end
            times.append(t)
        assert len(times) < 10_000
    return times


def _cubic_error(t: float, dt: float) -> float:
    return 1e-3 * (dt / (0.3 + 0.2 * math.sin(t))) ** 3


@pytest.mark.parametrize("fixed", [None, 0.37])
@pytest.mark.parametrize("seed", range(5))
def test_steps_land_exactly_on_every_stop(seed: int, fixed: float | None) -> None:
    rng = random.Random(seed)
    stops = sorted(rng.uniform(0.0, 60.0) for _ in range(20))
    control = StepControl(tolerance=1e-3, first=0.02, minimum=1e-9, maximum=10.0, fixed=fixed)
    times = _walk(control, stops, _cubic_error)
    assert set(stops) <= set(times)
    assert times[-1] == stops[-1]
    assert all(a < b for a, b in itertools.pairwise(times))


@pytest.mark.parametrize("seed", range(20))
def test_no_step_to_a_lone_stop_is_shorter_than_half_a_wish(seed: int) -> None:
    rng = random.Random(seed)
    memory = CONTROL.start()
    wish = memory.proposed
    stop = wish * rng.uniform(1.0, 7.0)
    t, steps = 0.0, []
    while t < stop:
        end = CONTROL.next_time(t, [stop], memory)
        steps.append(end - t)
        t = end
    assert min(steps) > 0.499 * wish
    assert max(steps) <= 1.0011 * wish


def test_a_step_of_rounding_size_is_never_made_after_a_wish_that_reaches_the_stop() -> None:
    """0.1 + 0.2 is not 0.3: three fixed steps of 0.1 s end at 0.3 s without a fourth step of 5e-17 s."""
    control = StepControl(tolerance=1.0, first=0.1, minimum=1e-4, maximum=1.0, fixed=0.1)
    assert _walk(control, [0.3], lambda t, dt: 0.0) == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert len(_walk(control, [0.3, 60.0], lambda t, dt: 0.0)) == 601


def test_a_stop_that_cuts_a_step_does_not_shrink_the_wish() -> None:
    """Stops 0.5 s apart, then none for a minute: at most two steps per stop, and no slow restart."""
    times = _walk(CONTROL, [*(0.5 * n for n in range(1, 100)), 60.0], lambda t, dt: 0.0)
    assert len(times) < 2 * 100 + 15
    memory = replace(CONTROL.start(), proposed=3.0)
    assert CONTROL.judge(0.01, 1e-9, 2, memory).memory.proposed == 3.0


def test_an_error_above_the_tolerance_refuses_the_step_and_asks_for_a_shorter_one() -> None:
    verdict = CONTROL.judge(1.0, 8e-3, 2, CONTROL.start())
    assert not verdict.accepted
    assert verdict.memory.rejected == 1 and verdict.memory.accepted == 0
    # the error scales with dt^3: a factor 8 halves the step, times the safety factor
    assert 0.35 < verdict.memory.proposed < 0.5


def test_an_error_above_the_tolerance_at_the_shortest_step_is_said() -> None:
    assert CONTROL.judge(CONTROL.minimum, 1.0, 2, CONTROL.start()).too_small
    for t in (0.04, 7.3, 1234.5):  # a step's length is the difference of two times, with their rounding
        assert CONTROL.judge((t + CONTROL.minimum) - t, 1.0, 2, CONTROL.start()).too_small
    assert not CONTROL.judge(1.001 * CONTROL.minimum, 1.0, 2, CONTROL.start()).too_small


def test_the_wish_stays_between_the_limits_and_grows_by_less_than_bdf2_is_stable_for() -> None:
    memory, wishes = CONTROL.start(), []
    for _ in range(40):
        wishes.append(memory.proposed)
        memory = CONTROL.judge(memory.proposed, 0.0, 2, memory).memory
    assert max(wishes) == CONTROL.maximum
    assert max(b / a for a, b in itertools.pairwise(wishes)) < 1.0 + math.sqrt(2.0)
    assert CONTROL.judge(1e-4, 1e9, 2, memory).memory.proposed >= CONTROL.minimum


def test_an_unknown_error_accepts_the_step_and_keeps_the_proposed_length() -> None:
    start = CONTROL.start()
    verdict = CONTROL.judge(0.02, None, 1, start)
    assert verdict.accepted and verdict.memory.proposed == start.proposed and verdict.memory.accepted == 1


def test_after_a_switch_the_next_step_is_short_again() -> None:
    memory = CONTROL.start()
    for _ in range(10):
        memory = CONTROL.judge(memory.proposed, 0.0, 2, memory).memory
    assert CONTROL.restart(memory).proposed == CONTROL.first
    fixed = StepControl(tolerance=1.0, first=0.02, minimum=1e-4, maximum=1.0, fixed=0.5)
    assert fixed.restart(fixed.start()).proposed == 0.5


# --- formulas -------------------------------------------------------------------------------------

STEPS = [(0.3, 0.3, 0.3, 0.3), (0.5, 0.2, 0.7, 0.4), (0.1, 0.9, 0.2, 0.3), (1e-3, 0.4, 2.0, 0.1)]


def _times(steps: Sequence[float]) -> list[float]:
    """Return 1.3 and the times before it."""
    return list(itertools.accumulate(steps, operator.sub, initial=1.3))


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("steps", STEPS)
def test_weights_differentiate_polynomials_of_their_order_exactly(steps: Sequence[float], order: int) -> None:
    t = _times(steps)[: order + 1]
    w = bdf_weights(t[0], t[1:])
    for power in range(order + 1):
        slope = power * t[0] ** (power - 1)
        assert sum(wi * ti**power for wi, ti in zip(w, t, strict=True)) == pytest.approx(slope, rel=1e-9, abs=1e-9)


def test_backward_euler_and_bdf2_of_equal_steps_have_their_known_weights() -> None:
    assert bdf_weights(0.25, [0.0]) == (4.0, -4.0)
    assert bdf_weights(1.0, [0.5, 0.0]) == pytest.approx((3.0, -4.0, 1.0))
    assert bdf_weights(3.0, [2.0, 1.0, 0.0]) == pytest.approx((11 / 6, -3.0, 1.5, -1 / 3))


def _divided_difference(t: Sequence[float], y: Sequence[float]) -> float:
    if len(t) == 1:
        return y[0]
    return (_divided_difference(t[:-1], y[:-1]) - _divided_difference(t[1:], y[1:])) / (t[0] - t[-1])


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("steps", STEPS)
def test_the_error_factor_gives_the_error_of_a_step_on_the_next_polynomial_exactly(
    steps: Sequence[float], order: int
) -> None:
    def y(t: float) -> float:
        return 2.0 * t ** (order + 1) - 0.7 * t**order + 0.1 * t - 3.0

    t = _times(steps)[: order + 2]
    slope = 2.0 * (order + 1) * t[0] ** order - 0.7 * order * t[0] ** (order - 1) + 0.1
    w0, *w = bdf_weights(t[0], t[1:-1])
    stepped = (slope - sum(wi * y(ti) for wi, ti in zip(w, t[1:-1], strict=True))) / w0
    predicted = _divided_difference(t, [y(each) for each in t]) * error_factor(t[0], t[1:-1])
    assert stepped - y(t[0]) == pytest.approx(predicted, rel=1e-6)


# --- orders ---------------------------------------------------------------------------------------


def _decay(times: Sequence[float], order: int) -> float:
    """Return the final error for y' = -y, y(0) = 1, starting from as many exact values as the order needs."""
    t = list(times[:order])
    y = [math.exp(-each) for each in t]
    for end in times[order:]:
        w0, *w = bdf_weights(end, t[: -order - 1 : -1])
        y.append(-sum(wi * yi for wi, yi in zip(w, reversed(y), strict=False)) / (w0 + 1.0))
        t.append(end)
    return abs(y[-1] - math.exp(-t[-1]))


def _pattern(long: float, short: float, end: float) -> Iterator[float]:
    t = 0.0
    yield t
    for dt in itertools.cycle((long, short)):
        if t + dt > end - 1e-9:
            break
        t += dt
        yield t
    yield end


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("ratio", [1.0, 1.7])
def test_steps_are_of_their_order(ratio: float, order: int) -> None:
    errors = []
    for n in (20, 40, 80, 160):
        short = 4.0 / n / (1.0 + ratio)
        errors.append(_decay(list(_pattern(ratio * short, short, 2.0)), order))
    orders = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert orders[-1] == pytest.approx(order, abs=0.1), orders


def _adaptive_decay(tolerance: float) -> tuple[float, int, list[float]]:
    """Return the error at t = 8, the number of steps and the errors of the steps that StepControl accepted."""
    control = StepControl(tolerance=tolerance, first=tolerance ** (2 / 3), minimum=1e-9, maximum=10.0)
    t, y, memory = [0.0], [1.0], control.start()
    committed = []
    while t[-1] < 8.0:
        end = control.next_time(t[-1], [8.0], memory)
        h, order = end - t[-1], len(t) if len(t) < 3 else min(3, len(t) - 1)
        before = t[: -order - 1 : -1]
        w0, *w = bdf_weights(end, before)
        new = -sum(wi * yi for wi, yi in zip(w, reversed(y), strict=False)) / (w0 + 1.0)
        error = None
        if len(t) > order:
            nodes = [end, *t[: -order - 2 : -1]]
            error = abs(_divided_difference(nodes, [new, *y[: -order - 2 : -1]])) * error_factor(end, before)
        verdict = control.judge(h, error, order, memory)
        memory = verdict.memory
        if verdict.accepted:
            # error of this step alone, with exact history
            if error is not None:
                alone = -sum(wi * math.exp(-each) for wi, each in zip(w, before, strict=True)) / (w0 + 1.0)
                committed.append(abs(alone - math.exp(-end)))
            t.append(end)
            y.append(new)
    worst = max(abs(a - math.exp(-b)) for a, b in zip(y, t, strict=True))
    return worst, len(t), committed


def test_steps_chosen_by_the_tolerance_keep_each_steps_error_near_it_and_converge_with_it() -> None:
    runs = {tolerance: _adaptive_decay(tolerance) for tolerance in (1e-4, 1e-5, 1e-6, 1e-7)}
    for tolerance, (_, _, committed) in runs.items():
        assert max(committed) < 1.5 * tolerance
        assert max(committed) > 0.2 * tolerance, "far shorter steps than the tolerance asks for"
    errors = [worst for worst, _, _ in runs.values()]
    counts = [steps for _, steps, _ in runs.values()]
    for (a, b), (m, n) in zip(itertools.pairwise(errors), itertools.pairwise(counts), strict=True):
        assert 10 ** (3 / 4) * 0.6 < a / b < 10 ** (3 / 4) * 1.7, errors
        assert 10 ** (1 / 4) * 0.7 < n / m < 10 ** (1 / 4) * 1.4, counts


# --- the ladder of step lengths -------------------------------------------------------------------


def test_lengths_are_preferred_numbers() -> None:
    assert [round_to_series(each) for each in (1.0, 1.119, 1.12, 9.99, 0.0271, 100.0)] == pytest.approx(
        [1.0, 1.0, 1.12, 9.0, 0.025, 100.0]
    )
    for each in (0.3, 0.1 + 0.2, 3 * 0.1 - 1e-17, 1e-4, 7.1e3):
        assert round_to_series(each) <= each * (1.0 + 1e-5)
        assert round_to_series(round_to_series(each)) == round_to_series(each)


def test_rounding_of_a_time_does_not_change_the_rung() -> None:
    for rung in (0.02, 0.25, 1.4, 6.3):
        lengths = {round_to_series(rung * (1.0 + sign * 1e-12)) for sign in (-1, 0, 1)}
        assert len(lengths) == 1


@pytest.mark.parametrize("seed", range(20))
def test_noise_in_the_error_changes_no_step(seed: int) -> None:
    """Changes in the sixth digit of an error estimate do not change the step lengths by a bit."""
    rng = random.Random(seed)
    stops = [0.5 * n for n in range(1, 60)] + [100.0]

    def noisy(t: float, dt: float) -> float:
        return _cubic_error(t, dt) * (1.0 + 1e-6 * rng.uniform(-1, 1))

    assert _walk(CONTROL, stops, noisy) == _walk(CONTROL, stops, _cubic_error)
