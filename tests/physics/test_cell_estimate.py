"""Ratio of the estimated number of cells to that of the generated mesh: 1/2 to 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from rfablate.case.geometry.cell_estimate import estimate_cells
from rfablate.case.read.case_file import load_case
from rfablate.case.tables.geometry_tables import MeshDomain
from rfablate.mesh.generate import generate_mesh

CASES = Path(__file__).parents[1] / "mpi" / "cases"


@pytest.mark.parametrize("name", ["axisymmetric", "channels", "structures"])
@pytest.mark.parametrize("scale", [0.8, 1.3])
def test_the_estimate_is_good_to_a_factor_of_two(name: str, scale: float) -> None:
    case = load_case(CASES / f"{name}.toml", [f"mesh.scale={scale}"])
    assert not isinstance(case.domain, MeshDomain)
    estimate = estimate_cells(case.domain, case.mesh, case.applicators, case.structures)
    assert 0.5 <= estimate / len(generate_mesh(case).cells) <= 2.0
