"""Error bars from a run and a coarser one: what they are at least."""

from __future__ import annotations

import pytest

from rfablate.lesion.measure import MeasuredLesion
from rfablate.lesion.observer import StepMeasures
from rfablate.simulation.discretisation_error import _differences

MM = 1e-3


def _lesion(distal: float, proximal: float, width: float) -> MeasuredLesion:
    """Return a lesion around a 5 mm tip [mm]."""
    return MeasuredLesion(
        width=width * MM,
        width_min=width * MM,
        length=(distal + 5.0 + proximal) * MM,
        depth_distal=distal * MM,
        depth_proximal=proximal * MM,
        effective_radius=2.0 * MM,
        roundness=0.5,
        volume=30e-9,
    )


def _bars(fine: dict[str, MeasuredLesion], coarse: dict[str, MeasuredLesion]) -> dict[str, float]:
    return _differences(StepMeasures(60.0, fine, {}, {}), StepMeasures(60.0, coarse, {}, {}))


def test_errors_of_two_ends_that_cancel_in_the_length_are_in_its_bar() -> None:
    """0.3 mm longer at one end, 0.4 mm shorter at the other: at least 0.5 mm."""
    bars = _bars({"arrhenius": _lesion(1.0, 1.0, 4.0)}, {"arrhenius": _lesion(1.3, 0.6, 4.0)})
    assert bars["arrhenius.depth_distal_mm"] == pytest.approx(0.3)
    assert bars["arrhenius.depth_proximal_mm"] == pytest.approx(0.4)
    assert [bars[f"arrhenius.{key}"] for key in ("length_mm", "width_mm", "width_min_mm")] == pytest.approx([0.5] * 3)


def test_a_larger_difference_is_the_bar_of_every_rule() -> None:
    fine = {"arrhenius": _lesion(1.0, 1.0, 4.0), "isotherm_50C": _lesion(1.5, 1.5, 5.0)}
    coarse = {"arrhenius": _lesion(1.0, 1.0, 4.0), "isotherm_50C": _lesion(1.6, 1.5, 5.7)}
    bars = _bars(fine, coarse)
    assert bars["arrhenius.width_mm"] == bars["isotherm_50C.width_mm"] == pytest.approx(0.7)
    assert bars["arrhenius.length_mm"] == pytest.approx(0.1)
