"""Channels of a generator as a case has them: what each drives, follows and delivers, and how they share the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from rfablate.case.device import electrode_roles
from rfablate.case.generators import Generator
from rfablate.case.geometry import Applicator
from rfablate.case.table import Table
from rfablate.case.units import Positive

Role = Literal["active", "return", "float"]
"""An electrode's part in a channel."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]


class Channel(Table):
    """An output of the generator: electrodes `active` at its voltage, against those that `return` and the outer return.

    All other electrodes float: they take the potential at which no net current leaves them. An electrode is an
    applicator's name, or that with `_ring` for the ring of a bipolar needle.
    """

    name: Name
    active: tuple[str, ...]
    returns: tuple[str, ...] = Field(default=(), alias="return")
    sensors: tuple[str, ...] | None = None
    """Applicators whose sensors the channel reads, as its generator's `reads` says; by default those it drives."""
    generator: Generator | None = None
    """The channel's own protocol and limits: keys that differ from [generator], or a table of another `kind`."""


class Sharing(Table):
    """How [[channels]] share the device.

    `mode`: "simultaneous" serves all in slices of time too short for tissue to notice, "sequential" one whole protocol
    after the other, "switching" each for `dwell` in a cycle. Where its roll_off pauses a channel, its turn ends at once
    and it is left out for its `wait`. Who hands over starts its controller afresh in its next turn.
    Of channels at once, voltages and currents are RMS over all the time; the limits on them hold within their slices.
    """

    mode: Literal["simultaneous", "sequential", "switching"] = "simultaneous"
    dwell: Positive | None = Field(default=None, alias="dwell_s")


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
