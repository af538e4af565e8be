"""Runs that are too large are rejected before meshing; the message has the number.

| law                                                              | allowed                        |
|------------------------------------------------------------------|--------------------------------|
| implausible sizes, meshes, frames, steps and studies             | a located fault, 1 s of CPU     |
| mesh.max_cells                                                   | changes the limit, not the mesh |
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from rfablate.case.read.case_file import load_case, parse_case
from rfablate.errors import CaseError
from rfablate.study.study_file import parse_study

DATA = Path(__file__).parent / "data" / "trigeminal.toml"
A_SECOND = 1.0
AXIS = {"key": "generator.hold_s", "low": 1.0, "high": 2.0}


def _refused(*keys: str) -> CaseError:
    load_case(DATA)  # the time excludes reading and compilation, which happen once
    begin = time.process_time()
    with pytest.raises(CaseError) as caught:
        load_case(DATA, keys)
    assert time.process_time() - begin < A_SECOND
    return caught.value


@pytest.mark.parametrize("domain", ["cylinder", "axisymmetric"])
@pytest.mark.parametrize("key", ["size_tip_mm", "size_structure_mm", "size_far_mm"])
def test_a_cell_size_of_nanometres_is_refused(domain: str, key: str) -> None:
    error = _refused("structures=[]", "applicators.0.tip_shape=blunt", f"domain.kind={domain}", f"mesh.{key}=1e-5")
    assert f"mesh.{key}: found 1e-05; expected at least 0.001 [mm]" in str(error)
    assert "m for mm? 0.01 mm" in str(error)
    assert len([fault for fault in error.faults if fault.where == f"mesh.{key}"]) == 1


@pytest.mark.parametrize("radius_mm", [0.04, 5.6e-217])
def test_a_domain_thinner_than_any_applicator_is_refused(radius_mm: float) -> None:
    error = _refused("structures=[]", f"domain.radius_mm={radius_mm}")
    (fault,) = (each for each in error.faults if each.where == "domain.radius_mm" and "at least 0.1" in each.expected)
    assert fault.found == f"found {radius_mm:g}"


@pytest.mark.parametrize(
    "keys", [("mesh.size_tip_mm=0.002",), ("mesh.size_far_mm=0.3",), ("mesh.size_tip_mm=0.01", "mesh.growth=0.03")]
)
def test_a_mesh_of_too_many_cells_is_refused_with_their_number(keys: tuple[str, ...]) -> None:
    (fault,) = _refused(*keys).faults
    assert fault.where == "mesh" and "cells" in fault.found and "mesh.max_cells = 2e+07" in fault.expected
    cells = float(fault.found.split()[1])
    assert cells > 2e7
    load_case(DATA, (*keys, f"mesh.max_cells={2 * cells}"))


def test_the_bound_is_no_part_of_the_mesh() -> None:
    from rfablate.mesh.build import mesh_key

    assert mesh_key(load_case(DATA)) == mesh_key(load_case(DATA, ["mesh.max_cells=5e7"]))


@pytest.mark.parametrize(
    ("key", "where", "number"),
    [
        ("output.fields_interval_s=1e-6", "output.fields_interval_s", "frames"),
        ("time.max_step_s=1e-7", "time.max_step_s", "steps"),
    ],
)
def test_frames_and_steps_that_never_end_are_refused(key: str, where: str, number: str) -> None:
    first = ("time.first_step_s=1e-7", "time.min_step_s=1e-7") if "max_step" in key else ()
    fault = next(fault for fault in _refused(key, *first).faults if fault.where == where)
    assert number in fault.found and number in fault.expected


@pytest.mark.parametrize(("name", "count", "most"), [("structures", 10_000, 100), ("applicators", 10_000, 20)])
def test_more_parts_than_a_person_writes_are_refused(name: str, count: int, most: int) -> None:
    case: dict[str, Any] = {name: [{"name": f"n{number}"} for number in range(count)]}
    begin = time.process_time()
    with pytest.raises(CaseError, match=f"{name}: found {count} entries; expected at most {most}"):
        parse_case(case)
    assert time.process_time() - begin < A_SECOND


@pytest.mark.parametrize(
    ("design", "axes", "words"),
    [
        ({}, [{**AXIS, "count": 10**9}], ["axes[0].count", "1000000000", "100000"]),
        ({"kind": "latin_hypercube", "samples": 10**9}, [AXIS], ["design.samples", "1000000000", "100000"]),
        ({"kind": "sobol", "samples": 2**30}, [AXIS], ["design.samples", "1073741824", "100000"]),
        ({}, [{**AXIS, "count": 1000}, {**AXIS, "key": "generator.target_degC", "count": 1000}], ["design", "1e+06"]),
        ({"kind": "saltelli", "samples": 65536}, [AXIS], ["design", "196608", "100000"]),
    ],
)
def test_a_study_of_too_many_members_is_refused(design: dict[str, Any], axes: list[Any], words: list[str]) -> None:
    begin = time.process_time()
    with pytest.raises(CaseError) as caught:
        parse_study({"base": "case.toml", "design": design, "axes": axes})
    assert time.process_time() - begin < A_SECOND
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_csv_design_of_too_many_rows_is_refused(tmp_path: Path) -> None:
    from rfablate.study.design import axes_of

    (tmp_path / "rows.csv").write_text("generator.hold_s\n" + "1\n" * 100_001)
    study = parse_study({"base": "case.toml", "design": {"kind": "csv", "file": "rows.csv"}})
    with pytest.raises(CaseError, match="found 100001 rows; expected at most 100000"):
        axes_of(study, tmp_path)
