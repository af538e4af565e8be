"""The generator tables of a case: protocol and limits of the device."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rfablate.case.tables.base import Table
from rfablate.case.tables.device_log import DeviceLog, read_log
from rfablate.case.tables.units import Celsius, MsPositive, NotNegative, Positive, Seconds
from rfablate.physics.generator.replay import Quantity


class RollOff(Table):
    """What the device does when the impedance rises past a threshold, as it does where tissue dries out.

    Exactly one of the two thresholds is given, `above` or `rise`.
    """

    action: Literal["pause", "step_down", "stop"] = "pause"
    """What happens at the threshold: "pause" switches the output off for `wait_s` and starts again, "step_down" limits
    the power to `factor` times its present value, "stop" ends the treatment."""
    above: Positive | None = Field(default=None, alias="above_ohm", examples=[500])
    """Threshold as an impedance [ohm], inside the device's impedance window. Excludes `rise_ohm`."""
    rise: Positive | None = Field(default=None, alias="rise_ohm", examples=[20])
    """Threshold as a rise over the lowest impedance so far [ohm]. Excludes `above_ohm`."""
    wait: Positive = Field(default=15.0, alias="wait_s")
    """Length of a pause, or time after a step-down before the next one can follow [s]."""
    factor: Annotated[float, Field(strict=True, gt=0, lt=1)] = 0.7
    """For "step_down": the power allowed from then on, as a fraction of the power at the roll-off."""


class Device(Table):
    """Limits of the device. Outside its impedance window it switches off for good."""

    cooldown: Seconds = Field(default=0.0, alias="cooldown_s")
    """Time that is simulated after the generator is switched off [s]. The default ends the run with the treatment."""
    max_power: Positive = Field(default=50.0, alias="max_power_W")
    """Largest power of the device [W]. The default is assumed."""
    max_voltage: Positive = Field(default=100.0, alias="max_voltage_V")
    """Largest RMS voltage of the device [V]. The default is assumed."""
    max_current: Positive = Field(default=1.5, alias="max_current_A")
    """Largest RMS current of the device [A]. The default is assumed."""
    min_impedance: Positive = Field(default=5.0, alias="min_impedance_ohm")
    """Lower end of the impedance window [ohm]; below it the device switches off for good, as at a short circuit.
    The default is assumed."""
    max_impedance: Positive = Field(default=10000.0, alias="max_impedance_ohm")
    """Upper end of the impedance window [ohm]; above it the device switches off for good, as without contact.
    The default is assumed."""
    reads: Literal["hottest", "mean", "first"] = "hottest"
    """Sensor reading that the device follows where there are several applicators: the highest, the mean, or that of the
    first applicator."""
    roll_off: RollOff | None = None
    """What the device does when the impedance rises past a threshold. By default it does nothing."""


class _Controlled(Device):
    """How the sensor is brought to its set point."""

    horizon: Positive = Field(default=0.5, alias="horizon_s")
    """For `control = "ideal"`: shortest time within which the sensor is brought to its set point [s]."""
    proportional: NotNegative = Field(default=0.5, alias="proportional_W_per_K")
    """For `control = "pi"`: proportional gain, power per kelvin of error [W/K]."""
    integral: NotNegative = Field(default=0.2, alias="integral_W_per_K_s")
    """For `control = "pi"`: integral gain, power per kelvin of error and second [W/(K s)]."""


class TemperatureControl(_Controlled):
    """Ramp the sensor to `target` and hold it there."""

    kind: Literal["temperature"] = "temperature"
    """Selects temperature control: a ramp to `target_degC`, then a hold."""
    target: Celsius = Field(alias="target_degC", examples=[80])
    """Set point of the sensor during the hold [degC]; above body temperature and at most 200."""
    ramp: Seconds = Field(default=10.0, alias="ramp_s")
    """Time in which the set point rises linearly from body temperature to `target_degC` [s]; 0 is a step."""
    hold: Seconds = Field(alias="hold_s", examples=[60])
    """Time for which the set point stays at `target_degC` after the ramp [s]."""
    control: Literal["ideal", "pi", "sampled"] = "ideal"
    """Controller of the temperature: "ideal" computes the voltage that puts the sensor on its set point, "pi" is a PI
    controller of the power in continuous time, "sampled" a PI controller of V^2 that reads the sensor once a step
    (fixed steps only)."""
    sampled_proportional: NotNegative = Field(default=3.0, alias="proportional_V2_per_K")
    """For `control = "sampled"`: proportional gain, V^2 per kelvin of error [V2/K]."""
    sampled_integral: NotNegative = Field(default=1.5, alias="integral_V2_per_K_s")
    """For `control = "sampled"`: integral gain, V^2 per kelvin of error and second [V2/(K s)]."""
    sampled_start: NotNegative = Field(default=100.0, alias="initial_V2")
    """For `control = "sampled"`: V^2 of the first step [V2]."""


class SurfaceTemperature(Table):
    """Prescribe the temperature of the active tip's surface; no electric field."""

    kind: Literal["surface_temperature"] = "surface_temperature"
    """Selects a prescribed temperature of the active tip's surface, without an electric field."""
    target: Celsius = Field(alias="target_degC", examples=[80])
    """Temperature of the active tip's surface during the hold [degC]; above body temperature and at most 200."""
    ramp: Seconds = Field(default=0.0, alias="ramp_s")
    """Time in which the surface rises linearly from body temperature to `target_degC` [s]. The default is a step."""
    hold: Seconds = Field(alias="hold_s", examples=[60])
    """Time for which the surface stays at `target_degC` after the ramp [s]."""
    cooldown: Seconds = Field(default=0.0, alias="cooldown_s")
    """Time that is simulated after the surface is released [s]. The default ends the run with the treatment."""


class ConstantPower(Device):
    """Constant power."""

    kind: Literal["power"] = "power"
    """Selects constant power."""
    power: NotNegative = Field(alias="power_W", examples=[10])
    """Power delivered to the tissue [W]; at most `max_power_W`."""
    duration: Seconds = Field(alias="duration_s", examples=[60])
    """Time for which the generator is on [s]; above 0."""


class ConstantVoltage(Device):
    """Constant RMS voltage."""

    kind: Literal["voltage"] = "voltage"
    """Selects constant RMS voltage."""
    voltage: NotNegative = Field(alias="voltage_V", examples=[20])
    """RMS voltage between the active and the return electrodes [V]; at most `max_voltage_V`."""
    duration: Seconds = Field(alias="duration_s", examples=[60])
    """Time for which the generator is on [s]; above 0."""


class ConstantCurrent(Device):
    """Constant RMS current."""

    kind: Literal["current"] = "current"
    """Selects constant RMS current."""
    current: NotNegative = Field(alias="current_A", examples=[0.3])
    """RMS current [A]; at most `max_current_A`."""
    duration: Seconds = Field(alias="duration_s", examples=[60])
    """Time for which the generator is on [s]; above 0."""


class Pulsed(Device):
    """Pulses of `voltage`, `width` long and `rate` a second; limits hold within a pulse."""

    kind: Literal["pulsed"] = "pulsed"
    """Selects pulsed radiofrequency: pulses of constant voltage at a constant rate."""
    voltage: Positive = Field(alias="voltage_V", examples=[20])
    """RMS voltage within a pulse [V]; at most `max_voltage_V`."""
    width: MsPositive = Field(alias="pulse_ms", examples=[20])
    """Length of a pulse [ms]; shorter than a cycle, 1000 / `rate_Hz`."""
    rate: Positive = Field(alias="rate_Hz", examples=[2])
    """Pulses per second [Hz]."""
    cap: Celsius | None = Field(default=None, alias="cap_degC", examples=[42])
    """Highest sensor temperature, averaged over a cycle [degC]: the voltage is lowered where it would be exceeded. By
    default there is no such limit."""
    duration: Seconds = Field(alias="duration_s", examples=[60])
    """Time for which the generator is on [s]; above 0."""
    resolved: bool = False
    """Whether time steps resolve every pulse. By default they see the cycle average, voltage * sqrt(width * rate)."""


class Replay(Device):
    """A device's log: a CSV file with time_s and any of voltage_V, current_A, power_W, temperature_degC, impedance_ohm.

    One column drives the model; the model's values of the others are compared with the log.
    """

    kind: Literal["replay"] = "replay"
    """Selects the replay of a device log."""
    file: str = Field(examples=["log.csv"])
    """CSV file of the log, with a column time_s and at least one of voltage_V, current_A, power_W, temperature_degC. A
    relative path starts from the case file's folder."""
    drive: Quantity | None = Field(default=None, examples=["power"])
    """Quantity of the log that drives the model. By default the first that the log has: voltage, current, power,
    temperature."""
    horizon: Positive = Field(default=0.5, alias="horizon_s")
    """For a log of temperature: shortest time within which the sensor is brought to the logged temperature [s]."""


# --- staged protocols -----------------------------------------------------------------------------


class _Stage(Table):
    duration: Positive = Field(alias="duration_s", examples=[60])
    """Length of the stage [s]."""


class RampStage(_Stage):
    """The set point changes linearly from the sensor reading to `target`."""

    kind: Literal["ramp"] = "ramp"
    """Selects a ramp: the set point changes linearly from the sensor's temperature to `target_degC`."""
    target: Celsius = Field(alias="target_degC", examples=[80])
    """Set point at the end of the ramp [degC]; above body temperature and at most 200."""


class HoldStage(_Stage):
    """The set point is constant; without `target` it stays where the stage before left it."""

    kind: Literal["hold"] = "hold"
    """Selects a hold: a constant set point."""
    target: Celsius | None = Field(default=None, alias="target_degC", examples=[80])
    """Set point during the hold [degC]; above body temperature and at most 200. By default that of the last ramp or
    hold."""


class PauseStage(_Stage):
    """No output."""

    kind: Literal["pause"] = "pause"
    """Selects a pause: no output."""


class PowerStage(_Stage):
    """Constant power."""

    kind: Literal["power"] = "power"
    """Selects a stage of constant power."""
    power: NotNegative = Field(alias="power_W", examples=[10])
    """Power delivered to the tissue [W]; at most `max_power_W` of the generator."""


class VoltageStage(_Stage):
    """Constant RMS voltage."""

    kind: Literal["voltage"] = "voltage"
    """Selects a stage of constant RMS voltage."""
    voltage: NotNegative = Field(alias="voltage_V", examples=[20])
    """RMS voltage between the active and the return electrodes [V]; at most `max_voltage_V` of the generator."""


class CurrentStage(_Stage):
    """Constant RMS current."""

    kind: Literal["current"] = "current"
    """Selects a stage of constant RMS current."""
    current: NotNegative = Field(alias="current_A", examples=[0.3])
    """RMS current [A]; at most `max_current_A` of the generator."""


Stage = Annotated[
    RampStage | HoldStage | PauseStage | PowerStage | VoltageStage | CurrentStage, Field(discriminator="kind")
]


class Staged(_Controlled):
    """Stages in turn; `kind = "temperature"` is short for a ramp and a hold."""

    kind: Literal["staged"] = "staged"
    """Selects a protocol of stages that follow each other."""
    stages: tuple[Stage, ...] = Field(min_length=1)
    """The stages in their order, each a [[generator.stages]] table."""
    control: Literal["ideal", "pi"] = "ideal"
    """Controller of the temperature in ramps and holds: "ideal" computes the voltage that puts the sensor on its set
    point, "pi" is a PI controller of the power in continuous time."""


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
