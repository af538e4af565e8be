"""Channels of a generator as a case has them: what each drives, follows and delivers, and how they share the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rfablate.case.geometry.applicator_parts import electrode_roles
from rfablate.case.tables.channel_tables import Channel, Role
from rfablate.case.tables.generator_tables import Generator
from rfablate.case.tables.geometry_tables import Applicator


@dataclass(frozen=True)
class Output:
    """A channel with everything it goes without saying."""

    name: str
    """Empty for the plain device, which has no named channels."""
    roles: tuple[Role, ...]
    """Of every electrode, in the order of `electrode_roles`."""
    sensors: tuple[int, ...]
    """Numbers of the applicators whose sensors it reads."""
    generator: Generator


def outputs_of(applicators: Sequence[Applicator], channels: Sequence[Channel], generator: Generator) -> list[Output]:
    """Return the channels of a case; without any the device is a single one, as the electrodes' own roles have it."""
    if not channels:
        roles: tuple[Role, ...] = tuple(electrode_roles(applicators).values())
        return [Output("", roles, tuple(range(len(applicators))), generator)]
    names = [each.name for each in applicators]
    return [
        Output(
            each.name,
            tuple(role_in(each, name) for name in electrode_roles(applicators)),
            tuple(names.index(sensor) for sensor in sensors_of(each)),
            each.generator or generator,
        )
        for each in channels
    ]


def role_in(channel: Channel, electrode: str) -> Role:
    """Return an electrode's part in a channel."""
    if electrode in channel.active:
        return "active"
    return "return" if electrode in channel.returns else "float"


def sensors_of(channel: Channel) -> tuple[str, ...]:
    """Return the names of the applicators whose sensors a channel reads."""
    if channel.sensors is not None:
        return channel.sensors
    driven = (*channel.active, *channel.returns)
    return tuple(dict.fromkeys(name.removesuffix("_ring") for name in driven))
