"""The energy balance integrates flows over time and reports the residual."""

from __future__ import annotations

import pytest

from rfablate.solve.energy_balance import EnergyLedger, Powers


def _run(times: list[float], joule, perfused, boundary, stored) -> EnergyLedger:  # type: ignore[no-untyped-def]
    ledger = EnergyLedger(last=Powers(joule(times[0]), perfused(times[0]), boundary(times[0])))
    for a, b in zip(times[:-1], times[1:], strict=True):
        ledger = ledger.advance(b - a, Powers(joule(b), perfused(b), boundary(b)), stored(b), after_switch=False)
    return ledger


def test_flows_linear_in_time_are_integrated_exactly_over_any_steps() -> None:
    ledger = _run(
        [0.0, 0.1, 0.7, 2.0, 5.0],
        joule=lambda t: 3.0 + 2.0 * t,
        perfused=lambda t: 0.5 * t,
        boundary=lambda t: 1.0,
        stored=lambda t: 3.0 * t + t**2 - 0.25 * t**2 - t,
    )
    assert ledger.joule == pytest.approx(15.0 + 25.0)
    assert ledger.perfused == pytest.approx(6.25)
    assert ledger.boundary == pytest.approx(5.0)
    assert ledger.residual == pytest.approx(0.0, abs=1e-12)


def test_the_error_for_curved_flows_falls_with_the_square_of_the_step() -> None:
    def error(n: int) -> float:
        times = [i / n for i in range(n + 1)]
        return abs(_run(times, lambda t: t**2, lambda t: 0.0, lambda t: 0.0, lambda t: t**3 / 3.0).residual)

    assert error(10) / error(20) == pytest.approx(4.0, rel=0.02)


def test_the_first_step_after_a_switch_takes_its_final_flow_throughout() -> None:
    before = EnergyLedger(last=Powers(joule=100.0))
    after = before.advance(2.0, Powers(joule=5.0, perfused=1.0, boundary=2.0), 4.0, after_switch=True)
    assert (after.joule, after.perfused, after.boundary) == (10.0, 2.0, 4.0)
    assert after.residual == pytest.approx(0.0)


def test_the_residual_is_joule_less_all_that_it_went_into() -> None:
    ledger = EnergyLedger(joule=10.0, stored=4.0, perfused=3.0, boundary=2.0, latent=0.5)
    assert ledger.residual == pytest.approx(0.5)
    assert ledger.residual_fraction == pytest.approx(0.05)


def test_a_heated_surface_is_judged_by_what_came_in_through_it() -> None:
    """Without Joule heat the fraction is relative to the largest energy."""
    ledger = EnergyLedger(stored=8.0, perfused=1.0, boundary=-9.1)
    assert ledger.residual_fraction == pytest.approx(0.1 / 9.1)


def test_nothing_has_no_residual() -> None:
    assert EnergyLedger().residual_fraction == 0.0
