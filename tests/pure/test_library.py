"""The library converts to SI correctly, and every number in it has a unit and a source."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from rfablate.cli.library_text import applicators_text
from rfablate.physics.library import (
    applicator_model,
    applicator_names,
    applicator_source,
    damage_set,
    damage_set_names,
    tissue,
    tissue_entry,
    tissue_names,
)
from rfablate.physics.perfusion import in_all_units, per_mass, rate_of_blood_mass, rate_of_mass
from rfablate.toml import tomllib

TABLES = Path(__file__).parents[2] / "rfablate" / "physics"
WANTED = """white_matter grey_matter nerve spinal_cord csf dura muscle fat skin liver pancreas kidney lung
cartilage disc blood cortical_bone cancellous_bone red_marrow yellow_marrow liver_tumour pancreatic_tumour
bone_metastasis stainless_steel nitinol platinum""".split()
UNITS = tuple("_kg_per_m3 _J_per_kgK _W_per_mK _S_per_m _mL_per_min_per_kg _per_K _per_s _J_per_mol".split())


def _rows(file: str) -> dict[str, dict[str, object]]:
    table = tomllib.loads((TABLES / file).read_text(encoding="utf-8"))
    if file == "tissues.toml":
        return {name: row for kind in ("tissue", "metal", "insulator") for name, row in table[kind].items()}
    return table


@pytest.mark.parametrize(
    ("name", "omega_b"),
    [
        # mL/min/kg x 1e-6 m3/mL / 60 s/min x kg/m3, by hand
        ("liver", 0.0154657),
        ("muscle", 0.00067217),
        ("white_matter", 0.0036782),
        ("kidney", 0.0674245),
        ("csf", 0.0),
    ],
)
def test_perfusion_is_converted_to_per_second(name: str, omega_b: float) -> None:
    assert tissue(name).perfusion == pytest.approx(omega_b, rel=1e-4)


def test_a_litre_a_minute_in_a_litre_of_water_is_a_sixtieth_per_second() -> None:
    assert rate_of_mass(1000.0, 1000.0) == pytest.approx(1 / 60)
    assert per_mass(1 / 60, 1000.0) == pytest.approx(1000.0)


def test_the_four_units_of_perfusion_are_one_another_s() -> None:
    """COMSOL's liver: 0.0064 1/s with blood of 1000 kg/m3 is 6.4 kg/m3/s; in liver of 1079 kg/m3 356 mL/min/kg."""
    assert rate_of_blood_mass(6.4, 1000.0) == pytest.approx(0.0064)
    said = in_all_units(0.0064, 1079.0, 1000.0)
    assert said == "0.0064 1/s = 355.9 mL/min/kg = 35.59 mL/min/100 g = 6.4 kg/m3/s"


def test_every_tissue_asked_for_is_there() -> None:
    assert set(WANTED) <= set(tissue_names())


@pytest.mark.parametrize("name", tissue_names())
def test_every_tissue_has_physical_constants_and_a_source(name: str) -> None:
    entry = tissue_entry(name)
    made = entry.tissue
    assert made.name == name
    assert 1 < made.density < 25000 and 100 < made.heat_capacity < 4200 and 0.01 < made.k < 100
    assert 0 <= made.perfusion < 0.1
    assert (made.sigma > 0) == (entry.kind == "tissue")
    assert made.is_metal == (entry.kind == "metal")
    assert len(made.source) > 5
    if entry.sigma_range is not None:
        assert entry.sigma_range[0] <= made.sigma <= entry.sigma_range[1]


@pytest.mark.parametrize("file", ["tissues.toml", "damage_sets.toml"])
def test_every_number_in_a_table_has_a_unit_and_every_row_a_source(file: str) -> None:
    for name, row in _rows(file).items():
        assert any("source" in key for key in row), name
        for key, value in row.items():
            if isinstance(value, (int, float, list)) and not isinstance(value, bool):
                assert key.endswith(UNITS), f"{name}.{key}"


@pytest.mark.parametrize("name", [each for each in tissue_names() if tissue_entry(each).kind == "tissue"])
def test_every_value_of_a_tissue_lies_in_its_range(name: str) -> None:
    entry = tissue_entry(name)
    assert set(entry.ranges) == {"density", "heat_capacity", "k", "sigma", "perfusion"}
    for field, span in entry.ranges.items():
        value = getattr(entry.tissue, field)
        assert span.low * (1 - 1e-12) <= value <= span.high * (1 + 1e-12), f"{name}.{field}"
        assert span.low < span.high or value == 0.0


def test_values_from_memory_are_not_called_checked() -> None:
    for name, row in _rows("tissues.toml").items():
        sources = " ".join(str(value) for key, value in row.items() if "source" in key)
        assert not (row["checked"] and ("from memory" in sources or "assumed" in sources)), name


def test_sigma_of_liver_carries_the_range_of_the_literature() -> None:
    assert tissue_entry("liver").sigma_range == (0.148, 0.333)


def test_temperature_slopes_are_inside_the_range_of_ablation_papers() -> None:
    for name in tissue_names():
        made = tissue(name)
        if tissue_entry(name).kind == "tissue":
            assert 0.013 <= made.sigma_slope <= 0.02 and 0.001 <= made.k_slope <= 0.003
        else:
            assert made.sigma_slope == made.k_slope == 0.0


def test_stainless_steel_stores_four_megajoule_per_cubic_metre_and_kelvin() -> None:
    assert tissue("stainless_steel").volumetric_heat_capacity == pytest.approx(4.0e6)
    assert tissue("stainless_steel").k == 15


@pytest.mark.parametrize(("gauge", "diameter"), [(23, 0.642), (22, 0.718), (20, 0.908), (16, 1.651)])
def test_gauges_have_their_nominal_diameter(gauge: int, diameter: float) -> None:
    for tip in (4, 5, 6, 10, 15):
        model = applicator_model(f"cannula-{gauge}g-{tip}mm")
        assert (model["outer_diameter_mm"], model["active_tip_mm"]) == (diameter, tip)
        assert model["tip_shape"] == "bevel"
        assert applicator_model(f"cannula-{gauge}g-{tip}mm-blunt")["tip_shape"] == "blunt"


@pytest.mark.parametrize("name", applicator_names())
def test_every_cannula_has_its_sensor_in_the_metal_of_its_tip(name: str) -> None:
    model = applicator_model(name)
    slope = math.tan(math.radians(model.get("bevel_angle_deg", 30.0)))
    bevel_on_axis = 0.5 * model["outer_diameter_mm"] / slope if model["tip_shape"] == "bevel" else 0.0
    assert bevel_on_axis < model["sensor_offset_mm"] < model["active_tip_mm"]
    assert tissue(model["metal"]).is_metal


def test_the_liver_set_reaches_omega_one_after_61_s_at_50_degC() -> None:
    A, Ea, source = damage_set("liver")
    assert source
    assert 1.0 / (A * math.exp(-Ea / (8.314462618 * 323.15))) == pytest.approx(61.4, rel=1e-2)


def test_names_without_an_entry_raise() -> None:
    assert set(damage_set_names()) == {"liver", "skin", "artery", "fat", "stasis"}
    for lookup in (tissue, applicator_model, damage_set):
        with pytest.raises(KeyError):
            lookup("no such entry")


def test_every_applicator_stands_with_its_own_source() -> None:
    """Each model has its own source: the tutorial of the four-arm electrode, the assumptions of a curved tip."""
    _, sources = applicators_text().split("\nsources\n")
    lines = dict(line.strip().split(": ", 1) for line in sources.splitlines())
    assert "Tungjitkusolmun" in lines["four-arm-15mm"]
    assert lines["cooled-18g-4mm, cooled-17g-4mm"].startswith("gauge and tip: sizes sold for pain treatment")
    curved = [name for name in applicator_names() if "-curved" in name]
    assert "manufacturers do not publish the curve" in lines[f"{curved[0]} and {len(curved) - 1} similar"]
    assert sum("publish the curve" in line for line in lines.values()) == 1
    for name in applicator_names():
        assert applicator_source(name)[0] in sources and applicator_source(name)[0] in applicators_text(name)
