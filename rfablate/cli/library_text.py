"""Text output of `rfablate library`: tables of tissues, applicators and damage parameters."""

from __future__ import annotations

from typing import Any

from rfablate.case.describe.case_text import format_table, tissue_sources, tissue_table
from rfablate.case.messages.suggestions import did_you_mean
from rfablate.errors import CaseError, Fault
from rfablate.physics.library import (
    applicator_model,
    applicator_names,
    applicator_source,
    damage_set,
    damage_set_names,
    range_note,
    slopes_note,
    tissue,
    tissue_entry,
    tissue_names,
)
from rfablate.physics.perfusion import in_all_units, per_mass

_QUANTITIES = {
    "sigma": ("electric conductivity", "S/m"),
    "k": ("thermal conductivity", "W/mK"),
    "density": ("density", "kg/m3"),
    "heat_capacity": ("heat capacity", "J/kgK"),
    "perfusion": ("perfusion", "mL/min/kg"),
}
"""Label and unit of each number, by the field of `Tissue`."""
MAX_NAMES = 3
"""Models with a common source that are listed by name; larger groups show the first name and a count."""


def tissues_text(name: str | None = None) -> str:
    """Return the table of all tissues and metals, or all values of the one named `name`.

    Raises:
        CaseError: the library has no such tissue.
    """
    if name is not None:
        return _tissue_text(_checked_name(name, tissue_names(), "tissues"))
    tissues = [tissue(each) for each in tissue_names()]
    head = [
        "Constants at 37 degC, sigma near 500 kHz; in brackets the range in the literature.",
        "Range, unit and source of each value: rfablate library tissues NAME",
        "",
    ]
    return "\n".join([*head, *tissue_table(tissues), "", "sources", *tissue_sources(tissues)])


def _tissue_text(name: str) -> str:
    """Return each value of a tissue or metal with unit, range, source and whether the source was verified."""
    entry = tissue_entry(name)
    made, checked = entry.tissue, "yes" if entry.tissue.checked else "no"
    rows = []
    for field, (label, unit) in _QUANTITIES.items():
        value = getattr(made, field)
        if entry.kind != "tissue" and field in ("sigma", "perfusion"):
            continue
        scale = per_mass(1.0, made.density) if field == "perfusion" else 1.0
        span = entry.ranges.get(field)
        spread = f"{span.low * scale:.5g} to {span.high * scale:.5g}{' *' if span.assumed else ''}" if span else ""
        source = entry.sigma_source if field == "sigma" else entry.thermal_source
        rows.append([label, f"{value * scale:.4g}", unit, spread, checked, source])
    lines = [f"{name} ({entry.kind}), at 37 degC{', sigma near 500 kHz' if entry.kind == 'tissue' else ''}", ""]
    lines += format_table(rows, ["quantity", "value", "unit", "range", "checked", "source"])
    if any(span.assumed for span in entry.ranges.values()):
        lines += ["", f"* {range_note()}"]
    if entry.kind == "tissue":
        blood = tissue("blood").density
        lines += ["", f"perfusion  {in_all_units(made.perfusion, made.density, blood)} (blood of {blood:g} kg/m3)"]
        lines += [f"sigma      {made.sigma_law}", f"k          {made.k_law}", f"           {slopes_note()}"]
    return "\n".join(lines)


def applicators_text(name: str | None = None) -> str:
    """Return the table of all applicators, or the one named `name` in the form of a case table.

    Raises:
        CaseError: the library has no such applicator.
    """
    if name is not None:
        model = applicator_model(_checked_name(name, applicator_names(), "applicators"))
        keys = [line for key, value in model.items() for line in _key_lines(key, value)]
        return "\n".join(
            ["[[applicators]]", f'model = "{name}"', *(f"# {key}" for key in keys), "", f"source: {_source(name)}"]
        )
    models = {each: applicator_model(each) for each in applicator_names()}
    head = ["model", "diameter mm", "tip mm", "shape", "sensor mm", "metal", "features"]
    rows = [
        [
            each,
            f"{model['outer_diameter_mm']:g}",
            f"{model['active_tip_mm']:g}",
            str(model["tip_shape"]),
            f"{model['sensor_offset_mm']:g}",
            str(model["metal"]),
            _features(model),
        ]
        for each, model in models.items()
    ]
    return "\n".join([*format_table(rows, head), "", "sources", *_applicator_sources()])


def _source(name: str) -> str:
    source, checked = applicator_source(name)
    return f"{source} ({'verified' if checked else 'not fully verified'})"


def _applicator_sources() -> list[str]:
    """Return a line for each source, with its models."""
    models: dict[str, list[str]] = {}
    for name in applicator_names():
        models.setdefault(_source(name), []).append(name)
    return [
        f"  {', '.join(names) if len(names) <= MAX_NAMES else f'{names[0]} and {len(names) - 1} similar'}: {source}"
        for source, names in models.items()
    ]


def _key_lines(key: str, value: Any) -> list[str]:
    """Return a key and its value in TOML; nested tables use dotted keys."""
    if isinstance(value, dict):
        return [line for inner, each in value.items() for line in _key_lines(f"{key}.{inner}", each)]
    return [f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value:g}"]


def _features(model: dict[str, Any]) -> str:
    """Return the features of a model beyond a solid straight cannula: wall, bend, ring, coolant, tines."""
    wall, coolant, tines, bend, ring = (model.get(key) for key in ("wall_mm", "coolant", "tines", "bend", "ring"))
    features = [] if wall is None else [f"tube, wall {wall:g} mm"]
    if bend is not None:
        features.append(f"curved, {bend['angle_deg']:g} degrees over {bend['length_mm']:g} mm")
    if ring is not None:
        features.append(f"ring of {ring['length_mm']:g} mm behind a gap of {ring['gap_mm']:g} mm")
    if coolant is not None:
        cooling = f", h {coolant['h_W_per_m2K']:g} W/(m2 K)" if "h_W_per_m2K" in coolant else " on the wall"
        features.append(f"coolant {coolant['temperature_degC']:g} degC{cooling}")
    if tines is not None:
        features.append(f"{tines['count']} tines of {tines['diameter_mm']:g} x {tines['length_mm']:g} mm")
    return ", ".join(features)


def damage_text(name: str | None = None) -> str:
    """Return the table of all Arrhenius parameter sets, or of the one named `name`.

    Raises:
        CaseError: the library has no such set.
    """
    names = damage_set_names() if name is None else (_checked_name(name, damage_set_names(), "damage"),)
    sets = {each: damage_set(each) for each in names}
    rows = [[each, f"{A:.4g}", f"{Ea:.4g}", source] for each, (A, Ea, source) in sets.items()]
    warning = (
        "Note: the liver set reaches Omega = 1 in 12 min at 41.9 degC; it overestimates lesions of long protocols."
    )
    notes = ["", warning] if "liver" in sets else []
    return "\n".join([*format_table(rows, ["set", "A 1/s", "Ea J/mol", "source"]), *notes])


def _checked_name(name: str, names: tuple[str, ...], table: str) -> str:
    if name in names:
        return name
    expected = f"one of rfablate library {table}"
    raise CaseError([Fault(name, "not in the library", expected, did_you_mean(name, names))], "the library")
