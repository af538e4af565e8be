"""The channels of a generator, as the user writes them: the outputs of each, and the sharing of the device."""

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

    name: Name = Field(examples=["left"])
    """Name of the channel; unique, a letter followed by letters, digits or _."""
    active: tuple[str, ...] = Field(examples=[["cannula"]])
    """Electrodes at the channel's voltage, by name."""
    returns: tuple[str, ...] = Field(default=(), alias="return", examples=[["cannula_2"]])
    """Electrodes at zero potential, by name. By default none: the current leaves through the domain's outer return."""
    sensors: tuple[str, ...] | None = Field(default=None, examples=[["cannula"]])
    """Applicators whose sensors the channel reads, by name; `reads` of its generator combines them. By default those of
    its own electrodes."""
    generator: Generator | None = None
    """The channel's own protocol and limits: the keys that differ from [generator], or a complete table of another
    `kind`. By default [generator] without changes."""


class Sharing(Table):
    """How [[channels]] share the device.

    Where its roll_off pauses a channel, its turn ends at once and it is left out for its `wait`. A channel that ends
    its turn starts its controller afresh in its next turn. Of channels at once, voltages and currents are RMS over all
    the time; the limits on them hold within their slices.
    """

    mode: Literal["simultaneous", "sequential", "switching"] = "simultaneous"
    """How the channels share the device: "simultaneous" serves all in equal time slices too short to affect tissue,
    "sequential" runs one complete protocol after the other, "switching" assigns the output to each for `dwell_s`
    in a cycle."""
    dwell: Positive | None = Field(default=None, alias="dwell_s", examples=[30])
    """For "switching": length of a channel's turn [s]. Needed there, not allowed otherwise."""
