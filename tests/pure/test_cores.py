"""A second process is started only on a core that the run may use and leaves idle."""

from __future__ import annotations

from pathlib import Path

import pytest

from rfablate import cores


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give the process two cores, without launcher, Slurm and quota; return the file of the quota."""
    for name in (*cores.LAUNCHED, "SLURM_STEP_NUM_TASKS", "SLURM_JOB_ID", "SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda pid: {3, 7}, raising=False)
    monkeypatch.setattr(cores, "QUOTA", tmp_path / "cpu.max")
    return tmp_path / "cpu.max"


def test_affinity_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cores.available_cores() == 2 and cores.second_core()
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda pid: {3})
    assert cores.available_cores() == 1 and not cores.second_core()


@pytest.mark.parametrize(("text", "count"), [("max 100000", 2), ("100000 100000", 1), ("50000 100000", 1), ("?", 2)])
def test_the_quota_of_a_container_counts(machine: Path, text: str, count: int) -> None:
    machine.write_text(text)
    assert cores.available_cores() == count


def test_slurm_counts_cores_of_the_task_or_of_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "2")
    assert cores.second_core()
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    assert not cores.second_core()


@pytest.mark.parametrize("name", cores.LAUNCHED)
def test_a_rank_of_mpirun_starts_no_second_process(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    assert cores.available_cores() == 2 and not cores.second_core()
