"""The electrode in a user's mesh is that of the case, or `check` and `run` refuse the case alike.

| law                                                                         | allowed                            |
|-----------------------------------------------------------------------------|------------------------------------|
| tip, axis, diameter, length of a meshed cylinder, whole, half or a quarter  | 0.01 mm, 0.1 degrees               |
| the same with a bevelled or conical tip, bent, or in the half plane         | 0.02 mm, 0.5 degrees               |
| one value off by more than its tolerance                                    | refused with both values and key   |
| one value off by less                                                       | accepted                           |
| sphere, plate                                                               | no needle: only the place counts   |
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial import ConvexHull

from meshes.sphere import Ball, write_sphere
from meshes.void_needle import write_needle
from rfablate.case.geometry.applicator_axes import applicator_frame
from rfablate.cli.main import main
from rfablate.errors import CaseError
from rfablate.evidence.verification_problems import HEATED, MeshSource, mesh_case
from rfablate.mesh.electrode_fit import active_patches, needle_of
from rfablate.mesh.electrode_match import refuse_other_electrode
from rfablate.mesh.generate import generate_mesh
from rfablate.mesh.mesh_data import MeshData
from rfablate.mesh.user_mesh import read_mesh
from tests.physics.test_user_mesh import case_of, table

FloatArray = npt.NDArray[np.float64]
RADIUS, LENGTH = 0.45e-3, 5e-3


def grid(across: FloatArray, along: FloatArray) -> FloatArray:
    """Return the triangles of a surface of points, shape (rows, columns, 3), whose rows and columns are given."""
    a, b = np.meshgrid(np.arange(len(along) - 1), np.arange(len(across) - 1), indexing="ij")
    corner = [np.stack([a + i, b + j], axis=2).reshape(-1, 2) for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))]
    return np.concatenate([np.stack([corner[n] for n in each], axis=1) for each in ((0, 1, 2), (0, 2, 3))])


def cylinder(slope: float = 0.0, shape: str = "blunt", part: float = 1.0, count: int = 12) -> FloatArray:
    """Return the facets of a needle from its tip at 0 along z; `slope`: tangent of the angle of its tip face."""
    turn = np.linspace(0.0, 2 * np.pi * part, max(3, int(count * part)) + 1)
    along = np.linspace(0.0, 1.0, 15)
    x, y = RADIUS * np.cos(turn), RADIUS * np.sin(turn)
    start = {"blunt": 0.0 * x, "bevel": (x + RADIUS) / max(slope, 1e-9), "conical": 0.0 * x + RADIUS / max(slope, 1e-9)}
    low = start[shape]
    points = np.stack([np.stack([x, y, low + s * (LENGTH - low)], axis=1) for s in along])
    cells = grid(turn, along)
    side = points[cells[..., 0], cells[..., 1]]
    apex = np.array([0.0, 0.0, 0.0 if shape != "bevel" else RADIUS / slope])
    rim = points[0]
    face = np.stack([np.broadcast_to(apex, (len(rim) - 1, 3)), rim[:-1], rim[1:]], axis=1)
    return np.concatenate([side, face])


def moved(corners: FloatArray, tip: FloatArray, turn: FloatArray) -> FloatArray:
    return corners @ turn.T + tip


def rotation(seed: int) -> FloatArray:
    """Return a random rotation that keeps z within 60 degrees of itself."""
    rng = np.random.default_rng(seed)
    while True:
        turn, upper = np.linalg.qr(rng.standard_normal((3, 3)))
        turn = turn * np.sign(np.diag(upper))
        turn[:, 0] *= np.linalg.det(turn)
        if turn[2, 2] > 0.5:
            return np.asarray(turn)


SHAPES = [("blunt", 90.0, 1.0), ("blunt", 90.0, 0.5), ("blunt", 90.0, 0.25), ("bevel", 30.0, 1.0),
          ("bevel", 15.0, 1.0), ("conical", 20.0, 1.0)]  # fmt: skip


@pytest.mark.parametrize(("shape", "angle", "part"), SHAPES)
@pytest.mark.parametrize("seed", range(4))
def test_a_meshed_needle_is_found_in_any_pose(shape: str, angle: float, part: float, seed: int) -> None:
    slope = float(np.tan(np.radians(angle)))
    face = {"blunt": 0.0, "bevel": 2 * RADIUS / slope, "conical": RADIUS / slope}[shape]
    turn, tip = rotation(seed), np.array([3e-3, -2e-3, 1e-3]) * seed
    found = needle_of(moved(cylinder(slope, shape, part), tip, turn), face)
    assert found is not None and found.is_round
    assert np.degrees(np.arccos(min(1.0, found.axis @ turn[:, 2]))) < 0.1
    assert np.linalg.norm(found.tip - tip) < 1e-5
    assert found.diameter == pytest.approx(2 * RADIUS, abs=1e-5)
    assert found.length == pytest.approx(LENGTH, abs=1e-5)


def test_a_bent_needle_is_found_in_its_own_coordinates() -> None:
    needle = {"outer_diameter_mm": 2e3 * RADIUS, "active_tip_mm": 1e3 * LENGTH, "tip_mm": [1, 2, 3],
              "direction": [1, 0, 1], "bend": {"angle_deg": 25}}  # fmt: skip
    frame = applicator_frame(case_of({**table(Path(__file__)), "applicators": [needle]}).applicators[0])
    points = frame.at(*cylinder().reshape(-1, 3).T)
    found = needle_of(frame.coordinates(points).reshape(-1, 3, 3))
    assert found is not None and found.is_round
    assert np.linalg.norm(found.tip) < 2e-5 and found.axis[2] > np.cos(np.radians(0.5))
    straight = needle_of(points.reshape(-1, 3, 3))
    assert straight is None or not straight.is_round


@pytest.mark.parametrize(
    "keys",
    [
        {"tip_shape": "bevel", "bevel_angle_deg": 15, "sensor_offset_mm": 2},
        {"tip_shape": "bevel", "bend": {"angle_deg": 25}},
        {"tip_shape": "bevel", "active_tip_mm": 2, "sensor_offset_mm": 1.5},
    ],
)
def test_a_generated_needle_fits_its_own_case(keys: dict[str, Any], tmp_path: Path) -> None:
    """Even if nothing is known of its bevel."""
    needle = {"outer_diameter_mm": 0.7, "active_tip_mm": 5, "tip_mm": [1, 2, 3], "direction": [0.3, 0.2, 1], **keys}
    domain = {"kind": "cylinder", "radius_mm": 30, "height_mm": 60, "tissue": "muscle"}
    generator = {"kind": "temperature", "target_degC": 60, "ramp_s": 1, "hold_s": 1}
    case = case_of({"domain": domain, "applicators": [needle], "generator": generator, "mesh": {"accuracy": "draft"}})
    mesh, (applicator,) = generate_mesh(case, tmp_path / "needle.brep"), case.applicators
    (patch,) = active_patches(mesh)
    found = needle_of(applicator_frame(applicator).coordinates(patch.corners.reshape(-1, 3)).reshape(-1, 3, 3))
    assert found is not None and found.is_round
    assert found.axis[2] > np.cos(np.radians(0.5)) and np.linalg.norm(found.tip) < 5e-5
    assert found.diameter == pytest.approx(applicator.outer_diameter, rel=0.01)
    assert found.length == pytest.approx(applicator.active_tip, rel=0.01)


def test_spheres_and_plates_are_no_needles() -> None:
    azimuth, polar = np.linspace(0, 2 * np.pi, 13), np.linspace(0.0, np.pi, 9)
    cells = grid(azimuth, polar)
    p, a = polar[:, None], azimuth[None]
    ball = np.stack([np.sin(p) * np.cos(a), np.sin(p) * np.sin(a), np.cos(p) + 0.0 * a], axis=2)
    assert needle_of(1e-3 * ball[cells[..., 0], cells[..., 1]]) is None
    plate = np.stack(np.meshgrid(np.linspace(0, 1, 5), np.linspace(0, 3, 7), [0.0], indexing="ij"), axis=-1)[:, :, 0]
    cells = grid(np.arange(7.0), np.arange(5.0))
    assert needle_of(1e-2 * plate[cells[..., 0], cells[..., 1]]) is None


# --- the case against the mesh --------------------------------------------------------------------


@pytest.fixture(scope="module")
def needle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mesh") / "needle.msh"
    write_needle(path, tip_size=0.3)
    return path


@pytest.fixture(scope="module")
def mesh(needle: Path) -> MeshData:
    return read_mesh(case_of(table(needle)).domain)  # type: ignore[arg-type]


def changed(needle: Path, keys: dict[str, Any]) -> dict[str, Any]:
    data = table(needle)
    data["applicators"][0].update(keys)
    return data


REFUSED: list[tuple[dict[str, Any], list[str]]] = [
    ({"tip_mm": [0, 0, 7]}, ["applicators[0].tip_mm: found [0, 0, 7] mm", "needle.msh ends at [0, 0, -5] mm"]),
    ({"tip_mm": [0.8, 0, -5]}, ["applicators[0].tip_mm: found [0.8, 0, -5] mm", "ends at [0, 0, -5] mm"]),
    ({"direction": [0, 0, -1]}, ["applicators[0].tip_mm", "ends at [0, 0, 5] mm"]),
    ({"direction": [0, 0.1051, 1]}, ["applicators[0].direction: found [0, 0.105", "along [0, 0, 1], 6 degrees"]),
    ({"outer_diameter_mm": 0.7}, ["applicators[0].outer_diameter_mm: found 0.7", "is 0.9 mm wide"]),
    ({"active_tip_mm": 5}, ["applicators[0].active_tip_mm: found 5", "is 10 mm long"]),
    ({"active_tip_mm": 14, "outer_diameter_mm": 2}, ["active_tip_mm: found 14", "outer_diameter_mm: found 2"]),
]


@pytest.mark.parametrize(("keys", "said"), REFUSED, ids=[str(keys) for keys, _ in REFUSED])
def test_an_electrode_other_than_the_mesh_has_is_refused(
    needle: Path, mesh: MeshData, keys: dict[str, Any], said: list[str]
) -> None:
    with pytest.raises(CaseError) as caught:
        refuse_other_electrode(case_of(changed(needle, keys)), mesh)
    for part in said:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "keys",
    [{}, {"tip_mm": [0.3, 0, -5.3]}, {"direction": [0, 0.07, 1]}, {"outer_diameter_mm": 1.0}, {"active_tip_mm": 9}],
)
def test_differences_below_the_tolerances_are_accepted(needle: Path, mesh: MeshData, keys: dict[str, Any]) -> None:
    refuse_other_electrode(case_of(changed(needle, keys)), mesh)


def test_a_wrong_unit_is_named(needle: Path) -> None:
    """In cm the needle would be 9 mm thick and the domain 0.4 m wide, which a domain may be."""
    case = case_of(table(needle, unit="cm"))
    with pytest.raises(CaseError, match='domain.length_unit = "mm": diameter and length are 10 times') as caught:
        refuse_other_electrode(case, read_mesh(case.domain))  # type: ignore[arg-type]
    assert len(caught.value.faults) == 3


@pytest.mark.parametrize("octant", [False, True], ids=["half plane", "octant"])
def test_a_spherical_electrode_is_compared_by_its_place(tmp_path: Path, octant: bool) -> None:
    file = tmp_path / "sphere.msh"
    write_sphere(file, Ball(electrode=0.5, outer=20.0, size=0.15, growth=0.3), octant=octant)
    source = MeshSource(file, axisymmetric=not octant)
    case = mesh_case(HEATED, mesh=source)
    mesh = read_mesh(case.domain)  # type: ignore[arg-type]
    refuse_other_electrode(case, mesh)
    far = mesh_case(HEATED, mesh=source, applicator={"tip_mm": [0.0, 0.0, 12.0]})
    with pytest.raises(CaseError, match=r"applicators\[0\].tip_mm: found \[0, 0, 12\] mm; .* lies 11.5 mm away"):
        refuse_other_electrode(far, mesh)


def test_one_of_two_active_needles_may_be_the_applicator(needle: Path, mesh: MeshData) -> None:
    """The second needle, 8 mm aside, has another length: the applicator is either, but nothing in between."""
    moved_points = mesh.points * [1.0, 1.0, 0.5] + [8e-3, 0.0, 0.0]
    pair = MeshData(
        np.vstack([mesh.points, moved_points]),
        np.vstack([mesh.cells, mesh.cells + len(mesh.points)]),
        np.concatenate([mesh.region, mesh.region]),
        mesh.region_names,
        {"active": np.vstack([mesh.surfaces["active"], mesh.surfaces["active"] + len(mesh.points)])},
        False,
    )
    refuse_other_electrode(case_of(table(needle)), pair)
    refuse_other_electrode(case_of(changed(needle, {"tip_mm": [8, 0, -2.5], "active_tip_mm": 5})), pair)
    with pytest.raises(CaseError, match="tip_mm"):
        refuse_other_electrode(case_of(changed(needle, {"tip_mm": [4, 0, -5]})), pair)


# --- the command line -----------------------------------------------------------------------------

CASE = """
[domain]
kind = "mesh"
file = "needle.msh"
length_unit = "mm"
regions = [
  { tag = "tissue", name = "tissue", tissue = "liver" },
  { tag = "lens", name = "lens", tissue = "fat", role = "target" },
]
surfaces = [
  { tag = "active", name = "active_tip", roles = ["active"] },
  { tag = "outer", name = "outer", roles = ["return", "body_temperature"] },
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


@pytest.fixture
def file(needle: Path, tmp_path: Path) -> Path:
    (tmp_path / "needle.msh").write_bytes(needle.read_bytes())
    (tmp_path / "case.toml").write_text(CASE)
    return tmp_path / "case.toml"


MOVED = ["--set", "applicators.0.tip_mm=[0,0,7]"]


@pytest.mark.parametrize("verb", ["check", "run", "mesh"])
def test_a_tip_12_mm_from_the_needle_is_refused(file: Path, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Such a run once reported a reached target with a hottest point of 616.9 degC."""
    out = file.parent / "out"
    assert main([verb, str(file), *MOVED, *([] if verb == "check" else ["-o", str(out)])]) == 2
    said = capsys.readouterr().err
    assert "applicators[0].tip_mm: found [0, 0, 7] mm; the active surface of needle.msh ends at [0, 0, -5] mm" in said
    assert not out.exists()


def test_check_describes_the_mesh(file: Path, mesh: MeshData, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {words[0]: words for line in lines if len(words := line.split()) > 4}
    assert rows["tissue"][1:4] == ["tissue", "liver", str(int((mesh.region == 1).sum()))]
    lens = 1e3 * mesh.points[np.unique(mesh.cells[mesh.region == 2])]
    whole = np.pi * 20.0**2 * 40.0 - np.pi * 0.45**2 * 25.0
    assert float(rows["lens"][4]) == pytest.approx(ConvexHull(lens).volume, rel=0.01)
    assert float(rows["tissue"][4]) + float(rows["lens"][4]) == pytest.approx(whole, rel=0.03)
    active = 2 * np.pi * 0.45 * 10.0 + np.pi * 0.45**2
    assert float(rows["active_tip"][4]) == pytest.approx(active, rel=0.05)
    assert f"{len(mesh.cells)} tetrahedra" in " ".join(lines)
    assert any("worst quality" in line for line in lines) and lines[-1] == "no faults"


@pytest.mark.parametrize("verb", ["check", "run"])
@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (('tag = "lens"', 'tag = "lense"'), 3, "no physical group 'lense'"),
        (('"outer", name', '"outside", name'), 3, "no physical group 'outside'"),
        (('length_unit = "mm"', 'length_unit = "m"'), 3, "domain.length_unit"),
        (("sensor_offset_mm = 0.0", "sensor_offset_mm = 14.0"), 3, "temperature sensor: the point (0, 0, 9) mm"),
        (('length_unit = "mm"', 'length_unit = "cm"'), 2, 'domain.length_unit = "mm"'),
    ],
)
def test_check_refuses_what_run_refuses(
    file: Path, verb: str, change: tuple[str, str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert change[0] in CASE
    file.write_text(CASE.replace(*change))
    out = file.parent / "out"
    assert main([verb, str(file), *(["-o", str(out)] if verb == "run" else [])]) == code
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_check_opens_the_mesh_without_the_solver(file: Path) -> None:
    """On a laptop without DOLFINx, MPI and Gmsh."""
    code = (
        "import sys\nfor name in 'dolfinx ufl basix ffcx petsc4py mpi4py gmsh'.split(): sys.modules[name] = None\n"
        "from rfablate.cli.main import main\nsys.exit(main(sys.argv[1:]))"
    )
    root = Path(__file__).parents[2]
    for keys, status in (([], 0), (MOVED, 2)):
        words = [sys.executable, "-c", code, "check", str(file), *keys]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, cwd=root)
        assert done.returncode == status, done.stderr
