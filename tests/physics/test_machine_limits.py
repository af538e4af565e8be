"""Runs that do not fit into memory or on the disk are rejected with the numbers.

| law                                                             | allowed                                   |
|-----------------------------------------------------------------|-------------------------------------------|
| available memory: that of the kernel, at most the cgroup's      | as computed by hand                       |
| too little memory, before meshing                               | exit 2 within 5 s of CPU, no directory    |
| too little memory for the mesh that was made                    | exit 2 before the first step              |
| too little free disk space                                      | exit 2, the directory named               |
| output.check_machine = false                                    | runs                                      |
| estimated memory and disk space of a run                        | 1/2 to 2 times the measured ones          |
"""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from mpi4py import MPI

from rfablate.api.run_case import run
from rfablate.case.geometry.run_size import RunSize, estimated_size, size_of_mesh
from rfablate.case.read.case_file import load_case
from rfablate.errors import CaseError
from rfablate.simulation import machine_limits

CASES = Path(__file__).parents[1] / "mpi" / "cases"
CASE = CASES / "axisymmetric.toml"
SHORT = ("generator.hold_s=0.5", "generator.ramp_s=0.5", "output.observe_at_s=[]")
GIB = 1024.0**3
Usage = namedtuple("Usage", "total used free")


def _memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, size: float) -> None:
    file = tmp_path / "meminfo"
    file.write_text(f"MemTotal: 99999999 kB\nMemAvailable: {size / 1024:.0f} kB\n")
    monkeypatch.setattr(machine_limits, "MEMINFO", file)


def _groups(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str, files: dict[str, str]) -> None:
    groups = tmp_path / "sys" / "cgroup"
    for name, text in files.items():
        (groups / name).parent.mkdir(parents=True, exist_ok=True)
        (groups / name).write_text(text)
    own = tmp_path / "own"
    own.write_text(line)
    monkeypatch.setattr(machine_limits, "CGROUP", own)
    monkeypatch.setattr(machine_limits, "GROUPS", groups)


def test_the_smallest_limit_of_all_groups_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _memory(monkeypatch, tmp_path, 8 * GIB)
    job = {"job/memory.max": f"{4 * GIB:.0f}", "job/memory.current": f"{3 * GIB:.0f}"}
    stat = {"job/memory.stat": f"anon 5\ninactive_file {GIB:.0f}\n"}
    step = {"job/step/memory.max": "max\n", "job/step/memory.current": "5", "job/step/memory.stat": ""}
    _groups(monkeypatch, tmp_path, "0::/job/step\n", {**job, **stat, **step})
    assert machine_limits.available_memory() == pytest.approx(2 * GIB)
    _groups(monkeypatch, tmp_path, "0::/other\n", {})
    assert machine_limits.available_memory() == pytest.approx(8 * GIB)


def test_version_1_of_control_groups(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _memory(monkeypatch, tmp_path, 8 * GIB)
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat")
    texts = (f"{2 * GIB:.0f}", f"{1.5 * GIB:.0f}", "total_inactive_file 0\n")
    files = {f"memory/a/{name}": text for name, text in zip(names, texts, strict=True)}
    _groups(monkeypatch, tmp_path, "5:cpu,cpuacct:/a\n4:memory:/a\n", files)
    assert machine_limits.available_memory() == pytest.approx(0.5 * GIB)


def test_too_little_memory_is_found_before_meshing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _memory(monkeypatch, tmp_path, 0.1 * GIB)
    folder = tmp_path / "run"
    with pytest.raises(
        CaseError, match=r"memory: needs .* per rank .*estimated before meshing.*at most 102 MiB"
    ) as caught:
        run(load_case(CASE, SHORT), folder, comm=MPI.COMM_SELF, quiet=True)
    assert caught.value.exit_code == 2 and "--force" in str(caught.value) and not folder.exists()


def test_too_little_memory_is_found_before_the_solve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The mesh is larger than estimated."""
    _memory(monkeypatch, tmp_path, 0.1 * GIB)
    monkeypatch.setattr(machine_limits, "estimated_size", lambda *_: None)
    with pytest.raises(CaseError, match=r"memory: needs .* of this mesh.*available"):
        run(load_case(CASE, SHORT), tmp_path / "run", comm=MPI.COMM_SELF, quiet=True)


def test_a_full_disk_is_found_before_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10, 9, 1 << 20))
    with pytest.raises(CaseError, match=rf"disk: needs .* in {tmp_path}.*at most 1 MiB free"):
        run(load_case(CASE, SHORT), tmp_path / "run", comm=MPI.COMM_SELF, quiet=True)


def test_a_run_that_is_told_to_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _memory(monkeypatch, tmp_path, 0.1 * GIB)
    case = load_case(CASE, (*SHORT, "output.check_machine=false"))
    assert run(case, tmp_path / "run", comm=MPI.COMM_SELF, quiet=True).completed


def test_ranks_of_one_machine_share_its_memory() -> None:
    size = RunSize(1e6, 2e5, 4, 11, 1 * GIB, 0.5 * GIB, 0.0)
    assert size.memory(4) == pytest.approx(2 * GIB)
    assert size.memory(1) == pytest.approx(1 * GIB)
    one, two = (size_of_mesh(load_case(CASE), 6_000_000, 1_000_000, ranks) for ranks in (1, 2))
    assert one.rank_memory / 2 < two.rank_memory < one.rank_memory


@pytest.mark.parametrize("name", ["axisymmetric", "structures"])
def test_estimates_of_memory_and_disk_are_good_to_a_factor_of_two(tmp_path: Path, name: str) -> None:
    from tests.faults.commands import rfablate, sets

    short = sets("generator.hold_s=1", "output.observe_at_s=[]", "output.error_bar=false", "output.report=false")
    frames = ["--set", "output.fields_interval_s=0.05"]
    done = rfablate("run", CASES / f"{name}.toml", "-o", tmp_path / "run", *short, *frames, timeout=280)
    assert done.returncode == 0, done.stderr
    import json

    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    case = load_case(tmp_path / "run")
    exact = size_of_mesh(case, summary["numerics"]["cells"], summary["numerics"]["nodes"], 1)
    estimate = estimated_size(case)
    assert estimate is not None and 0.5 <= estimate.nodes / exact.nodes <= 2.0
    assert 0.5 <= exact.rank_memory / 2**20 / summary["provenance"]["peak_MiB"] <= 2.0
