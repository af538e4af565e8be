"""A case written to a file reads back equal, and command line changes apply to the intended keys."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

import rfablate as rfa
from rfablate.case.read.case_file import case_tissues, dump_case, load_case, parse_case
from rfablate.errors import CaseError
from rfablate.physics.library import tissue
from rfablate.toml import tomllib
from tests.shipped import CASES, EARLIER, load_shipped

SHIPPED = sorted([*CASES.rglob("case.toml"), *(CASES / name / file for name in EARLIER for file in EARLIER[name])])
TRIGEMINAL = Path(__file__).parent / "data" / "trigeminal.toml"


def data() -> dict[str, Any]:
    return tomllib.loads(TRIGEMINAL.read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.parent.name + "/" + file.name)
def test_every_shipped_case_is_valid_and_reads_back_equal(file: Path, tmp_path: Path) -> None:
    case = load_shipped(file, tmp_path)
    assert parse_case(tomllib.loads(dump_case(case)), file.parent) == case


def test_awkward_decimals_survive_the_change_of_units() -> None:
    chance = random.Random(3)
    for _ in range(100):
        number = chance.choice([chance.random() * 10, 0.1 + 0.2, 1 / 3, 0.718, 7.1e-3, 0.1 * 3, 12.345678901234567])
        case = data()
        case["structures"][2]["diameter_mm"] = number
        case["structures"][2]["path_mm"][0] = [5 + number / 7, -10, number * 1e-5]
        case["time"] = {"first_step_s": 0.01 + number / 1000}
        parsed = parse_case(case)
        written = tomllib.loads(dump_case(parsed))
        assert parse_case(written) == parsed
        assert written["structures"][2]["diameter_mm"] == pytest.approx(number, rel=1e-15)


def test_short_decimals_are_written_as_the_user_wrote_them() -> None:
    for number in (0.1, 0.2, 0.3, 0.7, 0.718, 1.1, 2.3, 4.35, 9.99):
        case = data()
        case["structures"][2]["diameter_mm"] = number
        assert f"diameter_mm = {number}\n" in dump_case(parse_case(case))


def test_clinic_units_become_si_once() -> None:
    case = parse_case(data())
    assert case.domain.radius == pytest.approx(0.04)
    assert case.structures[2].path[0] == pytest.approx((5e-3, -10e-3, 0.0))
    assert case.applicators[0].sensor_offset == pytest.approx(1e-3)
    assert case.generator.target == 75.0


def test_reading_does_not_change_the_data_given() -> None:
    given = data()
    parse_case(given)
    assert given == data()


def test_a_model_gives_its_keys_and_any_key_overrides_it() -> None:
    case = data()
    case["applicators"][0]["active_tip_mm"] = 4
    applicator = parse_case(case).applicators[0]
    assert applicator.outer_diameter == pytest.approx(0.718e-3)
    assert applicator.active_tip == pytest.approx(4e-3)
    assert applicator.tip_shape == "bevel"


def test_a_relative_mesh_file_starts_from_the_case_file(tmp_path: Path) -> None:
    (tmp_path / "my.msh").touch()
    regions = [{"tag": 1, "name": "tissue", "tissue": "liver"}]
    surfaces = [
        {"tag": 2, "name": "tip", "roles": ["active"]},
        {"tag": 3, "name": "outside", "roles": ["return", "body_temperature"]},
    ]
    mesh = {"kind": "mesh", "file": "my.msh", "length_unit": "mm", "regions": regions, "surfaces": surfaces}
    case = {**data(), "domain": mesh, "structures": []}
    parsed = parse_case(case, tmp_path)
    assert Path(parsed.domain.file) == tmp_path / "my.msh"
    assert parse_case(tomllib.loads(dump_case(parsed)), "/elsewhere") == parsed


def test_tissues_in_use_come_from_the_library_with_the_cases_own_changes() -> None:
    case = data()
    case["tissues"] = {
        "nerve": {"sigma_S_per_m": 0.2, "source": "measured here"},
        "gel": {"base": "muscle", "perfusion_per_s": 0.0},
    }
    case["structures"][0]["tissue"] = "gel"
    tissues = case_tissues(parse_case(case))
    assert set(tissues) == {"white_matter", "gel", "nerve", "stainless_steel"}
    assert (tissues["nerve"].sigma, tissues["nerve"].k) == (0.2, tissue("nerve").k)
    assert tissues["nerve"].source == "measured here" and not tissues["nerve"].checked
    assert (tissues["gel"].perfusion, tissues["gel"].sigma) == (0.0, tissue("muscle").sigma)
    assert "perfusion" in tissues["gel"].source and not tissues["gel"].checked
    assert tissues["white_matter"] == tissue("white_matter")


def test_a_tissue_of_ones_own_needs_no_library() -> None:
    own = {
        "density_kg_per_m3": 1000.0,
        "heat_capacity_J_per_kgK": 4000.0,
        "k_W_per_mK": 0.5,
        "sigma_S_per_m": 0.4,
        "perfusion_per_s": 0.0,
    }
    case = {**data(), "tissues": {"phantom": own}}
    case["domain"]["tissue"] = "phantom"
    made = case_tissues(parse_case(case))["phantom"]
    assert (made.density, made.sigma, made.sigma_slope, made.source) == (1000.0, 0.4, 0.0, "case file")


# --- changes from the command line ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("generator.target_degC=80", lambda case: case.generator.target == 80),
        ("generator.hold_s = 90.5", lambda case: case.generator.hold == 90.5),
        ("structures.2.diameter_mm=3", lambda case: case.structures[2].diameter == 3e-3),
        ("structures.motor_root.diameter_mm=3", lambda case: case.structures[2].diameter == 3e-3),
        ("structures.motor_root.tissue=dura", lambda case: case.structures[2].tissue == "dura"),
        ('structures.motor_root.tissue="dura"', lambda case: case.structures[2].tissue == "dura"),
        ("applicators.0.tip_mm=[0, 0, 1]", lambda case: case.applicators[0].tip == (0.0, 0.0, 1e-3)),
        ("applicators.0.tip_mm.2=1", lambda case: case.applicators[0].tip == (0.0, 0.0, 1e-3)),
        ("mesh.accuracy=draft", lambda case: case.mesh.accuracy == "draft"),
        ("tissues.nerve.sigma_S_per_m=0.3", lambda case: case.tissues["nerve"].sigma == 0.3),
        ("title=a new title = better", lambda case: case.title == "a new title = better"),
        ("output.report=false", lambda case: case.output.report is False),
        ("applicators.0.model=cannula-20g-10mm", lambda case: case.applicators[0].active_tip == 10e-3),
    ],
)
def test_a_change_lands_on_its_key(override: str, read: Any) -> None:
    assert read(load_case(TRIGEMINAL, [override]))


def test_later_changes_win() -> None:
    assert load_case(TRIGEMINAL, ["generator.hold_s=1", "generator.hold_s=2"]).generator.hold == 2


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("generator.target_degC", "no key.path=value"),
        ("generator..x=3", "no key.path=value"),
        ("structures.motor_roof.diameter_mm=3", 'did you mean "motor_root"?'),
        ("structures.3.diameter_mm=3", "a number from 0 to 2"),
        ("title.x=3", "title is not a table"),
        ("applicators.0.tip_mm=[0, 0", "a TOML value after ="),
        ("generatr.hold_s=3", "did you mean generator"),
        ("generator.hold_s=60 s", "try: hold_s = 60"),
        ("generator.hold_sec=3", "did you mean hold_s = 3?"),
    ],
)
def test_a_change_that_cannot_be_made_is_a_fault(override: str, told: str) -> None:
    with pytest.raises(CaseError) as caught:
        load_case(TRIGEMINAL, [override])
    assert told in str(caught.value)


def test_faults_of_changes_and_of_the_file_come_together() -> None:
    with pytest.raises(CaseError) as caught:
        load_case(TRIGEMINAL, ["nonsense", "generator.target_degC=20"])
    assert len(caught.value.faults) == 2


def test_save_creates_the_folder_and_names_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    case = rfa.Case(
        title="saved", domain=rfa.Axisymmetric(radius_mm=40, height_mm=90, tissue="muscle"),
        applicators=(rfa.Applicator(model="cannula-20g-10mm-blunt"),),
        generator=rfa.TemperatureControl(target_degC=80, ramp_s=10, hold_s=60),
    )  # fmt: skip
    file = case.save(tmp_path / "new" / "folder" / "case.toml")
    assert rfa.load_case(file).title == "saved"
    (tmp_path / "file").write_text("")
    with pytest.raises(rfa.CaseError, match="a writable file"):
        case.save(tmp_path / "file" / "case.toml")
