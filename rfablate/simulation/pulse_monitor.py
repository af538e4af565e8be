"""What a cycle's average does not show of pulsed radiofrequency: the field within a pulse and its spike of temperature.

The spike is what the hottest node warms by from the start of a pulse to its end. Where the pulses are resolved it is
seen. Where steps see the cycle's average, one pulse is tried from the temperature of each step's end, in SUBSTEPS
backward Euler steps; it starts from the mean, not from the cooler end of a cycle, so the hottest point is on the safe
side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rfablate.physics.generator.pulsed import Pulsed
from rfablate.problem.problem import Problem
from rfablate.solve.state import Frame

SUBSTEPS = 4
"""Steps in which a pulse is tried."""

FloatArray = npt.NDArray[np.float64]


@dataclass
class PulseMemory:
    """What was seen so far."""

    field: float = 0.0
    """Largest field within a pulse [V/m]."""
    spike: float = 0.0
    """[K]"""
    hottest: float = -np.inf
    """[degC]"""
    capped: float = 0.0
    delivered: float = 0.0
    """Time with the cap at work, and with pulses at all [s]."""
    pulse: float = 0.0
    """Voltage within the last pulse [V RMS]."""
    before: FloatArray | None = None
    """Temperature before the pulse that is on or comes next [degC]."""


class PulseRecord:
    """Looks at the steps of a pulsed run. Its methods are collective."""

    def __init__(self, problem: Problem, generator: Pulsed) -> None:
        """Start with nothing seen."""
        self._problem, self._generator = problem, generator
        self.memory = PulseMemory()

    def see(self, frame: Frame) -> None:
        """Take note of a step."""
        if frame.pulse is None or frame.unit is None:
            self.memory.before = frame.T
            return
        owned = self._problem.domain.nodes.owned
        before, after = self.memory.before, frame.T
        if not self._generator.resolved:
            before, after = frame.T, self._try_pulse(frame)
        assert before is not None
        found = self._problem.domain.nodes.max_of(
            frame.pulse * self._unit_field(frame),
            float((after - before)[:owned].max(initial=0.0)),
            float(after[:owned].max(initial=-np.inf)),
        )
        seen = self.memory
        seen.field, seen.spike, seen.hottest = (
            max(pair) for pair in zip((seen.field, seen.spike, seen.hottest), map(float, found), strict=True)
        )
        seen.delivered += frame.dt
        seen.capped += frame.dt if frame.setpoint is not None else 0.0
        seen.pulse = frame.pulse

    def _try_pulse(self, frame: Frame) -> FloatArray:
        """Return the temperature [degC] after one pulse from the step's end on. Collective."""
        assert frame.unit is not None and frame.pulse is not None
        problem, T = self._problem, frame.T
        w0 = SUBSTEPS / self._generator.width
        problem.heat.prepare(w0, problem.blood_flow.left(frame.omega, frame.T), problem.fixed)
        for _ in range(SUBSTEPS):
            T = problem.heat.step(w0 * T, problem.fixed_value, T, frame.pulse**2 * frame.unit.load)
        return T

    def _unit_field(self, frame: Frame) -> float:
        """Return the largest field of 1 V in this rank's tissue [1/m]."""
        problem = self._problem
        assert problem.electric is not None and frame.unit is not None
        volume = problem.domain.elements.volume
        sigma = problem.coefficients.values[: len(volume), 0]
        power = problem.electric.heating(frame.unit.phi, problem.coefficients)
        tissue = sigma > 0.0
        return float(np.sqrt((power[tissue] / (sigma * volume)[tissue]).max(initial=0.0)))

    def entry(self) -> dict[str, Any]:
        """Return the entry of summary.json."""
        g, seen = self._generator, self.memory
        return {
            "resolved": g.resolved,
            "duty": g.duty,
            "last_pulse_V": seen.pulse,
            "peak_field_V_per_m": seen.field,
            "spike_K": seen.spike,
            "hottest_with_spike_degC": seen.hottest if np.isfinite(seen.hottest) else None,
            "capped_percent": 100.0 * seen.capped / seen.delivered if seen.delivered else 0.0,
        }
