"""The decisions of the channels for a step, from the predicted sensor temperatures.

The heat of a step is linear in V_j^2 of the channels, and so is each reading:  T_k = a_k + sum over j of V_j^2 b_kj.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.errors import SolveError
from rfablate.fem.electric_problem import UnitField
from rfablate.physics.generator import Channels, Command, Generator, StepPrediction, settle
from rfablate.problem.sensors import Sensors
from rfablate.solve.state import ChannelOutput, State


@dataclass(frozen=True)
class SensorPrediction:
    """The predicted readings of a channel at the end of a step, as a function of V^2 of all channels."""

    passive: FloatArray
    """Readings without voltage [degC], shape (n_numbers,)."""
    gains: Mapping[int, FloatArray]
    """Temperature rise per V^2 of each channel with output [K/V2], shape (n_numbers,)."""

    def at(self, heating: Sequence[float], but: int | None = None) -> FloatArray:
        """Return the readings [degC] for V^2 of each channel [V2], excluding the channel `but`."""
        T = self.passive
        for number, gain in self.gains.items():
            if number != but:
                T = T + heating[number] * gain
        return T


@dataclass(frozen=True)
class SensorPredictions:
    """The predicted readings of all channels at one time."""

    time: float
    """End of the step, or later for a generator that looks ahead [s]."""
    channels: tuple[SensorPrediction, ...]


@dataclass(frozen=True)
class Decisions:
    """The decisions of the channels for a step, in channel order, and their states after it."""

    commands: tuple[Command, ...]
    channel_states: tuple[Any, ...]

    @property
    def heating(self) -> tuple[float, ...]:
        """V^2 of each channel [V2]."""
        return tuple(each.voltage**2 for each in self.commands)

    @property
    def cut(self) -> float | None:
        """Time of the first switch within the step [s]; None if there is none."""
        return min((each.cut for each in self.commands if each.cut is not None), default=None)

    @property
    def jumps(self) -> bool:
        """Whether a voltage may change discontinuously at the end of the step."""
        return any(each.jumps for each in self.commands)

    def outputs(self, units: Sequence[UnitField], sensors: Sequence[float]) -> tuple[ChannelOutput, ...]:
        """Return the output of each channel in the step."""
        return tuple(
            ChannelOutput(
                units[n] if units else None, each.voltage, sensors[n], each.setpoint, each.limited_by, each.pulse
            )
            for n, each in enumerate(self.commands)
        )


def predict_sensors(
    sensors: Sensors, near: Sequence[float], T_near: FloatArray, responses: Mapping[int, FloatArray]
) -> tuple[SensorPrediction, ...]:
    """Return the predicted readings of each channel.

    Args:
        sensors: the sensors of the case.
        near: V^2 of each channel for which the step was solved [V2].
        T_near: the temperature for these values [degC].
        responses: response to 1 V of each channel with output [K/V2].

    Collective.
    """
    found = []
    for passive, *read in sensors.follow(T_near, *responses.values()):
        gains = dict(zip(responses, read, strict=True))
        for number, gain in gains.items():
            passive = passive - near[number] * gain
        found.append(SensorPrediction(passive, gains))
    return tuple(found)


def no_prediction(channels: Channels, t: float) -> SensorPredictions:
    """Return empty predictions for t [s], for generators that do not use them."""
    return SensorPredictions(t, (SensorPrediction(np.full(1, np.nan), {}),) * len(channels.generators))


def decide(
    channels: Channels, predicted: SensorPredictions, units: Sequence[UnitField], state: State, t: float
) -> Decisions:
    """Return the decisions of the channels for the step ending at t [s].

    Args:
        channels: the channels of the generator.
        predicted: readings of each channel at the end of the step or later.
        units: unit field of each channel; empty during cooldown.
        state: state at the start of the step.
        t: end of the step [s].

    Raises:
        SolveError: the voltages of the channels do not converge, or a sensor does not respond to them.
    """

    readings = predicted.channels

    def decision(number: int, heating: Sequence[float]) -> tuple[Command, Any]:
        G = units[number].conductance if units else 0.0
        passive = readings[number].at(heating, but=number)
        gain = readings[number].gains.get(number, np.full(len(passive), np.nan))
        if (gain == 0.0).any():
            raise SolveError(
                f"the sensor does not respond to the voltage in the step to {t:.6g} s: its predicted gain is 0 K/V2, "
                "expected more; use a smaller solver.heat_rtol, or a sensor nearer to the active tip"
            )
        pairs, sensor = zip(passive.tolist(), gain.tolist(), strict=True), state.sensors[number]
        offers = [StepPrediction(t, t - state.t, G, *pair, predicted.time, sensor) for pair in pairs]
        return decide_by_hottest(channels.generators[number], offers, state.channel_states[number])

    last = state.heating[0][1] if state.heating else (0.0,) * len(readings)
    served = channels.served(state.turn)
    decisions = settle(served, [V2 if n in served else 0.0 for n, V2 in enumerate(last)], decision)
    if decisions is None:
        raise SolveError(
            f"the channel voltages for the step to {t:.6g} s do not converge: the other channels heat each sensor more "
            "than its own channel does; check which sensor each channel reads"
        )
    commands = tuple(decisions[n][0] if n in decisions else Command(0.0) for n in range(len(readings)))
    after = tuple(decisions[n][1] if n in decisions else kept for n, kept in enumerate(state.channel_states))
    return Decisions(commands, after)


def decide_by_hottest(generator: Generator, offers: Sequence[StepPrediction], state: Any) -> tuple[Command, Any]:
    """Return the command and the state after it for the sensor predicted to be the hottest.

    `offers` has one entry per sensor.
    """
    decisions = [generator.decide(offer, state) for offer in offers]

    def restraint(number: int) -> tuple[float, float]:
        heating, offer = decisions[number][0].voltage ** 2, offers[number]
        return heating, -(offer.sensor_passive + heating * offer.sensor_gain)

    return decisions[min(range(len(offers)), key=restraint)]
