"""Pulsed radiofrequency: peak field within a pulse and the temperature spike that the cycle average does not show.

The spike is the largest rise of a node's temperature from the start of a pulse to its end. With resolved pulses it is
observed directly. Where steps see the cycle average, the solver simulates one pulse from the temperature at the end of
each step (`solve.pulse_trial`); it starts from the mean temperature, not from the cooler end of a cycle, so that the
hottest point is an upper bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.physics.generator.pulsed import PulsedControl
from rfablate.problem.problem import Problem
from rfablate.simulation.monitors.monitor import Monitor, Row
from rfablate.solve.state import Frame


@dataclass
class PulseMemory:
    """Extremes and times so far."""

    field: float = 0.0
    """Largest field within a pulse [V/m]."""
    spike: float = 0.0
    """[K]"""
    hottest: float = -np.inf
    """[degC]"""
    capped: float = 0.0
    delivered: float = 0.0
    """Time with the temperature cap active, and time with pulses [s]."""
    pulse: float = 0.0
    """Voltage within the last pulse [V RMS]."""
    before: FloatArray | None = None
    """Temperature before the pulse that is on or comes next [degC]."""


class PulseMonitor(Monitor):
    """Keeps the extremes of pulses."""

    name = "pulses"

    def __init__(self, problem: Problem, generator: PulsedControl) -> None:
        """Start before the first pulse."""
        self._problem, self._generator = problem, generator
        self.memory = PulseMemory()

    def observe(self, frame: Frame) -> Row:
        """Return the voltage within the pulse."""
        if frame.pulse is not None and frame.unit is not None:
            self._observe_pulse(frame, frame.pulse)
        else:
            self.memory.before = frame.T
        return {"pulse_V": frame.pulse}

    def _observe_pulse(self, frame: Frame, voltage: float) -> None:
        owned = self._problem.domain.nodes.owned
        before, after = self.memory.before, frame.T
        if frame.after_pulse is not None:
            before, after = frame.T, frame.after_pulse
        assert before is not None
        largest = self._problem.domain.nodes.max_of(
            voltage * self._unit_field(frame),
            float((after - before)[:owned].max(initial=0.0)),
            float(after[:owned].max(initial=-np.inf)),
        )
        memory = self.memory
        memory.field, memory.spike, memory.hottest = (
            max(pair) for pair in zip((memory.field, memory.spike, memory.hottest), map(float, largest), strict=True)
        )
        memory.delivered += frame.dt
        memory.capped += frame.dt if frame.setpoint is not None else 0.0
        memory.pulse = voltage

    def _unit_field(self, frame: Frame) -> float:
        """Return the largest field of 1 V in this rank's tissue [1/m]."""
        problem = self._problem
        assert problem.solvers.electric is not None and frame.unit is not None
        volume = problem.domain.elements.volume
        sigma = problem.solvers.coefficients.values[: len(volume), 0]
        power = problem.solvers.electric.heating(frame.unit.phi, problem.solvers.coefficients)
        tissue = sigma > 0.0
        return float(np.sqrt((power[tissue] / (sigma * volume)[tissue]).max(initial=0.0)))

    def entry(self, frame: Frame) -> dict[str, Any]:
        """Return duty, pulse voltage, peak field, spike, hottest point and the time under the cap."""
        g, seen = self._generator, self.memory
        pulses = {
            "resolved": g.resolved,
            "duty": g.duty,
            "last_pulse_V": seen.pulse,
            "peak_field_V_per_m": seen.field,
            "spike_K": seen.spike,
            "hottest_with_spike_degC": seen.hottest if np.isfinite(seen.hottest) else None,
            "capped_percent": 100.0 * seen.capped / seen.delivered if seen.delivered else 0.0,
        }
        return {"pulses": pulses}
