"""The library of tissues, metals, cannulae and damage sets, each with units, range and source.

The values are in the TOML files in this folder, with the unit in the key; the functions convert them to SI units.
"""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from rfablate.physics.laws import Linear
from rfablate.physics.perfusion import per_mass, rate_of_mass
from rfablate.physics.tissue import Tissue
from rfablate.toml import tomllib

_KEYS = {
    "density": "density_kg_per_m3",
    "heat_capacity": "heat_capacity_J_per_kgK",
    "k": "k_W_per_mK",
    "sigma": "sigma_S_per_m",
    "perfusion": "perfusion_mL_per_min_per_kg",
}
"""The keys of a tissue row that have a range, by field name of `Tissue`."""


@dataclass(frozen=True)
class Range:
    """Plausible range of a value, in the unit of its field of `Tissue`."""

    low: float
    high: float
    assumed: bool
    """True if no literature range was found; the range is then the table's default spread about the value."""


@dataclass(frozen=True)
class TissueEntry:
    """A row of the tissue library: the tissue in SI units, with its published values and sources."""

    tissue: Tissue
    kind: str
    """`tissue`, `metal` or `insulator`."""
    perfusion_mL_per_min_per_kg: float
    """Perfusion as published [mL/min/kg]."""
    ranges: Mapping[str, Range]
    """Ranges by field name of `Tissue`; empty for applicator materials."""
    sigma_source: str
    thermal_source: str

    @property
    def sigma_range(self) -> tuple[float, float] | None:
        """Lowest and highest sigma in the literature [S/m]; None if only an assumed spread is known."""
        found = self.ranges.get("sigma")
        return (found.low, found.high) if found is not None and not found.assumed else None


def tissue(name: str) -> Tissue:
    """Return the tissue or metal named `name`.

    Raises:
        KeyError: the library does not contain it.
    """
    return tissue_entry(name).tissue


def tissue_entry(name: str) -> TissueEntry:
    """Return the library row `name`; raises KeyError if there is none."""
    return _tissues()[name]


def tissue_names() -> tuple[str, ...]:
    """Return the names of all tissues and metals, in table order."""
    return tuple(_tissues())


def damage_set(name: str) -> tuple[float, float, str]:
    """Return frequency factor A [1/s], activation energy Ea [J/mol] and source of the damage set `name`.

    Raises:
        KeyError: the library does not contain the set.
    """
    row = _table("damage_sets.toml")[name]
    return float(row["A_per_s"]), float(row["Ea_J_per_mol"]), str(row["source"])


def damage_set_names() -> tuple[str, ...]:
    """Return the names of all damage sets."""
    return tuple(_table("damage_sets.toml"))


def applicator_model(name: str) -> dict[str, Any]:
    """Return the case keys (clinical units) of the applicator model `name`.

    Keys: outer_diameter_mm, active_tip_mm, tip_shape, bevel_angle_deg, sensor_offset_mm, metal; wall_mm for a tube, a
    table bend for a curved tip, a table coolant for a cooled electrode, a table tines for an expandable one.

    Raises:
        KeyError: the library does not contain the model.
    """
    return copy.deepcopy(_applicators()[name])


def applicator_names() -> tuple[str, ...]:
    """Return the names of all models: cannulae by gauge (thin first), tip length and shape; then other electrodes."""
    return tuple(_applicators())


def applicator_source(name: str) -> tuple[str, bool]:
    """Return the source of the values of `name`, and whether all were verified against it."""
    table = _table("applicators.toml")
    if name in table["model"]:
        return str(table["model"][name]["source"]), False
    source = str(table["defaults"]["source"])
    if "-curved" in name:
        source = f"{source}; {table['curved']['source']}"
    return source, bool(table["defaults"]["checked"])


@functools.cache
def _table(file: str) -> dict[str, Any]:
    text = resources.files("rfablate.physics").joinpath(file).read_text(encoding="utf-8")
    table: dict[str, Any] = tomllib.loads(text)
    return table


@functools.cache
def _tissues() -> dict[str, TissueEntry]:
    table = _table("tissues.toml")
    rows = {}
    for kind in ("tissue", "metal", "insulator"):
        for name, row in table[kind].items():
            rows[name] = _entry(name, kind, row, table["defaults"])
    return rows


def slopes_note() -> str:
    """Return the source of the slopes of the temperature laws."""
    return str(_table("tissues.toml")["defaults"]["slopes_source"])


def range_note() -> str:
    """Return how the ranges without a literature source were derived."""
    return str(_table("tissues.toml")["defaults"]["range_source"])


def _entry(name: str, kind: str, row: dict[str, Any], defaults: dict[str, Any]) -> TissueEntry:
    """Return a table row in SI units; applicator materials have no sigma, perfusion, laws or ranges."""
    living = kind == "tissue"
    density = float(row["density_kg_per_m3"])
    perfusion = float(row["perfusion_mL_per_min_per_kg"]) if living else 0.0
    sigma_source, thermal_source = (
        (str(row["sigma_source"]), str(row["thermal_source"])) if living else ("", str(row["source"]))
    )
    source = thermal_source
    if living:
        source = f"sigma: {sigma_source}; thermal: {thermal_source}; {defaults['slopes_source']}"
    result = Tissue(
        name=name,
        density=density,
        heat_capacity=float(row["heat_capacity_J_per_kgK"]),
        k=float(row["k_W_per_mK"]),
        sigma=float(row["sigma_S_per_m"]) if living else 0.0,
        perfusion=rate_of_mass(perfusion, density),
        k_law=Linear(float(row.get("k_slope_per_K", defaults["k_slope_per_K"])) if living else 0.0),
        sigma_law=Linear(float(row.get("sigma_slope_per_K", defaults["sigma_slope_per_K"])) if living else 0.0),
        is_metal=kind == "metal",
        source=source,
        checked=bool(row["checked"]),
    )
    ranges = _ranges(result, row, defaults["range"]) if living else {}
    return TissueEntry(result, kind, perfusion, ranges, sigma_source, thermal_source)


def _ranges(made: Tissue, row: dict[str, Any], spread: dict[str, list[float]]) -> dict[str, Range]:
    """Return the ranges given in the row as `<name>_range_<unit>`; for other values, the default spread about them."""
    ranges = {}
    for field, key in _KEYS.items():
        value = per_mass(made.perfusion, made.density) if field == "perfusion" else float(getattr(made, field))
        given = row.get(key.replace(field, f"{field}_range", 1))
        low, high = given if given is not None else (spread[field][0] * value, spread[field][1] * value)
        if field == "perfusion":
            low, high = rate_of_mass(low, made.density), rate_of_mass(high, made.density)
        ranges[field] = Range(float(low), float(high), given is None)
    return ranges


@functools.cache
def _applicators() -> dict[str, dict[str, Any]]:
    table = _table("applicators.toml")
    models: dict[str, dict[str, Any]] = {}
    curved = table["curved"]
    bend = {key: float(curved[key]) for key in ("angle_deg", "length_mm")}
    for gauge, diameter in table["outer_diameter_mm"].items():
        for tip in table["tips"]["mm"]:
            for shape, suffix in (("bevel", ""), ("blunt", "-blunt")):
                model = _cannula(float(diameter), float(tip), shape, table["defaults"])
                if model:
                    name, wall = f"cannula-{gauge}g-{tip}mm{suffix}", {"wall_mm": float(table["wall_mm"][gauge])}
                    models |= {name: model, f"{name}-tube": {**model, **wall}}
                    if int(gauge) in curved["gauges"] and tip in curved["tips_mm"]:
                        bent = {**model, "bend": bend}
                        models |= {f"{name}-curved": bent, f"{name}-curved-tube": {**bent, **wall}}
    for name, row in table["model"].items():
        models[name] = {key: value for key, value in row.items() if key != "source"}
    return models


def _cannula(diameter: float, tip: float, shape: str, defaults: dict[str, Any]) -> dict[str, Any] | None:
    """Return the case keys of a cannula of `diameter` and active `tip` [mm]; None if its bevel exceeds the tip.

    A bevel at the angle beta to the axis has the length diameter / tan(beta) and crosses the axis at half of it.
    """
    offset = float(defaults["sensor_offset_mm"])
    if shape == "bevel":
        bevel = diameter / math.tan(math.radians(defaults["bevel_angle_deg"]))
        if bevel > tip:
            return None
        offset = max(offset, round(0.5 * bevel + 0.25 * diameter, 2))
    return {
        "outer_diameter_mm": diameter,
        "active_tip_mm": tip,
        "tip_shape": shape,
        "bevel_angle_deg": float(defaults["bevel_angle_deg"]),
        "sensor_offset_mm": offset,
        "metal": str(defaults["metal"]),
    }
