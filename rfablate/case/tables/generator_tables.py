"""The generator tables of a case: what the device is asked to do, and what it can do."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rfablate.case.tables.base import Table
from rfablate.case.tables.device_log import DeviceLog, read_log
from rfablate.case.tables.units import Celsius, MsPositive, NotNegative, Positive, Seconds
from rfablate.physics.generator.replay import Quantity


class RollOff(Table):
    """What the device does when the impedance rises past a threshold, as it does where tissue dries out.

    `action`: "pause" switches off for `wait` and starts again, "step_down" allows `factor` times the power from then on
    and looks again after `wait`, "stop" ends the treatment. The threshold is `above`, or `rise` over the lowest
    impedance so far.
    """

    action: Literal["pause", "step_down", "stop"] = "pause"
    above: Positive | None = Field(default=None, alias="above_ohm")
    rise: Positive | None = Field(default=None, alias="rise_ohm")
    wait: Positive = Field(default=15.0, alias="wait_s")
    factor: Annotated[float, Field(strict=True, gt=0, lt=1)] = 0.7


class Device(Table):
    """Limits of the device. Outside its impedance window it switches off for good."""

    cooldown: Seconds = Field(default=0.0, alias="cooldown_s")
    """Time simulated after the generator is switched off [s]."""
    max_power: Positive = Field(default=50.0, alias="max_power_W")
    max_voltage: Positive = Field(default=100.0, alias="max_voltage_V")
    max_current: Positive = Field(default=1.5, alias="max_current_A")
    min_impedance: Positive = Field(default=5.0, alias="min_impedance_ohm")
    max_impedance: Positive = Field(default=10000.0, alias="max_impedance_ohm")
    reads: Literal["hottest", "mean", "first"] = "hottest"
    """Which of several applicators' sensors the device follows: the hottest, their mean, or the first applicator's."""
    roll_off: RollOff | None = None


class _Controlled(Device):
    """How the sensor is brought to its set point."""

    horizon: Positive = Field(default=0.5, alias="horizon_s")
    """Ideal control: shortest time within which the sensor is asked to be on its set point [s]."""
    proportional: NotNegative = Field(default=0.5, alias="proportional_W_per_K")
    integral: NotNegative = Field(default=0.2, alias="integral_W_per_K_s")


class TemperatureControl(_Controlled):
    """Ramp the sensor to `target` and hold it there.

    `control`: "ideal" finds the voltage that does it, "pi" is a PI controller on the power in continuous time,
    "sampled" one on V^2 that reads the sensor once a step, for fixed steps.
    """

    kind: Literal["temperature"] = "temperature"
    target: Celsius = Field(alias="target_degC")
    ramp: Seconds = Field(default=10.0, alias="ramp_s")
    hold: Seconds = Field(alias="hold_s")
    control: Literal["ideal", "pi", "sampled"] = "ideal"
    sampled_proportional: NotNegative = Field(default=3.0, alias="proportional_V2_per_K")
    sampled_integral: NotNegative = Field(default=1.5, alias="integral_V2_per_K_s")
    sampled_start: NotNegative = Field(default=100.0, alias="initial_V2")


class SurfaceTemperature(Table):
    """Prescribe the temperature of the active tip's surface; no electric field."""

    kind: Literal["surface_temperature"] = "surface_temperature"
    target: Celsius = Field(alias="target_degC")
    ramp: Seconds = Field(default=0.0, alias="ramp_s")
    hold: Seconds = Field(alias="hold_s")
    cooldown: Seconds = Field(default=0.0, alias="cooldown_s")


class ConstantPower(Device):
    """Constant power."""

    kind: Literal["power"] = "power"
    power: NotNegative = Field(alias="power_W")
    duration: Seconds = Field(alias="duration_s")


class ConstantVoltage(Device):
    """Constant RMS voltage."""

    kind: Literal["voltage"] = "voltage"
    voltage: NotNegative = Field(alias="voltage_V")
    duration: Seconds = Field(alias="duration_s")


class ConstantCurrent(Device):
    """Constant RMS current."""

    kind: Literal["current"] = "current"
    current: NotNegative = Field(alias="current_A")
    duration: Seconds = Field(alias="duration_s")


class Pulsed(Device):
    """Pulses of `voltage`, `width` long and `rate` a second; limits hold within a pulse.

    `cap`: the voltage falls where the sensor, averaged over a cycle, would exceed it. `resolved`: steps land on every
    pulse; otherwise they see the cycle's average, voltage * sqrt(width * rate).
    """

    kind: Literal["pulsed"] = "pulsed"
    voltage: Positive = Field(alias="voltage_V")
    width: MsPositive = Field(alias="pulse_ms")
    rate: Positive = Field(alias="rate_Hz")
    cap: Celsius | None = Field(default=None, alias="cap_degC")
    duration: Seconds = Field(alias="duration_s")
    resolved: bool = False


class Replay(Device):
    """A device's log: a CSV file with time_s and any of voltage_V, current_A, power_W, temperature_degC, impedance_ohm.

    `drive`: which of them drives the model, by default the first there is in this order; the others are compared.
    """

    kind: Literal["replay"] = "replay"
    file: str
    drive: Quantity | None = None
    horizon: Positive = Field(default=0.5, alias="horizon_s")


# --- staged protocols -----------------------------------------------------------------------------


class _Stage(Table):
    duration: Positive = Field(alias="duration_s")


class RampStage(_Stage):
    """The set point rises, or falls, in a straight line from what the sensor reads to `target`."""

    kind: Literal["ramp"] = "ramp"
    target: Celsius = Field(alias="target_degC")


class HoldStage(_Stage):
    """The set point stays; without `target` where the stage before left it."""

    kind: Literal["hold"] = "hold"
    target: Celsius | None = Field(default=None, alias="target_degC")


class PauseStage(_Stage):
    """No output."""

    kind: Literal["pause"] = "pause"


class PowerStage(_Stage):
    """Constant power."""

    kind: Literal["power"] = "power"
    power: NotNegative = Field(alias="power_W")


class VoltageStage(_Stage):
    """Constant RMS voltage."""

    kind: Literal["voltage"] = "voltage"
    voltage: NotNegative = Field(alias="voltage_V")


class CurrentStage(_Stage):
    """Constant RMS current."""

    kind: Literal["current"] = "current"
    current: NotNegative = Field(alias="current_A")


Stage = Annotated[
    RampStage | HoldStage | PauseStage | PowerStage | VoltageStage | CurrentStage, Field(discriminator="kind")
]


class Staged(_Controlled):
    """Stages in turn; `kind = "temperature"` is short for a ramp and a hold."""

    kind: Literal["staged"] = "staged"
    stages: tuple[Stage, ...] = Field(min_length=1)
    control: Literal["ideal", "pi"] = "ideal"


Generator = Annotated[
    TemperatureControl
    | SurfaceTemperature
    | ConstantPower
    | ConstantVoltage
    | ConstantCurrent
    | Pulsed
    | Replay
    | Staged,
    Field(discriminator="kind"),
]


def on_time(generator: Generator) -> float:
    """Return how long the generator is on [s].

    Raises:
        OSError, ValueError: it replays a log that is none; see `read_log`.
    """
    match generator:
        case TemperatureControl() | SurfaceTemperature():
            return generator.ramp + generator.hold
        case Staged():
            return sum(stage.duration for stage in generator.stages)
        case Replay():
            return replay_log(generator).times[-1]
    return generator.duration


def replay_log(replay: Replay) -> DeviceLog:
    """Return the log that is replayed; raises what `read_log` raises."""
    return read_log(replay.file)


def replay_driver(replay: Replay) -> Quantity:
    """Return what drives the replay: voltage, current, power or temperature."""
    return replay.drive or replay_log(replay).drivers[0]
