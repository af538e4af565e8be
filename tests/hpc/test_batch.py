"""The unchanged scripts of hpc/batch, submitted to real Slurm with small sizes."""

from __future__ import annotations

import csv
import json
import os
import sys
from pathlib import Path

import pytest

from tests.hpc.cluster import missing
from tests.hpc.jobs import CASE, ROOT, STUDY, about, do, ended, slurm, steps, wait

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing())]

BATCH = ROOT / "hpc" / "batch"
SMALL = ("--mem-per-cpu=500M",)


@pytest.fixture
def user(work: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with the virtual environment on the path, as after `source .venv/bin/activate`."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    return work


def _submit(script: str, *arguments: object, log: Path, options: tuple[str, ...] = (), folder: Path = ROOT) -> str:
    command = ["sbatch", "--parsable", *SMALL, *options, f"--output={log}", str(BATCH / script), *map(str, arguments)]
    done = do(*command, folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.timeout(400)
def test_the_script_of_one_case_is_warned_requeued_and_goes_on(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, log = user / "by-hand", user / "by-hand.log"
    monkeypatch.setenv("STEP_S", "0.4")
    monkeypatch.setenv("PYTHONPATH", f"{user / 'slow'}:{ROOT}")
    job = _submit("run.sh", CASE, folder, log=log, options=("--ntasks=2",))
    wait(lambda: steps(folder) >= 5, "the run is at work", log=log)
    slurm("scancel", "--batch", "--signal=USR1", job)
    wait(lambda: about(job, "Restarts") == "1", "the run is requeued", log=log)
    wait(lambda: about(job, "JobState") == "COMPLETED", "the run is completed", 200, log=log)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["status"] == "completed" and summary["numerics"]["ranks"] == 2
    assert "resumed at t" in (folder / "run.log").read_text()


@pytest.mark.timeout(400)
def test_the_script_of_a_study_runs_its_shares(user: Path) -> None:
    (user / "by-hand.toml").write_text(STUDY)
    out, log = user / "by-hand-study", user / "by-hand-study.log"
    array = _submit("study.sh", user / "by-hand.toml", out, log=log, options=("--array=0-1",))
    wait(lambda: ended(array), "the array ends", 200, log=log)
    done = do(sys.executable, "-m", "rfablate", "study", user / "by-hand.toml", "-o", out, "--collect")
    assert done.returncode == 1, done.stdout + done.stderr + log.read_text()
    with (out / "table.csv").open() as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["completed", "failed", "completed", "completed"]


@pytest.mark.timeout(500)
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="it binds two ranks to a core each")
def test_the_script_of_a_scaling_measurement_measures(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strong scaling on 1 and 2 ranks, weak scaling on 1."""
    folder, log = user / "scaling", user / "scaling.log"
    folder.mkdir()
    monkeypatch.setenv("STRONG", "small")
    monkeypatch.setenv("STEPS", "4")
    job = _submit("scaling.sh", log=log, options=("--ntasks=2",), folder=folder)
    wait(lambda: ended(job), "the measurement ends", 400, log=log)
    strong, weak = (
        [json.loads(line) for line in (folder / "runs" / "scaling" / f"{name}.jsonl").read_text().splitlines()]
        for name in ("strong", "weak")
    )
    assert about(job, "JobState") == "COMPLETED", log.read_text()
    assert [each["ranks"] for each in strong] == [1, 2] and [each["ranks"] for each in weak] == [1]
    assert all(each["step_s"] > 0.0 for each in strong + weak)
