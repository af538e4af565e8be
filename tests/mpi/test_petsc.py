"""The engine PETSc on 1 and 2 ranks through the command line: its results, and the exit codes of runs that fail.

| law                                                                     | allowed         |
|-------------------------------------------------------------------------|-----------------|
| numbers of summary.json, native on one rank and PETSc on 1 and 2        | 1e-6            |
| an unknown option, an unknown method, a solve that does not converge    | 4, one message  |
| an option without the engine, an option that the case sets otherwise    | 2, one message  |
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.mpi.launch import rfablate

CASE = Path(__file__).parent / "cases" / "axisymmetric.toml"
PETSC = ("--set", "solver.engine=petsc")
SHORT = ("--set", "generator.ramp_s=2", "--set", "generator.hold_s=3")


def _numbers(folder: Path) -> dict[str, float]:
    summary = json.loads((folder / "summary.json").read_text())
    electric, lesion = summary["electric"], summary["lesion"]["isotherm_50C"]
    numbers = {**{f"electric.{key}": each for key, each in electric.items()}, **lesion, **summary["energy"]}
    return {key: value for key, value in numbers.items() if isinstance(value, float)}


@pytest.mark.slow
def test_native_and_petsc_agree_on_one_and_two_ranks(tmp_path: Path) -> None:
    found = []
    for ranks, arguments in ((1, ()), (1, PETSC), (2, PETSC)):
        done = rfablate(ranks, "run", CASE, "-o", tmp_path / str(len(found)), *SHORT, *arguments)
        assert done.code == 0, done.text[-2000:]
        found.append(_numbers(tmp_path / str(len(found))))
    assert len(found[0]) > 10
    for each in found[1:]:
        assert each == pytest.approx(found[0], rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (('solver.petsc_options={pc_typ="gamg"}',), "pc_typ"),
        (('solver.petsc_options={ksp_type="nonsense"}',), "nonsense"),
        (('solver.petsc_options={pc_type="jacobi"}', "solver.max_iterations=3"), "did not converge"),
    ],
)
def test_a_failing_solve_ends_all_ranks_with_4(
    tmp_path: Path, ranks: int, changes: tuple[str, ...], words: str
) -> None:
    given = [part for change in changes for part in ("--set", change)]
    done = rfablate(ranks, "run", CASE, "-o", tmp_path / "run", *SHORT, *PETSC, *given, timeout=60.0)
    assert done.code == 4, done.text[-2000:]
    assert len(done.errors) == 1 and words in done.errors[0] and "Traceback" not in done.text
    assert "solver.petsc_options" in done.text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (('solver.petsc_options={pc_type="gamg"}',), 'solver.engine = "petsc"'),
        ((PETSC[1], 'solver.petsc_options={ksp_rtol="1e-3"}'), "solver.heat_rtol"),
        ((PETSC[1], 'solver.petsc_options={"-ksp_type"="cg"}'), "leading minus"),
        ((PETSC[1], 'solver.petsc_options={heat_pc_type="none"}'), "a preconditioner"),
    ],
)
def test_options_that_no_run_can_have_are_faults_of_the_case(changes: tuple[str, ...], words: str) -> None:
    done = rfablate(1, "check", CASE, *(part for change in changes for part in ("--set", change)))
    assert done.code == 2 and words in done.text, done.text
