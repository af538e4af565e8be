"""Inputs and states that are damaged during a run: told with their place, never carried on silently.

| law                                                                  | allowed                                    |
|----------------------------------------------------------------------|--------------------------------------------|
| a mesh file truncated or swapped between run and resume              | exit 3 or 2, the file or the mesh named    |
| a NaN in the temperature of one rank                                 | exit 4 on all ranks, no NaN in a file      |
| a solver that stagnates; the step driven to its minimum              | exit 4, the key to change; resumable state |
| both checkpoints damaged                                             | told; the run starts again, same numbers   |
| a checkpoint of another version                                      | exit 2, both versions and what to do       |
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from mpi4py import MPI

import rfablate.solve.loop as loop
from meshes.sphere import Ball, write_sphere
from rfablate.case.read.case_file import load_case
from rfablate.case.tables.schema import Case
from rfablate.errors import CaseError, MeshError, SolveError, StepError
from rfablate.evidence.verification_problems import UNLIMITED, MeshSource, mesh_case
from rfablate.results.checkpoint import NEWEST, OLDER, newest_checkpoint, write_checkpoint
from rfablate.simulation.run import resume, run
from tests.compare import apart
from tests.faults.commands import CASE

CONTROLLED = {"kind": "temperature", "target_degC": 60.0, "ramp_s": 0.3, "hold_s": 0.7, **UNLIMITED}
OUTPUT = {"report": False, "error_bar": False, "checkpoint_every_s": 0.2}
KEYS = ("generator.ramp_s=1", "generator.hold_s=1", "output.observe_at_s=[]", "output.checkpoint_every_s=0.2")


class Killed(Exception):
    """Ends a run like a kill: nothing is written any more."""


def _kill_at(monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    real, calls = loop.solve_step, [0]

    def step(*args):  # type: ignore[no-untyped-def]
        calls[0] += 1
        if calls[0] == call:
            raise Killed
        return real(*args)

    monkeypatch.setattr(loop, "solve_step", step)


def _killed(case: Case, folder: Path, monkeypatch: pytest.MonkeyPatch, call: int = 20) -> None:
    with monkeypatch.context() as patch:
        _kill_at(patch, call)
        with pytest.raises(Killed):
            run(case, folder, MPI.COMM_SELF)
    assert (folder / NEWEST).is_file()


@pytest.mark.parametrize("damage", ["truncated", "swapped", "missing"])
def test_a_mesh_file_that_changes_under_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    file, folder = tmp_path / "mesh.msh", tmp_path / "run"
    write_sphere(file, Ball(electrode=0.5, outer=20.0, size=0.1, growth=0.25))
    _killed(mesh_case(CONTROLLED, mesh=MeshSource(file), output=OUTPUT), folder, monkeypatch)
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    elif damage == "swapped":
        write_sphere(file, Ball(electrode=0.5, outer=20.0, size=0.15, growth=0.25))
    else:
        file.unlink()
    with pytest.raises((MeshError, CaseError)) as caught:
        resume(load_case(folder), folder, MPI.COMM_SELF)
    assert ("mesh" if damage == "swapped" else "mesh.msh") in str(caught.value)
    assert not (folder / "summary.json").exists() and (folder / NEWEST).is_file()


def test_a_nan_in_a_field_ends_the_run_with_the_last_good_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is planted in the state between two steps, as a memory error would."""
    real, calls, folder = loop.solve_step, [0], tmp_path / "run"

    def step(problem, state, *args):  # type: ignore[no-untyped-def]
        calls[0] += 1
        if calls[0] == 20:
            state.T[len(state.T) // 2] = np.nan
        return real(problem, state, *args)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "solve_step", step)
        with pytest.raises(SolveError, match="finite|converge"):
            run(load_case(CASE, KEYS), folder, MPI.COMM_SELF)
    assert "NaN" not in (folder / "summary.json").read_text()
    assert json.loads((folder / "summary.json").read_text())["status"] == "failed"
    assert "nan" not in (folder / "history.csv").read_text()
    found, _ = newest_checkpoint(folder)
    assert found is None or all(np.isfinite(array).all() for array in found.arrays.values())


@pytest.mark.parametrize(
    ("keys", "kind", "words"),
    [
        (("solver.max_iterations=3",), SolveError, "did not converge"),
        (("time.tolerance_K=1e-9", "time.min_step_s=0.01"), StepError, "time.tolerance_K"),
    ],
)
def test_a_solver_that_stagnates_and_a_step_at_its_minimum(
    tmp_path: Path, keys: tuple[str, ...], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        run(load_case(CASE, (*KEYS, *keys)), tmp_path / "run", MPI.COMM_SELF)
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["status"] == "failed"


def test_a_run_with_both_checkpoints_damaged_starts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    case = load_case(CASE, KEYS)
    run(case, tmp_path / "whole", MPI.COMM_SELF)
    folder = tmp_path / "run"
    _killed(case, folder, monkeypatch)
    for name in (NEWEST, OLDER):
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 0xFF
        (folder / name).write_bytes(data)
    resume(case, folder, MPI.COMM_SELF)
    worst = apart(tmp_path / "whole", folder)
    assert max(worst.values()) <= 1e-10, worst


def test_a_checkpoint_of_another_version_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case, folder = load_case(CASE, KEYS), tmp_path / "run"
    _killed(case, folder, monkeypatch)
    found, _ = newest_checkpoint(folder)
    assert found is not None
    memory = {**found.memory, "rfablate": "0.0.7", "state": {}}
    shutil.rmtree(folder / "frames", ignore_errors=True)
    write_checkpoint(folder, memory, found.arrays)
    with pytest.raises(CaseError, match=r"rfablate 0\.0\.7 wrote it.*\n.*--overwrite") as caught:
        resume(case, folder, MPI.COMM_SELF)
    assert caught.value.exit_code == 2


def test_any_bit_of_a_field_file_of_a_stranger_gives_a_message(tmp_path: Path) -> None:
    """fields.vtkhdf of a run that `start_from` names, with damaged bytes."""
    from rfablate.results.fields_reader import FieldsReader

    run(load_case(CASE, KEYS), tmp_path / "run", MPI.COMM_SELF)
    file = tmp_path / "run" / "fields.vtkhdf"
    whole = file.read_bytes()
    chance = np.random.default_rng(3)
    for _ in range(20):
        data = bytearray(whole)
        for place in chance.integers(0, len(data), 50):
            data[place] ^= 1 << int(chance.integers(0, 8))
        file.write_bytes(data)
        try:
            with FieldsReader(file) as fields:
                assert np.asarray(fields.times_s).ndim == 1
        except (CaseError, OSError, ValueError, KeyError, RuntimeError):
            continue
    assert h5py.is_hdf5(tmp_path / "run" / NEWEST)
