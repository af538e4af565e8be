"""Set points over time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Ramp:
    """Linear rise from `start` to `target` [degC] in `duration` [s], then hold."""

    start: float
    target: float
    duration: float

    @property
    def turns(self) -> tuple[float, ...]:
        """Times at which the slope changes [s]."""
        return (self.duration,) if self.duration > 0.0 else ()

    def at(self, t: float) -> float:
        """Return the set point [degC] at time t [s]."""
        if t >= self.duration:
            return self.target
        return self.start + (self.target - self.start) * t / self.duration
