"""Gmsh mesh files are read like by Gmsh, without Gmsh, and no file executes commands.

| law                                                                 | allowed          |
|---------------------------------------------------------------------|------------------|
| MSH 2.2 and 4.1, ASCII and binary: nodes, cells, groups as in Gmsh  | equal            |
| a script in place of, inside, behind or beside a mesh               | is not executed  |
| a damaged file, cut at any byte                                     | MeshError        |
"""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from meshes.void_needle import MshFormat, write_needle
from rfablate.cli.main import main
from rfablate.errors import MeshError
from rfablate.mesh.gmsh_session import gmsh_session
from rfablate.mesh.msh_reader import read_msh
from rfablate.mesh.user_mesh import read_mesh
from tests.physics.test_user_mesh import case_of, table

FORMATS = [(2.2, False), (2.2, True), (4.1, False), (4.1, True)]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[float, bool], Path]:
    """The same mesh in every variant of the format."""
    folder = tmp_path_factory.mktemp("msh")
    found = {}
    for version, binary in FORMATS:
        found[version, binary] = folder / f"{version}-{'binary' if binary else 'ascii'}.msh"
        write_needle(found[version, binary], tip_size=0.6, form=MshFormat(version, binary))
    return found


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_is_read_as_gmsh_reads_it(files: dict[tuple[float, bool], Path], form: tuple[float, bool]) -> None:
    import gmsh

    raw = read_msh(files[form], 3)
    assert raw.names == {(3, "tissue"): 1, (3, "lens"): 2, (2, "active"): 1, (2, "shaft"): 2, (2, "outer"): 3}
    with gmsh_session():
        gmsh.open(str(files[form]))
        tags, points, _ = gmsh.model.mesh.getNodes()
        where = {int(tag): point for tag, point in zip(tags, points.reshape(-1, 3), strict=True)}
        for dim, simplices in ((3, raw.cells), (2, raw.facets)):
            for _, group in gmsh.model.getPhysicalGroups(dim):
                expected = [
                    np.array([where[int(tag)] for tag in nodes]).reshape(-1, dim + 1, 3)
                    for entity in gmsh.model.getEntitiesForPhysicalGroup(dim, group)
                    for nodes in gmsh.model.mesh.getElements(dim, entity)[2]
                ]
                read = raw.points[simplices.simplices[simplices.tags == group]]
                assert len(read) > 10
                assert np.array_equal(read, np.concatenate(expected))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("seed", range(10))
def test_a_file_that_ends_too_early_is_refused(
    files: dict[tuple[float, bool], Path], form: tuple[float, bool], seed: int, tmp_path: Path
) -> None:
    data = files[form].read_bytes()
    file = tmp_path / "cut.msh"
    file.write_bytes(data[: random.Random(seed).randrange(len(data) - 20)])
    with pytest.raises(MeshError, match=r"cut\.msh"):
        read_mesh(case_of(table(file)).domain)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(20))
def test_a_file_with_bytes_changed_ends_in_a_mesh_or_a_mesh_error(
    files: dict[tuple[float, bool], Path], seed: int, tmp_path: Path
) -> None:
    rng = random.Random(seed)
    data = bytearray(files[FORMATS[seed % 4]].read_bytes())
    for _ in range(20):
        data[rng.randrange(2000 if seed % 2 else len(data))] = rng.randrange(256)
    file = tmp_path / "changed.msh"
    file.write_bytes(data)
    try:
        read_mesh(case_of(table(file)).domain)  # type: ignore[arg-type]
    except MeshError as error:
        assert len(str(error)) < 1000


# --- no mesh file runs commands ------------------------------------------------------------

HEADER = "$MeshFormat\n4.1 0 8\n$EndMeshFormat\n"
SCRIPTS = {
    "bare script": ("m.msh", "{command}\n"),
    "script behind a valid header": ("m.msh", HEADER + "{command}\n"),
    "script behind a whole mesh": ("m.msh", "{mesh}\n{command}\n"),
    "script before a mesh": ("m.msh", "{command}\n{mesh}"),
    "script in a section": ("m.msh", HEADER + "$Nodes\n{command}\n$EndNodes\n"),
    "suffix in capitals": ("m.MSH", "{command}\n"),
    "geo": ("m.geo", "{command}\n"),
    "geo_unrolled": ("m.geo_unrolled", "{command}\n"),
    "pos": ("m.pos", '{command}\nView "a" {{ }};\n'),
    "no mesh suffix": ("m.mesh", "{command}\n"),
}


@pytest.mark.parametrize("way", SCRIPTS)
def test_a_script_is_never_executed(
    files: dict[tuple[float, bool], Path], way: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reader rejects the file, and the file that the script would create does not exist."""
    mark = tmp_path / "executed"
    name, text = SCRIPTS[way]
    file = tmp_path / name
    command = f'SystemCall "touch {mark}";'
    file.write_text(text.format(command=command, mesh=files[4.1, False].read_text()))
    with pytest.raises(MeshError):
        read_mesh(case_of(table(file)).domain)  # type: ignore[arg-type]
    assert not mark.exists()


@pytest.mark.parametrize("verb", ["run", "mesh"])
def test_a_script_beside_a_mesh_is_never_executed(
    files: dict[tuple[float, bool], Path], verb: str, tmp_path: Path
) -> None:
    """Gmsh merges FILE.opt when it opens FILE, and .gmshrc from the home folder when it starts."""
    mark = tmp_path / "executed"
    file = tmp_path / "needle.msh"
    file.write_bytes(files[4.1, False].read_bytes())
    (tmp_path / "needle.msh.opt").write_text(f'SystemCall "touch {mark}";')
    case = tmp_path / "case.toml"
    case.write_text(CASE.format(file=file.name))
    assert main([verb, str(case), "-o", str(tmp_path / "out")]) == 0
    assert not mark.exists()


@pytest.mark.parametrize("verb", ["run", "mesh"])
def test_the_command_line_refuses_a_script(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mark = tmp_path / "executed"
    (tmp_path / "needle.msh").write_text(f'SystemCall "touch {mark}";')
    case = tmp_path / "case.toml"
    case.write_text(CASE.format(file="needle.msh"))
    assert main([verb, str(case), "-o", str(tmp_path / "out")]) == 3
    assert "does not begin with $MeshFormat" in capsys.readouterr().err
    assert not mark.exists()


CASE = """
[domain]
kind = "mesh"
file = "{file}"
length_unit = "mm"
regions = [
  {{ tag = "tissue", name = "tissue", tissue = "liver" }},
  {{ tag = "lens", name = "lens", tissue = "fat", role = "target" }},
]
surfaces = [
  {{ tag = "active", name = "active_tip", roles = ["active"] }},
  {{ tag = "outer", name = "outer", roles = ["return", "body_temperature"] }},
]
[[applicators]]
outer_diameter_mm = 0.9
active_tip_mm = 10
tip_mm = [0, 0, -5]
sensor_offset_mm = 0.0
[generator]
kind = "temperature"
target_degC = 60
ramp_s = 1
hold_s = 1
[output]
report = false
error_bar = false
"""
