"""Description of a generator protocol as text."""

from __future__ import annotations

from rfablate.case.tables.generator_tables import (
    ConstantCurrent,
    ConstantPower,
    ConstantVoltage,
    CurrentStage,
    Generator,
    HoldStage,
    PauseStage,
    PowerStage,
    Pulsed,
    RampStage,
    Replay,
    RollOff,
    Stage,
    Staged,
    SurfaceTemperature,
    TemperatureControl,
    VoltageStage,
    replay_driver,
    replay_log,
)


def describe_generator(generator: Generator) -> list[str]:
    """Return one line for the protocol and its limits, and one for the roll-off rule if there is one."""
    after = f", then {generator.cooldown:g} s off" if generator.cooldown else ""
    if isinstance(generator, SurfaceTemperature):
        rise = f"active tip surface to {generator.target:g} degC in {generator.ramp:g} s"
        return [f"{rise}, hold {generator.hold:g} s{after}"]
    limits = (
        f"{generator.max_power:g} W, {generator.max_voltage:g} V, {generator.max_current:g} A, "
        f"from {generator.min_impedance:g} to {generator.max_impedance:g} ohm"
    )
    lines = [f"{_protocol(generator)}{after}; at most {limits}"]
    return lines if generator.roll_off is None else [*lines, _roll_off(generator.roll_off)]


def _protocol(generator: Generator) -> str:
    match generator:
        case TemperatureControl():
            how = "ideal control" if generator.control == "ideal" else "PI control"
            return f"ramp {generator.ramp:g} s to {generator.target:g} degC, hold {generator.hold:g} s, {how}"
        case ConstantPower():
            return f"{generator.power:g} W for {generator.duration:g} s"
        case ConstantVoltage():
            return f"{generator.voltage:g} V RMS for {generator.duration:g} s"
        case ConstantCurrent():
            return f"{generator.current:g} A RMS for {generator.duration:g} s"
        case Pulsed():
            cap = "" if generator.cap is None else f", sensor at most {generator.cap:g} degC"
            how = "every pulse resolved" if generator.resolved else "cycle averages"
            return (
                f"pulses of {generator.voltage:g} V RMS, {generator.width * 1e3:g} ms, {generator.rate:g} Hz for "
                f"{generator.duration:g} s{cap}, {how}"
            )
        case Replay():
            log = replay_log(generator)
            rows = f"{len(log.times)} rows over {log.times[-1]:g} s"
            return f"replay of {generator.file}, {rows}, driven by its {replay_driver(generator)}"
        case Staged():
            how = "ideal control" if generator.control == "ideal" else "PI control"
            return f"{', '.join(_stage(each) for each in generator.stages)}, {how}"
    raise AssertionError


def _stage(stage: Stage) -> str:
    match stage:
        case RampStage():
            return f"ramp {stage.duration:g} s to {stage.target:g} degC"
        case HoldStage():
            target = "" if stage.target is None else f" at {stage.target:g} degC"
            return f"hold {stage.duration:g} s{target}"
        case PauseStage():
            return f"pause {stage.duration:g} s"
        case PowerStage():
            return f"{stage.power:g} W for {stage.duration:g} s"
        case VoltageStage():
            return f"{stage.voltage:g} V RMS for {stage.duration:g} s"
        case CurrentStage():
            return f"{stage.current:g} A RMS for {stage.duration:g} s"


def _roll_off(roll_off: RollOff) -> str:
    where = f"{roll_off.rise or 0.0:g} ohm above the lowest impedance"
    if roll_off.above is not None:
        where = f"above {roll_off.above:g} ohm"
    does = {
        "pause": f"pause for {roll_off.wait:g} s, then resume",
        "step_down": f"{100 * roll_off.factor:g} % of the power, applied again after {roll_off.wait:g} s",
        "stop": "stop",
    }
    return f"roll-off {where}: {does[roll_off.action]}"
