"""The convergence study of a case: runs, repeated runs and results, compared with a finer mesh."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mpi4py import MPI

from rfablate.api.evidence import converge
from rfablate.api.run_case import LogOptions, run_in
from rfablate.case.read.case_file import load_case
from rfablate.case.tables.schema import Case
from rfablate.errors import CaseError
from rfablate.evidence.converge_case import BASE, DOMAIN, MESH, TIME, Level, converge_case, levels_of
from rfablate.evidence.convergence_table import convergence_text
from rfablate.results.directory_lock import RunLock
from rfablate.simulation.run import run
from rfablate.simulation.run_options import RunOptions

CASE = Path(__file__).parents[2] / "cases" / "needle_benchmark"


@pytest.fixture(scope="module")
def case() -> Case:
    return load_case(CASE, ["generator.hold_s=20"])


def test_uncertainties_contain_the_result_of_a_four_times_finer_mesh(
    case: Case, comm: MPI.Comm, tmp_path: Path
) -> None:
    found = converge(case, tmp_path / "study", comm=comm, quiet=True)
    finer = run(Level("finer", 0.25, 0.25).apply(case), tmp_path / "finer", comm).summary.tree()
    by_key = {each.key: each for each in found.numbers}
    outside = []
    for rule, lesion in finer["lesion"].items():
        for name in ("width_mm", "length_mm", "effective_radius_mm"):
            each = by_key[f"lesion.{rule}.{name}"]
            if abs(each.value - lesion[name]) > each.mesh.uncertainty + each.time.uncertainty:
                outside.append((each.key, each.value, each.uncertainty, lesion[name]))
    assert len(outside) <= 1, outside  # 95 % of 12 numbers
    assert set(found.runs) == {level.name for level in (*MESH, *TIME, *DOMAIN)}
    text = convergence_text(found)
    assert "lesion.isotherm_50C.width_mm" in text and "±" in text
    kept = json.loads((tmp_path / "study" / "convergence.json").read_text())
    assert len(kept["numbers"]) == len(found.numbers) > 20


def test_complete_runs_are_not_repeated_and_those_of_another_case_are(
    case: Case, comm: MPI.Comm, tmp_path: Path
) -> None:
    started: list[str] = []

    def counted(case: Case, place: Path) -> None:
        started.append(place.name)
        run_in(case, place, comm, RunOptions(overwrite=True), LogOptions(quiet=True))

    quick = case.with_changes({"generator.hold_s": 1.0, "generator.ramp_s": 1.0})
    all_levels = sorted(level.name for level in levels_of(quick))
    for changed, expected in (
        (quick, all_levels),
        (quick, []),
        (quick.with_changes({"generator.target_degC": 70.0}), all_levels),
    ):
        started.clear()
        converge_case(changed, tmp_path, comm, counted)
        assert sorted(started) == expected


def test_each_level_is_a_run_directory_with_a_log_and_a_lock(case: Case, comm: MPI.Comm, tmp_path: Path) -> None:
    quick = case.with_changes({"generator.hold_s": 1.0, "generator.ramp_s": 1.0})
    converge(quick, tmp_path, comm=comm, quiet=True)
    for level in levels_of(quick):
        assert (tmp_path / level.name / "run.log").stat().st_size > 0
    (tmp_path / "mesh-3" / "summary.json").unlink()
    lock = RunLock(tmp_path / "mesh-3")
    try:
        with pytest.raises(CaseError, match="another"):
            converge(quick, tmp_path, comm=comm, quiet=True)
    finally:
        lock.release()


def test_a_level_changes_sizes_steps_and_domain_by_its_factors(case: Case) -> None:
    changed = Level("x", 2.0, 4.0, 1.5).apply(case)
    assert changed.mesh.scale == 2.0 * case.mesh.scale
    assert changed.time.tolerance == 4.0 * case.time.tolerance
    assert changed.time.step == 2.0 * case.time.step
    assert changed.domain.radius == pytest.approx(1.5 * case.domain.radius)  # type: ignore[union-attr]
    assert not changed.output.error_bar and BASE.apply(case).output.error_bar


def test_a_mesh_from_a_file_is_refused(case: Case) -> None:
    from rfablate.case.tables.geometry_tables import MeshDomain

    mesh = MeshDomain.model_construct(kind="mesh")
    with pytest.raises(CaseError, match="three sizes"):
        levels_of(case.model_copy(update={"domain": mesh}))
