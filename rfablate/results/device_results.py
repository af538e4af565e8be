"""Typed results of the device: electrical output, pulses, comparison with a device log. Parts of summary.json. Pure."""

from __future__ import annotations

from rfablate.results.result_base import Result


class DeviceEvent(Result):
    """A time at which the device switched automatically."""

    time_s: float
    what: str
    """What it did and why; begins with the name of the channel where there are several."""


class Electric(Result):
    """Generator output at the end of heating; None where there was none, or where several channels differ."""

    voltage_V: float | None
    current_A: float | None
    power_W: float | None
    impedance_ohm: float | None
    peak_power_W: float | None
    limited_s: float | None = None
    """Time at a limit of the generator [s]."""
    sharing: str | None = None
    """How the channels share the generator; None for a case without channels."""
    dwell_s: float | None = None
    """Time that each channel has the output where the channels take turns [s]."""
    events: tuple[DeviceEvent, ...] = ()


class ChannelResult(Electric):
    """Output of one of several channels at the end of its heating."""

    sensor_degC: float | None = None
    """Reading at its last step with output; None without output."""
    on_s: float = 0.0
    """Time with output [s]."""
    energy_J: float = 0.0


class PulseResult(Result):
    """Extremes of a pulsed treatment, which averages over a cycle do not show."""

    resolved: bool
    """Whether the time steps resolve each pulse; otherwise the spike is estimated."""
    duty: float
    """Pulse width times pulse rate."""
    last_pulse_V: float
    peak_field_V_per_m: float
    spike_K: float
    """Largest rise of a node's temperature within a pulse [K]."""
    hottest_with_spike_degC: float | None
    capped_percent: float
    """Part of the time with pulses in which the temperature limit reduced the voltage [%]."""


class ColumnMisfit(Result):
    """Difference of model minus measurement of a column of a device log, in its unit."""

    rms: float
    largest: float
    largest_at_s: float


class ReplayResult(Result):
    """Comparison with the device log that a replayed treatment follows."""

    driven_by: str
    """Column that drives the run, which is not compared."""
    rows: int
    misfit: dict[str, ColumnMisfit]
    """By column."""
