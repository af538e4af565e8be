"""Real Slurm on two nodes: submitted jobs run, fail, are cancelled, reach their time limit and resume.

| law                                                                              | allowed               |
|----------------------------------------------------------------------------------|-----------------------|
| a run that meets its time limit is requeued and ends with the unbroken's numbers | 1e-10 on as many ranks |
| so does a run over two nodes that is warned                                      | 1e-10 on as many ranks |
| a study loses no finished member to a cancel, and no other to one that fails     |                       |
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

from tests.compare import apart
from tests.hpc.cluster import missing
from tests.hpc.jobs import CASE, LONG, STUDY, about, do, ended, job_of, rfablate, sets, site_file, slurm, steps, wait
from tests.mpi.launch import rfablate as on_ranks

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing())]
SHORT = ["generator.hold_s=2"]


@pytest.fixture(scope="module")
def unbroken_short(work: Path) -> Path:
    """A short run on two ranks without interruption."""
    done = on_ranks(2, "run", CASE, "-o", work / "unbroken-short", *sets(SHORT))
    assert done.code == 0, done.text[-2000:]
    return work / "unbroken-short"


def _at_work(out: Path) -> list[Path]:
    return [each for each in out.glob("members/*") if steps(each) >= 5 and not (each / "summary.json").exists()]


@pytest.mark.timeout(400)
def test_a_study_survives_a_bad_member_a_requeue_and_a_cancel(work: Path, long_run: object) -> None:
    """One of two tasks is signalled before its limit; both are cancelled; the missing members are submitted again."""
    out = work / "study"
    (work / "study.toml").write_text(STUDY)
    slow, quick = site_file(work, "slow", step_s=0.4, tasks=2), site_file(work, "quick", tasks=2)
    array = job_of(rfablate("study", work / "study.toml", "-o", out, "--slurm", slow))
    wait(lambda: bool(_at_work(out)), "a member at work")
    slurm("scancel", "--batch", "--signal=USR1", f"{array}_0")
    wait(lambda: about(f"{array}_0", "Restarts") == "1", "the task is requeued")
    stopped = [
        each.parent for each in out.glob("members/*/checkpoint.h5") if not (each.parent / "summary.json").exists()
    ]
    assert len(stopped) == 1 and "time limit: job" in (out / "slurm" / "share-0.log").read_text()
    wait(
        lambda: "resumed at t" in (stopped[0] / "run.log").read_text(),
        "its member goes on",
    )
    wait(lambda: bool(list(out.glob("members/*/summary.json"))), "a member is completed")
    slurm("scancel", array)
    wait(lambda: ended(array), "the array is cancelled")
    done = {each: each.stat().st_mtime_ns for each in out.glob("members/*/summary.json")}
    failed = list(out.glob("failed/*"))
    assert 1 <= len(done) < 3 and len(failed) <= 1

    said = rfablate("study", work / "study.toml", "-o", out, "--slurm", quick, "--follow", code=1)
    assert "ended; members: 3 completed, 1 failed" in said
    assert {each: each.stat().st_mtime_ns for each in done} == done
    reason = json.loads(next(out.glob("failed/*/failure.json")).read_text())["reason"]
    assert "iterations" in reason
    with (out / "table.csv").open() as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["completed", "failed", "completed", "completed"]
    said = rfablate("study", work / "study.toml", "-o", out, "--slurm", quick)
    assert "no member left to run" in said


@pytest.mark.timeout(400)
def test_a_run_that_may_not_be_requeued_is_submitted_again(work: Path, long_run: object) -> None:
    slow, folder = site_file(work, "once", step_s=0.4, requeues=0), work / "once"
    job = job_of(rfablate("run", CASE, "-o", folder, *sets(["generator.hold_s=2"]), "--slurm", slow))
    wait(lambda: steps(folder) >= 5, "the run is at work")
    slurm("scancel", "--batch", "--signal=USR1", job)
    wait(lambda: ended(job), "the job ends")
    assert (about(job, "JobState"), about(job, "ExitCode")) == ("FAILED", "6:0")
    assert "submit the job again" in (folder / "slurm.log").read_text()
    said = rfablate("resume", folder, "--slurm", site_file(work, "free"), "--ranks", "2", "--follow")
    assert "completed, the end of the treatment" in said
    assert "resumed at t" in (folder / "run.log").read_text()
    assert "has already ended" in rfablate("resume", folder, "--slurm", slow)


def test_what_slurm_refuses_is_told(work: Path) -> None:
    site = site_file(work, "nowhere", partition="nowhere")
    done = do(sys.executable, "-m", "rfablate", "run", CASE, "-o", work / "refused", "--slurm", site)
    assert done.returncode == 2 and "invalid partition specified" in done.stderr


@pytest.mark.timeout(700)
def test_a_run_that_meets_its_time_limit_ends_like_an_unbroken_one(work: Path, long_run: tuple[str, Path]) -> None:
    job, folder = long_run
    done = on_ranks(2, "run", CASE, "-o", work / "unbroken", *sets(LONG))
    assert done.code == 0, done.text[-2000:]
    wait(lambda: about(job, "JobState") == "COMPLETED", "the run is completed", 400, log=folder / "slurm.log")
    restarts = int(about(job, "Restarts"))
    assert restarts >= 1
    assert (folder / "slurm.log").read_text().count("is requeued") == restarts
    assert "resumed at t" in (folder / "run.log").read_text()
    worst = apart(work / "unbroken", folder)
    assert max(worst.values()) <= 1e-10, worst


@pytest.mark.timeout(500)
@pytest.mark.parametrize("launcher", ["mpirun -n {ranks}", "srun -n {ranks} --mpi=pmix"])
def test_a_run_over_two_nodes_is_warned_requeued_and_ends_like_an_unbroken_one(
    work: Path, unbroken_short: Path, launcher: str
) -> None:
    """mpirun starts its second daemon on the other node through Slurm; srun takes all settings from Slurm."""
    name = launcher.split()[0]
    if name == "srun":
        known = do("srun", "--mpi=list")
        if "pmix" not in known.stdout + known.stderr:
            pytest.skip("this Slurm has no PMIx")
    folder = work / f"nodes-{name}"
    slow, log = site_file(work, f"nodes-{name}", step_s=0.3, launcher=launcher), folder / "slurm.log"
    said = rfablate("run", CASE, "-o", folder, *sets(SHORT), "--slurm", slow, "--ranks", "2", "--nodes", "2")
    job = job_of(said)
    wait(lambda: steps(folder) >= 5, "the run is at work", log=log)
    assert about(job, "NumNodes") == "2" and about(job, "NodeList") == "n[1-2]"
    slurm("scancel", "--batch", "--signal=USR1", job)
    wait(lambda: about(job, "Restarts") == "1", "the run is requeued", log=log)
    wait(lambda: about(job, "JobState") == "COMPLETED", "the run is completed", log=log)
    assert "resumed at t" in (folder / "run.log").read_text()
    worst = apart(unbroken_short, folder)
    assert max(worst.values()) <= 1e-10, worst
