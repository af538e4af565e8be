"""Invalid files of users: each causes a located message within seconds, never a traceback or a hang.

Meshes: `file` unit mm; a cube of 24 tetrahedra, which is then damaged.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import meshio
import numpy as np
import pytest

from rfablate.case.read.case_file import load_case, parse_case, read_case_file
from rfablate.case.tables.device_log import read_log
from rfablate.case.tables.geometry_tables import MeshDomain
from rfablate.cluster.slurm import load_site
from rfablate.errors import CaseError, MeshError, RfablateError
from rfablate.mesh.mesh_data import MeshData
from rfablate.mesh.user_mesh import read_mesh
from rfablate.study.study_file import load_study, parse_study
from rfablate.study.study_plan import Plan, load_plan

DATA = Path(__file__).parent / "data" / "trigeminal.toml"
LONG = "x" * 300


# --- text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = " + "[" * 100_000 + "]" * 100_000, "32 levels of brackets"),
        ("a = " + "{a=" * 10_000 + "1" + "}" * 10_000, "32 levels of brackets"),
        (".".join(["a"] * 20_000) + " = 1", "32 parts of a dotted key"),
        ("[" + ".".join(["a"] * 20_000) + "]", "32 parts of a dotted key"),
        ("a = " + "1" * 100_000, "integer string conversion"),
        ("#" + "x" * 2_000_000, "more than the limit of 1048576"),
        ("a = 'x", "line 1"),
        ("\x00", "line 1"),
    ],
)
def test_toml_that_nobody_wrote_is_refused_in_a_second(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "case.toml"
    file.write_text(text)
    begin = time.process_time()
    with pytest.raises(CaseError) as caught:
        read_case_file(file)
    assert time.process_time() - begin < 1.0
    assert words in str(caught.value) and len(str(caught.value)) < 2000


def test_a_file_of_a_gigabyte_is_refused_unread(tmp_path: Path) -> None:
    """Case, study, site, tissue file, device log; the file is sparse."""
    file = tmp_path / "large.toml"
    with file.open("wb") as empty:
        empty.truncate(2**30)
    (tmp_path / "case.toml").write_bytes(DATA.read_bytes())
    data = read_case_file(DATA) | {"tissue_file": "large.toml"}
    replayed = read_case_file(DATA) | {"generator": {"kind": "replay", "file": "large.toml"}}
    begin = time.process_time()
    for read in (
        lambda: read_case_file(file),
        lambda: load_study(file),
        lambda: load_site(file),
        lambda: parse_case(data, tmp_path),
        lambda: parse_case(replayed, tmp_path),
    ):
        with pytest.raises(CaseError, match="1073741824 bytes, more than the limit of"):
            read()
    assert time.process_time() - begin < 1.0


def test_brackets_in_strings_and_comments_are_no_levels(tmp_path: Path) -> None:
    file = tmp_path / "case.toml"
    file.write_text(
        'a = "' + "[" * 200 + '" # ' + "[" * 200 + "\nb = '''\n" + "[.\n" * 200 + "'''\nc = [1.5, 2.5]\n" * 1
    )
    assert read_case_file(file)["c"] == [1.5, 2.5]


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/null", "pipe", "folder"])
def test_only_regular_files_are_read(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    data = read_case_file(DATA)
    data["tissue_file"] = name
    begin = time.monotonic()
    with pytest.raises(CaseError, match="tissue_file: found .*(not a regular file|Is a directory)"):
        parse_case(data, tmp_path)
    for reader in (read_case_file, load_study, load_site):
        with pytest.raises(CaseError):
            reader(tmp_path / name)
    with pytest.raises(OSError):
        read_log(tmp_path / name)
    assert time.monotonic() - begin < 20.0


@pytest.mark.parametrize("verb", ["check", "report", "study", "resume", "compare", "find"])
def test_a_path_of_300_letters_is_told(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    from rfablate.cli.main import main

    more = {"compare": [LONG], "find": ["--vary", "generator.hold_s=1..2", "--max", "lesion.isotherm_50C.width_mm"]}
    assert main([verb, LONG, *more.get(verb, [])]) == 2
    said = capsys.readouterr().err
    assert "too long" in said and "Traceback" not in said


def test_a_study_of_a_case_with_5000_letters_is_told(tmp_path: Path) -> None:
    study = tmp_path / "study.toml"
    study.write_text(f'base = "{"x" * 5000}"\n[[axes]]\nkey = "generator.hold_s"\nvalues = [1, 2]\n')
    for read in (load_plan, lambda file: Plan(parse_study(read_case_file(file)), tmp_path)):
        with pytest.raises(CaseError, match="too long"):
            read(study)


def test_a_message_is_never_longer_than_a_screen_or_two(tmp_path: Path) -> None:
    data = read_case_file(DATA)
    data.update({f"unknown_{number}": "x" * 5000 for number in range(900)})
    with pytest.raises(CaseError) as caught:
        parse_case(data)
    assert len(caught.value.faults) == 900 and len(str(caught.value)) < 50_000
    assert "and 860 more faults" in str(caught.value)
    assert len(str(RfablateError("x" * 10**6))) < 11_000
    data = read_case_file(DATA)
    data["title"] = ["x" * 500_000]
    with pytest.raises(CaseError) as caught:
        parse_case(data)
    assert len(str(caught.value)) < 2_000


# --- meshes ---------------------------------------------------------------------------------------


def _cube() -> tuple[Any, Any]:
    """Return nodes [mm] and tetrahedra of a cube of 20 mm, four on each of its six faces' centres."""
    from scipy.spatial import Delaunay

    side = np.linspace(-10.0, 10.0, 3)
    grid = np.stack(np.meshgrid(side, side, side), axis=-1).reshape(-1, 3)
    inner = 0.37 * (np.random.default_rng(1).random(grid.shape) - 0.5) * (np.abs(grid) < 9.0)
    points = grid + inner
    cells = Delaunay(points).simplices.astype(np.int64)
    edges = points[cells[:, 1:]] - points[cells[:, :1]]
    return points, cells[np.abs(np.linalg.det(edges)) > 1e-6]


def _domain(file: Path) -> MeshDomain:
    surfaces = [{"tag": 2, "name": "tip", "roles": ["active"]}]
    regions = [{"tag": 1, "name": "all", "tissue": "liver"}]
    table = {"kind": "mesh", "file": str(file), "length_unit": "mm", "regions": regions, "surfaces": surfaces}
    return MeshDomain.model_validate(table)


def _read(file: Path, points: Any, cells: Any) -> MeshData:
    facets = cells[:1, :3]
    data = [np.full(len(cells), 1), np.full(len(facets), 2)]
    meshio.Mesh(points, {"tetra": cells, "triangle": facets}, cell_data={"cell_tags": data}).write(file)
    return read_mesh(_domain(file))


def test_a_sound_mesh_passes_in_either_orientation(tmp_path: Path) -> None:
    points, cells = _cube()
    volume = np.abs(np.linalg.det(points[cells[:, 1:]] - points[cells[:, :1]])).sum() / 6.0
    assert volume == pytest.approx(8000.0)
    cells[::2] = cells[::2][:, [1, 0, 2, 3]]
    assert len(_read(tmp_path / "mesh.vtu", points, cells).cells) == len(cells)


def test_a_node_pulled_through_its_neighbours_is_refused(tmp_path: Path) -> None:
    points, cells = _cube()
    points[np.linalg.norm(points, axis=1).argmin()] += [14.0, 0.0, 0.0]
    with pytest.raises(MeshError, match=r"mesh.vtu: \d+ of \d+ cells lie on the same side of a facet"):
        _read(tmp_path / "mesh.vtu", points, cells)


def test_two_meshes_in_one_another_are_refused(tmp_path: Path) -> None:
    points, cells = _cube()
    both = np.vstack([cells, cells + len(points)])
    with pytest.raises(MeshError, match=r"cells \(of \d+ tested\) lie inside other cells"):
        _read(tmp_path / "mesh.vtu", np.vstack([points, points + [7.0, 3.0, 1.0]]), both)
    apart = np.vstack([points, points + [25.0, 0.0, 0.0]])
    assert len(_read(tmp_path / "apart.vtu", apart, both).cells) == len(both)


def test_a_facet_of_three_cells_is_refused(tmp_path: Path) -> None:
    points, cells = _cube()
    facet = cells[0, :3]
    far = len(points)
    extra = [[*facet, far], [*facet, far + 1]]
    with pytest.raises(MeshError, match="facets belong to three cells or more"):
        _read(tmp_path / "mesh.vtu", np.vstack([points, [[40, 3, 5], [-40, 2, 1]]]), np.vstack([cells, extra]))


@pytest.mark.parametrize("how", ["repeated node", "flat"])
def test_a_cell_without_volume_is_refused(tmp_path: Path, how: str) -> None:
    points, cells = _cube()
    extra = [0, 0, 1, 3] if how == "repeated node" else [far := len(points), far + 1, far + 2, far + 3]
    flat = [[30, 0, 0], [31, 0, 0], [30, 1, 0], [31, 1, 0]]
    with pytest.raises(MeshError, match="1 of .* cells have no volume"):
        _read(tmp_path / "mesh.vtu", np.vstack([points, flat]), np.vstack([cells, [extra]]))


def test_a_degenerate_triangle_of_the_half_plane_is_refused(tmp_path: Path) -> None:
    points = np.array([[0, 0, 0], [10, 0, 0], [10, 10, 0], [0, 10, 0], [20, 10, 0]], dtype=float)
    cells = np.array([[0, 1, 2], [0, 2, 3], [3, 2, 4]])
    mesh = meshio.Mesh(points, {"triangle": cells, "line": cells[:1, :2]}, cell_data={"cell_tags": [[1, 1, 1], [2]]})
    mesh.write(tmp_path / "mesh.vtu")
    domain = _domain(tmp_path / "mesh.vtu").model_copy(update={"axisymmetric": True})
    with pytest.raises(MeshError, match="1 of 3 cells have no volume"):
        read_mesh(domain)


@pytest.mark.parametrize(
    "suffix", [".inp", ".vtu", ".vtk", ".stl", ".med", ".xdmf", ".msh", ".mesh", ".unknown", ".h5m"]
)
@pytest.mark.parametrize(
    "text", ["", "garbage\n1 2 3\n", "*NODE\n1, 2\n*ELEMENT, TYPE=C3D4\nx\n", "solid\nfacet normal 0 0"]
)
def test_garbage_is_no_mesh_and_the_reason_is_told(tmp_path: Path, suffix: str, text: str) -> None:
    file = tmp_path / f"mesh{suffix}"
    file.write_text(text)
    with pytest.raises(MeshError) as caught:
        read_mesh(_domain(file))
    said = str(caught.value)
    assert file.name in said and not said.rstrip().endswith(":") and " ()" not in said, said


def test_an_stl_surface_has_no_cells(tmp_path: Path) -> None:
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0]], dtype=float)
    meshio.Mesh(points, {"triangle": np.array([[0, 1, 2], [0, 1, 3], [0, 0, 0]])}).write(tmp_path / "mesh.stl")
    with pytest.raises(MeshError, match="tag"):
        read_mesh(_domain(tmp_path / "mesh.stl"))


def test_cells_of_nodes_that_are_not_there_are_refused(tmp_path: Path) -> None:
    points, cells = _cube()
    with pytest.raises(MeshError, match="refer to nodes that the file does not define"):
        _read(tmp_path / "mesh.mesh", points[:-1], cells)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_a_damaged_mesh_of_the_cache_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: float
) -> None:
    from rfablate.mesh.build import make_mesh

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    case = load_case(DATA, ["structures=[]", "applicators.0.tip_shape=blunt", "domain.kind=axisymmetric"])
    cells = len(make_mesh(case).cells)
    (file,) = (tmp_path / "rfablate" / "meshes").glob("*.h5")
    data = file.read_bytes()
    for spoilt in (data[: int(kept * len(data))], data[: int(kept * len(data))] + b"x" * 100 + data[-500:]):
        file.write_bytes(spoilt)
        assert len(make_mesh(case).cells) == cells
