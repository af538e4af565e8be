"""The MPI calls of a step are those of the scaling model; benchmark B1 on its coarsest mesh, two ranks.

| law                                                                              | allowed |
|----------------------------------------------------------------------------------|---------|
| exchanges of ghosts: four a V-cycle, one an iteration, one or two a solve        | exactly |
| gatherings: four a V-cycle and coarse level                                      | exactly |
| nothing but these and reductions: no pickled objects, no messages by hand        | exactly |
| bytes exchanged: the ghosts, times one right-hand side or two                     | bounds  |
| the partitioner's ghosts and cells, asked on one rank, are those that ranks have | exactly |
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hpc.bench.mesh import write_mesh
from hpc.scaling import counter
from hpc.scaling.model import Numbers
from tests.mpi.launch import ROOT, launch


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("gmsh")
    if shutil.which("mpicc") is None:
        pytest.skip("no mpicc on the path")
    folder = tmp_path_factory.mktemp("scaling")
    write_mesh("tiny", folder / "runs" / "bench" / "tiny.msh")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "hpc.scaling.meshes", "tiny"]
    subprocess.run(command, cwd=folder, env=environment, check=True, timeout=100)
    return folder / "runs" / "scaling" / "tiny.h5"


@pytest.fixture(scope="module")
def counted(mesh: Path) -> dict[str, Any]:
    """The result of the probe on two ranks."""
    library = counter.library(mesh.parent)
    started = ["-c", f"import os; os.environ['LD_PRELOAD'] = {str(library)!r}; import sys; os.execv(sys.executable, "]
    probe = [sys.executable, "-m", "mpi4py", "-m", "hpc.scaling.probe", str(mesh), "--steps", "8"]
    started[1] += f"{probe!r})"
    done = launch(2, started)
    assert done.code == 0, done.text[-2000:]
    answer: dict[str, Any] = json.loads(next(line for line in done.text.splitlines() if line.startswith("{")))
    return answer


@pytest.mark.slow
def test_exchanges_and_gatherings_are_the_algorithms_own(counted: dict[str, Any]) -> None:
    numbers, counts = Numbers.of(counted, 0.0), counted["counts"]
    assert counted["cycles"] > 1 and counted["diagonal_iterations"] > 1
    assert counts["exchange"]["calls"] == pytest.approx(numbers.exchanges)
    assert counts["gather"]["calls"] == pytest.approx(numbers.gathers) and numbers.gathers > 0
    assert counts["point"]["calls"] == counts["other"]["calls"] == 0


@pytest.mark.slow
def test_bytes_exchanged_are_those_of_the_ghosts(counted: dict[str, Any]) -> None:
    n = Numbers.of(counted, 0.0)
    width = 4 * 4 * n.cycles + 8 * (n.cycled_iterations + n.cycled_solves)
    # two right-hand sides while the response to 1 V is solved, otherwise one
    least, most = (width + each * (n.diagonal_iterations + 2 * n.diagonal_solves) for each in (8, 16))
    ghosts = max(counted["share"]["ghosts"])
    assert least * ghosts <= counted["counts"]["exchange"]["bytes"] <= most * ghosts


@pytest.mark.slow
def test_the_partition_predicted_on_one_rank_is_that_of_two_ranks(mesh: Path, counted: dict[str, Any]) -> None:
    command = [sys.executable, "-m", "hpc.scaling.parts", str(mesh), "2"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=100)
    share = json.loads(done.stdout)["shares"][0]
    for name in ("rows", "cells", "ghosts", "neighbours"):
        assert share[name] == max(counted["share"][name]), name
    assert share["level_1"] == pytest.approx(counted["potential_levels"][1], rel=0.1)
