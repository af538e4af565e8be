"""A user's mesh gives the same result from every file format, and every error in it is reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import meshio
import numpy as np
import pytest
from mpi4py import MPI

from meshes.void_needle import MshFormat, write_needle
from rfablate.case.read.case_file import parse_case
from rfablate.case.tables.schema import Case
from rfablate.errors import MeshError
from rfablate.mesh.user_mesh import read_mesh
from rfablate.simulation.run import run

TAGS = {"tissue": 1, "lens": 2, "active": 1, "shaft": 2, "outer": 3}


@pytest.fixture(scope="module")
def needle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The needle as a Gmsh file in mm."""
    path = tmp_path_factory.mktemp("mesh") / "needle.msh"
    write_needle(path)
    return path


def table(file: Path, unit: str = "mm", tags: bool = False) -> dict[str, Any]:
    """Return a case on the needle's mesh; by physical names or by tags."""

    def key(name: str) -> str | int:
        return TAGS[name] if tags else name

    return {
        "domain": {
            "kind": "mesh",
            "file": str(file),
            "length_unit": unit,
            "regions": [
                {"tag": key("tissue"), "name": "tissue", "tissue": "liver"},
                {"tag": key("lens"), "name": "lens", "tissue": "fat", "role": "target"},
            ],
            "surfaces": [
                {"tag": key("active"), "name": "active_tip", "roles": ["active"]},
                {"tag": key("outer"), "name": "outer", "roles": ["return", "body_temperature"]},
            ],
        },
        "applicators": [{"outer_diameter_mm": 0.9, "active_tip_mm": 10, "tip_mm": [0, 0, -5], "sensor_offset_mm": 0.0}],
        "generator": {"kind": "temperature", "target_degC": 80, "ramp_s": 5, "hold_s": 5},
        "output": {"report": False},
    }


def case_of(data: dict[str, Any]) -> Case:
    """Return the case of a table."""
    return parse_case(data, Path("."))


def convert(source: Path, target: Path) -> None:
    """Write the needle in another format with one block of each cell type, tags as cell data or as named sets."""
    mesh = meshio.read(source)
    cells, tags = {}, {}
    for kind in ("triangle", "tetra"):
        cells[kind] = mesh.get_cells_type(kind)
        tags[kind] = mesh.get_cell_data("gmsh:physical", kind).astype(np.int32)
    if target.suffix == ".inp":
        sets = {}
        for name, tag in TAGS.items():
            kind = "tetra" if name in ("tissue", "lens") else "triangle"
            members = np.flatnonzero(tags[kind] == tag)
            sets[name] = [members if kind == block else np.zeros(0, dtype=int) for block in cells]
        meshio.Mesh(mesh.points, cells, cell_sets=sets).write(target)
        return
    meshio.Mesh(mesh.points, cells, cell_data={"cell_tags": list(tags.values())}).write(target)


def lesion(case: Case, folder: Path) -> dict[str, Any]:
    """Return the summary of a run."""
    return run(case, folder, MPI.COMM_SELF).summary.tree()


@pytest.fixture(scope="module")
def reference(needle: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The summary of the run on Gmsh's own file."""
    return lesion(case_of(table(needle)), tmp_path_factory.mktemp("runs") / "msh")


@pytest.mark.parametrize("suffix", [".vtu", ".xdmf", ".med", ".mesh", ".vtk", ".inp"])
def test_every_format_gives_the_same_lesion(
    needle: Path, reference: dict[str, Any], tmp_path: Path, suffix: str
) -> None:
    """Formats differ only in the node order: the lesion agrees within the solver's tolerance."""
    file = tmp_path / f"needle{suffix}"
    convert(needle, file)
    summary = lesion(case_of(table(file, tags=suffix != ".inp")), tmp_path / "run")
    for rule, numbers in reference["lesion"].items():
        for key, value in numbers.items():
            assert summary["lesion"][rule][key] == pytest.approx(value, rel=1e-6), (rule, key)
    assert summary["structures"]["lens"]["max_degC"] == pytest.approx(reference["structures"]["lens"]["max_degC"])


@pytest.mark.parametrize("version", [2.2, 4.1])
def test_gmsh_versions_units_and_tags_agree(reference: dict[str, Any], tmp_path: Path, version: float) -> None:
    """The same mesh in metres, by tag instead of by name, in both versions of the format."""
    file = tmp_path / "needle.msh"
    write_needle(file, form=MshFormat(version, unit="m", names=False))
    summary = lesion(case_of(table(file, unit="m", tags=True)), tmp_path / "run")
    width = reference["lesion"]["isotherm_50C"]["width_mm"]
    assert width > 2.0
    assert summary["lesion"]["isotherm_50C"]["width_mm"] == pytest.approx(width, rel=1e-5)


def test_energy_closes_on_a_users_mesh(reference: dict[str, Any]) -> None:
    """Joule heat equals stored, perfused and conducted heat."""
    assert reference["energy"]["residual_percent"] < 1.0
    assert reference["numerics"]["error_bar"] == {}
    assert any("no error bar" in warning for warning in reference["warnings"])


def faulty(needle: Path, change: str) -> Case:
    """Return the case with one fault."""
    data = table(needle)
    domain = data["domain"]
    if change == "a 40-metre domain":
        domain["length_unit"] = "m"
    elif change == "an unknown name":
        domain["regions"][0]["tag"] = "tisue"
    elif change == "an empty tag":
        domain["regions"][1]["tag"] = 7
    elif change == "an unmapped region":
        del domain["regions"][1]
    elif change == "an empty surface":
        domain["surfaces"][0]["tag"] = 9
    return case_of(data)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("a 40-metre domain", "domain.length_unit"),
        ("an unknown name", "no physical group 'tisue'"),
        ("an empty tag", "no cells with the tag 7"),
        ("an unmapped region", r"cells with the tags 2 in no entry"),
        ("an empty surface", "no facets with the tag 9"),
    ],
)
def test_a_wrong_mesh_is_refused_by_name(needle: Path, change: str, said: str) -> None:
    """Each fault names the tag or the key."""
    case = faulty(needle, change)
    with pytest.raises(MeshError, match=said):
        read_mesh(case.domain)  # type: ignore[arg-type]


def test_a_cell_in_two_regions_is_refused(needle: Path, tmp_path: Path) -> None:
    """Duplicate elements would count their volume twice."""
    mesh = meshio.read(needle)
    tetra, triangle = mesh.get_cells_type("tetra"), mesh.get_cells_type("triangle")
    tags = mesh.get_cell_data("gmsh:physical", "tetra").astype(np.int32)
    cells = {"triangle": triangle, "tetra": np.concatenate([tetra, tetra[:5]])}
    surface = mesh.get_cell_data("gmsh:physical", "triangle").astype(np.int32)
    file = tmp_path / "doubled.vtu"
    meshio.Mesh(mesh.points, cells, cell_data={"cell_tags": [surface, np.concatenate([tags, 3 - tags[:5]])]}).write(
        file
    )
    with pytest.raises(MeshError, match="found 5 duplicate cells"):
        read_mesh(case_of(table(file, tags=True)).domain)  # type: ignore[arg-type]


def test_curved_elements_are_refused(tmp_path: Path) -> None:
    """Quadratic tetrahedra would be misread."""
    import gmsh

    from rfablate.mesh.gmsh_session import gmsh_session

    file = tmp_path / "curved.msh"
    with gmsh_session():
        gmsh.model.occ.addBox(0, 0, 0, 30, 30, 30)
        gmsh.model.occ.synchronize()
        gmsh.model.addPhysicalGroup(3, [1], 1, "tissue")
        gmsh.option.setNumber("Mesh.MeshSizeMax", 15)
        gmsh.model.mesh.generate(3)
        gmsh.model.mesh.setOrder(2)
        gmsh.write(str(file))
    with pytest.raises(MeshError, match="linear tetrahedra"):
        read_mesh(case_of(table(file)).domain)  # type: ignore[arg-type]


def test_a_file_of_no_known_format_is_refused(tmp_path: Path) -> None:
    """The message of the reader is passed on."""
    file = tmp_path / "needle.vtu"
    file.write_text("this is no mesh")
    with pytest.raises(MeshError, match="meshio cannot read needle.vtu"):
        read_mesh(case_of(table(file, tags=True)).domain)  # type: ignore[arg-type]
