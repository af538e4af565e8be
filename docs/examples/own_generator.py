"""A generator of your own: power that rises linearly and stays until a dose of energy has been delivered.

A generator is a frozen object that meets `rfablate.physics.generator.Generator`. Its decision for a step is a voltage
[V RMS]. What it keeps between steps is its state, passed in and returned: a rejected step leaves it unchanged, and a
checkpoint contains it.

    python docs/examples/own_generator.py cases/needle_benchmark runs/power_ramp
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import rfablate as rfa
from rfablate.physics.generator import Command, Limits, RequiredInputs, StepPrediction


@dataclass(frozen=True)
class Delivered:
    """State of the generator: energy delivered so far [J]."""

    energy: float = 0.0


@dataclass(frozen=True)
class PowerRamp:
    """Power rises from 0 to `power` [W] over `rise` [s]; it stays until `end` [s] or until `dose` [J] is delivered."""

    power: float
    rise: float
    end: float
    dose: float = float("inf")
    limits: Limits = Limits(power=50.0, voltage=100.0, current=2.0)

    @property
    def switch_times(self) -> tuple[float, ...]:
        """Times at which the voltage jumps [s]: it is switched off at the end."""
        return (self.end,)

    @property
    def turning_times(self) -> tuple[float, ...]:
        """Times on which steps land [s]: the end of the rise."""
        return (self.rise,)

    def start(self) -> Delivered:
        """Return the state at t = 0."""
        return Delivered()

    def rest(self, state: Delivered) -> Delivered:
        """Return the state after a pause by the impedance guard: energy delivered so far still counts."""
        return state

    def planned(self, state: Delivered) -> tuple[float, ...]:
        """Switches that the generator has set for itself: none."""
        return ()

    def needs(self, start: float, end: float, state: Delivered) -> RequiredInputs:
        """What the decision depends on: not on the sensor."""
        return RequiredInputs()

    def decide(self, offer: StepPrediction, state: Delivered) -> tuple[Command, Delivered]:
        """V^2 = P / G, with the power at the end of the step, where an implicit step takes its heat source."""
        power = self.power * min(1.0, offer.t / self.rise) if state.energy < self.dose else 0.0
        voltage, limited_by = self.limits.apply(power / offer.conductance, offer.conductance)
        energy = state.energy + voltage**2 * offer.conductance * offer.dt
        return Command(voltage, limited_by=limited_by), Delivered(energy)


if __name__ == "__main__":
    result = rfa.run(sys.argv[1], sys.argv[2], extensions=rfa.Extensions(generator=PowerRamp(2.0, 20.0, 60.0)))
    print(result.card)
