"""The channels of a generator, as the user writes them: what each drives, and how they share the device."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rfablate.case.tables.base import Table
from rfablate.case.tables.generator_tables import Generator
from rfablate.case.tables.units import Positive

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
