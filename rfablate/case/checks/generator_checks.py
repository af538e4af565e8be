"""Checks of the generator: set points, limits, stages, roll-off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rfablate.case.checks.structure_checks import kelvin_fault
from rfablate.case.messages.suggestions import did_you_mean
from rfablate.case.resolve.checkable_case import CheckableCase
from rfablate.case.tables.device_log import DRIVERS, TIME
from rfablate.case.tables.generator_tables import (
    ConstantCurrent,
    ConstantPower,
    ConstantVoltage,
    CurrentStage,
    Device,
    Generator,
    HoldStage,
    PowerStage,
    Pulsed,
    RampStage,
    Replay,
    RollOff,
    Staged,
    SurfaceTemperature,
    TemperatureControl,
    VoltageStage,
    on_time,
    replay_log,
)
from rfablate.errors import Fault

BOILING = 100.0
"""Set point [degC] above which tissue desiccates; the tissue laws are clamped there."""
KELVIN = 200.0


def generator_faults(generator: Generator, parts: CheckableCase) -> Iterator[Fault]:
    """Yield the faults of the generator table."""
    yield from _set_point_faults(generator, parts)
    if isinstance(generator, Device):
        yield from _output_faults(generator)
        yield from _impedance_faults(generator)
    if isinstance(generator, Pulsed):
        yield from _pulse_faults(generator, parts)
    fixed = parts.time is None or parts.time.stepping == "fixed"
    if isinstance(generator, TemperatureControl) and generator.control == "sampled" and not fixed:
        expected = 'time.stepping = "fixed": the controller samples the sensor once per step'
        yield Fault("generator.control", 'found "sampled" with adaptive steps', expected, "--set time.stepping=fixed")
    if isinstance(generator, Replay):
        yield from _replay_faults(generator)
    elif on_time(generator) == 0.0:
        controlled = isinstance(generator, (TemperatureControl, SurfaceTemperature))
        found = "ramp_s + hold_s = 0" if controlled else "duration_s = 0"
        yield Fault("generator", found, "an on-time above 0 [s]")


def hot_warnings(parts: CheckableCase) -> Iterator[str]:
    """Yield a warning for each set point at or above the boiling point of water."""
    if parts.generator is None:
        return
    for key, target in _targets(parts.generator):
        if target >= BOILING:
            consequence = "tissue desiccates and chars; the tissue laws are valid up to"
            yield f"{key}: at {target:g} degC {consequence} {BOILING:g} degC"


def _targets(generator: Generator) -> Iterator[tuple[str, float]]:
    """Yield each set point [degC] with its key."""
    if isinstance(generator, (TemperatureControl, SurfaceTemperature)):
        yield "generator.target_degC", generator.target
    if isinstance(generator, Pulsed) and generator.cap is not None:
        yield "generator.cap_degC", generator.cap
    if isinstance(generator, Staged):
        for number, stage in enumerate(generator.stages):
            if isinstance(stage, RampStage | HoldStage) and stage.target is not None:
                yield f"generator.stages[{number}].target_degC", stage.target


def _set_point_faults(generator: Generator, parts: CheckableCase) -> Iterator[Fault]:
    for where, target in _targets(generator):
        if target > KELVIN:
            yield kelvin_fault(where, target)
        if parts.body is not None and target <= parts.body.temperature:
            expected = f"a set point above body temperature, {parts.body.temperature:g} [degC]"
            hint = "usual: 60 to 90 degC for a thermal lesion, 42 degC for pulsed treatment"
            yield Fault(where, f"found {target:g}", expected, hint)
    if isinstance(generator, Staged):
        yield from _stage_faults(generator)
    elif isinstance(generator, (TemperatureControl, SurfaceTemperature)):
        first = parts.time.first_step if parts.time is not None and parts.time.stepping == "adaptive" else 0.0
        if 0.0 < generator.hold < first:
            hint = "a longer hold, or a shorter time.first_step_s; minutes for seconds?"
            expected = f"at least the first step, {first:g} [s]"
            yield Fault("generator.hold_s", f"found {generator.hold:g}", expected, hint)


def _stage_faults(generator: Staged) -> Iterator[Fault]:
    known = False
    for number, stage in enumerate(generator.stages):
        if isinstance(stage, HoldStage) and stage.target is None and not known:
            expected = "a set point for the first hold, or a ramp before it"
            yield Fault(f"generator.stages[{number}].target_degC", "missing key", expected, "target_degC = 80")
        known = known or isinstance(stage, RampStage | HoldStage)


def _pulse_faults(generator: Pulsed, parts: CheckableCase) -> Iterator[Fault]:
    if generator.width * generator.rate >= 1.0:
        expected = f"less than one period, {1e3 / generator.rate:g} [ms]"
        yield Fault("generator.pulse_ms", f"found {generator.width * 1e3:g}", expected, "a duty cycle of 4 % is usual")
    fixed = parts.time is not None and parts.time.stepping == "fixed"
    if generator.resolved and fixed:
        expected = "adaptive steps, which restart at each pulse edge"
        yield Fault("generator.resolved", "found true with fixed steps", expected, "--set time.stepping=adaptive")


def _replay_faults(replay: Replay) -> Iterator[Fault]:
    where, file = "generator.file", Path(replay.file)
    expected = f"a CSV file with {TIME} and at least one of {', '.join(DRIVERS.values())}"
    try:
        log = replay_log(replay)
    except FileNotFoundError:
        near = did_you_mean(file.name, [each.name for each in file.parent.glob("*.csv")])
        yield Fault(where, f'found "{replay.file}", no such file', expected, near)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        yield Fault(where, f'found "{file.name}": {reason}', expected)
    else:
        if replay.drive is not None and replay.drive not in log.drivers:
            expected = f"one of the columns in the log: {', '.join(log.drivers)}"
            yield Fault("generator.drive", f'found "{replay.drive}"', expected)


def _output_faults(generator: Generator) -> Iterator[Fault]:
    """Yield outputs that exceed the limits of the generator."""
    outputs: list[tuple[str, object]] = [("generator", generator)]
    if isinstance(generator, Staged):
        outputs = [(f"generator.stages[{number}]", stage) for number, stage in enumerate(generator.stages)]
    assert isinstance(generator, Device)
    for where, each in outputs:
        match each:
            case ConstantPower() | PowerStage():
                key, value, most = "power_W", each.power, generator.max_power
            case ConstantVoltage() | VoltageStage() | Pulsed():
                key, value, most = "voltage_V", each.voltage, generator.max_voltage
            case ConstantCurrent() | CurrentStage():
                key, value, most = "current_A", each.current, generator.max_current
            case _:
                continue
        if value > most:
            expected = f"at most max_{key} = {most:g}"
            yield Fault(f"{where}.{key}", f"found {value:g}", expected, f"--set generator.max_{key}={value:g}")


def _impedance_faults(generator: Device) -> Iterator[Fault]:
    least, most = generator.min_impedance, generator.max_impedance
    if least >= most:
        expected = f"less than max_impedance_ohm = {most:g}"
        yield Fault("generator.min_impedance_ohm", f"found {least:g}", expected, "are the two values swapped?")
    if generator.roll_off is not None:
        yield from _roll_off_faults(generator.roll_off, least, most)


def _roll_off_faults(roll_off: RollOff, least: float, most: float) -> Iterator[Fault]:
    where = "generator.roll_off"
    if (roll_off.above is None) == (roll_off.rise is None):
        found = "neither above_ohm nor rise_ohm" if roll_off.above is None else "both above_ohm and rise_ohm"
        hint = "rise_ohm = 20" if roll_off.above is None else "remove one of the two"
        expected = "one threshold: above_ohm, or rise_ohm over the lowest impedance so far"
        yield Fault(where, f"found {found}", expected, hint)
    if roll_off.above is not None and not least < roll_off.above < most:
        expected = f"between the impedance limits {least:g} and {most:g} [ohm]: beyond them the generator switches off"
        yield Fault(f"{where}.above_ohm", f"found {roll_off.above:g}", expected)
