"""Observed order, limit and uncertainty of sequences whose limit is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rfablate.evidence.grid_convergence import NO_ORDER, estimate_error, observed_order


@pytest.mark.parametrize("p", [0.7, 1.0, 2.0, 2.9])
@pytest.mark.parametrize("ratios", [(1.0, 1.41, 2.0), (1.0, 1.3, 2.2)])
def test_a_power_law_gives_its_order_and_limit(p: float, ratios: tuple[float, ...]) -> None:
    sizes = [0.3 * r for r in ratios]
    results = [8.0 + 0.4 * h**p for h in sizes]
    found = estimate_error(sizes, results, formal=3.0)
    assert found.order == pytest.approx(p, rel=1e-9)
    assert found.limit == pytest.approx(8.0, abs=1e-9)
    assert found.uncertainty == pytest.approx(1.25 * abs(results[0] - 8.0), rel=1e-8)


@pytest.mark.parametrize(
    "results",
    [(8.0, 8.1, 8.05), (8.0, 8.1, 8.1), (8.0, 8.0, 8.1), (8.0, 8.1, 8.11), (8.0, 8.001, 8.2)],
    ids=["oscillates", "stalls", "no first change", "order too low", "order too high"],
)
def test_a_sequence_without_an_order_is_bounded_by_its_spread(results: tuple[float, ...]) -> None:
    found = estimate_error([1.0, math.sqrt(2.0), 2.0], results)
    assert not found.asymptotic
    assert found.uncertainty == pytest.approx(NO_ORDER * (max(results) - min(results)))


def test_equal_results_have_no_uncertainty() -> None:
    assert estimate_error([1.0, 1.5, 2.0], [3.0, 3.0, 3.0]).uncertainty == 0.0


def test_two_terms_approach_the_leading_order_with_refinement() -> None:
    orders = [observed_order([h, 2 * h, 4 * h], [5 + x + 3 * x**2 for x in (h, 2 * h, 4 * h)]) for h in (0.1, 0.001)]
    assert all(order is not None for order in orders)
    first, second = (float(order or 0.0) for order in orders)
    assert abs(second - 1.0) < 0.05 * abs(first - 1.0)


@pytest.mark.parametrize(("scatter", "contained"), [(0.02, 0.99), (0.05, 0.95), (0.2, 0.9)])
def test_uncertainties_contain_the_limit_of_scattered_second_order_sequences(scatter: float, contained: float) -> None:
    """Meshes that are not similar scatter the error of each result by this fraction (standard deviation)."""
    rng = np.random.default_rng(7)
    h = np.array([1.0, math.sqrt(2.0), 2.0])
    errors = 0.1 * h**2 * (1.0 + scatter * rng.standard_normal((4000, 3)))
    inside = [abs(e[0]) <= estimate_error(list(h), list(10.0 + e)).uncertainty for e in errors]
    assert np.mean(inside) >= contained


def test_an_order_above_the_formal_one_does_not_reduce_the_uncertainty() -> None:
    sizes = [1.0, 2.0, 4.0]
    results = [8.0 + 0.01 * h**2.5 for h in sizes]
    assert estimate_error(sizes, results).uncertainty == pytest.approx(1.25 * (results[1] - results[0]) / 3.0)


@pytest.mark.parametrize("sizes", [(1.0, 1.0, 2.0), (2.0, 1.0, 3.0), (0.0, 1.0, 2.0), (1.0, 2.0)])
def test_sizes_that_do_not_increase_are_refused(sizes: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="three increasing"):
        estimate_error(sizes, [1.0] * len(sizes))
