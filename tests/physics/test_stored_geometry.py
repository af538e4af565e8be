"""The coarse mesh of the error bar is the same from stored bodies and from new bodies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mpi4py import MPI

import rfablate as rfa
from rfablate.case.read.case_file import load_case
from rfablate.case.tables.schema import Case
from rfablate.errors import MeshError
from rfablate.mesh.domain import Domain
from rfablate.mesh.generate import generate_mesh
from rfablate.mesh.mesh_data import MeshData
from rfablate.simulation import discretisation_error
from tests.shipped import CASES

CASE = """
title = "A nerve and a tumour beside a cannula"
[domain]
kind = "box"
size_mm = [40, 40, 40]
tissue = "muscle"
[[structures]]
name = "tumour"
kind = "ellipsoid"
centre_mm = [0, 0, 2]
semi_axes_mm = [6, 5, 4]
tissue = "liver"
[[structures]]
name = "nerve"
kind = "box"
centre_mm = [9, 0, 0]
size_mm = [3, 30, 3]
tissue = "nerve"
[[applicators]]
model = "cannula-20g-10mm"
tip_mm = [0, 0, 0]
direction = [0, 0, 1]
[generator]
kind = "temperature"
target_degC = 80
hold_s = 60
[mesh]
accuracy = "draft"
"""


@pytest.fixture
def case(tmp_path: Path) -> Case:
    file = tmp_path / "case.toml"
    file.write_text(CASE, encoding="utf-8")
    return load_case(file)


def _coarser(case: Case) -> Case:
    return case.model_copy(update={"mesh": case.mesh.model_copy(update={"scale": 1.5})})


def _volumes_mm3(mesh: MeshData) -> dict[str, float]:
    corners = mesh.points[mesh.cells] * 1e3
    volume = np.abs(np.linalg.det(corners[:, 1:] - corners[:, :1])) / 6
    return {name: float(volume[mesh.region == tag].sum()) for tag, name in mesh.region_names.items()}


def test_kept_bodies_give_the_mesh_of_bodies_cut_anew(case: Case, tmp_path: Path) -> None:
    kept = tmp_path / "cache" / "bodies.brep"
    fine = generate_mesh(case, kept)
    assert kept.is_file()
    from_kept, anew = generate_mesh(_coarser(case), kept), generate_mesh(_coarser(case))
    assert len(from_kept.points) < len(fine.points)
    for name in ("points", "cells", "region"):
        np.testing.assert_array_equal(getattr(from_kept, name), getattr(anew, name))
    assert from_kept.region_names == fine.region_names
    for mesh in (fine, from_kept):
        assert _volumes_mm3(mesh)["nerve"] == pytest.approx(3 * 30 * 3, rel=1e-9)


@pytest.mark.parametrize("damage", ["", "no BREP file"])
def test_a_damaged_file_of_bodies_is_not_used(case: Case, tmp_path: Path, damage: str) -> None:
    kept = tmp_path / "bodies.brep"
    generate_mesh(case, kept)
    kept.write_text(damage, encoding="utf-8")
    np.testing.assert_array_equal(generate_mesh(_coarser(case), kept).points, generate_mesh(_coarser(case)).points)


def test_a_folder_that_cannot_be_written_to_costs_nothing_but_time(case: Case) -> None:
    place = Path("/proc/none/bodies.brep")
    np.testing.assert_array_equal(generate_mesh(case, place).points, generate_mesh(case).points)


def test_the_bar_comes_from_a_mesh_less_coarse_where_the_usual_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = {"mesh.accuracy": "draft", "generator.hold_s": 10, "generator.ramp_s": 2, "output.report": False}
    case = rfa.load_case(CASES / "needle_benchmark").with_changes(quick)
    build = discretisation_error.build_domain

    def fails_at_twice_the_size(coarser: Case, comm: MPI.Comm) -> Domain:
        if coarser.mesh.scale == 2.0:
            raise MeshError("Gmsh could not mesh")
        return build(coarser, comm)

    monkeypatch.setattr(discretisation_error, "build_domain", fails_at_twice_the_size)
    result = rfa.run(case, tmp_path / "run", quiet=True)
    time = {"time.tolerance_K": 2.25 * case.time.tolerance, "time.step_s": 1.5 * case.time.step}
    rough = rfa.run(case.with_changes({"mesh.scale": 1.5, "output.error_bar": False, **time}), tmp_path / "rough")
    moved = max(abs(lesion.width_mm - rough.lesion[rule].width_mm) for rule, lesion in result.lesion.items())
    assert moved > 0.0
    assert result.lesion["isotherm_50C"].error_bar("width_mm") == pytest.approx(
        2.0 * moved, rel=0.01
    )  # it has no output times
    assert not any("error bar" in warning for warning in result.summary.warnings)
