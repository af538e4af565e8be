"""A run with coarse levels that are distributed over the ranks, through the command line.

| law                                                                           | allowed        |
|-------------------------------------------------------------------------------|----------------|
| numbers of summary.json, replicated on one rank and distributed on 1, 2 and 3 | 1e-6           |
| the key with the engine of PETSc                                              | 2, one message |
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.mpi.launch import rfablate

CASE = Path(__file__).parent / "cases" / "axisymmetric.toml"
SHORT = ("--set", "generator.ramp_s=2", "--set", "generator.hold_s=3")
DISTRIBUTED = ("--set", "solver.coarse_levels=distributed")


def _numbers(folder: Path) -> dict[str, float]:
    summary = json.loads((folder / "summary.json").read_text())
    numbers = {**summary["electric"], **summary["lesion"]["isotherm_50C"], **summary["energy"]}
    return {key: value for key, value in numbers.items() if isinstance(value, float)}


@pytest.mark.slow
def test_a_run_has_the_same_numbers_with_distributed_levels(tmp_path: Path) -> None:
    found = []
    for ranks, arguments in ((1, ()), (1, DISTRIBUTED), (2, DISTRIBUTED), (3, DISTRIBUTED)):
        done = rfablate(ranks, "run", CASE, "-o", tmp_path / str(len(found)), *SHORT, *arguments)
        assert done.code == 0, done.text[-2000:]
        found.append(_numbers(tmp_path / str(len(found))))
    assert len(found[0]) > 10
    for each in found[1:]:
        assert each == pytest.approx(found[0], rel=1e-6, abs=1e-12)


def test_the_engine_of_petsc_has_no_such_levels() -> None:
    done = rfablate(1, "check", CASE, *DISTRIBUTED, "--set", "solver.engine=petsc")
    assert done.code == 2 and "solver.coarse_levels" in done.text, done.text
