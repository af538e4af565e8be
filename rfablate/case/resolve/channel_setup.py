"""The channels of a case: the electrodes, sensors and generator of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rfablate.case.geometry.applicator_parts import electrode_roles
from rfablate.case.tables.channel_tables import Channel, Role
from rfablate.case.tables.generator_tables import Generator
from rfablate.case.tables.geometry_tables import Applicator


@dataclass(frozen=True)
class ChannelSetup:
    """A channel with all defaults filled in."""

    name: str
    """Empty for a generator without named channels."""
    roles: tuple[Role, ...]
    """Role of each electrode, in the order of `electrode_roles`."""
    sensors: tuple[int, ...]
    """Indices of the applicators whose sensors the channel reads."""
    generator: Generator


def outputs_of(
    applicators: Sequence[Applicator], channels: Sequence[Channel], generator: Generator
) -> list[ChannelSetup]:
    """Return the channels of a case; without [[channels]], one channel with the roles that the applicators define."""
    if not channels:
        roles: tuple[Role, ...] = tuple(electrode_roles(applicators).values())
        return [ChannelSetup("", roles, tuple(range(len(applicators))), generator)]
    names = [each.name for each in applicators]
    return [
        ChannelSetup(
            each.name,
            tuple(role_in(each, name) for name in electrode_roles(applicators)),
            tuple(names.index(sensor) for sensor in sensors_of(each)),
            each.generator or generator,
        )
        for each in channels
    ]


def role_in(channel: Channel, electrode: str) -> Role:
    """Return the role of an electrode in a channel."""
    if electrode in channel.active:
        return "active"
    return "return" if electrode in channel.returns else "float"


def sensors_of(channel: Channel) -> tuple[str, ...]:
    """Return the names of the applicators whose sensors a channel reads."""
    if channel.sensors is not None:
        return channel.sensors
    driven = (*channel.active, *channel.returns)
    return tuple(dict.fromkeys(name.removesuffix("_ring") for name in driven))
