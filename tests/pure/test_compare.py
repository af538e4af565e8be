"""Comparison of two runs: overlap and surface distance of spherical lesions agree with geometry."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rfablate.cli.main import main
from rfablate.comparison.case_diff import ABSENT, case_difference
from rfablate.comparison.number_deltas import pair_numbers
from rfablate.comparison.two_runs import LesionPairs, compare_runs
from rfablate.results.fields_file import FieldsFile, FieldsMesh
from rfablate.results.run_reader import load_run
from rfablate.results.summary_models import RunSummary
from tests.summaries import complete_run

ROOT = Path(__file__).parents[2]
RULES = ("isotherm_50C", "arrhenius")
HALF_MM = 7.0
CASE = """title = "Balls"
[domain]
kind = "{kind}"
centre_mm = [0.0, 0.0, 0.0]
[[structures]]
name = "nerve"
diameter_mm = 2.0
[generator]
kind = "temperature"
target_degC = {target}
[lesion]
rules = ["isotherm_50C", "arrhenius"]
"""


def cube(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes [mm] and tetrahedra of a cube of n^3 bricks, six per brick (Kuhn)."""
    line = np.linspace(-HALF_MM, HALF_MM, n + 1)
    x = np.stack(np.meshgrid(line, line, line, indexing="ij"), axis=-1).reshape(-1, 3)
    corner = np.arange((n + 1) ** 3).reshape([n + 1] * 3)[:-1, :-1, :-1].ravel()
    step = ((n + 1) ** 2, n + 1, 1)
    orders = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
    paths = [np.cumsum([0, *(step[axis] for axis in order)]) for order in orders]
    return x, np.concatenate([corner[:, None] + path for path in paths])


def half_plane(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes (r, z) [mm] as (r, 0, z) and triangles of a half plane of n by 2 n squares."""
    r, z = np.meshgrid(np.linspace(0, HALF_MM, n + 1), np.linspace(-HALF_MM, HALF_MM, 2 * n + 1), indexing="ij")
    index = np.arange(r.size).reshape(r.shape)
    a, b, c, d = (part.ravel() for part in (index[:-1, :-1], index[1:, :-1], index[:-1, 1:], index[1:, 1:]))
    cells = np.concatenate([np.column_stack([a, b, c]), np.column_stack([b, d, c])])
    return np.column_stack([r.ravel(), np.zeros(r.size), z.ravel()]), cells


def ball_run(
    folder: Path,
    mesh: tuple[np.ndarray, np.ndarray],
    radius: float | Callable[[float], float],
    centre: Sequence[float] = (0.0, 0.0, 0.0),
    *,
    times: Sequence[float] = (0.0, 10.0),
    metal: Callable[[np.ndarray], np.ndarray] | None = None,
    target: float = 80.0,
    lesion: Mapping[str, Any] | None = None,
) -> Path:
    """Write a run whose lesion is a ball of `radius` [mm] by both rules; the cells of `metal` are the cannula's."""
    points, cells = mesh
    flat = cells.shape[1] == 3
    region = np.ones(len(cells), dtype=int)
    if metal is not None:
        region[metal(points[cells].mean(axis=1))] = 2
    folder.mkdir()
    where = points[:, [0, 2]] if flat else points
    whole = FieldsMesh(where * 1e-3, cells, region, {1: "domain", 2: "cannula"}, axisymmetric=flat)
    with FieldsFile(folder / "fields.vtkhdf", whole) as file:
        for t in times:
            inside = (radius(t) if callable(radius) else radius) - np.linalg.norm(points - np.asarray(centre), axis=1)
            arrays = {"peak_temperature_degC": 50.0 + 5.0 * inside, "omega": np.exp(3.0 * inside)}
            file.append(t, {**arrays, "cem43_min": np.zeros(len(points))}, {})
    cannula = {"name": "cannula", "tip_mm": [0, 0, 0], "direction": [0, 0, 1], "active_tip_mm": 5.0}
    summary = {
        "title": "Balls",
        "status": "completed",
        "reason": "the end",
        "simulated_s": times[-1],
        "applicators": [{**cannula, "outer_diameter_mm": 1.0, "regions": ["cannula"]}],
        "lesion": lesion or {rule: {"width_mm": 6.0, "volume_mm3": 100.0} for rule in RULES},
        "electric": {"power_W": 2.0},
    }
    (folder / "summary.json").write_text(json.dumps(complete_run(summary)))
    (folder / "case.toml").write_text(CASE.format(kind="axisymmetric" if flat else "box", target=target))
    return folder


def compared(a: Path, b: Path) -> LesionPairs:
    """Return the lesions at the ends of two runs of equal length."""
    found = compare_runs(load_run(a), load_run(b))
    assert len(found.lesions) == 1, found.refused
    return found.lesions[0]


def ball(radius: float) -> float:
    return 4.0 / 3.0 * np.pi * radius**3


def lens(r1: float, r2: float, d: float) -> float:
    """Return the common volume of two balls with centres at distance d, |r1 - r2| < d < r1 + r2."""
    cap = (r1 + r2 - d) ** 2 * (d**2 + 2.0 * d * (r1 + r2) - 3.0 * (r1 - r2) ** 2)
    return float(np.pi * cap / (12.0 * d))


MESHES = {
    "3-D": (lambda: cube(28), lambda: cube(28), 0.01),
    "3-D, two meshes": (lambda: cube(28), lambda: cube(24), 0.03),
    "axisymmetric": (lambda: half_plane(40), lambda: half_plane(40), 0.01),
    "axisymmetric, two meshes": (lambda: half_plane(40), lambda: half_plane(33), 0.01),
    "axisymmetric against 3-D": (lambda: half_plane(40), lambda: cube(28), 0.01),
    "3-D against axisymmetric": (lambda: cube(28), lambda: half_plane(40), 0.01),
}
"""Meshes of A and B, and the error of a Dice coefficient: linear in bricks of edge h, a ball's surface is off by at
most 3 h^2 / 8 R, a third of it on the mean, and twice that where it is interpolated from one mesh to another."""


@pytest.fixture(params=MESHES, ids=lambda name: name.replace(" ", "-"))
def meshes(request: pytest.FixtureRequest) -> tuple[Any, Any, float]:
    first, second, error = MESHES[request.param]
    return first(), second(), error


def test_concentric_balls_share_the_smaller_and_are_their_radii_apart(meshes: Any, tmp_path: Path) -> None:
    r1, r2 = 4.5, 3.0
    found = compared(ball_run(tmp_path / "a", meshes[0], r1), ball_run(tmp_path / "b", meshes[1], r2))
    assert found.time_a_s == found.time_b_s == 10.0 and set(found.rules) == set(RULES)
    for pair in found.rules.values():
        assert pair.shared.dice == pytest.approx(2.0 * r2**3 / (r1**3 + r2**3), rel=meshes[2])
        assert pair.shared.only_a == pytest.approx(ball(r1) - ball(r2), rel=0.02)
        assert pair.shared.only_b < 0.001 * ball(r2)
        for far in (pair.a_to_b, pair.b_to_a):
            assert far is not None
            assert [far.mean, far.p95, far.largest] == pytest.approx(3 * [r1 - r2], abs=0.06)


def test_displaced_balls_share_a_lens_and_their_distance_is_spread_evenly(meshes: Any, tmp_path: Path) -> None:
    """Balls of one radius, d apart: by Archimedes the distance is uniform from 0 to d over the area."""
    r, d = 4.0, 1.5
    found = compared(ball_run(tmp_path / "a", meshes[0], r), ball_run(tmp_path / "b", meshes[1], r, (0, 0, d)))
    for pair in found.rules.values():
        assert pair.shared.dice == pytest.approx(lens(r, r, d) / ball(r), rel=0.01)
        assert pair.shared.both == pytest.approx(lens(r, r, d), rel=0.02)
        assert pair.shared.only_a == pytest.approx(ball(r) - lens(r, r, d), rel=0.04)
        for far in (pair.a_to_b, pair.b_to_a):
            assert far is not None
            assert [far.mean, far.p95, far.largest] == pytest.approx([d / 2, 0.95 * d, d], abs=0.06)


def test_a_body_of_revolution_is_held_against_a_ball_beside_its_axis(tmp_path: Path) -> None:
    r, d = 4.0, 1.5
    a = ball_run(tmp_path / "a", half_plane(40), r)
    found = compared(a, ball_run(tmp_path / "b", cube(28), r, (d, 0, 0)))
    assert found.mesh == "B"
    pair = found.rules["isotherm_50C"]
    assert pair.a_to_b is not None and pair.b_to_a is not None
    assert pair.shared.dice == pytest.approx(lens(r, r, d) / ball(r), rel=0.01)
    for far in (pair.a_to_b, pair.b_to_a):
        assert [far.mean, far.p95, far.largest] == pytest.approx([d / 2, 0.95 * d, d], abs=0.06)


def test_a_shared_lens_thinner_than_a_cell_is_found(tmp_path: Path) -> None:
    """Cells are cut by both levels in sequence: no node lies in the common lens, which is 0.4 mm thick."""
    r, c = 4.0, 3.8
    a, b = (ball_run(tmp_path / name, cube(28), r, (0, 0, z)) for name, z in (("a", 0.25 - c), ("b", 0.25 + c)))
    assert compared(a, b).rules["arrhenius"].shared.both == pytest.approx(lens(r, r, 2.0 * c), rel=0.15)


@pytest.mark.parametrize("other", [cube(14), cube(28)], ids=["same-mesh", "finer-mesh"])
def test_metal_is_no_lesion(other: Any, tmp_path: Path) -> None:
    """All tissue is lesion: metal of one run only, 2 x 2 x 4 mm, is additional lesion volume of the other."""

    def metal(x: np.ndarray) -> np.ndarray:
        return np.asarray((np.abs(x[:, 0]) < 1.0) & (np.abs(x[:, 1]) < 1.0) & (np.abs(x[:, 2]) < 2.0))

    a = ball_run(tmp_path / "a", cube(14), 13.0)
    b = ball_run(tmp_path / "b", other, 13.0, metal=metal)
    there, back = (compared(*runs).rules["isotherm_50C"].shared for runs in ((a, b), (b, a)))
    assert (there.only_a, there.only_b) == pytest.approx((16.0, 0.0), abs=1e-3)
    assert (back.only_a, back.only_b) == pytest.approx((0.0, 16.0), abs=1e-3)
    assert there.a == pytest.approx((2.0 * HALF_MM) ** 3, rel=1e-6)


def test_a_run_is_no_different_from_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = ball_run(tmp_path / "a", half_plane(20), 4.0)
    assert main(["compare", str(a), str(a)]) == 0
    said = capsys.readouterr().out
    assert "the cases are identical" in said
    assert "1.0000" in said and "0.00" not in said.partition("lesions at")[2].replace("1.0000", "")
    pair = compared(a, a).rules["arrhenius"]
    assert pair.shared.dice == pytest.approx(1.0, abs=1e-12)
    assert pair.a_to_b is not None and pair.a_to_b.largest < 1e-12


def test_runs_of_unequal_length_are_compared_at_their_ends_and_at_the_last_time_of_both(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = ball_run(tmp_path / "a", half_plane(20), lambda t: 2.0 + 0.1 * t, times=(0.0, 10.0, 20.0))
    b = ball_run(tmp_path / "b", half_plane(20), lambda t: 2.0 + 0.05 * t, times=(0.0, 10.0))
    ends, common = compare_runs(load_run(a), load_run(b)).lesions
    assert (ends.time_a_s, ends.time_b_s, common.time_a_s, common.time_b_s) == (20.0, 10.0, 10.0, 10.0)
    assert ends.rules["arrhenius"].shared.dice == pytest.approx(2 * 2.5**3 / (4**3 + 2.5**3), rel=0.02)
    assert common.rules["arrhenius"].shared.dice == pytest.approx(2 * 2.5**3 / (3**3 + 2.5**3), rel=0.02)
    assert main(["compare", str(a), str(b)]) == 0
    said = capsys.readouterr().out
    assert "overlap of the lesions at the end of each run (A 20 s, B 10 s): volumes" in said
    assert "overlap of the lesions at 10 s, the last common output time: volumes" in said
    c = ball_run(tmp_path / "c", half_plane(20), 3.0, times=(0.0, 15.0))
    assert len(compare_runs(load_run(a), load_run(c)).lesions) == 1


def test_the_reason_is_given_when_lesions_cannot_be_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = (ball_run(tmp_path / name, half_plane(10), 4.0) for name in "ab")
    case = (b / "case.toml").read_text()
    (b / "case.toml").write_text(case.replace("centre_mm = [0.0,", "centre_mm = [3.0,"))
    assert main(["compare", str(a), str(b)]) == 0
    assert "not compared: both runs are axisymmetric, but about different axes" in capsys.readouterr().out
    (b / "fields.vtkhdf").unlink()
    assert main(["compare", str(a), str(b)]) == 0
    said = capsys.readouterr().out
    assert f"no fields.vtkhdf in {b}" in said and "width_mm" in said


def test_no_lesion_has_no_dice_and_no_distance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = (ball_run(tmp_path / name, half_plane(20), radius) for name, radius in (("a", -1.0), ("b", 4.0)))
    pair = compared(a, b).rules["isotherm_50C"]
    assert pair.shared.dice == 0.0 and pair.a_to_b is None and pair.b_to_a is None
    assert pair.shared.only_b == pytest.approx(ball(4.0), rel=0.01)
    assert compared(a, a).rules["isotherm_50C"].shared.dice is None
    assert main(["compare", str(a), str(a)]) == 0
    assert "none" in capsys.readouterr().out


def test_what_differs_is_told_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wider = {"isotherm_50C": {"width_mm": 7.5, "volume_mm3": 130.0}, "cem43_240": {"width_mm": 5.0, "volume_mm3": 60.0}}
    a = ball_run(tmp_path / "a", half_plane(20), 3.0)
    b = ball_run(tmp_path / "b", half_plane(20), 4.0, target=85.0, lesion=wider)
    target = tmp_path / "found.json"
    assert main(["compare", str(a), str(b), "--json", str(target)]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "generator.target_degC 80 85" in lines
    assert "width_mm 6.00 7.50 +1.50 +25.0 %" in lines
    assert lines[lines.index("lesion.cem43_240") + 1] == "width_mm - 5.00"
    found = json.loads(target.read_text())
    assert found["case"] == {"generator.target_degC": {"a": 80.0, "b": 85.0}}
    assert found["numbers"]["lesion.isotherm_50C.width_mm"]["difference"] == 1.5
    rules = found["lesions"][0]["rules"]
    assert list(rules) == ["isotherm_50C"]  # the rule that both have
    assert rules["isotherm_50C"]["dice"] == pytest.approx(2 * 27 / (27 + 64), rel=0.01)


def summary_of(numbers: dict[str, Any]) -> RunSummary:
    return RunSummary.model_validate(complete_run(numbers))


def test_only_numbers_with_a_natural_zero_have_a_percentage() -> None:
    a, b = (
        summary_of(
            {
                "lesion": {"arrhenius": {"width_mm": w, "depth_distal_mm": -d}},
                "structures": {"nerve": {"max_degC": T, "verdict": said}},
                "electric": {"power_W": None},
                "channels": {"left": {"power_W": P}},
                "numerics": {"error_bar": {"arrhenius.width_mm": 0.2}},
            }
        )
        for w, d, T, said, P in ((4.0, 0.1, 40.0, "safe", 2.0), (5.0, 0.2, 50.0, "limit exceeded", 1.0))
    )
    found = {f"{table}.{pair.key}": pair for table, pairs in pair_numbers(a, b).items() for pair in pairs}
    assert found["lesion.arrhenius.width_mm"].percent == pytest.approx(25.0)
    assert found["lesion.arrhenius.width_mm"].bar_b == 0.2
    assert found["lesion.arrhenius.depth_distal_mm"].percent is None
    hottest, verdict = found["structures.nerve.max_degC"], found["structures.nerve.verdict"]
    assert (hottest.difference, hottest.percent) == (10.0, None)
    assert (verdict.a, verdict.b, verdict.difference) == ("safe", "limit exceeded", None)
    assert found["electric.left.power_W"].percent == pytest.approx(-50.0)


def test_cases_differ_by_key_and_by_name() -> None:
    nerve, root = {"name": "nerve", "diameter_mm": 2.0}, {"name": "root", "limit_degC": 45.0}
    path = [[0.0, 0.0, 0.1 * n] for n in range(40)]
    bent = [*path[:-1], [1.0, 0.0, 3.9]]
    a = {"structures": [nerve, root], "body": {"temperature_degC": 37.0}, "stages": [{"hold_s": 60.0}], "path_mm": path}
    b = {
        "structures": [{"name": "new"}, {**root, "limit_degC": 50.0}, nerve],
        "stages": [{"hold_s": 90.0}],
        "path_mm": bent,
        "tip_mm": [0.0, 0.0, 1.0],
    }
    assert list(case_difference(a, a)) == []
    assert list(case_difference(a, {**a, "channels": []})) == []  # negligible
    assert list(case_difference(a, b)) == [
        ("structures.root.limit_degC", 45.0, 50.0),
        ("structures.new.name", ABSENT, "new"),
        ("structures", ["nerve", "root"], ["root", "nerve"]),
        ("body.temperature_degC", 37.0, ABSENT),
        ("stages.0.hold_s", 60.0, 90.0),
        ("path_mm.39", [0.0, 0.0, 0.1 * 39], [1.0, 0.0, 3.9]),
        ("tip_mm", ABSENT, [0.0, 0.0, 1.0]),
    ]


def test_a_directory_without_a_finished_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = ball_run(tmp_path / "at_80", half_plane(10), 4.0)
    stopped = ball_run(tmp_path / "stopped", half_plane(10), 4.0)
    (stopped / "summary.json").unlink()
    assert main(["compare", str(stopped), str(tmp_path / "at_8")]) == 2
    out, said = capsys.readouterr()
    assert out == "" and "2 faults in compare" in said
    assert f"{stopped}: no summary.json in the directory; expected a finished run's directory" in said
    assert f"rfablate resume {stopped}" in said
    assert "no such directory" in said and f"did you mean {good}?" in said
    (stopped / "summary.json").write_text("{")
    assert main(["compare", str(good), str(stopped)]) == 2
    assert "summary.json cannot be read" in capsys.readouterr().err


def test_a_json_file_that_cannot_be_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = ball_run(tmp_path / "a", half_plane(10), 4.0)
    assert main(["compare", str(a), str(a), "--json", str(tmp_path / "none" / "found.json")]) == 2
    assert "expected a writable file" in capsys.readouterr().err


def test_two_runs_are_compared_where_the_solver_is_missing(tmp_path: Path) -> None:
    a, b = (ball_run(tmp_path / name, half_plane(n), 4.0) for name, n in (("a", 10), ("b", 14)))
    code = (
        "import sys\nfor name in 'dolfinx ufl basix ffcx petsc4py mpi4py gmsh'.split(): sys.modules[name] = None\n"
        f"from rfablate.cli.main import main; sys.exit(main(['compare', {str(a)!r}, {str(b)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Dice" in done.stdout
