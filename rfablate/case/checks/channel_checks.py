"""Checks of the generator channels: electrodes, sensors, current return and time sharing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from rfablate.case.checks.generator_checks import generator_faults, hot_warnings
from rfablate.case.geometry.applicator_parts import electrode_roles
from rfablate.case.messages.suggestions import did_you_mean
from rfablate.case.resolve.channel_setup import sensors_of
from rfablate.case.resolve.checkable_case import CheckableCase
from rfablate.case.tables.channel_tables import Channel, Sharing
from rfablate.case.tables.generator_tables import (
    Generator,
    Pulsed,
    Replay,
    Staged,
    SurfaceTemperature,
    TemperatureControl,
)
from rfablate.case.tables.geometry_tables import MeshDomain
from rfablate.errors import Fault


def channel_faults(parts: CheckableCase) -> Iterator[Fault]:
    """Yield the faults of the channels of a case."""
    channels = [channel for _, channel in parts.channels]
    yield from _sharing_faults(parts.sharing, parts.channel_count)
    if not channels:
        return
    if isinstance(parts.domain, MeshDomain):
        yield Fault("channels", "found a table", "no channels: in a user mesh the surfaces have the electrode roles")
        return
    electrodes = list(electrode_roles([applicator for _, applicator in parts.applicators]))
    if len(electrodes) < 2:
        expected = "at least two electrodes: several applicators, or a tip and its ring"
        yield Fault("channels", f"found {len(channels)} with a single electrode", expected, "remove [[channels]]")
        return
    for where, applicator in parts.applicators:
        if applicator.contact > 0.0:
            found = f"found {applicator.contact * 1e6:g} with [[channels]]"
            expected = "a contact layer with a single active tip only"
            yield Fault(f"{where}.contact_ohm_mm2", found, expected, "remove contact_ohm_mm2")
        if applicator.electrode == "return":
            expected = "omit this key with [[channels]], which define the active and return electrodes"
            yield Fault(
                f"{where}.electrode", 'found "return"', expected, f'return = ["{applicator.name}"] in a channel'
            )
    yield from _kind_faults("generator", parts.generator)
    names = [channel.name for channel in channels]
    for number, (where, channel) in enumerate(parts.channels):
        if channel.name in names[:number]:
            yield Fault(f"{where}.name", f'found "{channel.name}" a second time', "a unique name")
        yield from _electrode_faults(where, channel, electrodes, parts)
        yield from _protocol_faults(where, channel, parts)
    if parts.sharing is not None and parts.sharing.mode == "simultaneous":
        yield from _shared_sensor_faults(parts)
        yield from _mixed_control_faults(parts)
    if len(channels) == parts.channel_count and len(parts.applicators) == parts.applicator_count:
        used = {name for channel in channels for name in (*channel.active, *channel.returns)}
        for name in electrodes:
            if name not in used:
                found = f"found electrode {name} in no channel"
                hint = "add it to the active or return list of a channel, or remove the applicator"
                yield Fault("channels", found, "each electrode in at least one channel", hint)


def _sharing_faults(sharing: Sharing | None, count: int) -> Iterator[Fault]:
    if sharing is None:
        return
    if sharing.mode == "switching" and sharing.dwell is None:
        yield Fault("sharing.dwell_s", "missing key", "the time for which a channel is driven [s]", "dwell_s = 30")
    if sharing.mode != "switching" and sharing.dwell is not None:
        found = f'found {sharing.dwell:g} with mode = "{sharing.mode}"'
        yield Fault("sharing.dwell_s", found, 'omit this key: it applies to mode = "switching"', "remove dwell_s")
    if sharing != Sharing() and count == 0:
        yield Fault("sharing", "found a table", "[[channels]] that share the generator", "remove [sharing]")


def _shared_sensor_faults(parts: CheckableCase) -> Iterator[Fault]:
    """Yield simultaneous channels that control one sensor: which one heats it would depend on their order."""
    followed: dict[tuple[str, ...], str] = {}
    for where, channel in parts.channels:
        generator = channel.generator or parts.generator
        if not isinstance(generator, TemperatureControl | Staged):
            continue
        sensors = sensors_of(channel)
        numbers = [(name,) for name in sensors] if generator.reads == "hottest" else [tuple(sorted(sensors))]
        for number in [sensors[:1]] if generator.reads == "first" else numbers:
            if number in followed:
                found = f"found {' and '.join(number)}, which channel {followed[number]} controls at the same time"
                expected = "a separate sensor, so that each channel can hold its set point"
                yield Fault(f"{where}.sensors", found, expected, f'sensors = ["{channel.active[0]}"]')
            followed.setdefault(number, channel.name)


def _mixed_control_faults(parts: CheckableCase) -> Iterator[Fault]:
    """Yield simultaneous channels with different control modes: one step predicts all sensors at one time."""
    controls: dict[str, str] = {}
    for where, channel in parts.channels:
        generator = channel.generator or parts.generator
        if isinstance(generator, TemperatureControl | Staged):
            controls.setdefault(generator.control, channel.name)
            if len(controls) > 1:
                first, other = next(iter(controls.items()))
                expected = f'"{first}", as in channel {other}: simultaneous channels use the same control'
                yield Fault(f"{where}.generator.control", f'found "{generator.control}"', expected)
                return


def _electrode_faults(where: str, channel: Channel, electrodes: Sequence[str], parts: CheckableCase) -> Iterator[Fault]:
    listed = ", ".join(electrodes)
    if not channel.active:
        hint = f'active = ["{electrodes[0]}"]'
        yield Fault(f"{where}.active", "found []", f"at least one of the electrodes: {listed}", hint)
    for key, found in (("active", channel.active), ("return", channel.returns)):
        for number, name in enumerate(found):
            if name not in electrodes:
                hint = did_you_mean(name, electrodes)
                yield Fault(f"{where}.{key}[{number}]", f'found "{name}"', f"one of the electrodes: {listed}", hint)
            if name in found[:number] or (key == "return" and name in channel.active):
                twice = "a second time" if name in found[:number] else "which is also active"
                yield Fault(f"{where}.{key}[{number}]", f'found "{name}" {twice}', "each electrode once in a channel")
    if not channel.returns and parts.boundary is not None and parts.boundary.electric == "insulated":
        expected = 'a return electrode, because boundary.electric is "insulated"'
        yield Fault(f"{where}.return", "found none", expected, 'return = ["..."], or boundary.electric = "return"')
    own = [name.removesuffix("_ring") for name in (*channel.active, *channel.returns)]
    if channel.sensors is not None and not channel.sensors:
        hint = "remove sensors to read all driven applicators"
        yield Fault(f"{where}.sensors", "found []", "at least one applicator", hint)
    for number, name in enumerate(channel.sensors or ()):
        place = f"{where}.sensors[{number}]"
        if name not in own:
            expected = f"the sensor of an electrode in this channel: {', '.join(dict.fromkeys(own))}"
            yield Fault(place, f'found "{name}"', expected, did_you_mean(name, own))
        elif name in sensors_of(channel)[:number]:
            yield Fault(place, f'found "{name}" a second time', "each sensor once")


def _protocol_faults(where: str, channel: Channel, parts: CheckableCase) -> Iterator[Fault]:
    place = f"{where}.generator"
    if channel.generator is not None:
        yield from _kind_faults(place, channel.generator)
        for fault in generator_faults(channel.generator, parts):
            yield replace(fault, where=fault.where.replace("generator", place, 1))


def _kind_faults(where: str, generator: Generator | None) -> Iterator[Fault]:
    if isinstance(generator, SurfaceTemperature | Pulsed | Replay):
        expected = "temperature, power, voltage, current or staged with [[channels]]"
        yield Fault(f"{where}.kind", f'found "{generator.kind}"', expected)


def channel_warnings(parts: CheckableCase) -> Iterator[str]:
    """Yield the warnings about the protocols of single channels."""
    for where, channel in parts.channels:
        if channel.generator is not None:
            for warning in hot_warnings(replace(parts, generator=channel.generator)):
                yield warning.replace("generator", f"{where}.generator", 1)
