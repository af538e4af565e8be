"""Every wrong key or value is reported with its place, finding, expectation and hint, all at once."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rfablate.case.read.case_file import load_case, parse_case
from rfablate.errors import CaseError, Fault
from rfablate.toml import tomllib

TRIGEMINAL = Path(__file__).parent / "data" / "trigeminal.toml"
BASE = tomllib.loads(TRIGEMINAL.read_text(encoding="utf-8"))
Change = Callable[[dict[str, Any]], Any]


def faults_after(change: Change) -> list[Fault]:
    data = copy.deepcopy(BASE)
    change(data)
    with pytest.raises(CaseError) as caught:
        parse_case(data)
    return list(caught.value.faults)


def put(*path: Any, **keys: Any) -> Change:
    """Return a change that sets (or with value None removes) keys in the table at `path`."""

    def change(data: dict[str, Any]) -> None:
        table: Any = data
        for key in path:
            table = table[key]
        for key, value in keys.items():
            if value is None:
                del table[key]
            else:
                table[key] = value

    return change


@pytest.mark.parametrize(
    ("change", "where", "found", "expected", "suggestion"),
    [
        # unknown keys
        (put("generator", hold_sec=3), "generator.hold_sec", "unknown key (found 3)", "one of", "hold_s = 3"),
        (put("domain", radius=40), "domain.radius", "unknown key", "", "did you mean radius_mm = 40?"),
        (put("domain", radius_cm=4), "domain.radius_cm", "unknown key", "", "did you mean radius_mm = 40?"),
        (put("domain", radius_mm=None, radius=40), "domain.radius", "unknown key", "", "radius_mm = 40"),
        (
            put("domain", radius_mm=None, diameter_mm=80),
            "domain.diameter_mm",
            "unknown",
            "",
            "radius_mm = 40? (half",
        ),
        (
            put("structures", 2, diameter_mm=None, radius_mm=1),
            'structures[2] "motor_root".radius_mm',
            "unknown key (found 1)",
            "diameter_mm",
            "did you mean diameter_mm = 2? (twice the radius)",
        ),
        (
            put("applicators", 0, tip_shap="blunt"),
            "applicators[0].tip_shap",
            "unknown key",
            "tip_shape",
            "tip_shape?",
        ),
        (put("generator", target_K=348.15), "generator.target_K", "unknown key", "", "target_degC = 75?"),
        (put(hold_s=60), "hold_s", "unknown key", "", "hold_s belongs in [generator]"),
        (put(structure=[]), "structure", "unknown key", "", "did you mean structures?"),
        (
            put(tissues={"nerve": {"perfusion_per_min": 0.2}}),
            "tissues.nerve.perfusion_per_min",
            "unknown key",
            "",
            "_mL_per_min_per_kg, _mL_per_min_per_100g or _kg_per_m3_s",
        ),
        # missing keys and tables
        (put("generator", target_degC=None), "generator.target_degC", "missing key", "[degC]", ""),
        (
            put("structures", 2, path_mm=None),
            'structures[2] "motor_root".path_mm',
            "missing key",
            "2 points",
            "",
        ),
        (
            put("applicators", 0, model=None),
            "applicators[0].outer_diameter_mm",
            "missing key",
            "[mm]",
            "model =",
        ),
        (put(generator=None), "generator", "missing table", "kind = one of", ""),
        (put(domain=None), "domain", "missing table", "axisymmetric", ""),
        (put(applicators=None), "applicators", "missing table", "at least 1", "[[applicators]]"),
        (put(applicators=[]), "applicators", "found []", "at least 1", ""),
        # wrong kind
        (
            put("structures", 2, kind="tub"),
            'structures[2] "motor_root".kind',
            'found "tub"',
            '"tube"',
            '"tube"?',
        ),
        (
            put("structures", 2, kind=None),
            'structures[2] "motor_root".kind',
            "missing key",
            "",
            'kind = "tube"',
        ),
        (put("domain", kind="cylindre"), "domain.kind", 'found "cylindre"', '"axisymmetric"', '"cylinder"?'),
        (
            put("applicators", 0, tip_shape="beveled"),
            "applicators[0].tip_shape",
            '"beveled"',
            '"blunt"',
            '"bevel"?',
        ),
        # wrong types
        (
            put("domain", radius_mm="40 mm"),
            "domain.radius_mm",
            'found "40 mm"',
            "a number above 0",
            "radius_mm = 40",
        ),
        (put("domain", radius_mm="4 cm"), "domain.radius_mm", 'found "4 cm"', "[mm]", "radius_mm = 40"),
        (put("generator", hold_s="1 min"), "generator.hold_s", 'found "1 min"', "[s]", "hold_s = 60"),
        (put("generator", hold_s="long"), "generator.hold_s", 'found "long"', "[s]", "without its unit"),
        (put("generator", hold_s=True), "generator.hold_s", "found true", "a number", ""),
        (
            put("domain", centre_mm=0),
            "domain.centre_mm",
            "found 0",
            "a list of 3 numbers",
            "centre_mm = [0, 0, 0]",
        ),
        (put("domain", centre_mm=[0, 0]), "domain.centre_mm", "found [0, 0]", "a list of 3 numbers", ""),
        (put("domain", centre_mm=[0, 0, 0, 0]), "domain.centre_mm", "found [0, 0, 0, 0]", "a list of 3", ""),
        (put("domain", centre_mm=[0, "a", 0]), "domain.centre_mm[1]", 'found "a"', "a number", ""),
        (put("lesion", rules="arrhenius"), "lesion.rules", "found", "a list", 'rules = ["arrhenius"]'),
        (put(generator=[{}]), "generator", "found a list", "kind", "[generator], with one bracket"),
        (put(structures={}), "structures", "found one table", "[[structures]]", "with two brackets"),
        (put(generator="temperature"), "generator", 'found "temperature"', "a table", "with the header [generator]"),
        (put(title=3), "title", "found 3", "string in quotes", ""),
        (
            put("structures", 2, name="motor root"),
            'structures[2] "motor root".name',
            "found",
            "a letter",
            '"motor_root"?',
        ),
        (
            put(solver={"max_iterations": 1.5}),
            "solver.max_iterations",
            "found 1.5",
            "an integer above 0",
            "",
        ),
        # values out of range, NaN and infinity
        (put("generator", hold_s=-1), "generator.hold_s", "found -1", "of at least 0 [s]", ""),
        (put(output={"checkpoint_wall_s": -1}), "output.checkpoint_wall_s", "found -1", "of at least 0 [s]", ""),
        (put(output={"observe_at_s": [10, 4000]}), "output.observe_at_s[1]", "found 4000", "at most the end", ""),
        (put(output={"checkpoint_every_s": True}), "output.checkpoint_every_s", "found true", "a number", ""),
        (
            put("structures", 2, diameter_mm=-2),
            'structures[2] "motor_root".diameter_mm',
            "found -2",
            "above 0",
            "",
        ),
        (put("domain", height_mm=80000), "domain.height_mm", "found 80000", "at most 1000 [mm]", "in mm"),
        (put("generator", target_degC=900), "generator.target_degC", "found 900", "at most 500", "degC"),
        (put("generator", target_degC=float("nan")), "generator.target_degC", "found nan", "a number", ""),
        (put("domain", radius_mm=float("inf")), "domain.radius_mm", "found inf", "at most 1000", ""),
        (
            put("structures", 1, required_fraction=20),
            'structures[1] "gasserian_ganglion".required_fraction',
            "20",
            "1",
            "",
        ),
        # names
        (
            put("applicators", 0, model="cannula-22g-5"),
            "applicators[0].model",
            '"cannula-22g-5"',
            "",
            "cannula-22g-5mm",
        ),
        (put("domain", tissue="whit_matter"), "domain.tissue", '"whit_matter"', "library", '"white_matter"?'),
        (put("structures", 0, tissue="CSF"), 'structures[0] "meckels_cave".tissue', '"CSF"', "", '"csf"?'),
        (
            put("applicators", 0, metal="steel"),
            "applicators[0].metal",
            '"steel"',
            "library",
            '"stainless_steel"?',
        ),
        (put("applicators", 0, metal="nerve"), "applicators[0].metal", "not a metal", "stainless_steel", ""),
        (put(tissues={"nerv": {"k_W_per_mK": 1}}), "tissues.nerv", "missing density", "a base", '"nerve"?'),
        (put(tissues={"nerve": {"base": "nerv"}}), "tissues.nerve.base", '"nerv"', "library", '"nerve"?'),
        (put(damage={"set": "livr"}), "damage.set", '"livr"', "liver, skin", '"liver"?'),
    ],
)
def test_a_fault_says_where_what_allowed_and_try(
    change: Change, where: str, found: str, expected: str, suggestion: str
) -> None:
    faults = faults_after(change)
    told = [fault for fault in faults if fault.where == where]
    assert len(told) == 1, [str(fault) for fault in faults]
    assert found in told[0].found
    assert expected in told[0].expected
    assert suggestion in told[0].suggestion
    assert bool(told[0].suggestion) or not suggestion
    # an applicator without a model lacks two keys; no other fault is reported twice or elsewhere
    assert len(faults) == 1 or where == "applicators[0].outer_diameter_mm"


def test_all_faults_come_at_once_from_every_table_and_from_the_cross_checks() -> None:
    def change(data: dict[str, Any]) -> None:
        data["domain"]["tissue"] = "brain_stem_tissue"
        data["generator"].update(target_degC=30, hold_s="60 s", hols=1)
        data["structures"][0]["semi_axes_mm"] = [5, float("nan"), 3]
        data["structures"][2].update(path_mm=[[500, 0, 0], [500, 10, 0]])
        del data["structures"][2]["limit_degC"]
        data["applicators"][0].update(model="cannula-99g", tip_mm=[0, 0, 0])
        data["lesion"]["rules"] = ["isotherm_50"]
        data["tmie"] = {}

    places = {fault.where for fault in faults_after(change)}
    assert places == {
        "domain.tissue",
        "generator.hold_s",
        "generator.hols",
        'structures[0] "meckels_cave".semi_axes_mm[1]',
        'structures[2] "motor_root".path_mm',
        'structures[2] "motor_root".limit_degC',
        "applicators[0].model",
        "lesion.rules[0]",
        "tmie",
    }


def test_a_misspelt_table_is_looked_into_as_what_was_meant() -> None:
    """Faults of its name and its contents are reported together; the intended table is not reported as missing."""

    def change(data: dict[str, Any]) -> None:
        data["aplicator"] = data.pop("applicators")
        data["aplicator"][0].update(model="cannula-22g-5", tip_shap="bevel")
        data["generatr"] = data.pop("generator")
        data["generatr"]["hold_s"] = -1
        data["structures"][2]["paht_mm"] = data["structures"][2].pop("path_mm")
        data["structures"][2]["paht_mm"][1] = [0, "b", 0]

    assert {(fault.where, fault.suggestion) for fault in faults_after(change)} == {
        ("aplicator", "did you mean applicators?"),
        ("applicators[0].model", 'did you mean "cannula-22g-5mm"?'),
        ("applicators[0].tip_shap", "did you mean tip_shape?"),
        ("generatr", "did you mean generator?"),
        ("generator.hold_s", ""),
        ('structures[2] "motor_root".paht_mm', "did you mean path_mm?"),
        ('structures[2] "motor_root".path_mm[1][1]', "a number, without quotes and without its unit"),
    }


def test_nothing_is_looked_into_under_a_name_that_is_taken_or_only_resembles() -> None:
    """A key with another unit is not suggested, because every number would be wrong."""

    def change(data: dict[str, Any]) -> None:
        data["aplicators"] = [{"tip_shap": "bevel"}]
        data["meshing"] = {"acuracy": "draft"}
        data["domain"]["centre_cm"] = [0, 0, 900]

    assert {fault.where for fault in faults_after(change)} == {"aplicators", "meshing", "domain.centre_cm"}


def test_the_message_counts_the_faults_and_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(TRIGEMINAL.read_text(encoding="utf-8").replace("hold_s = 60", "hold_s = -60"), encoding="utf-8")
    with pytest.raises(CaseError) as caught:
        load_case(file)
    assert str(caught.value).startswith(f"1 fault in {file}\n  generator.hold_s: found -60; expected")


@pytest.mark.parametrize(
    ("text", "where", "found"),
    [
        ("title = 'a'\nradius_mm = = 3\n", "line 2, column 13", "radius_mm = = 3"),
        ("[domain]\nkind = cylinder\n", "line 2, column 8", "kind = cylinder"),
        ("a = 1\na = 2\n", "line 2", "a = 2"),
        ("a = [1, 2\n", "line 1 (end of file)", "a = [1, 2"),
    ],
)
def test_a_syntax_fault_says_line_column_and_text(tmp_path: Path, text: str, where: str, found: str) -> None:
    file = tmp_path / "broken.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(CaseError) as caught:
        load_case(file)
    (fault,) = caught.value.faults
    assert fault.where.startswith(where)
    assert found in fault.found


@pytest.mark.parametrize(
    "wrong", ["cases/trigminal.toml", "cases/facet_jont", "cass/facet_joint", "cases/facet_jont/case.toml"]
)
def test_a_missing_case_is_told_with_the_nearest_path(wrong: str, tmp_path: Path) -> None:
    """A case is a file, or a folder that contains a case.toml."""
    for made in ("trigeminal.toml", "facet_joint/case.toml", "facet_jon/notes.txt"):
        (tmp_path / "cases" / made).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cases" / made).touch()
    meant = tmp_path / "cases" / ("trigeminal.toml" if "trig" in wrong else "facet_joint")
    with pytest.raises(CaseError) as caught:
        load_case(tmp_path / wrong)
    assert [fault.suggestion for fault in caught.value.faults] == [f"did you mean {meant}?"]


def test_a_path_unlike_any_gets_no_suggestion(tmp_path: Path) -> None:
    (tmp_path / "trigeminal.toml").touch()
    with pytest.raises(CaseError) as caught:
        load_case(tmp_path / "liver")
    assert caught.value.faults[0].suggestion == ""


def test_an_unreadable_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "latin.toml"
    file.write_bytes(b"title = 'a'\ntissue = 'L\xe9ber'\n")
    with pytest.raises(CaseError, match="line 2: found text that is not UTF-8"):
        load_case(file)


@pytest.mark.parametrize("misspelt", ["hold_sec", "holdd_s", "hold", "hold_min"])
def test_a_misspelt_key_hides_no_other_fault_of_its_table(misspelt: str) -> None:
    """Beside the unknown key: a set point below body temperature, and a limit that the check of limits finds."""
    data = copy.deepcopy(BASE)
    generator = data["generator"]
    generator[misspelt] = generator.pop("hold_s")
    generator |= {"target_degC": 20, "min_impedance_ohm": 900, "max_impedance_ohm": 100}
    with pytest.raises(CaseError) as caught:
        parse_case(data)
    places = [fault.where for fault in caught.value.faults]
    assert f"generator.{misspelt}" in places and "generator.target_degC" in places, places
    assert any("impedance" in place for place in places), places
    assert len(places) == len(set(places))
