"""`rfablate new` writes cases that list what is in an image, a mesh or surfaces, and that pass `rfablate check`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import rfablate as rfa
from rfablate.api.anatomy_guess import guess, key_name
from rfablate.case.read.case_file import load_case
from rfablate.case.tables.file_structures import Label, Surface
from rfablate.case.tables.geometry_tables import MeshDomain
from rfablate.cli.main import main
from rfablate.errors import CaseError
from tests.phantom import phantom_labels, surfaces_case, write_image
from tests.shipped import CASES


@pytest.mark.parametrize(("options", "kind"), [([], "axisymmetric"), (["--3d"], "cylinder")])
def test_general_examples(options: list[str], kind: str, tmp_path: Path) -> None:
    assert main(["new", str(tmp_path / "a"), *options]) == 0
    assert load_case(tmp_path / "a.toml").domain.kind == kind
    assert main(["new", str(tmp_path / "a"), *options]) == 2, "an existing file stays"


def test_all_labels_of_an_image_are_listed(tmp_path: Path) -> None:
    names = {"Segment0_Name": "Tumor 1", "Segment0_LabelValue": "1", "Segment1_Name": "N. femoralis nerve"}
    names |= {"Segment1_LabelValue": "2"}
    (tmp_path / "scan").mkdir()
    write_image(tmp_path / "scan" / "ph.seg.nrrd", phantom_labels(), keys=names)
    assert main(["new", str(tmp_path / "a"), "--from-labels", str(tmp_path / "scan" / "ph.seg.nrrd")]) == 0
    case = load_case(tmp_path / "a.toml")
    found = {each.name: each for each in case.structures}
    assert set(found) == {"Tumor_1", "N_femoralis_nerve"}
    assert found["Tumor_1"].role == "target" and found["Tumor_1"].tissue == "liver_tumour"
    assert found["N_femoralis_nerve"].limit == 45
    assert isinstance(found["Tumor_1"], Label) and found["Tumor_1"].contains(np.array([case.applicators[0].tip])).all()


def test_labels_without_names_are_marked(tmp_path: Path) -> None:
    write_image(tmp_path / "ph.nii.gz", phantom_labels())
    made = rfa.new_case(tmp_path / "a.toml", "labels", [tmp_path / "ph.nii.gz"])
    assert made.missing == () and made.file.read_text().count("CHECK") == 2


def test_surfaces_become_structures_around_the_tip(tmp_path: Path) -> None:
    (tmp_path / "stl").mkdir()
    surfaces_case(tmp_path / "stl")
    files = [str(tmp_path / "stl" / f"{name}.stl") for name in ("nerve", "tumour")]
    assert main(["new", str(tmp_path / "a"), "--from-surface", *files]) == 0
    case = load_case(tmp_path / "a.toml")
    assert [(each.name, each.role) for each in case.structures] == [("tumour", "target"), ("nerve", "protect")]
    tumour = case.structures[0]
    assert isinstance(tumour, Surface) and tumour.length_unit == "mm" and not tumour.repair
    applicator = case.applicators[0]
    middle = np.array(applicator.tip) + [0, 0, 0.5 * applicator.active_tip]
    assert np.allclose(middle, tumour.bounds().mean(axis=0), atol=1e-6)


def test_a_mesh_lists_its_groups_and_its_electrode(tmp_path: Path) -> None:
    """The needle of meshes/void_needle.py: 0.9 mm, active from z = -5 to 5 mm."""
    made = rfa.new_case(tmp_path / "a", "mesh", [CASES / "own_mesh" / "needle.msh"])
    assert made.missing == ()
    case = load_case(made.file)
    assert isinstance(case.domain, MeshDomain) and case.domain.length_unit == "mm"
    assert {each.tag for each in case.domain.regions} == {"tissue", "lens"}
    roles = {each.tag: each.roles for each in case.domain.surfaces}
    assert roles == {"active": ("active",), "shaft": ("insulated",), "outer": ("return", "body_temperature")}
    applicator = case.applicators[0]
    assert np.allclose(np.array(applicator.tip) * 1e3, [0, 0, -5], atol=0.1)
    assert np.allclose(applicator.direction, [0, 0, 1], atol=0.02)
    assert applicator.outer_diameter * 1e3 == pytest.approx(0.9, rel=0.1)
    assert applicator.active_tip * 1e3 == pytest.approx(10.0, rel=0.05)


def test_a_copy_of_a_case_finds_its_files(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    assert main(["new", str(tmp_path / "deep" / "a"), "--like", str(CASES / "patient_vertebra")]) == 0
    assert load_case(tmp_path / "deep" / "a.toml").structures == load_case(CASES / "patient_vertebra").structures


def test_what_must_be_filled_in_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A copy of a case with a fault keeps it, and says so."""
    text = (CASES / "trigeminal" / "case.toml").read_text(encoding="utf-8")
    (tmp_path / "old.toml").write_text(text.replace("hold_s", "hold", 1), encoding="utf-8")
    assert main(["new", str(tmp_path / "a"), "--like", str(tmp_path / "old.toml")]) == 0
    told = capsys.readouterr().out
    assert "rfablate check finds in it" in told and "generator.hold" in told


def test_sources_that_do_not_fit(tmp_path: Path) -> None:
    for start, sources, words in (
        ("labels", ["none.nii.gz"], "no such file"),
        ("labels", [], "found 0 files"),
        ("picture", [], "one of axisymmetric"),
        ("mesh", [CASES / "own_mesh" / "needle.msh"] * 2, "found 2 files"),
    ):
        with pytest.raises(CaseError, match=words):
            rfa.new_case(tmp_path / "a", start, sources)  # type: ignore[arg-type]
    assert not (tmp_path / "a.toml").exists()


def test_names_become_keys_and_suggest_tissues() -> None:
    assert key_name("Tumör (rechts)") == "Tumor_rechts"
    assert key_name("3rd rib", {"part_3rd_rib"}) == "part_3rd_rib_2"
    assert guess("spinal_cord", "muscle").tissue == "spinal_cord"
    assert not guess("segment_7", "liver").known and guess("segment_7", "liver").tissue == "liver"
