"""A watched case file runs again after every save."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import rfablate as rfa
from rfablate.api.watch_case import StartJob, WatchedJob, WatchedRun
from tests.shipped import CASES

SHORT = ("generator.ramp_s=1", "generator.hold_s=2", "output.report=false")


class Job:
    """A run that ends when it is told to."""

    def __init__(self, arguments: Sequence[str], console: Path) -> None:
        self.arguments, self.code, self.killed = arguments, None, False
        console.write_text("card of " + " ".join(arguments))

    def poll(self) -> int | None:
        return self.code

    def kill(self) -> None:
        self.killed = True

    def wait(self, timeout: float | None = None) -> int:
        return -9


@pytest.fixture
def jobs() -> list[Job]:
    return []


@pytest.fixture
def start(jobs: list[Job]) -> StartJob:
    def begin(arguments: Sequence[str], console: Path) -> WatchedJob:
        jobs.append(Job(arguments, console))
        return jobs[-1]

    return begin


@pytest.fixture
def case(tmp_path: Path) -> Path:
    file = tmp_path / "case.toml"
    file.write_text((CASES / "needle_benchmark" / "case.toml").read_text(encoding="utf-8"), encoding="utf-8")
    return file


def _save(case: Path, old: str, new: str) -> None:
    text = case.read_text(encoding="utf-8")
    assert old in text
    case.write_text(text.replace(old, new), encoding="utf-8")


def _ended(runs: Iterator[WatchedRun], jobs: list[Job], codes: Sequence[int]) -> list[WatchedRun]:
    """Return the runs that end when the next jobs end with `codes`, in their order."""
    from threading import Timer

    before = len(jobs)

    def end() -> None:
        while len(jobs) < before + len(codes):
            time.sleep(0.01)
        for job, code in zip(jobs[before:], codes, strict=True):
            job.code = code

    Timer(0.1, end).start()
    return [next(runs) for _ in codes]


def test_a_save_starts_draft_and_run_and_ends_those_before(
    case: Path, tmp_path: Path, jobs: list[Job], start: StartJob
) -> None:
    runs = rfa.watch(case, tmp_path / "out", ["domain.kind=cylinder"], start)
    draft, run = _ended(runs, jobs, [0, 0])
    assert (draft.accuracy, run.accuracy) == ("draft", "standard")
    assert draft.changed == () and run.completed and run.directory == tmp_path / "out" / "run"
    assert "--one-process" in jobs[0].arguments and "--one-process" not in jobs[1].arguments
    assert all("domain.kind=cylinder" in job.arguments for job in jobs)

    _save(case, "target_degC = 80", "target_degC = 70")
    draft, run = _ended(runs, jobs, [0, 4])
    assert run.changed == ("generator.target_degC",) and run.same_mesh and not run.completed
    assert '"card": "card of run ' in (tmp_path / "out" / "state.js").read_text()

    _save(case, "active_tip_mm", "tip_of_the_needle_mm")
    fault = next(runs)
    assert fault.exit_code == 2 and "tip_of_the_needle_mm" in fault.text and not fault.completed

    _save(case, "tip_of_the_needle_mm", "active_tip_mm")
    _ended(runs, jobs, [0, 0])
    runs.close()


def test_closing_ends_the_runs(case: Path, tmp_path: Path, jobs: list[Job], start: StartJob) -> None:
    runs = rfa.watch(case, tmp_path / "out", ["domain.kind=cylinder"], start)

    from threading import Timer

    def end() -> None:
        while len(jobs) < 2:
            time.sleep(0.01)
        jobs[0].code = 0

    Timer(0.1, end).start()
    next(runs)
    runs.close()
    assert [job.killed for job in jobs] == [False, True]


def test_a_changed_pose_has_another_mesh(case: Path, tmp_path: Path, jobs: list[Job], start: StartJob) -> None:
    runs = rfa.watch(case, tmp_path / "out", (), start)
    (run,) = _ended(runs, jobs, [0])  # axisymmetric: without draft
    _save(case, "tip_mm = [0, 0, 0]", "tip_mm = [0, 0, 2]")
    (run,) = _ended(runs, jobs, [0])
    assert not run.same_mesh and run.changed == ("applicators.cannula.tip_mm",)
    runs.close()


def test_the_command_runs_again_after_a_save(case: Path, tmp_path: Path) -> None:
    """With the real command and its forks: two cards, with the temperature of each version."""
    words = [word for change in SHORT for word in ("--set", change)]
    process = subprocess.Popen(
        [sys.executable, "-m", "rfablate", "watch", str(case), "-o", str(tmp_path / "out"), *words],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("  written to"):
                if len([each for each in lines if each.startswith("  written to")]) == 2:
                    break
                widths = rfa.open_run(tmp_path / "out" / "run").lesion["isotherm_45C"].width_mm
                _save(case, "target_degC = 80", "target_degC = 60")
        text = "".join(lines)
        assert "--- generator.target_degC (same mesh): standard" in text
        assert rfa.open_run(tmp_path / "out" / "run").lesion["isotherm_45C"].width_mm < widths
        assert "isotherm_45C" in (tmp_path / "out" / "state.js").read_text()
        assert (tmp_path / "out" / "watch.html").is_file()
    finally:
        process.send_signal(2)
        assert process.wait(30) == 0
