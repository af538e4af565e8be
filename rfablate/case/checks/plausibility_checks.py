"""Checks for implausible values: a wrong unit, or a radius given as a diameter.

A tissue value is compared with the range of its library tissue or, without one, with the range of all tissues. A value
outside gives a warning. A value outside the range of all tissues that a common unit error explains is a fault.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

from rfablate.case.resolve.checkable_case import CheckableCase
from rfablate.case.resolve.tissues import all_tissues, library_base, perfusion_key
from rfablate.errors import Fault
from rfablate.physics.library import applicator_model, applicator_names, tissue_entry, tissue_names
from rfablate.physics.tissue import Tissue

_FIELDS = {
    "density": ("density_kg_per_m3", "kg/m3"),
    "heat_capacity": ("heat_capacity_J_per_kgK", "J/(kg K)"),
    "k": ("k_W_per_mK", "W/(m K)"),
    "sigma": ("sigma_S_per_m", "S/m"),
    "perfusion": ("perfusion_per_s", "1/s"),
}
_SLIPS: dict[str, tuple[tuple[str, float], ...]] = {
    "density": (("g/cm3 for kg/m3", 1e3), ("g/m3 for kg/m3", 1e-3)),
    "heat_capacity": (("kJ for J", 1e3), ("kcal for J", 4186.8), ("J/(m3 K) for J/(kg K)", 1e-3)),
    "k": (("W/(cm K) for W/(m K)", 1e2), ("mW for W", 1e-3), ("kW for W", 1e3), ("W/(mm K) for W/(m K)", 1e3)),
    "sigma": (("S/cm for S/m", 1e2), ("mS/cm for S/m", 0.1), ("mS/m for S/m", 1e-3), ("S/mm for S/m", 1e3)),
    "perfusion": (("per minute for per second", 1.0 / 60.0), ("per second for per minute", 60.0)),
}
"""By field: the unit error in words, and the factor that converts the value to the unit of the key."""
_SHORTEST, _SHORTEST_TIP = 0.005e-3, 0.1e-3
"""Lengths [m] of a structure and of an active tip below which the value was probably given in m."""
_NEAR = 1.2
"""Factor by which a corrected value may lie outside its range."""
_SAME_GAUGE = 0.08
_HALF_GAUGE = 0.02
"""Relative tolerance within which a diameter equals that of a gauge, or half or twice that of a gauge."""


def plausible_faults(parts: CheckableCase) -> Iterator[Fault]:
    """Yield values that no tissue has and a unit error explains, and lengths given in m instead of mm."""
    for where, field, value, made in _own_values(parts):
        if _inside(value, *_envelope()[field]) or not (hint := _slip(field, value, made, parts)):
            continue
        low, high = _envelope()[field]
        expected = f"from {low:.3g} to {high:.3g}, the range of all tissues [{_FIELDS[field][1]}]"
        yield Fault(where, f"found {value:.4g}", expected, hint)
    for where, length, least in _lengths(parts):
        if length < least:
            expected = f"at least {least * 1e3:g} [mm]"
            yield Fault(where, f"found {length * 1e3:g}", expected, f"m for mm? {length * 1e6:g} mm")


def plausible_warnings(parts: CheckableCase) -> Iterator[str]:
    """Yield tissue values outside their range, and diameters that are half or twice that of a gauge."""
    for where, field, value, made in _own_values(parts):
        low, high = _range(field, made, parts)
        if not _inside(value, low, high):
            base = library_base(made.name, parts)
            of = f"of {base}" if base is not None else "of all tissues"
            hint = _slip(field, value, made, parts)
            text = f"{where}: {value:.4g} is outside the range {of}, {low:.3g} to {high:.3g}"
            yield f"{text}; {hint}" if hint else text
    for where, applicator in parts.applicators:
        if hint := _gauge(applicator.outer_diameter * 1e3):
            yield f"{where}.outer_diameter_mm: {applicator.outer_diameter * 1e3:g}: {hint}"


def _own_values(parts: CheckableCase) -> Iterator[tuple[str, str, float, Tissue]]:
    """Yield each tissue value given in the case: its place, field, value in SI units and the tissue."""
    for name, made in all_tissues(parts).items():
        own = parts.tissues[name]
        for field, (key, _) in _FIELDS.items():
            value = float(getattr(made, field))
            given = perfusion_key(own) if field == "perfusion" else getattr(own, field) is not None and key
            if given and value > 0.0:
                yield f"tissues.{name}.{given}", field, value, made


def _inside(value: float, low: float, high: float) -> bool:
    return low * (1.0 - 1e-9) <= value <= high * (1.0 + 1e-9)


def _range(field: str, made: Tissue, parts: CheckableCase) -> tuple[float, float]:
    base = library_base(made.name, parts)
    span = tissue_entry(base).ranges.get(field) if base is not None else None
    return (span.low, span.high) if span is not None and span.high > 0.0 else _envelope()[field]


@functools.cache
def _envelope() -> dict[str, tuple[float, float]]:
    """Return the lowest and the highest value of all tissues, by field."""
    rows = [tissue_entry(name).ranges for name in tissue_names() if tissue_entry(name).kind == "tissue"]
    return {
        field: (min(row[field].low for row in rows if row[field].low > 0.0), max(row[field].high for row in rows))
        for field in _FIELDS
    }


def _slip(field: str, value: float, made: Tissue, parts: CheckableCase) -> str:
    """Return the probable unit error: the first that brings the value into its range; '' if none does."""
    low, high = _range(field, made, parts)
    low, high = low / _NEAR, high * _NEAR
    for words, factor in _SLIPS[field]:
        if _inside(value * factor, low, high):
            return f"{words}? {value * factor:.4g} {_FIELDS[field][1]}"
    if field == "sigma" and _inside(1.0 / value, low, high):
        return f"a resistivity for a conductivity? {1.0 / value:.4g} S/m"
    return ""


def _lengths(parts: CheckableCase) -> Iterator[tuple[str, float, float]]:
    """Yield the place of each length, the length [m] and the smallest plausible value [m]."""
    for placed in parts.structures:
        for key, length in placed.shape.lengths():
            yield f"{placed.where}.{key}", length, _SHORTEST
    for where, applicator in parts.applicators:
        yield f"{where}.active_tip_mm", applicator.active_tip, _SHORTEST_TIP


def _gauge(diameter: float) -> str:
    """Return the probable error in a diameter [mm] that matches no gauge; '' if there is none."""
    cannulae = [name for name in applicator_names() if name.startswith("cannula-")]
    gauges = {applicator_model(name)["outer_diameter_mm"]: name.split("-")[1] for name in cannulae}
    if any(abs(diameter / gauge - 1.0) < _SAME_GAUGE for gauge in gauges):
        return ""
    for factor, words in ((2.0, "a radius for a diameter"), (0.5, "twice the diameter")):
        for gauge, name in gauges.items():
            if abs(factor * diameter / gauge - 1.0) < _HALF_GAUGE:
                return f"{words}? {name.upper()} has {gauge:g} mm"
    return ""
