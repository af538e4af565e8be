"""Faults beyond the schema: positions, roles, protocol, rotational symmetry, mesh, units."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rfablate.case.checks.all_checks import case_warnings, check_case
from rfablate.case.read.case_file import parse_case
from rfablate.errors import CaseError, Fault
from rfablate.toml import tomllib

TRIGEMINAL = Path(__file__).parent / "data" / "trigeminal.toml"
Change = Callable[[dict[str, Any]], Any]

BASE = {
    "domain": {"kind": "cylinder", "radius_mm": 40, "height_mm": 80, "tissue": "muscle"},
    "structures": [
        {
            **{"name": "target", "kind": "sphere", "centre_mm": [0, 0, 0], "radius_mm": 3},
            **{"tissue": "nerve", "role": "target"},
        },
        {
            **{"name": "root", "kind": "tube", "path_mm": [[6, -10, 0], [6, 10, 0]], "diameter_mm": 2},
            **{"tissue": "nerve", "role": "protect", "limit_degC": 45},
        },
    ],
    "applicators": [{"model": "cannula-22g-5mm-blunt"}],
    "generator": {"kind": "temperature", "target_degC": 80, "hold_s": 60},
}
NO_STRUCTURES: dict[str, Any] = {**BASE, "structures": []}
ROUND: dict[str, Any] = {**NO_STRUCTURES, "domain": {**BASE["domain"], "kind": "axisymmetric"}}  # type: ignore[dict-item]


def shape(kind: str, name: str = "it", **keys: Any) -> dict[str, Any]:
    return {"name": name, "kind": kind, "tissue": "fat", **keys}


def faults_of(data: dict[str, Any]) -> list[Fault]:
    try:
        parse_case(data)
    except CaseError as error:
        return list(error.faults)
    return []


def with_keys(base: dict[str, Any], **paths: Any) -> dict[str, Any]:
    """Return `base` with keys set by path, e.g. generator__hold_s=3, structures__0__tissue="fat"."""
    data: dict[str, Any] = copy.deepcopy(base)
    for path, value in paths.items():
        keys = path.split("__")
        table: Any = data
        for key in keys[:-1]:
            table = table[int(key)] if isinstance(table, list) else table.setdefault(key, {})
        table[keys[-1]] = value
    return data


def with_structures(base: dict[str, Any], *structures: dict[str, Any]) -> dict[str, Any]:
    return {**copy.deepcopy(base), "structures": list(structures)}


def told_once(data: dict[str, Any], where: str, *words: str) -> None:
    faults = faults_of(data)
    assert [fault.where for fault in faults] == [where], [str(fault) for fault in faults]
    for word in words:
        assert word in str(faults[0])


def test_the_case_the_faults_start_from_has_none() -> None:
    for data in (BASE, NO_STRUCTURES, ROUND):
        assert check_case(parse_case(copy.deepcopy(data))) == []


# --- positions ---------------------------------------------------------------------------------------

OUTSIDE = {
    "sphere": shape("sphere", centre_mm=[60, 0, 0], radius_mm=5),
    "ellipsoid": shape("ellipsoid", centre_mm=[0, 0, 90], semi_axes_mm=[5, 5, 5]),
    "box": shape("box", centre_mm=[0, 60, 0], size_mm=[5, 5, 5]),
    "tube": shape("tube", path_mm=[[50, 0, 0], [50, 10, 0]], diameter_mm=2),
    "cylinder": shape("cylinder", start_mm=[0, 0, 50], end_mm=[0, 0, 60], diameter_mm=2),
    "slab": shape("slab", point_mm=[0, 0, 60], normal=[0, 0, 1], thickness_mm=3),
    "half_space": shape("half_space", point_mm=[0, 0, 60], normal=[0, 0, 1]),
}


@pytest.mark.parametrize("kind", OUTSIDE)
@pytest.mark.parametrize("role", ["target", "protect", "anatomy"])
def test_no_structure_may_be_wholly_outside_the_domain(kind: str, role: str) -> None:
    structure = {**OUTSIDE[kind], "role": role, "limit_degC": 45}
    (fault,) = faults_of(with_structures(BASE, structure))
    assert fault.where.startswith('structures[0] "it".')
    assert "entirely outside the domain" in fault.found
    assert "x -40 to 40" in fault.expected


@pytest.mark.parametrize("kind", ["sphere", "box"])
def test_a_structure_far_larger_than_the_domain_is_not_outside_it(kind: str) -> None:
    size = {"radius_mm": 900} if kind == "sphere" else {"size_mm": [900, 900, 900]}
    assert faults_of(with_structures(BASE, shape(kind, centre_mm=[0, 0, 0], **size))) == []


def test_a_cut_target_is_a_warning_and_cut_anatomy_is_nothing() -> None:
    cut = shape("sphere", centre_mm=[40, 0, 0], radius_mm=5)
    assert case_warnings(parse_case(with_structures(BASE, cut))) == []
    (warning,) = case_warnings(parse_case(with_structures(BASE, {**cut, "role": "target"})))
    assert 'structures[0] "it"' in warning and "outside the domain" in warning
    plane = shape("half_space", point_mm=[0, 0, -10], normal=[0, 0, -1], role="target")
    assert case_warnings(parse_case(with_structures(BASE, plane))) == []


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"tip_mm": [60, 0, 0]}, "20 mm outside"),
        ({"tip_mm": [0, 0, 38]}, "outside"),
        ({"tip_mm": [39, 0, 0]}, "is 1 mm from its surface"),
        ({"tip_mm": [0, 0, -39.5]}, "is 0.5 mm from its surface"),
        ({"tip_mm": [0, 0, -36], "direction": [0, 0, -1]}, "outside"),
    ],
)
def test_the_active_tip_stays_two_diameters_inside_the_domain(keys: dict[str, Any], words: str) -> None:
    data = copy.deepcopy(NO_STRUCTURES)
    data["applicators"][0].update(keys)
    told_once(
        data,
        "applicators[0].tip_mm",
        "cannula is not far enough inside the domain",
        words,
        "at least 2 diameters, 1.44 mm",
    )


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"tissue": "stainless_steel"}, "stainless_steel, which conducts no current"),
        ({"tissue": "insulation"}, "insulation, which conducts no current"),
        ({"tissue": "csf", "held_degC": 37}, "held at a temperature"),
    ],
)
def test_nothing_may_keep_all_tissue_off_the_active_tip(keys: dict[str, Any], words: str) -> None:
    swallow = {**shape("sphere", centre_mm=[0, 0, 2], radius_mm=6), **keys}
    told_once(with_structures(BASE, swallow), 'structures[0] "it"', "encloses the active tip", words)
    half = {**swallow, "centre_mm": [0, 0, 8]}
    assert faults_of(with_structures(BASE, half)) == []
    inside = shape("sphere", name="gap", centre_mm=[0, 0, 2], radius_mm=4)
    assert faults_of(with_structures(BASE, swallow, inside)) == []


def test_a_domain_that_carries_no_current_swallows_the_tip() -> None:
    data = with_keys(NO_STRUCTURES, domain__tissue="insulation")
    told_once(data, "domain.tissue", "encloses the active tip")


def test_the_target_may_contain_the_tip() -> None:
    ganglion = shape("ellipsoid", centre_mm=[0, 0, 1], semi_axes_mm=[6, 8, 7], role="target")
    assert faults_of(with_structures(BASE, ganglion)) == []


@pytest.mark.parametrize(
    "structure",
    [
        shape("sphere", centre_mm=[0, 0, 3], radius_mm=0.3),
        shape("tube", path_mm=[[0, 0, 2], [0, 0, 20]], diameter_mm=0.5),
        shape("box", centre_mm=[0, 0, 10], size_mm=[0.2, 0.2, 5]),
    ],
)
def test_a_structure_inside_the_metal_would_be_empty(structure: dict[str, Any]) -> None:
    told_once(with_structures(BASE, structure), 'structures[0] "it"', "inside the cannula metal")


def test_a_structure_wholly_under_later_ones_is_told_with_their_names() -> None:
    small = shape("sphere", "small", centre_mm=[8, 0, 0], radius_mm=1)
    large = shape("box", "large", centre_mm=[8, 0, 0], size_mm=[4, 4, 4])
    told_once(with_structures(BASE, small, large), 'structures[0] "small"', "entirely covered", '"large"')
    assert faults_of(with_structures(BASE, large, small)) == []
    up = shape("half_space", "up", point_mm=[0, 0, 0], normal=[0, 0, 1])
    down = shape("half_space", "down", point_mm=[0, 0, 0], normal=[0, 0, -1])
    told_once(with_structures(BASE, small, up, down), 'structures[0] "small"', '"up" and', '"down"')


def test_a_thin_shell_that_shows_is_not_covered() -> None:
    shell = shape("ellipsoid", "cave", centre_mm=[0, 0, 1], semi_axes_mm=[4.2, 8.2, 3.2])
    core = shape("ellipsoid", "core", centre_mm=[0, 0, 1], semi_axes_mm=[4, 8, 3])
    assert faults_of(with_structures(BASE, shell, core)) == []


@pytest.mark.parametrize(
    ("structure", "where", "words"),
    [
        (shape("slab", point_mm=[0, 0, 9], normal=[0, 0, 0], thickness_mm=1), "normal", "zero length"),
        (shape("half_space", point_mm=[0, 0, 9], normal=[0, 0, 0]), "normal", "zero length"),
        (
            shape("tube", path_mm=[[9, 0, 0], [9, 0, 0], [9, 1, 0]], diameter_mm=1),
            "path_mm",
            "point 1 repeats",
        ),
        (
            shape("cylinder", start_mm=[9, 0, 0], end_mm=[9, 0, 0], diameter_mm=1),
            "end_mm",
            "same point as start_mm",
        ),
    ],
)
def test_directions_and_paths_have_a_length(structure: dict[str, Any], where: str, words: str) -> None:
    told_once(with_structures(BASE, structure), f'structures[0] "it".{where}', words)


def test_a_cannula_points_somewhere() -> None:
    data = with_keys(BASE, applicators__0__direction=[0, 0, 0])
    told_once(data, "applicators[0].direction", "zero length")


# --- cannula --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "where", "words"),
    [
        (
            {"sensor_offset_mm": 12, "shaft_length_mm": 10},
            "sensor_offset_mm",
            ["outside the metal", "at most 10"],
        ),
        ({"tip_shape": "bevel", "sensor_offset_mm": 0.2}, "sensor_offset_mm", ["at least 0.622", "= 0.9"]),
        ({"sensor_radius_mm": 0.5}, "sensor_radius_mm", ["at most the cannula radius, 0.359"]),
        ({"shaft_length_mm": 4}, "shaft_length_mm", ["at least the active tip length, 5"]),
        (
            {"tip_shape": "bevel", "bevel_angle_deg": 10, "active_tip_mm": 4},
            "bevel_angle_deg",
            ["4.07 mm long"],
        ),
        (
            {"outer_diameter_mm": 0.0718},
            "outer_diameter_mm",
            ["from 0.3 to 3 [mm]", "radius for a diameter?"],
        ),
        ({"outer_diameter_mm": 7.18, "tip_mm": [0, 0, 0]}, "outer_diameter_mm", ["from 0.3 to 3 [mm]"]),
    ],
)
def test_a_cannula_has_its_sensor_inside_and_a_plausible_size(
    keys: dict[str, Any], where: str, words: list[str]
) -> None:
    data = copy.deepcopy(NO_STRUCTURES)
    data["applicators"][0].update(keys)
    faults = [fault for fault in faults_of(data) if fault.where == f"applicators[0].{where}"]
    assert len(faults) == 1
    assert all(word in str(faults[0]) for word in words), str(faults[0])


def test_a_sensor_behind_the_active_tip_is_a_warning() -> None:
    case = parse_case(with_keys(BASE, applicators__0__sensor_offset_mm=8))
    assert any("sensor_offset_mm" in warning for warning in case_warnings(case))


def with_second(base: dict[str, Any], **keys: Any) -> dict[str, Any]:
    data = copy.deepcopy(base)
    second = {"name": "second", "model": "cannula-22g-5mm", "tip_mm": [10, 0, 0], "direction": [0, 0, 1], **keys}
    data["applicators"].append(second)
    return data


def test_several_applicators_need_names_room_and_an_active_one() -> None:
    insulated = with_keys(NO_STRUCTURES, boundary__electric="insulated")
    assert faults_of(with_second(NO_STRUCTURES)) == []
    assert faults_of(with_second(insulated, electrode="return")) == []
    told_once(with_second(insulated), "boundary.electric", "the current needs a return path", "second applicator")
    first = NO_STRUCTURES["applicators"][0].get("name", "cannula")
    told_once(with_second(NO_STRUCTURES, name=first), f'applicators[1] "{first}".name', "already the name of")
    ring = {"gap_mm": 4, "length_mm": 5}
    assert faults_of(with_keys(insulated, applicators__0__ring=ring)) == [], "the current returns by the ring"
    short = with_keys(insulated, applicators__0__ring=ring, applicators__0__shaft_length_mm=12)
    told_once(short, "applicators[0].shaft_length_mm", "at least the length of tip, gap and ring, 14 [mm]")
    held = {"kind": "surface_temperature", "target_degC": 80, "hold_s": 60}
    told_once(
        with_second(NO_STRUCTURES, electrode="return") | {"generator": held}, "generator.kind", "return electrode"
    )
    returns = with_keys(NO_STRUCTURES, applicators__0__electrode="return")
    told_once(returns, "applicators[0].electrode", '"active"')
    place = 'applicators[1] "second"'
    told_once(with_second(NO_STRUCTURES, tip_mm=[0.7, 0, 0]), f"{place}.tip_mm", "is 0.7 mm from that of")
    crossing = with_second(NO_STRUCTURES, tip_mm=[10, 0, 0], direction=[-1, 0, 1])
    told_once(crossing, f"{place}.tip_mm", "mm from that of")
    cooled = with_second(NO_STRUCTURES, wall_mm=0.1, coolant={"temperature_degC": 10})
    assert f"{place}.coolant" in [fault.where for fault in faults_of(cooled)]
    told_once(with_second(ROUND, tip_mm=[0, 0, 20], tip_shape="blunt"), "applicators", "one applicator on the axis")


@pytest.mark.parametrize(
    ("keys", "where", "words"),
    [
        ({"domain__radius_mm": 400}, "domain.radius_mm", "at most 500 mm across"),
        ({"domain__height_mm": 900}, "domain.height_mm", "um for mm?"),
        ({"domain__radius_mm": 9.5}, "domain.radius_mm", "at least 4 active tip lengths across, 20 mm"),
        (
            {"tissues__muscle__perfusion_per_s": 0.2},
            "tissues.muscle.perfusion_per_s",
            "per minute for per second?",
        ),
        ({"body__temperature_degC": 310.15}, "body.temperature_degC", "kelvin for degC? 37 degC"),
    ],
)
def test_a_size_or_unit_that_cannot_be_meant(keys: dict[str, Any], where: str, words: str) -> None:
    data = with_keys(NO_STRUCTURES, **keys)
    assert [words in str(fault) for fault in faults_of(data) if fault.where == where] == [True]


# --- names, roles and protocol ---------------------------------------------------------------------


def test_names_stand_for_one_thing() -> None:
    twins = [shape("sphere", "a", centre_mm=[9, 0, z], radius_mm=1) for z in (0, 9)]
    told_once(with_structures(BASE, *twins), 'structures[1] "a".name', 'already the name of structures[0] "a"')
    for name in ("domain", "cannula"):
        data = with_structures(BASE, shape("sphere", name, centre_mm=[9, 0, 0], radius_mm=1))
        told_once(data, f'structures[0] "{name}".name', f'name = "{name}_2"')


@pytest.mark.parametrize(
    ("keys", "where", "words"),
    [
        ({"generator__target_degC": 30}, "generator.target_degC", ["found 30", "above body temperature, 37"]),
        ({"generator__target_degC": 353.15}, "generator.target_degC", ["kelvin for degC? 80 degC"]),
        ({"generator__hold_s": 0, "generator__ramp_s": 0}, "generator", ["ramp_s + hold_s = 0"]),
        ({"generator__hold_s": 0.01}, "generator.hold_s", ["at least the first step, 0.02"]),
        ({"generator": {"kind": "power", "power_W": 5, "duration_s": 0}}, "generator", ["duration_s = 0"]),
        (
            {"generator": {"kind": "power", "power_W": 80, "duration_s": 9}},
            "generator.power_W",
            ["at most max_power_W = 50", "--set generator.max_power_W=80"],
        ),
        (
            {"generator": {"kind": "voltage", "voltage_V": 120, "duration_s": 9}},
            "generator.voltage_V",
            ["at most max_voltage_V = 100"],
        ),
        ({"boundary__electric": "insulated"}, "boundary.electric", ["the current needs a return path"]),
        (
            {"structures__1__limit_degC": 36},
            'structures[1] "root".limit_degC',
            ["above body temperature, 37"],
        ),
        ({"structures__1__limit_degC": 318}, 'structures[1] "root".limit_degC', ["kelvin for degC?"]),
        ({"time__min_step_s": 20.0}, "time.min_step_s", ["at most max_step_s = 10", "swapped?"]),
        ({"time__first_step_s": 20.0}, "time.first_step_s", ["from min_step_s = 0.0001 to max_step_s = 10"]),
        (
            {"time__stepping": "fixed", "time__step_s": 100.0},
            "time.step_s",
            ["at most the generator on-time"],
        ),
        ({"mesh__size_tip_mm": 9, "mesh__size_far_mm": 1}, "mesh.size_tip_mm", ["at most size_far_mm = 1"]),
        ({"lesion__rules": []}, "lesion.rules", ["at least one of isotherm_<T>C"]),
        ({"lesion__rules": ["isotherm_50"]}, "lesion.rules[0]", ['did you mean "isotherm_50C"?']),
        ({"lesion__rules": ["cem43"]}, "lesion.rules[0]", ['did you mean "cem43_240"?']),
        ({"lesion__rules": ["arrhenius", "arrhenius"]}, "lesion.rules[1]", ["a second time"]),
        (
            {"lesion__verdict_rule": "isotherm_60C"},
            "lesion.verdict_rule",
            ["one of lesion.rules: isotherm_50C"],
        ),
        ({"damage__A_per_s": 1e40}, "damage.Ea_J_per_mol", ["missing key, although A_per_s is given"]),
    ],
)
def test_a_protocol_can_be_followed(keys: dict[str, Any], where: str, words: list[str]) -> None:
    told_once(with_keys(BASE, **keys), where, *words)


def test_a_protected_structure_has_a_limit() -> None:
    data = copy.deepcopy(BASE)
    del data["structures"][1]["limit_degC"]  # type: ignore[attr-defined]
    told_once(data, 'structures[1] "root".limit_degC', "missing key", "limit_degC = 45")


def test_own_damage_kinetics_need_no_set() -> None:
    assert faults_of(with_keys(BASE, damage={"set": "mine", "A_per_s": 1e40, "Ea_J_per_mol": 2.6e5})) == []


def test_odd_but_possible_things_are_warnings() -> None:
    data = with_keys(BASE, generator__target_degC=105, structures__0__limit_degC=50)
    data["tissues"] = {"gel": {"base": "fat"}}
    data["structures"].append(shape("sphere", "screw", centre_mm=[0, 20, 0], radius_mm=2, tissue="nitinol"))
    warnings = "\n".join(case_warnings(parse_case(data)))
    for words in (
        "105 degC tissue desiccates",
        'the role is "target"',
        "tissues.gel: not used",
        "screw",
        "insulated",
    ):
        assert words in warnings
    assert len(warnings.splitlines()) == 4


def test_a_quiet_case_has_no_warnings() -> None:
    assert case_warnings(parse_case(copy.deepcopy(BASE))) == []


# --- axisymmetric ---------------------------------------------------------------------------------

ON_AXIS = [
    shape("sphere", "a", centre_mm=[0, 0, -9], radius_mm=1),
    shape("ellipsoid", "b", centre_mm=[0, 0, 0], semi_axes_mm=[4, 4, 2]),
    shape("cylinder", "c", start_mm=[0, 0, -20], end_mm=[0, 0, -15], diameter_mm=6),
    shape("tube", "d", path_mm=[[0, 0, -30], [0, 0, -25]], diameter_mm=2),
    shape("slab", "e", point_mm=[5, 5, 20], normal=[0, 0, -3], thickness_mm=2),
    shape("half_space", "f", point_mm=[7, 7, -35], normal=[0, 0, -1]),
]


def test_bodies_of_revolution_about_the_axis_are_allowed() -> None:
    assert faults_of(with_structures(ROUND, *ON_AXIS)) == []


@pytest.mark.parametrize(
    ("structure", "where", "allowed"),
    [
        (shape("sphere", centre_mm=[1, 0, 0], radius_mm=3), "centre_mm", "a centre on the axis"),
        (
            shape("ellipsoid", centre_mm=[0, 1, 0], semi_axes_mm=[3, 3, 1]),
            "centre_mm",
            "a centre on the axis",
        ),
        (shape("ellipsoid", centre_mm=[0, 0, 0], semi_axes_mm=[4, 8, 2]), "semi_axes_mm", "equal semi-axes"),
        (shape("tube", path_mm=[[5, -9, 0], [5, 9, 0]], diameter_mm=2), "path_mm", "a path along the axis"),
        (
            shape("cylinder", start_mm=[0, 0, 0], end_mm=[0, 9, 0], diameter_mm=2),
            "start_mm",
            "both ends on the axis",
        ),
        (
            shape("slab", point_mm=[0, 0, 9], normal=[0, 1, 1], thickness_mm=1),
            "normal",
            "[0, 0, 1] or [0, 0, -1]",
        ),
        (shape("half_space", point_mm=[0, 0, 9], normal=[1, 0, 0]), "normal", "[0, 0, 1] or [0, 0, -1]"),
        (shape("box", centre_mm=[0, 0, 9], size_mm=[3, 3, 3]), "kind", "a body of revolution"),
    ],
)
def test_anything_else_is_told_with_what_would_be_allowed(structure: dict[str, Any], where: str, allowed: str) -> None:
    told_once(with_structures(ROUND, structure), f'structures[0] "it".{where}', allowed, "3-D")


@pytest.mark.parametrize(
    ("keys", "where", "words"),
    [
        ({"tip_mm": [1, 0, 0]}, "tip_mm", ["off the axis"]),
        ({"direction": [0, 1, 1]}, "direction", ["[0, 0, 1] or [0, 0, -1]"]),
        ({"tip_shape": "bevel"}, "tip_shape", ["conical or blunt", "--set applicators.0.tip_shape=blunt"]),
    ],
)
def test_an_axisymmetric_cannula_stands_on_the_axis(keys: dict[str, Any], where: str, words: list[str]) -> None:
    data = copy.deepcopy(ROUND)
    data["applicators"][0].update(keys)
    told_once(data, f"applicators[0].{where}", *words)


def test_the_axis_is_the_domains_own() -> None:
    data = with_structures(ROUND, shape("sphere", centre_mm=[5, -2, 0], radius_mm=3))
    data["domain"]["centre_mm"] = [5, -2, 0]
    data["applicators"][0]["tip_mm"] = [5, -2, 1]
    assert faults_of(data) == []


# --- a user's mesh --------------------------------------------------------------------------------


def meshed(file: Path, /, **keys: Any) -> dict[str, Any]:
    file.touch()
    domain: dict[str, Any] = {
        "kind": "mesh",
        "file": str(file),
        "length_unit": "mm",
        "regions": [
            {"tag": 1, "name": "liver", "tissue": "liver"},
            {"tag": 2, "name": "needle", "tissue": "stainless_steel"},
        ],
        "surfaces": [
            {"tag": 3, "name": "tip", "roles": ["active"]},
            {"tag": 4, "name": "skin", "roles": ["return", "body_temperature"]},
        ],
    }
    return {**copy.deepcopy(NO_STRUCTURES), "domain": {**domain, **keys}}


def test_a_mesh_with_its_roles_is_fine(tmp_path: Path) -> None:
    assert faults_of(meshed(tmp_path / "my.msh")) == []


def test_a_mesh_file_exists(tmp_path: Path) -> None:
    data = meshed(tmp_path / "my.msh", file=str(tmp_path / "mi.msh"))
    told_once(data, "domain.file", "no such file", 'did you mean "my.msh"?')


def test_tags_and_names_of_a_mesh_stand_once(tmp_path: Path) -> None:
    data = meshed(tmp_path / "my.msh")
    data["domain"]["regions"][1].update(tag=1, name="liver")
    data["domain"]["surfaces"][1].update(tag=3, name="tip")
    assert {fault.where for fault in faults_of(data)} == {
        'domain.regions[1] "liver".tag',
        'domain.regions[1] "liver".name',
        'domain.surfaces[1] "tip".tag',
        'domain.surfaces[1] "tip".name',
    }


@pytest.mark.parametrize(
    ("roles", "missing"),
    [(["body_temperature"], "return"), (["return"], None)],
)
def test_a_current_has_a_way_out_of_a_mesh(tmp_path: Path, roles: list[str], missing: str | None) -> None:
    data = meshed(tmp_path / "my.msh")
    data["domain"]["surfaces"][1]["roles"] = roles
    told = [fault.found for fault in faults_of(data)]
    assert told == ([f'found no surface with the role "{missing}"'] if missing else [])


def test_a_surface_temperature_needs_a_tip_and_no_return(tmp_path: Path) -> None:
    data = meshed(tmp_path / "my.msh")
    data["generator"] = {"kind": "surface_temperature", "target_degC": 80, "hold_s": 60}
    data["domain"]["surfaces"][1]["roles"] = ["body_temperature"]
    assert faults_of(data) == []
    data["domain"]["surfaces"] = data["domain"]["surfaces"][1:]
    told_once(data, "domain.surfaces", 'found no surface with the role "active"')


@pytest.mark.parametrize("roles", [[], ["return", "return"], ["return", "insulated"]])
def test_roles_of_a_surface_go_together(tmp_path: Path, roles: list[str]) -> None:
    data = meshed(tmp_path / "my.msh")
    data["domain"]["surfaces"].append({"tag": 5, "name": "side", "roles": roles})
    told_once(data, 'domain.surfaces[2] "side".roles')


def test_a_mesh_has_no_boundary_of_the_case(tmp_path: Path) -> None:
    told_once(
        {**meshed(tmp_path / "my.msh"), "boundary": {"electric": "insulated"}},
        "boundary",
        "define the boundary conditions",
    )


def test_roles_of_regions_are_checked_like_structures(tmp_path: Path) -> None:
    data = meshed(tmp_path / "my.msh")
    data["domain"]["regions"][0]["role"] = "protect"
    told_once(data, 'domain.regions[0] "liver".limit_degC', "missing key")


def test_the_shipped_case_has_no_warnings() -> None:
    assert case_warnings(parse_case(tomllib.loads(TRIGEMINAL.read_text(encoding="utf-8")))) == []
