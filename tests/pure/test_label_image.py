"""Label images are read at their position in space, wrong ones are rejected, and labels become structures.

| law                                                                             | allowed   |
|---------------------------------------------------------------------------------|-----------|
| a NIfTI, NRRD and MetaImage of one anatomy, with any order of axes, are the same | every one |
| LPS points have the opposite x and y of RAS points                               | exactly   |
| a file that is truncated, 4-D, fractional, negative or of another unit is refused | by name   |
"""

from __future__ import annotations

import gzip
import json
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
import tomli_w

import rfablate as rfa
from rfablate.case.describe.case_text import describe_case
from rfablate.case.geometry.shapes import bounding_box, contains
from rfablate.case.read.case_file import dump_case, load_case, parse_case
from rfablate.case.tables.geometry_tables import Label
from rfablate.case.tables.label_reader import read_label_image, read_label_names
from rfablate.case.tables.label_shapes import label_distance, label_samples, label_thickness, label_volume
from rfablate.errors import CaseError
from tests.phantom import AXIS, CENTRE, RADIUS, TUBE_RADIUS, labels_case, phantom_labels, write_image

VOXEL = 0.125e-9


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The phantom as ph.nii.gz."""
    folder = tmp_path_factory.mktemp("images")
    write_image(folder / "ph.nii.gz", phantom_labels())
    return folder


def fault_of(tables: dict[str, Any], folder: Path) -> str:
    with pytest.raises(CaseError) as caught:
        parse_case(tables, folder)
    return str(caught.value)


def refused(file: Path) -> str:
    with pytest.raises(CaseError) as caught:
        read_label_image(file, "RAS")
    assert str(file) in str(caught.value)
    return str(caught.value)


# --- position of a voxel ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.nrrd", "a.mha"])
@pytest.mark.parametrize(("flipped", "order"), [((), (0, 1, 2)), ((0,), (0, 1, 2)), ((0, 1, 2), (2, 0, 1))])
def test_the_same_anatomy_in_any_file_is_the_same(
    name: str, flipped: tuple[int, ...], order: tuple[int, int, int], tmp_path: Path
) -> None:
    labels = np.random.default_rng(1).integers(0, 4, (6, 8, 10)).astype(np.uint8)
    image = read_label_image(write_image(tmp_path / name, labels, flipped=flipped, order=order), "RAS")
    index = np.argwhere(np.ones_like(labels))
    points = (index - 0.5 * (np.array(labels.shape) - 1)) * 0.5e-3
    assert np.array_equal(image.at(points), labels[tuple(index.T)])
    assert np.array_equal(image.at(points + 0.24e-3), labels[tuple(index.T)])


def test_left_is_positive_in_lps_and_negative_in_ras(tmp_path: Path) -> None:
    labels = np.zeros((4, 4, 4), dtype=np.uint8)
    labels[3, 0, 2] = 5  # right, posterior, above the middle
    file = write_image(tmp_path / "one.nii.gz", labels)
    assert read_label_image(file, "RAS").at(np.array([[0.75e-3, -0.75e-3, 0.25e-3]])) == 5
    assert read_label_image(file, "LPS").at(np.array([[-0.75e-3, 0.75e-3, 0.25e-3]])) == 5


def test_a_nifti_written_by_hand_lies_where_its_affine_says(tmp_path: Path) -> None:
    """Written without the package: sform rows of RAS, spacing 2, 3, 4 mm, the first voxel at (10, 20, 30) mm."""
    head = bytearray(352)
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8h", head, 40, 3, 3, 2, 2, 1, 1, 1, 1)
    struct.pack_into("<2h", head, 70, 2, 8)
    struct.pack_into("<8f", head, 76, 1.0, 2.0, 3.0, 4.0, 0, 0, 0, 0)
    struct.pack_into("<f", head, 108, 352.0)
    head[123] = 2  # mm
    struct.pack_into("<2h", head, 252, 0, 1)
    struct.pack_into("<12f", head, 280, 2, 0, 0, 10, 0, 3, 0, 20, 0, 0, 4, 30)
    head[344:348] = b"n+1\0"
    (tmp_path / "hand.nii").write_bytes(bytes(head) + bytes(range(1, 13)))
    image = read_label_image(tmp_path / "hand.nii", "RAS")
    assert image.at(np.array([[10e-3, 20e-3, 30e-3], [14e-3, 20e-3, 30e-3], [10e-3, 23e-3, 34e-3]])).tolist() == [
        1,
        3,
        10,
    ]
    assert image.voxel == pytest.approx(24e-9)


def test_an_oblique_grid_lies_where_the_library_says(tmp_path: Path) -> None:
    """A gantry that is tilted and turned, voxels of three sizes; points by the library's own transform."""
    labels = np.random.default_rng(2).integers(0, 5, (7, 9, 11)).astype(np.uint8)
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(labels.transpose()))
    turn = SimpleITK.Euler3DTransform((0.0, 0.0, 0.0), 0.3, -0.2, 0.5)
    image.SetSpacing((0.5, 0.7, 1.2))
    image.SetOrigin((11.0, -7.0, 3.0))
    image.SetDirection(turn.GetMatrix())
    index = [tuple(int(i) for i in row) for row in np.argwhere(np.ones_like(labels))]
    lps = np.array([image.TransformIndexToPhysicalPoint(each) for each in index]) * 1e-3
    for name in ("o.nii.gz", "o.nrrd", "o.mha"):
        SimpleITK.WriteImage(image, str(tmp_path / name))
        found = read_label_image(tmp_path / name, "LPS").at(lps)
        assert np.array_equal(found, labels[tuple(np.array(index).T)]), name
    box = read_label_image(tmp_path / "o.mha", "LPS").corners()
    assert (lps > box[0]).all() and (lps < box[1]).all()


# --- the geometry of a label --------------------------------------------------------------------------


def test_a_label_has_the_volume_and_the_box_of_its_voxels(folder: Path) -> None:
    sphere = Label(name="s", tissue="liver", file=str(folder / "ph.nii.gz"), values=(1,), coordinates="RAS")
    tube = sphere.model_copy(update={"values": (2,)})
    assert label_volume(sphere) == pytest.approx((phantom_labels() == 1).sum() * VOXEL)
    assert label_volume(sphere) == pytest.approx(4 / 3 * np.pi * (RADIUS * 1e-3) ** 3, rel=0.01)
    box = bounding_box(sphere) * 1e3
    assert np.abs(box - (np.array(CENTRE) + [[-RADIUS], [RADIUS]])).max() < 0.5
    assert label_thickness(tube) * 1e3 == pytest.approx(2 * TUBE_RADIUS, rel=0.35)
    assert label_thickness(sphere) * 1e3 == pytest.approx(2 * RADIUS, rel=0.35)


def test_distances_and_samples_are_those_of_the_shape(folder: Path) -> None:
    tube = Label(name="t", tissue="nerve", file=str(folder / "ph.nii.gz"), values=(2,), coordinates="RAS")
    r = np.linspace(0.5, 3.0, 11)  # smoothing flattens the field on the axis
    points = np.column_stack([AXIS[0] + r, np.zeros_like(r), np.full_like(r, AXIS[1])]) * 1e-3
    assert np.abs(label_distance(tube, points) * 1e3 - (r - TUBE_RADIUS)).max() < 0.25, "half a voxel"
    spread = np.random.default_rng(0).uniform(size=(400, 3))
    samples = label_samples(tube, spread)
    assert len(samples) == 400 and contains(tube, samples).all()
    assert np.ptp(samples[:, 1]) * 1e3 > 10.0


# --- invalid images -----------------------------------------------------------------------------------


def test_files_that_are_cut_short_are_refused(tmp_path: Path) -> None:
    """SimpleITK alone fills a short NIfTI with zeros."""
    labels = np.random.default_rng(0).integers(0, 3, (20, 30, 40)).astype(np.uint8)
    for name in ("a.nii.gz", "a.nii", "a.nrrd", "a.mha"):
        file = write_image(tmp_path / name, labels)
        whole = file.read_bytes()
        for part in (0.0, 0.3, 0.9):
            file.write_bytes(whole[: int(part * len(whole))])
            assert "expected a" in refused(file)


def test_a_truncated_gzip_with_a_whole_tail_is_refused(tmp_path: Path) -> None:
    file = write_image(tmp_path / "a.nii.gz", phantom_labels())
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes())[:-1000]))
    assert "truncated: 511352 of 512352 bytes" in refused(file)


def test_headers_that_promise_too_much_are_refused(tmp_path: Path) -> None:
    file = write_image(tmp_path / "a.nii", np.ones((4, 4, 4), np.uint8))
    head = bytearray(file.read_bytes())
    struct.pack_into("<3h", head, 42, 32000, 32000, 32000)
    file.write_bytes(head)
    assert "32000 x 32000 x 32000 voxels" in refused(file)
    struct.pack_into("<3h", head, 42, 400, 400, 400)
    file.write_bytes(head)
    assert "truncated" in refused(file)
    struct.pack_into("<3h", head, 42, -4, 4, 4)
    file.write_bytes(head)
    refused(file)


def test_what_is_no_label_volume_is_refused(tmp_path: Path) -> None:
    def written(name: str, image: Any) -> Path:
        SimpleITK.WriteImage(image, str(tmp_path / name))
        return tmp_path / name

    ones = np.ones((4, 4, 4))
    assert "4 dimensions" in refused(written("t.nii.gz", SimpleITK.Image([4, 4, 4, 2], SimpleITK.sitkUInt8)))
    assert "fractions" in refused(written("f.nii.gz", SimpleITK.GetImageFromArray(0.5 * ones)))
    assert "fractions" in refused(written("n.nrrd", SimpleITK.GetImageFromArray(np.nan * ones)))
    assert "-1000 to" in refused(written("c.nii.gz", SimpleITK.GetImageFromArray((-1000 * ones).astype(np.int16))))
    assert "0 in every voxel" in refused(written("z.mha", SimpleITK.GetImageFromArray((0 * ones).astype(np.uint8))))
    assert "2 numbers per voxel" in refused(written("v.nrrd", SimpleITK.Image([4, 4, 4], SimpleITK.sitkVectorUInt8, 2)))
    assert "at least 2" in refused(written("s.nii.gz", SimpleITK.Image([4, 4, 1], SimpleITK.sitkUInt8)))
    (tmp_path / "text.nrrd").write_text("hello")
    refused(tmp_path / "text.nrrd")
    (tmp_path / "scan.dcm").write_bytes(b"x")
    assert ".nii.gz" in refused(tmp_path / "scan.dcm")
    assert "No such file" in refused(tmp_path / "none.nii.gz")


def test_whole_numbers_in_a_float_image_are_labels(tmp_path: Path) -> None:
    file = tmp_path / "f.nii.gz"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.full((4, 4, 4), 2.0, np.float32)), str(file))
    assert read_label_image(file, "RAS").counts == {2: 64}


def test_another_unit_of_length_is_refused_or_converted(tmp_path: Path) -> None:
    """NIfTI in metres is converted by its stated unit; the same numbers in mm would be 500 mm, which is rejected."""
    file = write_image(tmp_path / "a.nii", np.ones((4, 4, 4), np.uint8))
    head = bytearray(file.read_bytes())
    head[123] = 1  # metres
    file.write_bytes(head)
    assert "500 x 500 x 500 mm" in refused(file)
    head[123] = 3  # um
    file.write_bytes(head)
    assert "0.0005 x" in refused(file)


def test_without_the_library_the_message_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_image(folder / "other.nii.gz", phantom_labels())
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(CaseError, match=r"rfablate\[labels\]"):
        read_label_image(file, "RAS")


# --- a domain of labels -------------------------------------------------------------------------------


def test_labels_become_a_box_and_structures_that_read_back(folder: Path) -> None:
    case = parse_case(labels_case("ph.nii.gz"), folder)
    assert case.domain.kind == "box"
    assert np.allclose(bounding_box(case.domain), [[-0.02] * 3, [0.02] * 3])
    assert [each.name for each in case.structures] == ["tumour", "nerve"]
    assert case.structures[1].limit == 95.0 and case.structures[0].role == "target"
    (folder / "again.toml").write_text(dump_case(case))
    assert load_case(folder / "again.toml") == case
    assert case.with_changes({"structures.nerve.limit_degC": 60}).structures[1].limit == 60.0


@pytest.mark.parametrize("table", ["domain.labels", "structures"])
def test_a_label_is_changed_by_its_name(table: str, folder: Path) -> None:
    """As a label or as the structure that it becomes."""
    (folder / "change.toml").write_text(tomli_w.dumps(labels_case("ph.nii.gz")))
    case = load_case(folder / "change.toml", [f"{table}.nerve.limit_degC=60"])
    assert [each.limit for each in case.structures] == [None, 60.0]
    with pytest.raises(CaseError):
        load_case(folder / "change.toml", [f"{table}.nerv.limit_degC=60"])


def test_named_tables_and_segment_names_say_which_value(folder: Path, tmp_path: Path) -> None:
    keys = {
        "Segment0_Name": "tumour",
        "Segment0_LabelValue": "2",
        "Segment1_Name": "Left nerve",
        "Segment1_LabelValue": "1",
    }
    write_image(tmp_path / "ph.seg.nrrd", phantom_labels(), keys=keys)
    tables = labels_case("ph.seg.nrrd")
    common = {"tissue": "liver"}
    tables["domain"]["labels"] = {"tumour": common, "nerve": {**common, "segment": "Left nerve"}}
    case = parse_case(tables, tmp_path)
    assert [(each.name, each.values) for each in case.structures if isinstance(each, Label)] == [
        ("tumour", (2,)),
        ("nerve", (1,)),
    ]
    tables["domain"]["labels"]["nerve"]["segment"] = "Left nerv"
    assert 'did you mean "Left nerve"' in fault_of(tables, tmp_path) or "Left nerve" in fault_of(tables, tmp_path)


def test_a_label_description_file_names_values(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text(
        '# ITK-SNAP\n0 0 0 0 0 0 0 "Clear Label"\n1 255 0 0 1 1 1 "tumour"\n2 0 255 0 1 1 1 "nerve"\n'
    )
    assert read_label_names(tmp_path / "names.txt") == {"tumour": (1,), "nerve": (2,)}
    tables = labels_case(str(folder / "ph.nii.gz"))
    tables["domain"] |= {
        "label_names": "names.txt",
        "labels": {"nerve": {"tissue": "nerve"}, "tumour": {"tissue": "liver"}},
    }
    case = parse_case(tables, tmp_path)
    assert [each.values for each in case.structures if isinstance(each, Label)] == [(2,), (1,)]
    (tmp_path / "names.txt").write_text("1 255 tumour\n")
    with pytest.raises(CaseError, match="line 1"):
        read_label_names(tmp_path / "names.txt")


def test_a_value_nobody_lists_is_refused_with_its_volume(folder: Path) -> None:
    tables = labels_case("ph.nii.gz")
    del tables["domain"]["labels"][1]
    count = int((phantom_labels() == 2).sum())
    told = f"label 2 of ph.nii.gz is not listed: {count} voxels, {count * 0.125:.4g} mm3"
    assert told in fault_of(tables, folder)
    tables["domain"]["ignore"] = [2]
    assert [each.name for each in parse_case(tables, folder).structures] == ["tumour"]
    del tables["domain"]["ignore"]
    tables["domain"]["crop_mm"] = [[-20, -20, 3.6], [20, 20, 20]]  # the tube is below
    tables["applicators"][0] |= {"target_mm": [0, 0, 8]}
    del tables["applicators"][0]["model"]
    tables["applicators"][0] |= {"outer_diameter_mm": 0.7, "active_tip_mm": 3}
    assert [each.name for each in parse_case(tables, folder).structures] == ["tumour"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"image": "pf.nii.gz"}, "no such file"),
        ({"images": ["ph.nii.gz"]}, "domain.image"),
        ({"labels": []}, "at least one"),
        ({"labels": [{"name": "a", "label": 9, "tissue": "liver"}]}, "which no voxel has; expected one of 1, 2"),
        ({"labels": [{"name": "a", "label": 0, "tissue": "liver"}]}, "domain.labels[0] \"a\".label"),
        ({"labels": [{"name": "a", "tissue": "liver"}]}, "the image has no segment names"),
        ({"labels": [{"name": each, "label": 1, "tissue": "liver"} for each in "ab"]}, "found 1, already"),
        ({"labels": [{"name": "a", "label": 1, "tissu": "liver"}]}, "did you mean tissue?"),
        ({"crop_mm": [[100, 100, 100], [140, 140, 140]]}, "RAS and LPS"),
        ({"coordinates": "RSA"}, '"RAS", "LPS"'),
        ({"margin_mm": -1}, "at least 0"),
    ],
)  # fmt: skip
def test_faults_of_the_table_are_located(change: dict[str, Any], expected: str, folder: Path) -> None:
    tables = labels_case("ph.nii.gz")
    tables["domain"] |= change
    assert expected in fault_of(tables, folder)


def test_a_later_image_wins_and_needs_its_name_where_both_have_a_value(folder: Path, tmp_path: Path) -> None:
    second = np.zeros_like(phantom_labels())
    second[30:50, 30:50, 50:60] = 1
    write_image(tmp_path / "tumour.nii.gz", second)
    write_image(tmp_path / "ph.nii.gz", phantom_labels())
    tables = labels_case("ph.nii.gz")
    del tables["domain"]["image"]
    tables["domain"]["images"] = ["ph.nii.gz", "tumour.nii.gz"]
    tables["domain"]["labels"] = [
        {"name": "mask", "label": 1, "image": "tumour.nii.gz", "tissue": "liver"},
        {"name": "sphere", "label": 1, "tissue": "liver"},
        {"name": "tube", "label": 2, "tissue": "liver"},
    ]
    assert "ph.nii.gz, tumour.nii.gz all contain 1" in fault_of(tables, tmp_path)
    tables["domain"]["labels"][1]["image"] = "ph.nii.gz"
    assert [each.name for each in parse_case(tables, tmp_path).structures] == ["sphere", "tube", "mask"]


def test_check_prints_what_each_label_becomes(folder: Path) -> None:
    text = describe_case(parse_case(labels_case("ph.nii.gz"), folder))
    row = next(line for line in text.splitlines() if line.strip().startswith("1 ") and "tumour" in line)
    count = int((phantom_labels() == 1).sum())
    assert str(count) in row and f"{count * 0.125:.5g}" in row and "liver, target, 100 % covered" in row
    assert "ph.nii.gz: 80 x 80 x 80 voxels of 0.5 x 0.5 x 0.5 mm, RAS coordinates" in text


# --- poses --------------------------------------------------------------------------------------------


def markups(file: Path, system: str, points: dict[str, list[float]]) -> None:
    table = [{"label": name, "position": position, "positionStatus": "defined"} for name, position in points.items()]
    file.write_text(json.dumps({"markups": [{"type": "Fiducial", "coordinateSystem": system, "controlPoints": table}]}))


@pytest.mark.parametrize(("system", "sign"), [("RAS", 1.0), ("LPS", -1.0)])
def test_points_of_a_markups_file_are_converted(system: str, sign: float, folder: Path, tmp_path: Path) -> None:
    markups(tmp_path / "plan.mrk.json", system, {"F-1": [sign * 3, sign * -4, 20], "F-2": [sign * 3, sign * 1, 5]})
    tables = labels_case(str(folder / "ph.nii.gz"))
    tables["applicators"] = [{"model": "cannula-20g-10mm", "markups": "plan.mrk.json", "entry": "F-1", "target": "F-2"}]
    (needle,) = parse_case(tables, tmp_path).applicators
    assert np.allclose(needle.tip, [3e-3, 1e-3, 5e-3])
    assert np.allclose(needle.direction, np.array([0.0, -5.0, 15.0]) / np.sqrt(250.0))
    tables["applicators"][0]["entry"] = "F-3"
    assert "F-1, F-2" in fault_of(tables, tmp_path)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"tip_mm": [0, 0, 0]}, "applicators[0].tip_mm: found with"),
        ({"entry_mm": [0, 0, 0]}, "the same point"),
        ({"entry_mm": [0, 0]}, "a list of 3 numbers"),
        ({"entry": "F-1"}, "applicators[0].entry"),
        ({"markups": "none.mrk.json"}, "No such file"),
    ],
)
def test_faults_of_a_pose_are_located(change: dict[str, Any], expected: str, folder: Path) -> None:
    tables = labels_case("ph.nii.gz")
    tables["applicators"][0] |= change
    assert expected in fault_of(tables, folder)


def test_markups_without_an_image_have_no_common_axes(tmp_path: Path) -> None:
    case = rfa.load_case(Path(__file__).parents[2] / "cases" / "trigeminal")
    markups(tmp_path / "plan.mrk.json", "LPS", {"F-1": [0, 0, 20], "F-2": [0, 0, 0]})
    tables = case.model_dump(mode="json", by_alias=True, exclude_unset=True)
    tables["applicators"] = [{"model": "cannula-22g-5mm", "markups": "plan.mrk.json", "entry": "F-1", "target": "F-2"}]
    assert "without a label image" in fault_of(tables, tmp_path)


def test_files_that_are_no_markups_are_refused(folder: Path, tmp_path: Path) -> None:
    tables = labels_case(str(folder / "ph.nii.gz"))
    tables["applicators"] = [{"model": "cannula-20g-10mm", "markups": "p.mrk.json", "entry": "a", "target": "b"}]
    for text in (
        "",
        "[]",
        '{"markups": [3]}',
        '{"markups": [{"coordinateSystem": "XYZ", "controlPoints": []}]}',
        "[" * 9999,
    ):
        (tmp_path / "p.mrk.json").write_text(text)
        assert "applicators[0].markups" in fault_of(tables, tmp_path)
