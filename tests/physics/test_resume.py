"""A killed and resumed run gives the numbers of the uninterrupted run.

Killed means here: the process leaves in the midst of a step, with the newest checkpoint some steps behind. Other
numbers of ranks and the real command killed with -9 are in tests/mpi/test_resume.py.

| law                                                                        | allowed           |
|----------------------------------------------------------------------------|-------------------|
| history, summary, fields and last checkpoint of a resumed run, all numbers | 1e-10, same ranks |
| when checkpoints are written                                               | changes no number |
"""

from __future__ import annotations

import csv
import json
import logging
import signal
from pathlib import Path
from typing import Any

import pytest
from mpi4py import MPI

from rfablate.case.read.case_file import load_case
from rfablate.case.tables.schema import Case
from rfablate.errors import CaseError, Interrupted, MeshError, SolveError
from rfablate.results.checkpoint import read_checkpoint, write_checkpoint
from rfablate.results.fields_reader import FieldsReader
from rfablate.simulation.run import resume, run
from tests.compare import apart

CASES = Path(__file__).parents[1] / "mpi" / "cases"
SAME = 1e-10
OFTEN = "output.checkpoint_every_s=0.7"
COOLED = ("generator.hold_s=6", "generator.cooldown_s=4")
PROTOCOLS: dict[str, tuple[str, ...]] = {
    "ideal": COOLED,
    "pi": (*COOLED, "generator.control=pi"),
    "sampled": (
        *COOLED,
        "generator.control=sampled",
        "time.stepping=fixed",
        "time.step_s=0.2",
        "time.order=1",
    ),
    "surface": ("generator={kind='surface_temperature', target_degC=70, hold_s=6, cooldown_s=4}",),
    "boiling": (
        "generator={kind='current', current_A=0.45, duration_s=9, roll_off={action='pause', rise_ohm=20, wait_s=2}}",
        "tissues.muscle={water_fraction=0.7, sigma_dry_fraction=0.01}",
        "time.tolerance_K=1.0",
    ),
    "power": ("generator={kind='power', power_W=3, duration_s=8, cooldown_s=4}", "damage.perfusion_fade=0.0"),
}


class Killed(BaseException):
    """An exception that no code of the package may catch."""


def _case(name: str, *changes: str) -> Case:
    return load_case(CASES / f"{name}.toml", changes)


def _dies_at(monkeypatch: pytest.MonkeyPatch, trials: int, error: type[BaseException] = Killed) -> list[int]:
    """End the run in step number `trials`, rejected steps included; return the number of remaining steps."""
    import rfablate.solve.loop as module

    real, left = module.solve_step, [trials]

    def dies(*args: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise error
        return real(*args)

    monkeypatch.setattr(module, "solve_step", dies)
    return left


def _trials(case: Case, folder: Path, comm: MPI.Comm) -> int:
    """Run a case without interruption; return the number of attempted steps."""
    summary = run(case, folder, comm).summary.tree()
    return int(summary["numerics"]["steps"] + summary["numerics"]["rejects"])


def _broken(case: Case, folder: Path, comm: MPI.Comm, at: int) -> None:
    """Run a case and kill it during a step."""
    with pytest.MonkeyPatch.context() as patch:
        _dies_at(patch, at)
        with pytest.raises(Killed):
            run(case, folder, comm)


def _resume(folder: Path, comm: MPI.Comm) -> dict[str, Any]:
    return resume(load_case(folder), folder, comm).summary.tree()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_resumed_run_ends_with_the_numbers_of_the_unbroken_one(
    comm: MPI.Comm, shared_tmp: Path, protocol: str
) -> None:
    """Killed in the ramp, in the hold, after rejected steps, and after the switch-off."""
    folder = shared_tmp / f"resumed-{protocol}-{comm.size}"
    trials = _trials(_case("axisymmetric", *PROTOCOLS[protocol]), folder / "whole", comm)
    case = _case("axisymmetric", *PROTOCOLS[protocol], OFTEN)
    for part in (0.3, 0.6, 0.95) if protocol == "ideal" else (0.5, 0.95):
        _broken(case, folder / f"{part}", comm, round(part * trials))
        _resume(folder / f"{part}", comm)
        worst = apart(folder / "whole", folder / f"{part}")
        assert max(worst.values()) <= SAME, (part, worst)


@pytest.mark.parametrize(
    ("sharing", "control"), [("mode='simultaneous'", "ideal"), ("mode='switching', dwell_s=0.8", "pi")]
)
def test_channels_go_on_with_their_voltages_and_turns(
    comm: MPI.Comm, shared_tmp: Path, sharing: str, control: str
) -> None:
    """A pair and a single channel with different set points."""
    folder = shared_tmp / f"channels-{control}-{comm.size}"
    changes = (f"sharing={{{sharing}}}", f"generator.control={control}")
    trials = _trials(_case("channels", *changes), folder / "whole", comm)
    _broken(_case("channels", *changes, OFTEN), folder / "broken", comm, round(0.7 * trials))
    _resume(folder / "broken", comm)
    worst = apart(folder / "whole", folder / "broken")
    assert max(worst.values()) <= SAME, worst


@pytest.mark.slow
@pytest.mark.parametrize("mass", ["lumped", "consistent"])
def test_in_3d_the_v_cycles_are_built_again_as_they_were(comm: MPI.Comm, shared_tmp: Path, mass: str) -> None:
    """Long steps on a fine mesh: the heat solve uses V-cycles with a hierarchy from earlier steps."""
    folder = shared_tmp / f"cycles-{mass}-{comm.size}"
    changes = ("generator.hold_s=5", "generator.cooldown_s=4", "time.tolerance_K=1.0", f"solver.mass={mass}")
    trials = _trials(_case("structures", *changes), folder / "whole", comm)
    case = _case("structures", *changes, OFTEN)
    for part in (0.5, 0.9):
        _broken(case, folder / f"{part}", comm, round(part * trials))
        _resume(folder / f"{part}", comm)
        worst = apart(folder / "whole", folder / f"{part}")
        assert max(worst.values()) <= SAME, (part, worst)


def test_checkpoints_come_by_the_simulated_time_by_the_clock_or_not_at_all(
    comm: MPI.Comm, shared_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checkpoints do not shorten steps: each is written after the first step that reaches its time, and at the end."""
    from rfablate.simulation.checkpointing import Checkpointer

    written: list[float] = []
    monkeypatch.setattr(
        Checkpointer, "write", lambda self, state: written.append(state.t) or setattr(self, "_last_t", state.t)
    )
    found = {}
    for name, *keys in (
        ("none", "output.checkpoint_wall_s=0"),
        ("every 2 s", "output.checkpoint_wall_s=0", "output.checkpoint_every_s=2"),
        ("every moment", "output.checkpoint_wall_s=1e-9"),
    ):
        written.clear()
        run(_case("axisymmetric", *COOLED, *keys), shared_tmp / "schedules" / name, comm)
        found[name] = list(written)
    with (shared_tmp / "schedules" / "none" / "history.csv").open(newline="") as file:
        times = [float(row["time_s"]) for row in csv.DictReader(file)]
    assert found["none"] == [15.0]
    firsts = [min(t for t in times if t >= 2.0 * n) for n in range(1, 8)]
    assert found["every 2 s"] == pytest.approx([*firsts, 15.0])
    assert found["every moment"] == pytest.approx(times[1:])


def test_a_run_may_be_killed_again_and_again(comm: MPI.Comm, shared_tmp: Path) -> None:
    folder = shared_tmp / "again"
    run(_case("axisymmetric", *COOLED), folder / "whole", comm)
    _broken(_case("axisymmetric", *COOLED, "output.checkpoint_every_s=1e-6"), folder / "often", comm, 20)
    for _ in range(3):
        with pytest.MonkeyPatch.context() as patch:
            _dies_at(patch, 9)
            with pytest.raises(Killed):
                _resume(folder / "often", comm)
    told = _resume(folder / "often", comm)["provenance"]["resumed"]
    assert len(told) == 4 and [each["ranks"] for each in told] == [comm.size] * 4
    times = [each["from_s"] for each in told]
    assert times == sorted(times) and times[0] > 0.0
    assert max(apart(folder / "whole", folder / "often").values()) <= SAME


def test_wall_time_adds_up_over_the_parts_of_a_run(comm: MPI.Comm, shared_tmp: Path) -> None:
    folder = shared_tmp / "timing"
    _broken(_case("axisymmetric", *COOLED, OFTEN), folder, comm, 30)
    from rfablate.results.checkpoint import read_checkpoint

    before = read_checkpoint(folder / "checkpoint.h5").memory["times"]
    after = _resume(folder, comm)
    assert after["timing_s"]["total"] > before["total"] > 0.0
    assert after["timing_s"]["heat"] > before["seconds"]["heat"] > 0.0
    assert after["provenance"]["started"] == before["started"]
    assert after["timing_s"]["total"] == pytest.approx(sum(after["timing_s"].values()) / 2, rel=0.2)


def test_a_run_killed_before_its_first_checkpoint_starts_anew(comm: MPI.Comm, shared_tmp: Path) -> None:
    folder = shared_tmp / "early"
    _broken(_case("axisymmetric", *COOLED), folder / "broken", comm, 5)
    assert not (folder / "broken" / "checkpoint.h5").exists()
    _resume(folder / "broken", comm)
    run(_case("axisymmetric", *COOLED), folder / "whole", comm)
    assert max(apart(folder / "whole", folder / "broken").values()) <= SAME


def test_a_damaged_newest_checkpoint_is_told_and_the_older_used(
    comm: MPI.Comm, shared_tmp: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = shared_tmp / "damaged"
    run(_case("axisymmetric", *COOLED), folder / "whole", comm)
    _broken(_case("axisymmetric", *COOLED, OFTEN), folder / "broken", comm, 40)
    newest = folder / "broken" / "checkpoint.h5"
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    logging.getLogger("rfablate").propagate = True
    with caplog.at_level(logging.INFO, "rfablate"):
        _resume(folder / "broken", comm)
    assert "checkpoint.h5 cannot be used (damaged" in caplog.text
    assert "resuming from checkpoint.older.h5" in caplog.text
    assert max(apart(folder / "whole", folder / "broken").values()) <= SAME


def test_what_is_lost_beside_the_checkpoint_is_told(
    comm: MPI.Comm, shared_tmp: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With deleted rows and frames and a damaged frame the run continues without them."""
    folder = shared_tmp / "lost"
    _broken(_case("axisymmetric", *COOLED, OFTEN), folder, comm, 50)
    (folder / "history.csv").unlink()
    first, second, third, *_ = sorted((folder / "frames").iterdir(), key=lambda path: float(path.stem))
    second.unlink()
    content = bytearray(third.read_bytes())
    content[len(content) // 2] ^= 1
    third.write_bytes(content)
    logging.getLogger("rfablate").propagate = True
    assert _resume(folder, comm)["status"] == "completed"
    for line in ("history.csv is shorter", "t = 1.5 s is missing", f"{third.name} is damaged", "t = 3 s is missing"):
        assert line in caplog.text
    with FieldsReader(folder / "fields.vtkhdf") as found:
        assert found.times_s.tolist() == [0.0, *(1.5 * n for n in range(3, 11))]


def test_a_signal_writes_a_checkpoint_and_stops_or_goes_on(comm: MPI.Comm, shared_tmp: Path) -> None:
    folder = shared_tmp / "signals"
    case = _case("axisymmetric", *COOLED)
    run(case, folder / "whole", comm)
    for name, number, at in (("goes on", signal.SIGUSR1, 10), ("stops", signal.SIGTERM, 25)):
        import rfablate.solve.loop as module

        real, calls = module.solve_step, [0]

        def signalled(
            *args: Any, real: Any = real, calls: list[int] = calls, number: int = number, at: int = at
        ) -> Any:
            calls[0] += 1
            if calls[0] == at:
                signal.raise_signal(number)
            return real(*args)

        handler = signal.getsignal(number)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "solve_step", signalled)
            if number == signal.SIGTERM:
                with pytest.raises(Interrupted, match="rfablate resume"):
                    run(case, folder / name, comm)
                assert not (folder / name / "summary.json").exists()
                assert at <= calls[0] < at + 5 and (folder / name / "checkpoint.h5").exists()
                _resume(folder / name, comm)
            else:
                run(case, folder / name, comm)
                assert calls[0] > at
        assert signal.getsignal(number) == handler
        assert max(apart(folder / "whole", folder / name).values()) <= SAME


def test_a_run_killed_after_its_last_step_ends_without_another(comm: MPI.Comm, shared_tmp: Path) -> None:
    """Killed during the error bar computation, after the treatment and before the summary is written."""
    from rfablate.simulation.discretisation_error import CoarseRun

    def dies(*args: Any) -> Any:
        raise Killed

    folder = shared_tmp / "late"
    case = _case("axisymmetric", *COOLED, "output.error_bar=true")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CoarseRun, "error_bars", dies)
        with pytest.raises(Killed):
            run(case, folder / "broken", comm)
        patch.undo()
        _dies_at(patch, 0)
        patch.setattr(CoarseRun, "error_bars", lambda *args: ({}, ""))
        assert _resume(folder / "broken", comm)["simulated_s"] == 15.0
    run(_case("axisymmetric", *COOLED), folder / "without", comm)
    assert max(apart(folder / "without", folder / "broken").values()) <= SAME


def test_a_failed_run_tries_again_from_its_last_good_state(comm: MPI.Comm, shared_tmp: Path) -> None:
    """The frame of the failure is not a frame of the uninterrupted run."""
    folder = shared_tmp / "failed"
    case = _case("axisymmetric", *COOLED)
    run(case, folder / "whole", comm)
    with pytest.MonkeyPatch.context() as patch:
        _dies_at(patch, 33, SolveError)
        with pytest.raises(SolveError):
            run(case, folder / "failed", comm)
    assert json.loads((folder / "failed" / "summary.json").read_text())["status"] == "failed"
    assert _resume(folder / "failed", comm)["status"] == "completed"
    assert max(apart(folder / "whole", folder / "failed").values()) <= SAME


def test_another_mesh_and_another_case_are_refused(comm: MPI.Comm, shared_tmp: Path) -> None:
    folder = shared_tmp / "refused"
    _broken(_case("axisymmetric", *COOLED, OFTEN), folder, comm, 30)
    text = (folder / "case.toml").read_text()
    (folder / "case.toml").write_text(text.replace("target_degC = 75", "target_degC = 76"))
    with pytest.raises(CaseError, match=r"differs from case\.toml"):
        _resume(folder, comm)
    (folder / "case.toml").write_text(text)
    import rfablate.simulation.run as module

    with pytest.MonkeyPatch.context() as patch:
        other = _case("axisymmetric", *COOLED, "mesh.scale=1.2")
        real = module.build_domain
        patch.setattr(module, "build_domain", lambda case, comm: real(other, comm))
        with pytest.raises(MeshError, match="differs from the mesh of checkpoint"):
            _resume(folder, comm)
    assert _resume(folder, comm)["status"] == "completed"


@pytest.mark.parametrize("lost", ["covered_at", "channel_states"])
def test_a_checkpoint_without_a_memory_is_refused_as_of_another_version(
    lost: str, comm: MPI.Comm, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    _broken(_case("axisymmetric", *COOLED, OFTEN), folder, comm, 30)
    found = read_checkpoint(folder / "checkpoint.h5")
    if lost == "covered_at":
        del found.memory["record"]["monitors"]["lesion"]["covered_at"]
    else:
        del found.memory["state"]["channel_states"][0]["controller"]
    write_checkpoint(folder, found.memory, found.arrays)
    with pytest.raises(CaseError, match="found no valid"):
        _resume(folder, comm)
