"""Every key is described; the schema and `explain` agree with the reader, in the units of the file."""

from __future__ import annotations

import copy
import functools
import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel, ValidationError

import rfablate
from rfablate.case.describe.file_schema import file_schema, models_of
from rfablate.case.describe.key_reference import Key, TableEntry, keys_of, tables_of
from rfablate.case.describe.key_text import toml_value
from rfablate.case.messages.schema_guide import split_unit
from rfablate.case.read.case_file import parse_case
from rfablate.case.tables.geometry_tables import LabelsDomain
from rfablate.case.tables.schema import Case
from rfablate.cli.main import main
from rfablate.errors import CaseError
from rfablate.physics.library import applicator_model, applicator_names
from rfablate.study.study_file import parse_study
from rfablate.study.study_tables import StudyFile
from rfablate.toml import tomllib
from tests.shipped import CASES, load_shipped

FILES: dict[str, type[BaseModel]] = {"case": Case, "study": StudyFile}
ROOT = Path(__file__).parents[2]
STARTER = ROOT / "rfablate" / "case" / "starter.toml"
STUDIES = sorted(CASES.glob("*/*study.toml"))
SHIPPED = [
    *sorted(each for each in CASES.glob("*/*.toml") if each.name != "expected.toml" and each not in STUDIES),
    STARTER,
    ROOT / "tests" / "pure" / "data" / "trigeminal.toml",
]


def of_file(file: Path) -> dict[str, Any]:
    return tomllib.loads(file.read_text(encoding="utf-8"))


@functools.cache
def validator(what: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(rfablate.schema(what))


# --- descriptions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
def test_every_key_of_every_table_has_a_description(file: type[BaseModel]) -> None:
    for table in models_of(file):
        for field, info in table.model_fields.items():
            where = f"{table.__name__}.{field}"
            assert info.description, f"{where} has none: write it as the text below the field"
            assert info.description.rstrip().endswith("."), where
            assert 10 <= len(info.description) <= 330, where


@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
def test_every_description_names_the_unit_of_its_key(file: type[BaseModel]) -> None:
    for path, meanings in keys_of(file).items():
        unit = split_unit(path.rpartition(".")[2])[1]
        for key in meanings:
            assert key.unit == unit
            assert not unit or f"[{unit}]" in key.meaning, f"{path}: {key.meaning}"


def test_the_walk_reaches_tables_in_lists_options_and_nested_unions() -> None:
    names = {table.__name__ for table in models_of(Case)}
    assert {"Tines", "Coolant", "Flow", "RampStage", "RollOff", "MeshSurface", "TissueOverride", "Slab"} <= names
    assert {"StudyAxis", "Design", "Collect"} <= {table.__name__ for table in models_of(StudyFile)}
    assert {"generator.stages.target_degC", "channels.generator.roll_off.wait_s", "domain.regions.flow.length_mm"} <= {
        *keys_of(Case)
    }


# --- the schema -----------------------------------------------------------------------------------


@pytest.mark.parametrize("what", FILES)
def test_the_schema_is_valid_json_schema(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    jsonschema.Draft202012Validator.check_schema(rfablate.schema(what))
    assert main(["schema", what]) == 0
    assert json.loads(capsys.readouterr().out) == rfablate.schema(what)


def test_the_schema_can_be_written_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "-o", str(tmp_path / "case.schema.json")]) == 0
    assert json.loads((tmp_path / "case.schema.json").read_text(encoding="utf-8")) == rfablate.schema()
    assert main(["schema", "-o", str(tmp_path / "none" / "x.json")]) == 2
    assert "a writable file" in capsys.readouterr().err


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_every_shipped_case_satisfies_the_schema(file: Path, tmp_path: Path) -> None:
    """As it was written, and as a run writes it with all defaults."""
    assert [error.message for error in validator("case").iter_errors(of_file(file))] == []
    written = tomllib.loads(load_shipped(file, tmp_path / "earlier").to_toml())
    assert [error.message for error in validator("case").iter_errors(written)] == []


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.parent.name)
def test_every_shipped_study_satisfies_the_schema(file: Path) -> None:
    assert [error.message for error in validator("study").iter_errors(of_file(file))] == []


def _set(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(data: dict[str, Any]) -> None:
        *above, last = path.split(".")
        table: Any = data
        for part in above:
            table = table[int(part)] if part.isdigit() else table[part]
        if value is None:
            del table[last]
        else:
            table[last] = value

    return change


FAULTS = {
    "an unknown key": _set("generator.ramp_ms", 3),
    "an unknown table": _set("generators", {}),
    "an unknown kind": _set("domain.kind", "cylindr"),
    "a missing kind": _set("domain.kind", None),
    "a key of another kind": _set("generator.power_W", 10),
    "a missing key": _set("generator.hold_s", None),
    "a missing table": _set("generator", None),
    "no applicator": _set("applicators", []),
    "neither model nor diameter": _set("applicators.0.model", None),
    "an unknown model": _set("applicators.0.model", "cannula-99g-5mm"),
    "tines without a count": _set("applicators", [{"outer_diameter_mm": 1, "active_tip_mm": 5, "tines": {}}]),
    "a number as text": _set("generator.hold_s", "60"),
    "a number below its range": _set("generator.hold_s", -1),
    "a temperature in kelvin": _set("generator.target_degC", 900),
    "a point of two numbers": _set("applicators.0.tip_mm", [0, 0]),
    "a name with a blank": _set("structures.0.name", "the nerve"),
    "a channel's unknown key": _set("channels", [{"name": "a", "active": ["x"], "generator": {"hold": 3}}]),
}


@pytest.mark.parametrize("change", FAULTS.values(), ids=FAULTS)
def test_a_faulty_case_satisfies_neither_the_schema_nor_the_reader(change: Callable[[dict[str, Any]], None]) -> None:
    data = of_file(STARTER)
    change(data)
    assert not validator("case").is_valid(data)
    with pytest.raises(CaseError):
        parse_case(data)


def test_a_library_model_and_a_channel_need_only_the_keys_that_differ() -> None:
    data = of_file(STARTER)
    model = next(name for name in applicator_names() if "tines" in applicator_model(name))
    data["applicators"] = [{"model": model, "tines": {"deployment": 0.5}}]
    data["channels"] = [{"name": "a", "active": ["cannula"], "generator": {"target_degC": 70}}]
    assert validator("case").is_valid(data)
    case = parse_case(data, check=False)
    assert case.applicators[0].tines is not None and case.applicators[0].tines.deployment == 0.5


def test_a_faulty_study_satisfies_neither_the_schema_nor_the_reader() -> None:
    for path, value in (("axes.0.count", 1), ("design", {"kind": "grids"}), ("axes.0.key", None), ("basis", "x")):
        data = of_file(STUDIES[0])
        _set(path, value)(data)
        assert not validator("study").is_valid(data), path
        with pytest.raises(CaseError):
            parse_study(data)


# --- ranges and defaults, against the reader ------------------------------------------------------

NEEDED = {
    "domain": {"kind": "box", "size_mm": [60, 60, 60], "tissue": "muscle"},
    "applicators": [{"outer_diameter_mm": 1, "active_tip_mm": 5}],
    "generator": {"kind": "power", "power_W": 5, "duration_s": 60},
}
A_MODEL_HAS = {"outer_diameter_mm", "active_tip_mm", "count", "diameter_mm", "length_mm", "angle_deg"}
"""Keys of applicators, tines and bends that are required without a model."""
POSES = {f"applicators.{name}" for name in ("entry_mm", "target_mm", "markups", "entry", "target")}
NOT_ALONE = {"tissue_file", "structures.shell_mm", "structures.shell_tissue", *POSES}
"""Keys that the reader removes before validation, or that require others; other tests cover them."""


def of_labels(key: Key) -> bool:
    """Return whether a key belongs to a label image, which only the reader opens; models accept any values."""
    return key.path.startswith("domain.") and "labels" in dict(key.kinds).get("domain", ())


def table_with(entry: TableEntry, kind: str, what: str) -> dict[str, Any]:
    """Return a table with its required keys, each with its example, and with the tables that it requires."""
    keys = [key for key in entry.keys if key.required and has_kind(key, entry, kind)]
    table = {key.name: kind if key.name == "kind" and entry.kinds else key.example for key in keys}
    if entry.path in ("applicators", "applicators.tines", "applicators.bend"):
        table |= {key.name: key.example for key in entry.keys if key.name in A_MODEL_HAS}
    for path in entry.tables:
        below = tables_of(FILES[what])[path]
        if below.required and all(kind in names for where, names in below.where if where == entry.path):
            table[path.rpartition(".")[2]] = [table_with(below, first_kind(below), what)]
    return table


def first_kind(entry: TableEntry) -> str:
    return entry.kinds[0][0] if entry.kinds else ""


def has_kind(key: Key, entry: TableEntry, kind: str) -> bool:
    return all(kind in names for where, names in key.kinds if where == entry.path)


def file_with(key: Key, what: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the tables of a file that can contain `key`, and the table that it belongs to."""
    tables, kinds = tables_of(FILES[what]), dict(key.kinds)
    data: dict[str, Any] = copy.deepcopy(NEEDED) if what == "case" else {"base": "case.toml"}
    above, table = "", data
    for part in key.table.split(".") if key.table else ():
        above = f"{above}.{part}" if above else part
        entry = tables[above]
        whole = tables.get(above.removeprefix("channels."), entry)  # of a channel's generator nothing is required
        new = table_with(whole, kinds.get(above, (first_kind(entry),))[0], what)
        if entry.head.startswith("[["):
            table[part] = [new]
        else:
            table[part] = {"own": new} if entry.head.endswith(".NAME]") else new
        table = new
    return data, table


def read(data: dict[str, Any], what: str) -> BaseModel:
    return parse_case(data, check=False) if what == "case" else StudyFile.model_validate(data)


MEANINGS = [
    (what, key) for what, file in FILES.items() for keys in keys_of(file).values() for key in keys
    if key.path not in NOT_ALONE and not of_labels(key)
]  # fmt: skip
IDS = [f"{key.path}-{'-'.join(names[0] for _, names in key.kinds)}" for _, key in MEANINGS]


@pytest.mark.parametrize(("what", "key"), MEANINGS, ids=IDS)
def test_the_example_of_a_key_is_read(what: str, key: Key) -> None:
    data, table = file_with(key, what)
    if not (key.name == "kind" and key.kinds == () and tables_of(FILES[what])[key.table].kinds):
        table[key.name] = key.example
    read(data, what)
    assert [error.message for error in validator(what).iter_errors(data)] == []
    assert tomllib.loads(f"x = {toml_value(key.example)}") == {"x": key.example}


LABEL_KEYS = [key for keys in keys_of(Case).values() for key in keys if of_labels(key)]


@pytest.mark.parametrize("key", LABEL_KEYS, ids=[key.path for key in LABEL_KEYS])
def test_the_example_of_a_key_of_label_images_is_valid(key: Key) -> None:
    entry = {"name": "tumour", "tissue": "liver"}
    domain = {"kind": "labels", "image": "a.nii.gz", "tissue": "muscle", "labels": [entry]}
    if key.name not in ("kind", "labels"):
        (entry if key.table == "domain.labels" else domain)[key.name] = key.example
    LabelsDomain.model_validate(domain)
    assert tomllib.loads(f"x = {toml_value(key.example)}") == {"x": key.example}


WITH_DEFAULT = [n for n, (_, key) in enumerate(MEANINGS) if key.default is not None]


@pytest.mark.parametrize(("what", "key"), [MEANINGS[n] for n in WITH_DEFAULT], ids=[IDS[n] for n in WITH_DEFAULT])
def test_the_default_of_a_key_is_what_the_reader_takes(what: str, key: Key) -> None:
    """A case that states the default, in the unit of the file, equals the case that does not."""
    data, table = file_with(key, what)
    without = read(data, what)
    table[key.name] = key.default
    assert read(data, what) == without


def numbers_in(node: dict[str, Any], value: Any) -> Iterator[tuple[dict[str, Any], Callable[[float], Any]]]:
    """Yield the schema of each number in a value, and how to put another in its place."""
    if node.get("type") in ("number", "integer"):
        yield node, lambda number: number
    if node.get("type") == "array":
        items = node.get("prefixItems") or [node.get("items", {})]
        for n, item in enumerate(items):
            for inner, put in numbers_in(item, value[n]):
                yield inner, lambda number, n=n, put=put: [*value[:n], put(number), *value[n + 1 :]]


def ends_of(node: dict[str, Any]) -> Iterator[tuple[float, float]]:
    """Yield for each end of a range a number just inside and one just outside."""
    for name, side in (("minimum", -1), ("maximum", 1), ("exclusiveMinimum", -1), ("exclusiveMaximum", 1)):
        if name in node:
            end = node[name]
            near = 1 if node["type"] == "integer" else 1e-9 * max(1.0, abs(end))
            yield (end, end + side * near) if name in ("minimum", "maximum") else (end - side * near, end)


RANGED = [
    (what, key, identity)
    for (what, key), identity in zip(MEANINGS, IDS, strict=True)
    if any(True for node, _ in numbers_in(key.node, key.example) for _ in ends_of(node))
]


@pytest.mark.parametrize(("what", "key"), [each[:2] for each in RANGED], ids=[each[2] for each in RANGED])
def test_a_number_is_read_just_inside_its_range_and_rejected_just_outside(what: str, key: Key) -> None:
    data, table = file_with(key, what)
    for node, put in numbers_in(key.node, key.example):
        for inside, outside in ends_of(node):
            table[key.name] = put(inside)
            read(data, what)
            assert validator(what).is_valid(data), inside
            table[key.name] = put(outside)
            assert not validator(what).is_valid(data), outside
            with pytest.raises((CaseError, ValidationError)) as caught:
                read(data, what)
            if isinstance(caught.value, CaseError):
                assert [fault.where.rpartition(".")[2].split("[")[0] for fault in caught.value.faults] == [key.name]


def test_most_numbers_have_a_range_and_all_units_are_those_of_the_file() -> None:
    assert len(RANGED) > 150
    flow = tables_of(Case)["structures.flow"]
    viscosity = next(key for key in flow.keys if key.name == "viscosity_mPa_s")
    assert viscosity.default == 3.5  # mPa s; 3.5e-3 Pa s inside
    assert (viscosity.unit, viscosity.value) == ("mPa s", "a number above 0 and at most 1000 [mPa s]")
    offset = keys_of(Case)["applicators.sensor_offset_mm"][0]
    assert math.isclose(offset.default, 1.0)


# --- explain --------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", FILES)
def test_every_key_and_table_is_explained(what: str) -> None:
    for path, meanings in keys_of(FILES[what]).items():
        text = rfablate.explain(path, study=what == "study")
        assert text.startswith(path)
        for key in meanings:
            assert " ".join(key.meaning.split()) in " ".join(text.split())
            assert f"{key.name} = {toml_value(key.example)}" in " ".join(text.split())
    for path, table in tables_of(FILES[what]).items():
        text = rfablate.explain(path, study=what == "study")
        names = {key.name for key in table.keys if not (table.kinds and key.name == "kind")}
        assert all(f"  {name} " in text for name in names), path
        assert all(tables_of(FILES[what])[below].head in text for below in table.tables)


def test_a_key_of_several_kinds_is_explained_for_each() -> None:
    text = rfablate.explain("generator.ramp_s")
    assert "default   10" in text and "default   0" in text
    assert 'kind = "temperature"' in text and 'kind = "surface_temperature"' in text


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("applicators.0.tip_mm", "applicators.tip_mm"),
        ("applicators[1].tip_mm", "applicators.tip_mm"),
        ("applicators.tip_mm.2", "applicators.tip_mm"),
        ("structures.motor_root.diameter_mm", "structures.diameter_mm"),
        ("tissues.liver.k_W_per_mK", "tissues.k_W_per_mK"),
        ("generator.stages.0.target_degC", "generator.stages.target_degC"),
        ("study.axes.0.key", "axes.key"),
    ],
)
def test_list_items_are_named_as_after_set(written: str, path: str) -> None:
    assert rfablate.explain(written).startswith(f"{path}\n")


@pytest.mark.parametrize(
    ("unknown", "near"),
    [
        ("generator.rmp_s", "generator.ramp_s"),
        ("ramp_s", "generator.ramp_s"),
        ("generator.ramp_ms", "generator.ramp_s"),
        ("solver.order", "time.order"),
        ("structure.semi_axes_mm", "structures.semi_axes_mm"),
        ("structures.semi_axis_mm", "structures.semi_axes_mm"),
        ("mesh.acuracy", "mesh.accuracy"),
        ("study.axes.value", "axes.values"),
        ("generator.0.ramp_s", "generator.ramp_s"),
    ],
)
def test_an_unknown_key_ends_with_2_and_names_near_ones(
    unknown: str, near: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", unknown]) == 2
    assert f"did you mean {near}" in capsys.readouterr().err.replace("?", "").replace(",", "")


def test_a_key_like_no_other_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "qwertz"]) == 2
    assert "rfablate explain lists the tables" in capsys.readouterr().err


def test_a_channel_takes_what_it_does_not_say_from_the_generator() -> None:
    data = {**copy.deepcopy(NEEDED), "channels": [{"name": "a", "active": ["cannula"], "generator": {}}]}
    data["generator"]["max_power_W"] = 7
    channel = parse_case(data, check=False).channels[0]
    assert channel.generator is not None and channel.generator.max_power == 7.0  # type: ignore[union-attr]
    text = " ".join(rfablate.explain("channels.0.generator.max_power_W").split())
    assert "Where [generator] has the same kind, its value is the default." in text


def test_the_spacing_of_applicators_is_explained() -> None:
    """It is not a key of a file, but one for --set and studies."""
    assert "--set applicators.spacing_mm=10" in rfablate.explain("applicators.spacing_mm")


def test_explain_alone_lists_the_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0
    text = capsys.readouterr().out
    assert all(f"  [{name}] " in text for name in ("domain", "generator", "mesh", "output"))
    assert "[[structures]]" in text and "[tissues.NAME]" in text
    assert main(["explain", "--study"]) == 0
    assert "[[axes]]" in capsys.readouterr().out


def test_the_verbs_start_without_heavy_packages() -> None:
    heavy = ["dolfinx", "mpi4py", "scipy", "matplotlib", "gmsh", "pyvista", "h5py"]
    code = (
        f"import sys\nfrom rfablate.cli.main import main\n"
        f"assert main(['explain', 'generator.ramp_s']) == 0 and main(['schema']) == 0\n"
        f"found = set({heavy!r}) & set(sys.modules)\nassert not found, found\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_the_schema_does_not_depend_on_earlier_calls() -> None:
    first = rfablate.schema("case")
    first["properties"].clear()
    assert rfablate.schema("case")["properties"] and file_schema(Case) == rfablate.schema("case")
