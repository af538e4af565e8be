"""Values that are numbers of the right kind and yet cannot be meant: a slip of unit, a diameter for a radius.

A tissue value is held against the range of its library tissue, or, without one, against all tissues. What is outside
is told; where the value is beyond every tissue and a usual slip of unit explains it, it is refused.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

from rfablate.case.resolve.sound_parts import Parts
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
"""What a value may have been meant in, and the factor that makes it the key's unit."""
_SHORTEST, _SHORTEST_TIP = 0.005e-3, 0.1e-3
"""Below it [m] a length of a structure, of an active tip, was probably meant in m."""
_NEAR = 1.2
"""How far beyond its range, as a factor, a value may come out once its slip is undone."""
_SAME_GAUGE = 0.08
_HALF_GAUGE = 0.02
"""Relative distance within which a diameter is a gauge's, or half or twice one."""


def plausible_faults(parts: Parts) -> Iterator[Fault]:
    """Yield the values that no tissue has and a slip of unit explains, and lengths that are m for mm."""
    for where, field, value, made in _own_values(parts):
        if _inside(value, *_envelope()[field]) or not (hint := _slip(field, value, made, parts)):
            continue
        low, high = _envelope()[field]
        expected = f"from {low:.3g} to {high:.3g}, as tissues have [{_FIELDS[field][1]}]"
        yield Fault(where, f"found {value:.4g}", expected, hint)
    for where, length, least in _lengths(parts):
        if length < least:
            expected = f"at least {least * 1e3:g} [mm]"
            yield Fault(where, f"found {length * 1e3:g}", expected, f"m for mm? {length * 1e6:g} mm")


def plausible_warnings(parts: Parts) -> Iterator[str]:
    """Yield tissue values outside their range, and diameters that are half or twice a gauge's."""
    for where, field, value, made in _own_values(parts):
        low, high = _range(field, made, parts)
        if not _inside(value, low, high):
            base = library_base(made.name, parts)
            of = f"of {base}" if base is not None else "of all tissues"
            hint = _slip(field, value, made, parts)
            told = f"{where}: {value:.4g} is outside the range {of}, {low:.3g} to {high:.3g}"
            yield f"{told}; {hint}" if hint else told
    for where, applicator in parts.applicators:
        if hint := _gauge(applicator.outer_diameter * 1e3):
            yield f"{where}.outer_diameter_mm: {applicator.outer_diameter * 1e3:g}: {hint}"


def _own_values(parts: Parts) -> Iterator[tuple[str, str, float, Tissue]]:
    """Yield each value the case gives a tissue: its place, field, value in SI and the tissue."""
    for name, made in all_tissues(parts).items():
        own = parts.tissues[name]
        for field, (key, _) in _FIELDS.items():
            value = float(getattr(made, field))
            given = perfusion_key(own) if field == "perfusion" else getattr(own, field) is not None and key
            if given and value > 0.0:
                yield f"tissues.{name}.{given}", field, value, made


def _inside(value: float, low: float, high: float) -> bool:
    return low * (1.0 - 1e-9) <= value <= high * (1.0 + 1e-9)


def _range(field: str, made: Tissue, parts: Parts) -> tuple[float, float]:
    base = library_base(made.name, parts)
    span = tissue_entry(base).ranges.get(field) if base is not None else None
    return (span.low, span.high) if span is not None and span.high > 0.0 else _envelope()[field]


@functools.cache
def _envelope() -> dict[str, tuple[float, float]]:
    """Return the lowest and highest value of any tissue, by field."""
    rows = [tissue_entry(name).ranges for name in tissue_names() if tissue_entry(name).kind == "tissue"]
    return {
        field: (min(row[field].low for row in rows if row[field].low > 0.0), max(row[field].high for row in rows))
        for field in _FIELDS
    }


def _slip(field: str, value: float, made: Tissue, parts: Parts) -> str:
    """Return what was probably meant: the first slip that puts the value into its range; '' where none does."""
    low, high = _range(field, made, parts)
    low, high = low / _NEAR, high * _NEAR
    for words, factor in _SLIPS[field]:
        if _inside(value * factor, low, high):
            return f"{words}? {value * factor:.4g} {_FIELDS[field][1]}"
    if field == "sigma" and _inside(1.0 / value, low, high):
        return f"a resistivity for a conductivity? {1.0 / value:.4g} S/m"
    return ""


def _lengths(parts: Parts) -> Iterator[tuple[str, float, float]]:
    """Yield the place of each length, the length and the least it can be [m]."""
    for placed in parts.structures:
        for key, length in placed.shape.lengths():
            yield f"{placed.where}.{key}", length, _SHORTEST
    for where, applicator in parts.applicators:
        yield f"{where}.active_tip_mm", applicator.active_tip, _SHORTEST_TIP


def _gauge(diameter: float) -> str:
    """Return what a diameter [mm] that is no gauge's was probably meant as; '' where it may be meant."""
    cannulae = [name for name in applicator_names() if name.startswith("cannula-")]
    gauges = {applicator_model(name)["outer_diameter_mm"]: name.split("-")[1] for name in cannulae}
    if any(abs(diameter / gauge - 1.0) < _SAME_GAUGE for gauge in gauges):
        return ""
    for factor, words in ((2.0, "a radius for a diameter"), (0.5, "twice the diameter")):
        for gauge, name in gauges.items():
            if abs(factor * diameter / gauge - 1.0) < _HALF_GAUGE:
                return f"{words}? {name.upper()} has {gauge:g} mm"
    return ""
