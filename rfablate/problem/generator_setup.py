"""The generator that the time loop uses, built from the generator table of a case. Pure."""

from __future__ import annotations

from itertools import accumulate

from rfablate.case.resolve.channel_setup import outputs_of
from rfablate.case.tables import generator_tables as tables
from rfablate.case.tables.device_log import DRIVERS
from rfablate.case.tables.schema import Case
from rfablate.physics import generator as device
from rfablate.physics.generator import Channels, Generator, Limits, Ramp

LOCATED = 0.05
"""Shortest step used to locate the time at which the impedance crosses a threshold, as a fraction of the first step."""


def case_channels(case: Case, own: Generator | None = None) -> Channels:
    """Return the channels of the case's generator, with the times at which each drives its electrodes.

    Args:
        case: the case.
        own: a user generator that replaces that of the case; the impedance window of the case applies to it.
    """
    if own is not None:
        assert not isinstance(case.generator, tables.SurfaceTemperature)
        window = device.ImpedanceWindow(case.generator.min_impedance, case.generator.max_impedance)
        return Channels((device.ImpedanceGuard(own, window, None, resolution=_resolution(case)),))
    outputs, mode = outputs_of(case.applicators, case.channels, case.generator), case.sharing.mode
    if mode == "sequential":
        lengths = [case_generator(case, each.generator).switch_times[-1] for each in outputs]
        starts = list(accumulate(lengths, initial=0.0))[:-1]
        pairs = zip(outputs, starts, strict=True)
        return Channels(tuple(case_generator(case, each.generator, delay=start) for each, start in pairs))
    share = 1.0 / len(outputs) if mode == "simultaneous" else 1.0
    generators = tuple(case_generator(case, each.generator, share=share) for each in outputs)
    return Channels(generators, case.sharing.dwell if mode == "switching" else None)


def case_generator(
    case: Case, table: tables.Generator | None = None, *, delay: float = 0.0, share: float = 1.0
) -> Generator:
    """Return the generator of a table, with its limits and its impedance guard.

    Args:
        case: the case, for values that are not in the table.
        table: the table of a channel; by default that of the case.
        delay: start of its protocol [s].
        share: fraction of the time for which the channel is driven, in slices much shorter than the thermal response.
            Voltage and current are RMS values over the whole time; their limits apply within the slices.
    """
    table = table or case.generator
    start = case.body.temperature
    if isinstance(table, tables.SurfaceTemperature):
        return device.Off(table.ramp, table.ramp + table.hold, table.cooldown)
    limits = Limits(table.max_power, table.max_voltage * share**0.5, table.max_current * share**0.5)
    inner = _unguarded(table, limits, start)
    return device.ImpedanceGuard(
        device.Delayed(inner, delay) if delay else inner,
        device.ImpedanceWindow(table.min_impedance, table.max_impedance),
        _roll_off(table.roll_off),
        resolution=_resolution(case),
    )


def _resolution(case: Case) -> float:
    """Return the shortest step used to locate a switch in time [s]."""
    return LOCATED * case.time.first_step if case.time.stepping == "adaptive" else case.time.step


def _unguarded(table: tables.Generator, limits: Limits, start: float) -> Generator:
    match table:
        case tables.TemperatureControl():
            return _temperature_control(table, limits, Ramp(start, table.target, table.ramp))
        case tables.ConstantPower():
            return device.ConstantPowerControl(limits, table.duration, table.cooldown, table.power)
        case tables.ConstantVoltage():
            return device.ConstantVoltageControl(limits, table.duration, table.cooldown, table.voltage)
        case tables.ConstantCurrent():
            return device.ConstantCurrentControl(limits, table.duration, table.cooldown, table.current)
        case tables.Pulsed():
            return device.PulsedControl(
                limits, table.duration, table.cooldown, table.voltage, table.width, table.rate, table.cap,
                resolved=table.resolved,
            )  # fmt: skip
        case tables.Replay():
            return _replay(table, limits)
        case tables.Staged():
            return device.StagedControl(_stages(table, limits, start), table.cooldown)
    raise AssertionError


def _replay(table: tables.Replay, limits: Limits) -> Generator:
    log, driver = tables.replay_log(table), tables.replay_driver(table)
    curve = device.MeasuredCurve(log.times, log.columns[DRIVERS[driver]])
    if driver == "temperature":
        return device.IdealControl(limits, log.times[-1], table.cooldown, curve, table.horizon)
    return device.ReplayControl(limits, log.times[-1], table.cooldown, driver, curve)


def _roll_off(table: tables.RollOff | None) -> device.RollOffResponse | None:
    if table is None:
        return None
    return device.RollOffResponse(table.action, table.above, table.rise or 0.0, table.wait, table.factor)


def _temperature_control(table: tables.TemperatureControl, limits: Limits, ramp: Ramp) -> Generator:
    on = table.ramp + table.hold
    if table.control == "ideal":
        return device.IdealControl(limits, on, table.cooldown, ramp, table.horizon)
    if table.control == "sampled":
        return device.SampledControl(
            limits, on, table.cooldown, ramp, table.sampled_proportional, table.sampled_integral, table.sampled_start
        )
    return device.PIControl(limits, on, table.cooldown, ramp, table.proportional, table.integral)


def _stages(table: tables.Staged, limits: Limits, start: float) -> tuple[device.Stage, ...]:
    """Return the stages; a ramp or hold joins the previous stage if the set point is continuous."""
    found, target, tracked = [], start, False
    for stage in table.stages:
        match stage:
            case tables.RampStage() | tables.HoldStage():
                ramp = isinstance(stage, tables.RampStage)
                joins = tracked and (ramp or stage.target in (None, target))
                target = target if stage.target is None else stage.target
                rise = Ramp(target, target, stage.duration if ramp else 0.0)
                found.append(device.Stage(stage.duration, _tracking(table, limits, rise), joins))
            case tables.PauseStage():
                found.append(device.Stage(stage.duration, None))
            case tables.PowerStage():
                found.append(
                    device.Stage(stage.duration, device.ConstantPowerControl(limits, FOREVER, 0.0, stage.power))
                )
            case tables.VoltageStage():
                found.append(
                    device.Stage(stage.duration, device.ConstantVoltageControl(limits, FOREVER, 0.0, stage.voltage))
                )
            case tables.CurrentStage():
                found.append(
                    device.Stage(stage.duration, device.ConstantCurrentControl(limits, FOREVER, 0.0, stage.current))
                )
        tracked = isinstance(stage, tables.RampStage | tables.HoldStage)
    return tuple(found)


def _tracking(table: tables.Staged, limits: Limits, rise: Ramp) -> Generator:
    if table.control == "ideal":
        return device.IdealControl(limits, FOREVER, 0.0, rise, table.horizon)
    return device.PIControl(limits, FOREVER, 0.0, rise, table.proportional, table.integral)


FOREVER = float("inf")
"""On-time of the generator of a stage; the duration of the stage ends it."""
