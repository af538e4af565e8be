"""Labels of an image give the lesions of the analytic shapes; results are exported on the grid of the image.

| law                                                                           | allowed                |
|-------------------------------------------------------------------------------|------------------------|
| sphere and tube at 0.5 mm as labels and as shapes: widths and lengths          | 1 %                    |
| the same: covered fractions                                                   | 0.02                   |
| an image with other axes, or in another format                                | the same numbers, 1e-6 |
| volumes of labels in the mesh against the voxels that the needle leaves       | 2 %                    |
| exported voxels against the mesh at their centres                             | 0.01 K; every label    |
| volume inside an exported surface against the lesion's                        | 1e-6                   |
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
from mpi4py import MPI

import rfablate as rfa
from rfablate.case.read.case_file import parse_case
from rfablate.errors import CaseError
from rfablate.mesh.mesh_transfer import transfer_weights
from rfablate.results.fields_reader import FieldsReader
from rfablate.simulation.run import run
from rfablate.toml import tomllib
from tests.phantom import SPACING, analytic_case, labels_case, phantom_labels, write_image


def run_tables(tables: dict[str, Any], folder: Path, name: str, **mesh: Any) -> dict[str, Any]:
    tables["mesh"] = mesh
    return run(parse_case(tables, folder), folder / name, MPI.COMM_SELF).summary.tree()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The phantom's images."""
    folder = tmp_path_factory.mktemp("labels")
    write_image(folder / "ph.nii.gz", phantom_labels())
    write_image(folder / "turned.nii.gz", phantom_labels(), flipped=(0, 2), order=(2, 0, 1))
    write_image(folder / "ph.nrrd", phantom_labels(), flipped=(1,))
    return folder


@pytest.fixture(scope="module")
def draft(folder: Path) -> dict[str, Any]:
    """A fast run of the phantom in `folder / "draft"`."""
    return run_tables(labels_case("ph.nii.gz"), folder, "draft", accuracy="draft")


def test_labels_give_the_lesion_of_the_shapes(folder: Path) -> None:
    labels = run_tables(labels_case("ph.nii.gz"), folder, "labels")
    shapes = run_tables(analytic_case(), folder, "shapes")
    for rule, lesion in shapes["lesion"].items():
        for key in ("width_mm", "length_mm"):
            assert labels["lesion"][rule][key] == pytest.approx(lesion[key], rel=0.01), (rule, key)
    for name, shape in shapes["structures"].items():
        label = labels["structures"][name]
        assert 0.2 < shape["covered_fraction"] < 0.98, "a fraction that could differ"
        assert label["covered_fraction"] == pytest.approx(shape["covered_fraction"], abs=0.02), name
    assert labels["warnings"] == []


@pytest.mark.parametrize("file", ["turned.nii.gz", "ph.nrrd"])
def test_axes_and_format_do_not_matter(file: str, folder: Path, draft: dict[str, Any]) -> None:
    other = run_tables(labels_case(file), folder, file.split(".")[0], accuracy="draft")
    for rule, lesion in draft["lesion"].items():
        for key in ("width_mm", "length_mm", "volume_mm3"):
            assert other["lesion"][rule][key] == pytest.approx(lesion[key], rel=1e-6)
    for name, entry in draft["structures"].items():
        assert other["structures"][name]["volume_mm3"] == pytest.approx(entry["volume_mm3"], rel=1e-6)


def test_labels_keep_their_volume_on_coarse_cells(folder: Path, draft: dict[str, Any]) -> None:
    """The needle replaces a part of the sphere: its metal in the sphere is 2 r = 6.8 mm long at most."""
    voxels = {name: (phantom_labels() == n).sum() * SPACING**3 for n, name in enumerate(("tumour", "nerve"), 1)}
    metal = np.pi * 0.454**2 * 6.8
    assert draft["structures"]["nerve"]["volume_mm3"] == pytest.approx(voxels["nerve"], rel=0.02)
    assert draft["structures"]["tumour"]["volume_mm3"] == pytest.approx(voxels["tumour"] - metal, rel=0.02)


# --- export to the image --------------------------------------------------------------------------------


def in_mesh(folder: Path, points: Any, name: str) -> Any:
    """Return a nodal field of the last frame at points [mm] of the case, by barycentric coordinates."""
    with FieldsReader(folder / "draft" / "fields.vtkhdf") as fields:
        weights = transfer_weights(fields.points_mm, fields.cells, points)
        return weights @ fields.point_data(name)


def some_voxels(image: SimpleITK.Image, half: float) -> tuple[Any, Any]:
    """Return indices of voxels near the needle, and their RAS coordinates [mm] by the library's own transform."""
    rng = np.random.default_rng(3)
    index = [tuple(int(i) for i in row) for row in rng.integers(0, image.GetSize(), (40_000, 3))]
    lps = np.array([image.TransformIndexToPhysicalPoint(each) for each in index])
    ras = lps * [-1.0, -1.0, 1.0]
    near = (np.abs(ras - [0, 0, 5]) < half).all(axis=1)
    return [each for each, kept in zip(index, near, strict=True) if kept], ras[near]


@pytest.mark.parametrize("name", ["t.nii.gz", "t.nrrd"])
def test_a_voxel_has_the_temperature_of_the_mesh_at_its_centre(name: str, folder: Path, draft: dict[str, Any]) -> None:
    """On the grid of the rotated image, whose axes differ from those of the mesh."""
    rfa.export(folder / "draft", temperature=folder / name, like=folder / "turned.nii.gz")
    image, grid = SimpleITK.ReadImage(str(folder / name)), SimpleITK.ReadImage(str(folder / "turned.nii.gz"))
    assert image.GetSize() == grid.GetSize() and np.allclose(image.GetOrigin(), grid.GetOrigin())
    assert np.allclose(image.GetDirection(), grid.GetDirection()) and np.allclose(image.GetSpacing(), grid.GetSpacing())
    index, ras = some_voxels(image, 8.0)
    assert len(index) > 500
    seen = np.array([image.GetPixel(each) for each in index])
    assert np.abs(seen - in_mesh(folder, ras, "peak_temperature_degC")).max() < 0.01
    assert seen.max() > 70.0


def test_a_voxel_is_lesion_where_the_mesh_says_so(folder: Path, draft: dict[str, Any]) -> None:
    written = rfa.export(folder / "draft", labels=folder / "l.nii.gz", rule="isotherm_50C")
    assert set(written) == {folder / "l.nii.gz", folder / "l_labels.txt"}
    image = SimpleITK.ReadImage(str(folder / "l.nii.gz"))
    index, ras = some_voxels(image, 8.0)
    outside = np.hypot(ras[:, 0], ras[:, 1]) > 0.5  # not metal
    peak = in_mesh(folder, ras, "peak_temperature_degC")
    sure = outside & (np.abs(peak - 50.0) > 0.01)
    seen = np.array([image.GetPixel(each) for each in index])
    assert np.array_equal(seen[sure], (peak > 50.0)[sure]) and seen[sure].any()
    metal = (np.hypot(ras[:, 0], ras[:, 1]) < 0.4) & (ras[:, 2] > 2.0)
    assert metal.any() and not seen[metal].any()


def test_the_smallest_lesion_of_a_voxel_is_its_label(folder: Path, draft: dict[str, Any]) -> None:
    written = rfa.export(folder / "draft", labels=folder / "all.seg.nrrd")
    assert written[folder / "all.seg.nrrd"] == "1 isotherm_50C, 2 arrhenius, 3 cem43_240"
    image = SimpleITK.ReadImage(str(folder / "all.seg.nrrd"))
    assert image.GetMetaData("Segment1_Name") == "arrhenius" and image.GetMetaData("Segment1_LabelValue") == "2"
    labels = SimpleITK.GetArrayFromImage(image)
    lesion = draft["lesion"]
    for value, rule in enumerate(("isotherm_50C", "arrhenius", "cem43_240"), 1):
        # voxels with their centres in the needle are not lesion: 4 of a row of 0.5 mm, where its section has 2.6
        voxels = (labels >= value).sum() * SPACING**3
        metal = (1.0 - np.pi * 0.454**2) * lesion[rule]["length_mm"]
        assert voxels + metal == pytest.approx(lesion[rule]["volume_mm3"], rel=0.05), rule


def test_surfaces_are_closed_and_hold_the_lesion(folder: Path, draft: dict[str, Any]) -> None:
    import pyvista

    written = rfa.export(folder / "draft", stl=folder / "stl")
    assert len(written) == len(draft["lesion"])
    for rule, lesion in draft["lesion"].items():
        file = folder / "stl" / f"lesion_{rule}.stl"
        assert b"SPACE=RAS" in file.read_bytes()[:80]
        surface = pyvista.read(file)
        assert surface.n_open_edges == 0
        assert surface.volume == pytest.approx(lesion["volume_mm3"], rel=1e-6)
        assert surface.bounds[5] - surface.bounds[4] == pytest.approx(lesion["length_mm"], rel=0.01)


def test_arrays_are_those_of_the_fields_file(folder: Path, draft: dict[str, Any]) -> None:
    rfa.export(folder / "draft", npy=folder / "npy")
    with FieldsReader(folder / "draft" / "fields.vtkhdf") as fields:
        assert np.array_equal(np.load(folder / "npy" / "cells.npy"), fields.cells)
        T = np.load(folder / "npy" / "temperature_degC.npy")
        assert T.shape == (len(fields.times_s), len(fields.points_mm))
        assert np.allclose(T[-1], fields.point_data("temperature_degC"))


@pytest.mark.slow
def test_the_tutorials_case_runs_and_exports(tmp_path: Path) -> None:
    """As on the page, except for the path of the image."""
    root = Path(__file__).parents[2]
    blocks = re.findall(
        r"```toml\n(.*?)```",
        (root / "docs" / "tutorials" / "label_image.md").read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
    (text,) = [block for block in blocks if "crop_mm" in block]
    tables = tomllib.loads(text)
    tables["output"]["report"] = False
    summary = run(parse_case(tables, root), tmp_path / "run", MPI.COMM_SELF).summary.tree()
    assert summary["status"] == "completed"
    assert summary["structures"]["metastasis"]["verdict"] == "reached"
    assert len(rfa.export(tmp_path / "run", labels=tmp_path / "l.seg.nrrd", stl=tmp_path / "stl")) == 4


def test_what_cannot_be_exported_is_said(folder: Path, draft: dict[str, Any], tmp_path: Path) -> None:
    for options, expected in (
        ({}, "no file to export"),
        ({"labels": tmp_path / "a.png"}, "a name that ends with"),
        ({"labels": tmp_path / "a.nii.gz", "rule": "isotherm_51C"}, "isotherm_50C"),
        ({"temperature": tmp_path / "a.nii.gz", "like": tmp_path / "none.nii.gz"}, "No such file"),
    ):
        with pytest.raises(CaseError, match=expected):
            rfa.export(folder / "draft", **options)
