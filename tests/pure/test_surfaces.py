"""Surfaces are read, measured and placed; those that bound no body are faults of the case, with their place.

| law                                                                      | allowed      |
|--------------------------------------------------------------------------|--------------|
| volume, extent and thickness of a fine sphere                            | 0.5 %        |
| signed distance to a box, near its faces, edges and corners              | 1e-9 mm      |
| side of points next to a torus, against its formula                      | every one    |
| a rotation of 90 degrees about each axis                                 | exact        |
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvista

from rfablate.case.checks.all_checks import case_warnings
from rfablate.case.describe.case_text import describe_case
from rfablate.case.read.case_file import dump_case, load_case, parse_case
from rfablate.case.tables.file_structures import Surface
from rfablate.case.tables.shape_math import box_distance, spread_points
from rfablate.case.tables.surface_shapes import rotation, surface_volume
from rfablate.case.tables.triangle_distance import SignedDistance
from rfablate.case.tables.triangle_surface import TriangleSurface
from rfablate.errors import CaseError
from tests.phantom import RADIUS, surfaces_case


def ball(radius: float = 3.4, centre: tuple[float, float, float] = (0, 0, 0), nsub: int = 2) -> TriangleSurface:
    sphere = pyvista.Icosphere(radius=radius, center=centre, nsub=nsub)
    return TriangleSurface(np.asarray(sphere.points, dtype=float), sphere.faces.reshape(-1, 4)[:, 1:].astype(np.int64))


def write(file: Path, *parts: TriangleSurface, scale: float = 1.0) -> Path:
    """Write a text STL file as it is: other writers turn triangles."""
    lines = ["solid body"]
    for corners in np.concatenate([part.corners for part in parts]) * scale:
        vertices = [f"vertex {x:.9g} {y:.9g} {z:.9g}" for x, y, z in corners]
        lines += ["facet normal 0 0 0", "outer loop", *vertices, "endloop", "endfacet"]
    file.write_text("\n".join([*lines, "endsolid body", ""]))
    return file


def case_of(file: Path, **keys: Any) -> dict[str, Any]:
    return {
        "title": "surface",
        "domain": {"kind": "box", "size_mm": [40, 40, 40], "tissue": "muscle"},
        "structures": [
            {"name": "tumour", "kind": "surface", "file": str(file), "length_unit": "mm", "tissue": "liver", **keys}
        ],
        "applicators": [{"model": "cannula-20g-5mm"}],
        "generator": {"kind": "temperature", "target_degC": 80, "hold_s": 60},
    }


def faults(file: Path, **keys: Any) -> list[tuple[str, str, str]]:
    """Return place, finding and suggestion of the faults of a case with the surface."""
    try:
        parse_case(case_of(file, **keys))
    except CaseError as error:
        return [(each.where, each.found, each.suggestion) for each in error.faults]
    return []


def flipped(surface: TriangleSurface, own: slice = slice(None)) -> TriangleSurface:
    triangles = surface.triangles.copy()
    triangles[own] = triangles[own][:, ::-1]
    return TriangleSurface(surface.points, triangles)


PLY = """ply
format ascii 1.0
element vertex 3
property float x
property float y
property float z
element face 1
property list uchar int vertex_indices
end_header
0 0 0
1 0 0
0 1 0
3 0 1 2
"""


# --- geometry -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".stl", ".ply", ".obj", ".vtp"])
def test_all_formats_give_the_same_body(suffix: str, tmp_path: Path) -> None:
    case = parse_case(surfaces_case(tmp_path, suffix=suffix), tmp_path)
    sphere, tube = case.structures
    assert isinstance(sphere, Surface) and isinstance(tube, Surface)
    assert surface_volume(sphere) * 1e9 == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=0.005)
    assert surface_volume(tube) * 1e9 == pytest.approx(np.pi * 1.25**2 * 12.0, rel=0.005)
    assert sphere.thinnest() * 1e3 == pytest.approx(2 * RADIUS, rel=0.01)
    assert tube.thinnest() * 1e3 == pytest.approx(2.5, rel=0.02)


def test_distances_to_a_box_are_exact_near_it() -> None:
    solid = pyvista.Box((-3, 3, -2, 2, -0.5, 0.5)).triangulate().clean()
    surface = TriangleSurface(np.asarray(solid.points, dtype=float), solid.faces.reshape(-1, 4)[:, 1:].astype(np.int64))
    surface = surface if surface.volume > 0 else flipped(surface)
    points = np.random.default_rng(1).uniform([-3.3, -2.3, -0.8], [3.3, 2.3, 0.8], (4000, 3))
    exact = box_distance(points, np.array([3.0, 2.0, 0.5]))
    near = np.abs(exact) < 0.3
    found = SignedDistance(surface)(points)
    # inside near an edge the formula is exact too: the nearest face
    assert np.abs(found - exact)[near].max() < 1e-9
    assert np.array_equal(SignedDistance(surface).inside(points), exact <= 0.0)


def test_the_side_of_points_near_a_torus(tmp_path: Path) -> None:
    """A body with a hole, whose surface is concave in places."""
    u, v = np.meshgrid(np.arange(96) * 2 * np.pi / 96, np.arange(48) * 2 * np.pi / 48, indexing="ij")
    ring = 4.0 + np.cos(v)
    points = np.stack([ring * np.cos(u), ring * np.sin(u), np.sin(v)], axis=-1).reshape(-1, 3)
    i, j = (each.ravel() for each in np.meshgrid(np.arange(96), np.arange(48), indexing="ij"))
    a, b = i * 48 + j, (i + 1) % 96 * 48 + j
    c, d = (i + 1) % 96 * 48 + (j + 1) % 48, i * 48 + (j + 1) % 48
    surface = TriangleSurface(points, np.concatenate([np.column_stack([a, b, c]), np.column_stack([a, c, d])]))
    x = np.random.default_rng(2).uniform([-5.5, -5.5, -1.5], [5.5, 5.5, 1.5], (20_000, 3))
    exact = np.hypot(np.hypot(x[:, 0], x[:, 1]) - 4.0, x[:, 2]) - 1.0
    sure = np.abs(exact) > 0.01  # the triangles are up to 0.005 mm inside the torus
    assert np.array_equal(SignedDistance(surface).inside(x)[sure], (exact <= 0.0)[sure])


def test_a_rotation_turns_x_to_y_to_z() -> None:
    x, y, z = np.eye(3)
    assert np.array_equal(rotation((0, 0, 90)) @ x, y)
    assert np.array_equal(rotation((90, 0, 0)) @ y, z)
    assert np.array_equal(rotation((0, 90, 0)) @ z, x)
    assert np.array_equal(rotation((0, 0, 180)) @ [1, 2, 3], [-1, -2, 3])
    assert np.allclose(rotation((30, 0, 90)), rotation((0, 0, 90)) @ rotation((30, 0, 0)))


def test_a_surface_is_scaled_rotated_then_moved(tmp_path: Path) -> None:
    file = write(tmp_path / "t.stl", ball(1.0, (5, 0, 0)), scale=0.1)
    case = parse_case(case_of(file, length_unit="cm", rotate_deg=[0, 0, 90], translate_mm=[1, 0, 2]))
    middle = case.structures[0].bounds().mean(axis=0) * 1e3
    assert middle == pytest.approx([1, 5, 2], abs=1e-6)
    samples = case.structures[0].samples(spread_points(1000), np.zeros((2, 3)))
    assert case.structures[0].contains(samples).all() and len(samples) > 900


# --- faults -------------------------------------------------------------------------------------------


def test_a_sound_surface_passes_and_is_described(tmp_path: Path) -> None:
    case = parse_case(case_of(write(tmp_path / "tumour.stl", ball())))
    assert case_warnings(case) == []
    assert "tumour.stl  tumour  320" in describe_case(case)


def test_an_open_surface_is_named_with_its_hole_and_closed_on_request(tmp_path: Path) -> None:
    whole = ball()
    corner = int(np.flatnonzero(np.bincount(whole.triangles.ravel()) == 5)[0])  # a corner of the icosahedron
    cut = TriangleSurface(whole.points, whole.triangles[(whole.triangles != corner).all(axis=1)])
    file = write(tmp_path / "t.stl", cut)
    ((where, found, hint),) = faults(file)
    assert where == 'structures[0] "tumour".file' and "repair = true" in hint
    assert "it is open: a hole of 5 edges" in found
    at = [float(x) for x in found.split("(")[1].split(")")[0].split(",")]
    assert np.linalg.norm(at - whole.points[corner]) < 0.5
    case = parse_case(case_of(file, repair=True))
    assert surface_volume(case.structures[0]) == pytest.approx(whole.volume * 1e-9, rel=0.01)  # type: ignore[arg-type]
    assert any("a hole of 5 edges closed" in each for each in case_warnings(case))


@pytest.mark.parametrize(
    ("parts", "words", "mended"),
    [
        ([flipped(ball())], "1 of 1 shells inside out: 1", "triangles turned"),
        ([flipped(ball(), slice(0, 30))], "30 of 320 triangles face the other way", "30 triangles turned"),
        ([ball(), ball()], "320 of 640 triangles occur twice", "320 repeated triangles removed"),
        ([ball(), ball(2.5)], "a shell inside another one that faces the same way", ""),
        ([ball(), ball(3.4, (3.0, 0.2, 0.1))], "triangles pass through others, at (", ""),
    ],
)
def test_unsound_surfaces_are_named_before_meshing(
    parts: list[TriangleSurface], words: str, mended: str, tmp_path: Path
) -> None:
    file = write(tmp_path / "t.stl", *parts)
    ((where, found, _),) = faults(file)
    assert where == 'structures[0] "tumour".file' and words in found
    if not mended:
        assert words in faults(file, repair=True)[0][1], "a repair does not decide what the body is"
        return
    case = parse_case(case_of(file, repair=True))
    assert any(mended in each for each in case_warnings(case))
    assert surface_volume(case.structures[0]) == pytest.approx(ball().volume * 1e-9, rel=1e-6)  # type: ignore[arg-type]


def test_a_cavity_and_separate_bodies_are_sound(tmp_path: Path) -> None:
    file = write(tmp_path / "t.stl", ball(), flipped(ball(2.0)), ball(1.0, (8, 0, 0)))
    assert faults(file) == []
    shape = parse_case(case_of(file)).structures[0]
    inside = shape.contains(np.array([[0, 0, 0], [3, 0, 0], [5, 0, 0], [8, 0, 0]]) * 1e-3)
    assert list(inside) == [False, True, False, True]


@pytest.mark.parametrize(
    ("unit", "scale", "suggested"), [("m", 1.0, '"mm": 6.8 mm'), ("mm", 1e-3, '"m": 6.8 mm'), ("mm", 1e3, '"um"')]
)
def test_a_wrong_unit_is_found(unit: str, scale: float, suggested: str, tmp_path: Path) -> None:
    file = write(tmp_path / "t.stl", ball(), scale=scale)
    found = {where: hint for where, _, hint in faults(file, length_unit=unit)}
    assert suggested in found['structures[0] "tumour".length_unit']


def test_files_that_are_no_surfaces(tmp_path: Path) -> None:
    whole = write(tmp_path / "t.stl", ball()).read_bytes()
    pyvista.Icosphere().save(tmp_path / "binary.stl")
    binary = (tmp_path / "binary.stl").read_bytes()
    for name, content, words in (
        ("a.stl", whole[:3000], "truncated"),
        ("b.stl", binary[:3000], "truncated or damaged"),
        ("c.stl", b"", "an empty file"),
        ("d.step", whole, "found"),
        ("e.stl", b"solid nothing\nendsolid nothing\n", "no triangles"),
        ("f.vtp", b"<VTKFile", "cannot be read"),
        ("h.ply", PLY.replace("3 0 1 2", "3 0 1 900000000").encode(), "the reader of VTK failed"),
        ("i.obj", b"v 0 0 0\nv 1 0 0\nf 1 2 99999999\n", "a triangle with the corner"),
        ("g.ply", b"ply\nformat ascii 1.0\nelement vertex 0\nend_header\n", "cannot be read"),
    ):
        (tmp_path / name).write_bytes(content)
        places = [(where, found) for where, found, _ in faults(tmp_path / name)]
        assert [where for where, _ in places] == ['structures[0] "tumour".file'], name
        assert words in places[0][1], name
    assert "No such file" in faults(tmp_path / "none.stl")[0][1]


def test_all_faults_of_a_case_are_told_beside_those_of_the_surface(tmp_path: Path) -> None:
    tables = case_of(write(tmp_path / "t.stl", flipped(ball())), flow={"velocity_m_per_s": 0.1}, tissue="livre")
    with pytest.raises(CaseError) as caught:
        parse_case(tables)
    places = {each.where.rpartition(".")[2] for each in caught.value.faults}
    assert {"file", "flow", "tissue"} <= places
    with pytest.raises(CaseError, match="a body of revolution"):
        parse_case({**case_of(write(tmp_path / "s.stl", ball())), "domain": _flat()})


def _flat() -> dict[str, Any]:
    return {"kind": "axisymmetric", "radius_mm": 20, "height_mm": 40, "tissue": "muscle"}


def test_a_case_written_to_a_run_reads_back(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    file = write(tmp_path / "own" / "t.stl", ball())
    (tmp_path / "own" / "case.toml").write_text(dump_case(parse_case(case_of(file, rotate_deg=[0, 10, 0]))))
    case = load_case(tmp_path / "own")
    assert load_case_text(dump_case(case), tmp_path) == case


def load_case_text(text: str, folder: Path) -> Any:
    (folder / "again.toml").write_text(text)
    return load_case(folder / "again.toml")


def test_triangles_that_only_touch_do_not_cross() -> None:
    """Two boxes side by side share a face in space, but not their corners."""
    from rfablate.case.tables.triangle_crossings import crossing_pairs

    side = pyvista.Box((0, 1, 0, 1, 0, 1)).triangulate()
    both = side.merge(side.translate((1.0, 0.25, 0.25)), merge_points=False).extract_surface(algorithm=None)
    surface = TriangleSurface(np.asarray(both.points, dtype=float), both.faces.reshape(-1, 4)[:, 1:].astype(np.int64))
    assert len(crossing_pairs(surface)) == 0
