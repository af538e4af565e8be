"""Surfaces of triangles give the lesions of the analytic shapes.

| law                                                                    | allowed |
|------------------------------------------------------------------------|---------|
| sphere and tube as surfaces and as shapes: widths and lengths           | 1 %     |
| the same: covered fractions                                            | 0.02    |
| volumes in the mesh against those inside the surfaces, draft            | 2 %     |
| a rotated file in another format and unit: volumes                     | 0.2 %   |
| lower limit of the cells' quality                                      | 0.1     |
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvista
from mpi4py import MPI

from rfablate.case.read.case_file import parse_case
from rfablate.mesh.generate import generate_mesh
from rfablate.mesh.label_smoothing import tet_quality
from rfablate.simulation.run import run
from tests.phantom import analytic_case, surfaces_case


def run_tables(tables: dict[str, Any], folder: Path, name: str, **mesh: Any) -> dict[str, Any]:
    tables["mesh"] = mesh
    return run(parse_case(tables, folder), folder / name, MPI.COMM_SELF).summary.tree()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_surfaces_give_the_lesion_of_the_shapes(tmp_path: Path) -> None:
    surfaces = run_tables(surfaces_case(tmp_path), tmp_path, "surfaces")
    shapes = run_tables(analytic_case(), tmp_path, "shapes")
    for rule, lesion in shapes["lesion"].items():
        for key in ("width_mm", "length_mm"):
            assert surfaces["lesion"][rule][key] == pytest.approx(lesion[key], rel=0.01), (rule, key)
    for name, shape in shapes["structures"].items():
        fraction = surfaces["structures"][name]["covered_fraction"]
        assert 0.2 < shape["covered_fraction"] < 0.98, "a fraction that could differ"
        assert fraction == pytest.approx(shape["covered_fraction"], abs=0.02), name
    assert surfaces["warnings"] == []


def volumes(mesh: Any) -> dict[str, float]:
    corners = mesh.points[mesh.cells]
    each = np.abs(np.linalg.det(corners[:, 1:] - corners[:, :1])) / 6.0
    return {name: float(each[mesh.region == tag].sum()) * 1e9 for tag, name in mesh.region_names.items()}


def test_surfaces_keep_their_volume_on_coarse_cells(tmp_path: Path) -> None:
    """The tube is not cut by the needle; the sphere without it is compared in the run's log."""
    tables = surfaces_case(tmp_path)
    tables["mesh"] = {"accuracy": "draft"}
    mesh = generate_mesh(parse_case(tables, tmp_path))
    assert volumes(mesh)["nerve"] == pytest.approx(pyvista.read(tmp_path / "nerve.stl").volume, rel=0.02)
    assert any("volumes in the mesh and in the surfaces" in each for each in mesh.remarks) and mesh.notes == ()
    assert np.abs(tet_quality(mesh.points[mesh.cells])).min() > 0.1


def test_position_format_and_unit_do_not_matter(tmp_path: Path) -> None:
    """A file in metres, rotated by a quarter turn, and rotated back and moved by the case."""
    tables = surfaces_case(tmp_path)
    tables["mesh"] = {"accuracy": "draft"}
    expected = generate_mesh(parse_case(tables, tmp_path))
    for each in tables["structures"]:
        surface = pyvista.read(tmp_path / each["file"])
        x, y, z = np.asarray(surface.points, dtype=np.float64).T - np.array([[1.0], [2.0], [3.0]])
        surface.points = 1e-3 * np.column_stack([y, -x, z])
        surface.save(tmp_path / f"{each['name']}.vtp")
        each.update(file=f"{each['name']}.vtp", length_unit="m", rotate_deg=[0, 0, 90], translate_mm=[1, 2, 3])
    found = generate_mesh(parse_case(tables, tmp_path))
    for name, volume in volumes(expected).items():
        assert volumes(found)[name] == pytest.approx(volume, rel=2e-3 if name in ("tumour", "nerve") else 1e-3), name


def test_a_later_shape_takes_its_part_of_a_surface(tmp_path: Path) -> None:
    """The analytic sphere after the surface has its own volume, and the surface loses it."""
    tables = surfaces_case(tmp_path)
    inner = {"name": "core", "kind": "sphere", "centre_mm": [0.1, 1.9, 7.4], "radius_mm": 1.2, "tissue": "blood"}
    tables["structures"].append(inner)
    tables["mesh"] = {"accuracy": "draft", "size_structure_mm": 0.5}
    found = volumes(generate_mesh(parse_case(tables, tmp_path)))
    whole = 4.0 / 3.0 * np.pi
    assert found["core"] == pytest.approx(whole * 1.2**3, rel=0.1)  # facets are inside the round surface
    metal = np.pi * 0.454**2 * 6.8
    assert found["tumour"] + found["core"] == pytest.approx(whole * 3.4**3 - metal, rel=0.02)
