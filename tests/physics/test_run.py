"""A complete run: step times, output files, and messages of failed runs."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from mpi4py import MPI

from meshes.sphere import Ball, write_sphere
from rfablate.case.read.case_file import load_case
from rfablate.case.tables.schema import Case
from rfablate.errors import CaseError, SolveError
from rfablate.evidence.verification_problems import UNLIMITED, MeshSource, constant_voltage, mesh_case
from rfablate.results.checkpoint import read_checkpoint
from rfablate.simulation.run import run
from rfablate.simulation.run_options import RunOptions
from tests.compare import leaves
from tests.shipped import CASES

CONTROLLED = {"kind": "temperature", "target_degC": 60.0, "ramp_s": 0.3, "hold_s": 0.7, "cooldown_s": 0.2, **UNLIMITED}


@pytest.fixture(scope="module")
def coarse(comm: MPI.Comm, shared_tmp: Path) -> Path:
    path = shared_tmp / "coarse.msh"
    if comm.rank == 0:
        write_sphere(path, Ball(electrode=0.5, outer=20.0, size=0.1, growth=0.25))
    comm.Barrier()
    return path


def _case(file: Path, generator: dict[str, Any], **tables: Any) -> Case:
    output = {"report": False, "error_bar": False, **tables.pop("output", {})}
    return mesh_case(generator, mesh=MeshSource(file), output=output, **tables)


def _times(folder: Path) -> tuple[list[float], list[float], list[float]]:
    """Return the times and lengths of all steps, and the times of the frames."""
    with (folder / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with h5py.File(folder / "fields.vtkhdf") as file:
        written = file["VTKHDF/Steps/Values"][:].tolist()
    return [float(row["time_s"]) for row in rows], [float(row["dt_s"]) for row in rows[1:]], written


@pytest.mark.parametrize("stepping", ["adaptive", "fixed"])
def test_steps_land_on_outputs_and_switches_and_leave_no_crumbs(
    coarse: Path, comm: MPI.Comm, tmp_path: Path, stepping: str
) -> None:
    """Frames every 0.1 s: the third, 3 * 0.1, exceeds the end of the ramp at 0.3 s by rounding."""
    time = {"stepping": stepping, "step_s": 0.07}
    run(_case(coarse, CONTROLLED, output={"fields_interval_s": 0.1}, time=time), tmp_path / "run", comm)
    times, lengths, written = _times(tmp_path / "run")
    assert written == pytest.approx([0.1 * n for n in range(13)])
    assert set(np.round(written, 9)) <= set(np.round(times, 9)) and 0.3 in written and 1.2 in written
    assert min(lengths) > 1e-6
    assert times[-1] == pytest.approx(1.2)


@pytest.mark.parametrize("duration", [0.9, 1.7, 3.4])
def test_the_last_frame_is_that_of_the_end_only(coarse: Path, comm: MPI.Comm, tmp_path: Path, duration: float) -> None:
    """Ten intervals of a tenth of 1.7 s end before 1.7 s by rounding."""
    run(_case(coarse, constant_voltage(5.0, duration)), tmp_path / "run", comm)
    _, lengths, written = _times(tmp_path / "run")
    assert written == pytest.approx([duration * n / 10.0 for n in range(11)])
    assert min(lengths) > 1e-6


def test_what_is_kept_at_a_time_is_what_a_run_that_ends_then_gives(
    coarse: Path, comm: MPI.Comm, tmp_path: Path
) -> None:
    """Runs with steps at the same times, every 0.1 s, agree up to the end of the shorter run."""
    output, short, long = {"fields_interval_s": 0.1}, constant_voltage(20.0, 0.6), constant_voltage(20.0, 1.2)
    ended = run(_case(coarse, short, output=output), tmp_path / "short", comm).summary.tree()
    kept = run(
        _case(coarse, long, output={**output, "observe_at_s": [0.6, 0.3]}), tmp_path / "long", comm
    ).summary.tree()
    assert [each["time_s"] for each in kept["observed"]] == pytest.approx([0.3, 0.6])
    at = dict(leaves(kept["observed"][1]))
    for section in ("lesion", "structures", "energy", "electric"):
        for name, value in leaves(ended[section], section):
            # histograms are of the end of a run only
            if name != "electric.events" and ".dose_volume." not in name:
                assert at[name] == (pytest.approx(value, rel=1e-9, abs=1e-9) if isinstance(value, float) else value), (
                    name
                )
    assert kept["energy"]["joule_J"] > at["energy.joule_J"] > 0.0


def test_a_run_directory_holds_what_was_promised(coarse: Path, comm: MPI.Comm, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    outcome = run(_case(coarse, CONTROLLED), folder, comm)
    written = json.loads((folder / "summary.json").read_text())
    assert written["status"] == "completed" and outcome.exit_code == 0
    assert written["lesion"] == outcome.summary.tree()["lesion"]
    for key in ("lesion", "structures", "energy", "numerics", "timing_s", "provenance"):
        assert key in written
    for name in ("case.toml", "history.csv", "fields.vtkhdf", "checkpoint.h5", "summary.json"):
        assert (folder / name).stat().st_size > 0
    assert not list(folder.glob("*.part"))
    with pytest.raises(CaseError, match="not empty"):
        run(_case(coarse, CONTROLLED), folder, comm)
    run(_case(coarse, CONTROLLED), folder, comm, RunOptions(overwrite=True))


def test_a_run_that_fails_keeps_its_last_good_state(
    coarse: Path, comm: MPI.Comm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import rfablate.solve.loop as module

    real = module.solve_step

    def breaks(problem: Any, state: Any, t: float, watch: Any) -> Any:
        if t > 0.5:
            raise SolveError("the heat solve did not converge")
        return real(problem, state, t, watch)

    monkeypatch.setattr(module, "solve_step", breaks)
    with pytest.raises(SolveError, match="last good state is in checkpoint"):
        run(_case(coarse, CONTROLLED), tmp_path / "run", comm)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    times, _, written = _times(tmp_path / "run")
    assert summary["status"] == "failed" and "did not converge" in summary["reason"]
    assert summary["simulated_s"] == pytest.approx(times[-1], abs=1e-8) and 0.2 < times[-1] <= 0.5
    assert written[-1] == pytest.approx(times[-1], abs=1e-8)
    state = read_checkpoint(tmp_path / "run" / "checkpoint.h5").memory["state"]
    assert state["t"] == pytest.approx(times[-1], abs=1e-8)


def test_the_same_case_gives_the_same_numbers_twice(coarse: Path, comm: MPI.Comm, tmp_path: Path) -> None:
    """Results do not depend on the clock, a random state or dictionary order."""
    first = run(_case(coarse, CONTROLLED), tmp_path / "a", comm).summary.tree()
    second = run(_case(coarse, CONTROLLED), tmp_path / "b", comm).summary.tree()
    for key in ("lesion", "structures", "energy", "electric", "numerics"):
        assert first[key] == second[key]
    assert (tmp_path / "a" / "history.csv").read_bytes() == (tmp_path / "b" / "history.csv").read_bytes()


def test_the_resolved_case_of_a_run_gives_the_run_again(coarse: Path, comm: MPI.Comm, tmp_path: Path) -> None:
    from rfablate.case.read.case_file import load_case

    first = run(_case(coarse, CONTROLLED), tmp_path / "a", comm).summary.tree()
    again = run(load_case(tmp_path / "a" / "case.toml"), tmp_path / "b", comm).summary.tree()
    assert first["lesion"] == again["lesion"] and first["energy"] == again["energy"]
    assert first["provenance"]["case_sha256"] == again["provenance"]["case_sha256"]


@pytest.mark.parametrize(("tissue", "warned"), [({}, True), ({"water_fraction": 0.7}, False)], ids=["dry", "boiling"])
def test_tissue_above_100_degC_is_told_unless_its_water_boils(
    coarse: Path, comm: MPI.Comm, tmp_path: Path, tissue: dict[str, float], warned: bool
) -> None:
    case = _case(coarse, constant_voltage(80.0, 0.5), tissue=tissue)
    summary = run(case, tmp_path / "run", comm).summary.tree()
    told = [each for each in summary["warnings"] if "does not boil" in each]
    assert bool(told) == warned
    if warned:
        with h5py.File(tmp_path / "run" / "fields.vtkhdf") as file:
            hottest = file["VTKHDF/PointData/peak_temperature_degC"][:].max()
        assert hottest > 100.0 and f"{hottest:.1f} degC" in told[0]


def test_a_run_imports_only_what_it_uses(tmp_path: Path) -> None:
    """Of a run without a report and with its mesh cached; each of these takes 0.05 to 1 s to import."""
    code = (
        "import sys\nfrom rfablate.cli.main import main\n"
        "assert main(['run', sys.argv[1], '-o', sys.argv[2], '--overwrite', '--quiet', *sys.argv[3:]]) == 0\n"
        "unused = 'gmsh petsc4py scipy.spatial scipy.optimize scipy.stats scipy.interpolate scipy.integrate '\n"
        "unused += 'matplotlib pyvista vtkmodules pandas'\n"
        "print('imported', *sorted(set(unused.split()) & sys.modules.keys()))\n"
    )
    quick = ("output.report=false", "mesh.accuracy=draft", "generator.hold_s=5", "generator.ramp_s=2")
    words = [str(CASES / "needle_benchmark"), str(tmp_path / "run")]
    words += [word for key in quick for word in ("--set", key)]
    for _ in range(2):  # the first one makes the mesh
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "imported"


def test_the_time_on_the_card_counts_imports_and_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = ["mesh.accuracy=draft", "generator.hold_s=2", "generator.ramp_s=2", "output.error_bar=false"]
    case = load_case(CASES / "needle_benchmark", quick)
    monkeypatch.setattr("rfablate.simulation.run._draw_report", lambda *args: time.sleep(0.3))
    outcome = run(case, tmp_path / "run", MPI.COMM_SELF, RunOptions(began=time.perf_counter() - 5.0))
    timing = outcome.summary.tree()["timing_s"]
    assert timing["imports"] == pytest.approx(5.0, abs=0.5) and 0.3 <= timing["report"] < 1.0
    assert timing["total"] >= 5.3 and sum(timing.values()) == pytest.approx(2 * timing["total"], rel=0.1)
    assert f"time      {timing['total']:.1f} s wall time" in outcome.card
    assert "report 0.3" in outcome.card
