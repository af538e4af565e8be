"""The rank count affects only the run time; a fault on any rank ends all ranks.

| law                                                                       | allowed             |
|---------------------------------------------------------------------------|---------------------|
| 1, 2, 3 ranks agree in every number of summary.json and history.csv       | 1e-6 of the number  |
| the same for the fields and the checkpoint, node by node                  | 1e-4 K, 1e-6        |
| a mesh file and the partitioner SCOTCH on 3 ranks: every number           | 1e-6 of the number  |
| more ranks than cells                                                     | one-line rejection  |
| a fault of all ranks, of rank 0 alone, of another rank alone              | ends all, no hang   |
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from rfablate.results.checkpoint import read_checkpoint
from tests.mpi.launch import launch, rfablate

CASES = Path(__file__).parent / "cases"
NAMES = ("structures", "axisymmetric", "channels")
SKIPPED = ("timing_s", "provenance", "numerics.ranks", "numerics.heat_iterations", "numerics.potential_iterations")


class Runs(dict[tuple[str, int], Path]):
    """Run directories of each case and rank count, created at first use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __missing__(self, key: tuple[str, int]) -> Path:
        name, ranks = key
        self[key] = self._folder / f"{name}-{ranks}"
        done = rfablate(ranks, "run", CASES / f"{name}.toml", "-o", self[key])
        assert done.code == 0, done.text[-2000:]
        assert done.errors == []
        return self[key]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """The runs shared by these tests."""
    return Runs(tmp_path_factory.mktemp("ranks"))


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _leaves(each, f"{key}.{name}" if key else name)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _leaves(each, f"{key}[{number}]")
    else:
        yield key, value


def _summary(folder: Path) -> dict[str, Any]:
    leaves = dict(_leaves(json.loads((folder / "summary.json").read_text())))
    return {key: value for key, value in leaves.items() if not key.startswith(SKIPPED)}


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize("name", NAMES)
def test_summaries_agree_in_every_number(runs: Runs, name: str, ranks: int) -> None:
    one, more = _summary(runs[name, 1]), _summary(runs[name, ranks])
    assert one.keys() == more.keys() and len(one) > 50
    for key, value in one.items():
        if isinstance(value, float):
            assert more[key] == pytest.approx(value, rel=1e-6, abs=1e-14), key
        else:
            assert more[key] == value, key


@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize("name", NAMES)
def test_histories_agree_in_every_number(runs: Runs, name: str, ranks: int) -> None:
    one, more = _rows(runs[name, 1]), _rows(runs[name, ranks])
    assert len(one) == len(more) > 20
    for left, right in zip(one, more, strict=True):
        assert left.keys() == right.keys()
        for key, value in left.items():
            if value != right[key]:
                assert float(right[key]) == pytest.approx(float(value), rel=1e-6, abs=1e-14), (left["time_s"], key)


@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize("name", NAMES)
def test_fields_and_checkpoints_stand_in_one_order_whatever_the_ranks(runs: Runs, name: str, ranks: int) -> None:
    folders = runs[name, 1], runs[name, ranks]
    with h5py.File(folders[0] / "fields.vtkhdf") as a, h5py.File(folders[1] / "fields.vtkhdf") as b:
        left, right = a["VTKHDF"], b["VTKHDF"]
        assert np.array_equal(left["Points"][:], right["Points"][:])
        assert np.array_equal(left["CellData/region"][:], right["CellData/region"][:])
        for field in ("temperature_degC", "peak_temperature_degC"):
            T = left["PointData"][field][:]
            assert np.abs(T - right["PointData"][field][:]).max() < 1e-4
            assert T.max() > 60.0
        assert left["Steps/Values"][:] == pytest.approx(right["Steps/Values"][:], rel=1e-9)
    one, more = (read_checkpoint(folder / "checkpoint.h5").arrays for folder in folders)
    for name in ("T", "peak", "omega", "cem43"):
        assert more[f"state/{name}"] == pytest.approx(one[f"state/{name}"], rel=1e-6, abs=1e-12), name


def test_a_mesh_file_and_scotch_give_the_same_numbers(runs: Runs, tmp_path: Path) -> None:
    file, out = tmp_path / "structures.h5", tmp_path / "run"
    done = rfablate(2, "mesh", CASES / "structures.toml", "--distributed", file)
    assert done.code == 0, done.text[-2000:]
    settings = ("--set", f"mesh.distributed_file={file}", "--set", "mesh.partitioner=scotch")
    done = rfablate(3, "run", CASES / "structures.toml", "-o", out, *settings)
    assert done.code == 0, done.text[-2000:]
    one, more = _summary(runs["structures", 1]), _summary(out)
    for key, value in one.items():
        if isinstance(value, float):
            assert more[key] == pytest.approx(value, rel=1e-6, abs=1e-14), key
        else:
            assert more[key] == value, key


# --- few cells ------------------------------------------------------------------------------------

TINY = """title = "A mesh of few cells"
[domain]
kind = "mesh"
file = "tiny.msh"
length_unit = "mm"
axisymmetric = true
regions = [{tag = 1, name = "tissue", tissue = "muscle"}]
surfaces = [
  {tag = 2, name = "electrode", roles = ["active"]},
  {tag = 3, name = "plate", roles = ["return", "body_temperature"]},
]
[[applicators]]
outer_diameter_mm = 1
active_tip_mm = 1
sensor_offset_mm = 1
[generator]
kind = "voltage"
voltage_V = 5
duration_s = 2
[time]
stepping = "fixed"
step_s = 0.5
[output]
report = false
error_bar = false
"""


def _tiny(folder: Path, squares: int) -> Path:
    """Write a case on a column of squares of two triangles each, heated from below; return the case file."""
    nodes = [(r, 5 * level) for level in range(squares + 1) for r in (0, 5)]
    elements = ["1 1 2 2 2 1 2", f"2 1 2 3 3 {2 * squares + 1} {2 * squares + 2}"]
    for level in range(squares):
        a, b, c, d = (2 * level + k for k in (1, 2, 3, 4))
        elements += [f"{len(elements) + 1} 2 2 1 1 {a} {b} {d}", f"{len(elements) + 2} 2 2 1 1 {a} {d} {c}"]
    lines = ["$MeshFormat", "2.2 0 8", "$EndMeshFormat", "$Nodes", str(len(nodes))]
    lines += [f"{number} {r} {z} 0" for number, (r, z) in enumerate(nodes, start=1)]
    lines += ["$EndNodes", "$Elements", str(len(elements)), *elements, "$EndElements", ""]
    (folder / "tiny.msh").write_text("\n".join(lines))
    (folder / "tiny.toml").write_text(TINY)
    return folder / "tiny.toml"


def test_more_ranks_than_cells_are_refused_in_one_line(tmp_path: Path) -> None:
    done = rfablate(3, "run", _tiny(tmp_path, 1), "-o", tmp_path / "run")
    assert done.code == 3
    assert len(done.errors) == 1
    assert "3 ranks" in done.errors[0] and "2 cells" in done.errors[0]
    assert "Traceback" not in done.text


@pytest.mark.parametrize(("squares", "ranks"), [(1, 2), (2, 3)])
def test_as_few_cells_as_ranks_can_have_give_the_same_numbers(tmp_path: Path, squares: int, ranks: int) -> None:
    case, found = _tiny(tmp_path, squares), []
    for n in (1, ranks):
        done = rfablate(n, "run", case, "-o", tmp_path / f"run{n}")
        assert done.code == 0, done.text[-2000:]
        found.append(_summary(tmp_path / f"run{n}"))
    assert found[0]["energy.joule_J"] > 0.0
    for key, value in found[0].items():
        assert found[1][key] == (pytest.approx(value, rel=1e-6, abs=1e-12) if isinstance(value, float) else value), key


# --- faults ---------------------------------------------------------------------------------------


def test_a_bad_case_is_told_once_and_ends_all_ranks(tmp_path: Path) -> None:
    done = rfablate(2, "run", CASES / "structures.toml", "-o", tmp_path / "run", "--set", "generator.hold_s=-1")
    assert done.code == 2
    assert len(done.errors) == 1 and "Traceback" not in done.text
    assert not (tmp_path / "run").exists()


def test_a_mesh_that_rank_0_cannot_read_ends_all_ranks(tmp_path: Path) -> None:
    case = _tiny(tmp_path, 2)
    (tmp_path / "tiny.msh").write_text("no mesh")
    done = rfablate(2, "run", case, "-o", tmp_path / "run", timeout=60.0)
    assert done.code == 3
    assert len(done.errors) == 1 and "tiny.msh" in done.errors[0]


def test_a_solve_that_does_not_converge_ends_all_ranks_and_keeps_the_last_state(tmp_path: Path) -> None:
    case = CASES / "axisymmetric.toml"
    done = rfablate(2, "run", case, "-o", tmp_path / "run", "--set", "solver.max_iterations=3", timeout=60.0)
    assert done.code == 4
    assert len(done.errors) == 1 and "did not converge" in done.errors[0]
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["status"] == "failed"
    assert (tmp_path / "run" / "checkpoint.h5").is_file()


INJECT = """
import sys
import importlib
from mpi4py import MPI
from rfablate.cli.main import main

module = importlib.import_module("rfablate.solve.loop" if "{place}" == "solve_step" else "rfablate.simulation.run")
real = module.{place}

def faulty(*args, **kwargs):
    if MPI.COMM_WORLD.rank == {rank} and {when}:
        raise RuntimeError("injected")
    return real(*args, **kwargs)

module.{place} = faulty
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("place", "rank", "when"),
    [
        ("solve_step", 1, "args[2] > 1.0"),
        ("solve_step", 0, "args[2] > 1.0"),
        ("build_problem", 1, "True"),
        ("lesion_card", 0, "True"),
    ],
)
def test_a_fault_of_one_rank_alone_does_not_leave_the_others_waiting(
    tmp_path: Path, place: str, rank: int, when: str
) -> None:
    script = tmp_path / "inject.py"
    script.write_text(INJECT.format(place=place, rank=rank, when=when))
    case = _tiny(tmp_path, 8)
    done = launch(2, [script, "run", case, "-o", tmp_path / "run"], timeout=60.0)
    assert done.code != 0
    assert "injected" in done.text
