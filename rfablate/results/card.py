"""The lesion card: the main results of a run as text. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from rfablate.results.device_results import DeviceEvent, Electric, PulseResult, ReplayResult
from rfablate.results.quantities import LESION
from rfablate.results.summary_models import EnergyBalance, Numerics, RepeatResult, RunSummary, StructureResult
from rfablate.results.wording import percent

_COLUMNS = tuple(each for each in LESION if each.key != "width_min_mm")
EVENTS = 4
"""Largest number of device events on the card."""


def lesion_card(summary: RunSummary, folder: str, files: Sequence[str]) -> str:
    """Return the lesion card of a run.

    Args:
        summary: its results.
        folder: run directory, for the last line.
        files: names of the files written, for the last line.
    """
    lines = [summary.title, f"{summary.status}: {summary.reason}", ""]
    lines += _lesion_table(summary)
    lines += _continuity_lines(summary)
    lines += _repeat_lines(summary.repeat)
    lines += _structure_lines(summary)
    lines += [
        "",
        _generator_line(summary),
        *_channel_lines(summary),
        *_pulse_lines(summary.pulses),
        *_replay_lines(summary.replay),
        *_event_lines(summary.electric.events),
        _energy_line(summary.energy),
        _numerics_line(summary.numerics),
        _time_line(summary),
    ]
    lines += [f"  warning   {warning}" for warning in summary.warnings]
    lines += ["", f"  written to {folder}: {', '.join(files)}"]
    return "\n".join(lines)


def _lesion_table(summary: RunSummary) -> list[str]:
    names = [each.label for each in _COLUMNS]
    rows = [["lesion", *names], ["", *(each.unit for each in _COLUMNS)]]
    for rule, lesion in summary.lesion.items():
        if lesion.volume_mm3 <= 0.0:
            rows.append([rule, "none", *[""] * (len(names) - 1)])
            continue
        rows.append([rule, *(each.show(getattr(lesion, each.key), lesion.error_bar(each.key)) for each in _COLUMNS)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(names) + 1)]
    return [
        "  "
        + row[0].ljust(widths[0])
        + "".join("  " + cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))
        for row in rows
    ]


def _continuity_lines(summary: RunSummary) -> list[str]:
    """Return a line on whether the lesions of several applicators join, along the lines between the tips."""
    parts = []
    for rule, lesion in summary.lesion.items():
        margin, bar = lesion.bridge_margin_mm, lesion.error_bar("bridge_margin_mm")
        if margin is not None:
            error = f" ±{bar:.1g}" if bar is not None else ""
            parts.append(f"{rule} {'joined' if margin >= 0.0 else 'separate'} ({margin:+.2f}{error} mm)")
    return [f"  continuity between the tips: {', '.join(parts)}"] if parts else []


def _repeat_lines(repeat: RepeatResult | None) -> list[str]:
    """Return a line with the lesion volumes before this treatment and added by it."""
    if repeat is None:
        return []
    parts = [
        f"{rule} {volume.before:.1f} + {volume.added:.1f} = {volume.after:.1f}"
        for rule, volume in repeat.volume_mm3.items()
        if volume.after > 0.0
    ]
    return [f"  repeat    volume before + added by this treatment = total [mm3]: {', '.join(parts) or 'none'}"]


def _structure_lines(summary: RunSummary) -> list[str]:
    judged: dict[str, Callable[[StructureResult], list[str]]] = {"target": _target_line, "protect": _protected_line}
    lines = [
        f"  {s.role:8} {name}: {_verdict(s)} ({', '.join(judged[s.role](s))})"
        for name, s in summary.structures.items()
        if s.role in judged
    ]
    return ["", *lines] if lines else []


def _verdict(s: StructureResult) -> str:
    """Return the verdict, with a note where it could change within its error bar."""
    verdict = s.verdict.upper()
    return f"{verdict}, but within its error bar" if s.within_error_bar else verdict


def _target_line(s: StructureResult) -> list[str]:
    """Return the results for a target: covered and required fraction, time to cover, margin, highest temperature."""
    parts = [f"{percent(s.covered_fraction)} inside {s.rule}", f"{percent(s.required_fraction)} required"]
    if s.time_to_cover_s is not None:
        parts.append(f"reached after {s.time_to_cover_s:.1f} s")
    parts += _coagulated(s)
    if s.min_margin_mm is not None:
        margin, point = s.min_margin_mm, s.min_margin_point_mm
        inside = f"at least {margin:.2f} mm inside the lesion surface"
        where = "" if point is None else f" at [{', '.join(f'{x:.1f}' for x in np.round(point, 1) + 0.0)}] mm"
        parts.append((inside if margin >= 0.0 else f"extends {-margin:.2f} mm outside the lesion") + where)
        if margin >= 0.0 and s.covered_fraction_5mm is not None:
            parts.append(f"{percent(s.covered_fraction_5mm)} with a 5 mm margin")
    return [*parts, f"maximum {s.max_degC:.1f} degC"]


def _protected_line(s: StructureResult) -> list[str]:
    """Return the results for a protected structure: highest temperature, distance to its limit in K and in mm."""
    parts = [f"maximum {s.max_degC:.1f} degC"]
    if s.limit is not None:
        limit = s.limit.max_degC
        below = limit - s.max_degC
        parts.append(f"{abs(below):.1f} K {'below' if below >= 0.0 else 'ABOVE'} its limit of {limit:g} degC")
        if s.limit_margin_mm is not None:
            parts.append(_distance(s.limit_margin_mm, f"the {limit:g} degC isotherm"))
    if s.min_margin_mm is not None:
        parts.append(_distance(s.min_margin_mm, f"the {s.rule} lesion"))
    return [*parts, *_coagulated(s)]


def _coagulated(s: StructureResult) -> list[str]:
    if s.coagulated_length_mm is None:
        return []
    return [f"{s.coagulated_length_mm:.1f} of {s.length_mm:.1f} mm coagulated"]


def _distance(margin_mm: float, what: str) -> str:
    if margin_mm >= 0.0:
        return f"{margin_mm:.2f} mm outside {what}"
    return f"extends {-margin_mm:.2f} mm into {what}"


def _generator_line(summary: RunSummary) -> str:
    e = summary.electric
    if e.power_W is None:
        return "  generator no voltage was applied"
    maximum = f"maximum {e.peak_power_W:.2f} W"
    if e.voltage_V is None:
        dwell = f", {e.dwell_s:g} s each" if e.dwell_s else ""
        mode = f"{len(summary.channels)} channels, {e.sharing}{dwell}"
        return f"  generator {mode}: {e.power_W:.2f} W at the end of heating; {maximum}"
    return f"  generator {_output(e)} at the end of heating; {maximum}"


def _output(e: Electric) -> str:
    """Return power, voltage, current and impedance of an output that has all of them."""
    assert e.current_A is not None
    return f"{e.power_W:.2f} W, {e.voltage_V:.1f} V, {1e3 * e.current_A:.0f} mA, {e.impedance_ohm:.0f} ohm"


def _channel_lines(summary: RunSummary) -> list[str]:
    """Return a line for each channel: its output at the end of its heating, its energy and its time on."""
    lines = []
    for name, e in summary.channels.items():
        if e.voltage_V is None:
            lines.append(f"            {name}: no voltage was applied")
            continue
        lines.append(
            f"            {name}: {_output(e)}, sensor {e.sensor_degC:.1f} degC; {e.energy_J:.1f} J in {e.on_s:.1f} s"
        )
    return lines


def _pulse_lines(p: PulseResult | None) -> list[str]:
    """Return the peak values of a pulsed run, which averages over cycles do not show."""
    if p is None:
        return []
    method = "resolved" if p.resolved else "estimated"
    return [
        f"  pulses    {p.last_pulse_V:.1f} V in the last pulse, duty cycle {100 * p.duty:.2g} %; "
        f"{p.capped_percent:.0f} % of the pulses capped; maximum field {p.peak_field_V_per_m * 1e-3:.1f} kV/m; "
        f"temperature spike {p.spike_K:.1f} K, maximum {p.hottest_with_spike_degC:.1f} degC ({method})"
    ]


def _replay_lines(replay: ReplayResult | None) -> list[str]:
    """Return the misfit between the model and the replayed device log."""
    if replay is None:
        return []
    lines = [f"  replay    {replay.rows} rows, driven by {replay.driven_by}; modelled minus measured"]
    for column, found in replay.misfit.items():
        largest = f"{found.largest:+.3g} at {found.largest_at_s:.1f} s"
        lines.append(f"            {column}: RMS {found.rms:.3g}, largest {largest}")
    return lines


def _event_lines(events: Sequence[DeviceEvent]) -> list[str]:
    """Return the first events at which the device switched automatically, and the number of further events."""
    lines = [f"            {event.time_s:.2f} s {event.what}" for event in events[:EVENTS]]
    return [*lines, f"            and {len(events) - EVENTS} more"] if len(events) > EVENTS else lines


def _energy_line(e: EnergyBalance) -> str:
    metabolic = f" + {e.metabolic_J:.1f} metabolic" if e.metabolic_J else ""
    latent = f" + {e.latent_J:.1f} latent" if e.latent_J else ""
    return (
        f"  energy    {e.joule_J:.1f} J delivered{metabolic} = {e.stored_J:.1f} stored{latent} + "
        f"{e.perfused_J:.1f} to blood + "
        f"{e.boundary_J:.1f} through the boundary; residual {e.residual_J:+.2g} J ({e.residual_percent:.2g} %)"
    )


def _numerics_line(n: Numerics) -> str:
    extrapolated = f" ({n.potentials_extrapolated} potentials extrapolated)" if n.potentials_extrapolated else ""
    return (
        f"  numerics  {n.nodes} nodes, {n.cells} cells, {n.steps} steps ({n.rejects} rejected), "
        f"{n.heat_iterations} heat and {n.potential_iterations} potential iterations{extrapolated}, {n.ranks} "
        f"rank{'s' if n.ranks > 1 else ''}"
    )


def _time_line(summary: RunSummary) -> str:
    t = summary.timing_s
    stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in t.items() if name != "total" and seconds >= 0.05)
    return f"  time      {t['total']:.1f} s wall time for {summary.simulated_s:g} s simulated ({stages})"
