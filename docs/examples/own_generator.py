"""A generator of your own: power that rises linearly, then stays.

A generator is a frozen object that meets `rfablate.physics.generator.Generator`. Its decision for a step is a voltage
[V RMS]; what it must remember goes through `memory`, so that a rejected step and a checkpoint undo and keep it.

    python docs/examples/own_generator.py cases/needle_benchmark runs/power_ramp
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import rfablate as rfa
from rfablate.physics.generator import Command, Limits, Memory, Needs, Offer


@dataclass(frozen=True)
class PowerRamp:
    """Power rises from 0 to `power` [W] over `rise` [s] and stays until `end` [s]."""

    power: float
    rise: float
    end: float
    limits: Limits = Limits(power=50.0, voltage=100.0, current=2.0)

    @property
    def switch_times(self) -> tuple[float, ...]:
        """Times at which the voltage jumps [s]: it is switched off at the end."""
        return (self.end,)

    @property
    def turning_times(self) -> tuple[float, ...]:
        """Times on which steps land [s]: the end of the rise."""
        return (self.rise,)

    def planned(self, memory: Memory) -> tuple[float, ...]:
        """Switches that the generator has set for itself: none."""
        return ()

    def needs(self, start: float, end: float, memory: Memory) -> Needs:
        """What the decision depends on: not on the sensor."""
        return Needs()

    def decide(self, offer: Offer, memory: Memory) -> tuple[Command, Memory]:
        """V^2 = P / G, with the power at the end of the step, where an implicit step takes its heat source."""
        power = self.power * min(1.0, offer.t / self.rise)
        voltage, limited_by = self.limits.apply(power / offer.conductance, offer.conductance)
        return Command(voltage, limited_by=limited_by), memory


if __name__ == "__main__":
    result = rfa.run(sys.argv[1], sys.argv[2], extensions=rfa.Extensions(generator=PowerRamp(2.0, 20.0, 60.0)))
    print(result.card)
