"""Applicators from a user's mesh, sensors on its electrode, and structures laid over it.

| law                                                                        | allowed                    |
|----------------------------------------------------------------------------|----------------------------|
| tip, axis, diameter and length of the void needle                          | 0.02 mm, 0.5 degrees       |
| volume of a sphere, a box and a tube over the mesh, also where they overlap | 2 %, tube 3 %              |
| a structure of a mesh and the same over the mesh without it                | covered 0.02, 1 K          |
| results on 1 and 2 ranks                                                   | 1e-6                       |
| what cannot run is refused by `check`, without a run directory             | all                        |
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpi4py import MPI

from meshes.void_needle import write_needle
from rfablate.case.tables.geometry_tables import MeshDomain
from rfablate.cli.main import main
from rfablate.errors import CaseError, MeshError
from rfablate.mesh.domain import distribute
from rfablate.mesh.electrode_applicator import applicator_from_mesh
from rfablate.mesh.electrode_sensor import place_in_mesh
from rfablate.mesh.mesh_against_case import refuse_contradiction
from rfablate.mesh.structure_overlay import overlay
from rfablate.mesh.structure_volumes import cell_volumes
from rfablate.mesh.user_mesh import read_mesh
from rfablate.problem.sensors import place_in_domain
from rfablate.simulation.run import run
from rfablate.toml import tomllib
from tests.physics.test_user_mesh import case_of, table

SPHERE = {"name": "ball", "kind": "sphere", "centre_mm": [4, 0, 0], "radius_mm": 3, "tissue": "fat", "role": "target"}
TUBE = {"name": "nerve", "kind": "tube", "path_mm": [[-4, -8, 0], [-4, 8, 0]], "diameter_mm": 3, "tissue": "nerve"}
BOX = {"name": "block", "kind": "box", "centre_mm": [6, 0, 0], "size_mm": [4, 10, 10], "tissue": "muscle"}


@pytest.fixture(scope="module")
def needle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The void needle as a Gmsh file in mm."""
    path = tmp_path_factory.mktemp("mesh") / "needle.msh"
    write_needle(path)
    return path


def _tables(needle: Path, *structures: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**table(needle), "structures": list(structures), **changes}


def test_the_applicator_is_that_of_the_mesh(needle: Path) -> None:
    """The needle's axis is z, its tip at z = -5 mm, active up to z = 5 mm, 0.9 mm wide."""
    case = case_of(_tables(needle, applicators="from mesh"))
    (found,) = case.applicators
    assert np.allclose(found.tip, [0.0, 0.0, -5e-3], atol=2e-5)
    assert np.degrees(np.arccos(np.dot(found.direction, [0.0, 0.0, 1.0]))) < 0.5
    assert found.outer_diameter == pytest.approx(0.9e-3, abs=2e-5)
    assert found.active_tip == pytest.approx(10e-3, abs=2e-5)
    assert isinstance(case.domain, MeshDomain)
    refuse_contradiction(case, read_mesh(case.domain))


def test_the_tip_is_the_closed_end_also_of_a_needle_that_points_upwards(needle: Path, tmp_path: Path) -> None:
    import meshio

    mesh = meshio.read(needle)
    mesh.points[:, 2] *= -1.0
    meshio.write(tmp_path / "up.msh", mesh, file_format="gmsh22", binary=False)
    domain = case_of(_tables(tmp_path / "up.msh", applicators=[{"outer_diameter_mm": 1, "active_tip_mm": 1}])).domain
    assert isinstance(domain, MeshDomain)
    found = applicator_from_mesh(domain)
    assert found["tip_mm"] == pytest.approx([0, 0, 5], abs=0.02)
    assert found["direction"] == pytest.approx([0, 0, -1], abs=0.01)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"domain": {"kind": "box", "size_mm": [40, 40, 40], "tissue": "liver"}}, "no user mesh here"),
        ({"surface": "outer"}, "not one round needle"),
    ],
)
def test_an_applicator_that_the_mesh_does_not_show_is_refused(
    needle: Path, changes: dict[str, Any], reason: str
) -> None:
    tables = _tables(needle, applicators="from mesh")
    if "surface" in changes:
        tables["domain"]["surfaces"][0]["tag"], tables["domain"]["surfaces"][1]["tag"] = "outer", "active"
    else:
        tables |= changes
    with pytest.raises(CaseError, match=reason):
        case_of(tables)


def test_a_sensor_in_the_hollow_of_the_needle_sits_on_the_electrode(needle: Path, comm: MPI.Comm) -> None:
    """1 mm from the tip on the axis lies in the void; the nearest node of the electrode is half a diameter away."""
    case = case_of(_tables(needle, applicators="from mesh"))
    (applicator,) = case.applicators
    assert isinstance(case.domain, MeshDomain)
    mesh = read_mesh(case.domain)
    points = np.array([[0.0, 0.0, -4e-3], [5e-3, 0.0, 0.0], [0.0, 0.0, 10e-3]])
    found = place_in_mesh(mesh, points, applicator)
    assert np.hypot(*found[0, :2]) == pytest.approx(0.45e-3, rel=0.01) and abs(found[0, 2] + 4e-3) < 0.2e-3
    assert (found[1:] == points[1:]).all(), "in tissue, and in the void beyond the active surface"
    again = place_in_domain(distribute(mesh if comm.rank == 0 else None, comm), points, applicator)
    assert np.array_equal(found, again)


def test_structures_over_a_mesh_have_their_volumes(needle: Path) -> None:
    case = case_of(_tables(needle, SPHERE, TUBE, BOX))
    assert isinstance(case.domain, MeshDomain)
    mesh = overlay(case, read_mesh(case.domain))
    number = {name: tag for tag, name in mesh.region_names.items()}
    volume = np.abs(cell_volumes(mesh.points, mesh.cells)) * 1e9
    cap = np.pi * 3.0**2 * (3.0 - 3.0 / 3.0) / 1.0  # the block starts at the ball's height of 3 mm: x = 4
    assert volume[mesh.region == number["block"]].sum() == pytest.approx(400.0, rel=0.02)
    assert volume[mesh.region == number["ball"]].sum() == pytest.approx(4 / 3 * np.pi * 27 - cap, rel=0.02)
    assert volume[mesh.region == number["nerve"]].sum() == pytest.approx(np.pi * 36.0, rel=0.03)
    assert any("400" in line and "ball" in line for line in mesh.remarks)


@pytest.mark.parametrize("structure", [{**SPHERE, "centre_mm": [50, 0, 0]}, {**SPHERE, "radius_mm": 0.01}])
def test_a_structure_without_cells_is_refused_by_check_and_leaves_no_run_directory(
    structure: dict[str, Any], needle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import tomli_w

    file = needle.parent / f"{structure['radius_mm']}.toml"
    file.write_text(tomli_w.dumps(_tables(needle, structure)))
    assert main(["check", str(file)]) == 3
    assert main(["run", str(file), "-o", str(tmp_path / "run")]) == 3
    assert "structure 'ball' has no cells" in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_a_flow_in_a_structure_over_a_mesh_is_refused(needle: Path) -> None:
    flow = {"velocity_m_per_s": 0.1}
    with pytest.raises(CaseError, match="not a surface of the mesh"):
        case_of(_tables(needle, {**TUBE, "tissue": "blood", "flow": flow}))


def test_a_structure_that_covers_a_region_of_the_mesh_is_refused(needle: Path) -> None:
    cover = {"name": "cover", "kind": "sphere", "centre_mm": [1, 0.5, -9], "radius_mm": 4, "tissue": "fat"}
    case = case_of(_tables(needle, cover))
    assert isinstance(case.domain, MeshDomain)
    with pytest.raises(MeshError, match=r"region 'lens' \(target\) is covered"):
        overlay(case, read_mesh(case.domain))


def test_check_prints_the_table_of_the_mesh_with_units_quality_and_structures(
    needle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import tomli_w

    file = needle.parent / "check.toml"
    file.write_text(tomli_w.dumps(_tables(needle, SPHERE, applicators="from mesh")))
    assert main(["check", str(file)]) == 0
    said = capsys.readouterr().out
    for text in ("lengths in mm", "cells by quality", "no inverted cells", "volumes in the mesh and exact: ball"):
        assert text in said


def test_a_structure_over_the_mesh_gives_the_result_of_the_region_in_the_mesh(needle: Path, tmp_path: Path) -> None:
    """The lens is a region of the mesh; over the mesh the same sphere is a structure, with a nerve's own axis."""
    region = case_of({**table(needle), "applicators": "from mesh"})
    found = run(region, tmp_path / "region", MPI.COMM_SELF).summary.tree()["structures"]["lens"]
    tables = _tables(needle, {**SPHERE, "centre_mm": [1.0, 0.5, -9.0], "radius_mm": 2.0}, applicators="from mesh")
    tables["structures"].append({**TUBE, "sigma_along_S_per_m": 0.3})
    tables["domain"]["regions"] = [
        {"tag": "tissue", "name": "tissue", "tissue": "liver"},
        {"tag": "lens", "name": "lens", "tissue": "liver"},
    ]
    again = run(case_of(tables), tmp_path / "over", MPI.COMM_SELF).summary.tree()["structures"]
    assert again["ball"]["covered_fraction"] == pytest.approx(found["covered_fraction"], abs=0.02)
    assert again["ball"]["max_degC"] == pytest.approx(found["max_degC"], abs=1.0)
    assert again["nerve"]["length_mm"] == pytest.approx(16.0)
    resolved = tomllib.loads((tmp_path / "over" / "case.toml").read_text())
    assert resolved["applicators"][0]["active_tip_mm"] == pytest.approx(10.0, abs=0.02)
