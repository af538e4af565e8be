"""A full disk, simulated with `ulimit -f`: the size of a file is limited.

| law                                                          | allowed                                         |
|--------------------------------------------------------------|-------------------------------------------------|
| history, a frame, summary cannot be written                  | exit 6, one message with file and free space    |
| the same when they can be written again: resume              | same numbers as an uninterrupted run            |
| a checkpoint cannot be written                               | a warning, older one kept, the run continues    |
| report cannot be drawn                                       | a warning                                       |
| a traceback, a crash of HDF5, half a file under its name     | none                                            |
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from rfablate.guarded_file import GuardedFile
from rfablate.results.checkpoint import NEWEST, newest_checkpoint, write_checkpoint
from rfablate.results.fields_file import FieldsFile, FieldsMesh
from tests.compare import apart
from tests.faults.commands import CASE, LIMITED, begin, rfablate, sets

KEYS = sets("generator.ramp_s=1", "generator.hold_s=5")
OFTEN = sets("output.checkpoint_every_s=0.5")
SAME = 1e-10
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _whole(code: int, err: str, code_wanted: int = 6) -> None:
    assert code == code_wanted, err
    assert "Traceback" not in err and "Logging error" not in err, err
    if code_wanted:
        assert err.count("error: ") == 1 and "MiB are free" in err and "rfablate resume" in err, err


@pytest.mark.parametrize(
    "limit", [6_000, 200_000, *(pytest.param(each, marks=pytest.mark.faults) for each in (150_000, 320_000))]
)
def test_a_file_limit_ends_a_run_resumable(tmp_path: Path, limit: int) -> None:
    """Increasing sizes: history.csv fails, a frame fails, the fields fail after a checkpoint."""
    rfablate("run", CASE, "-o", tmp_path / "whole", *KEYS)
    folder = tmp_path / "run"
    done = rfablate("run", CASE, "-o", folder, *KEYS, *OFTEN, file_limit=limit)
    _whole(done.returncode, done.stderr)
    assert not (folder / "summary.json").exists() and not (folder / "fields.vtkhdf").exists()
    again = rfablate("resume", folder)
    assert again.returncode == 0, again.stderr
    worst = apart(tmp_path / "whole", folder)
    assert max(worst.values()) <= SAME, worst


@pytest.mark.faults
@pytest.mark.parametrize("limit", range(10_000, 700_000, 46_000))
def test_any_file_limit_ends_with_a_message_or_well(tmp_path: Path, limit: int) -> None:
    folder = tmp_path / "run"
    done = rfablate("run", CASE, "-o", folder, *KEYS, *OFTEN, file_limit=limit)
    _whole(done.returncode, done.stderr, done.returncode and 6)
    assert rfablate("resume", folder).returncode == 0


@pytest.mark.faults
def test_a_full_disk_on_two_ranks_ends_both(tmp_path: Path) -> None:
    from tests.mpi.launch import launch

    script = tmp_path / "limited.py"
    script.write_text(LIMITED.format(limit=200_000))
    done = launch(2, [script, "run", CASE, "-o", tmp_path / "run", *KEYS, *OFTEN])
    _whole(done.code, done.text)


@pytest.mark.faults
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
@pytest.mark.parametrize("size", ["200k", "600k", "1200k"])
def test_a_small_file_system_that_is_full(tmp_path: Path, size: str) -> None:
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], check=False).returncode:
        pytest.skip("cannot mount here")
    try:
        small = rfablate("run", CASE, "-o", place / "run", *KEYS, *OFTEN)
        assert small.returncode == 2 and "disk: needs" in small.stderr, small.stderr
        done = rfablate("run", CASE, "-o", place / "run", "--force", *KEYS, *OFTEN)
        _whole(done.returncode, done.stderr)
        assert "No space left on device" in done.stderr
        subprocess.run(["mount", "-o", "remount,size=50m", place], check=True)
        assert rfablate("resume", place / "run").returncode == 0
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("name", ["summary", "report"])
def test_a_summary_or_report_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    """The patched process cannot write one file; the resuming command can."""
    target = {"summary": "rfablate.results.run_directory.write_summary", "report": "rfablate.report.write_report"}[name]
    script = tmp_path / "patched.py"
    script.write_text(
        "import errno, sys\nfrom unittest import mock\nfrom rfablate.cli.main import main\n"
        f"with mock.patch({target!r}, side_effect=OSError(errno.ENOSPC, 'No space left on device')):\n"
        "    sys.exit(main())\n"
    )
    folder = tmp_path / "run"
    keys = [*KEYS, *sets("output.report=true")]
    import sys

    from tests.environment import clean_environment
    from tests.faults.commands import ROOT

    done = subprocess.run(
        [sys.executable, script, "run", CASE, "-o", folder, *keys],
        capture_output=True, text=True, check=False, env=clean_environment() | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    _whole(done.returncode, done.stderr, 6 if name == "summary" else 0)
    if name == "summary":
        assert "summary.json cannot be written" in done.stderr
        assert rfablate("resume", folder).returncode == 0
    assert (folder / "summary.json").is_file()


def test_a_checkpoint_that_does_not_fit_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_checkpoint(tmp_path, {"t": 1}, {"T": np.arange(1000.0)})
    before = (tmp_path / NEWEST).read_bytes()
    for call in ("pwrite", "ftruncate"):
        with monkeypatch.context() as patch:
            patch.setattr(os, call, lambda *_: (_ for _ in ()).throw(FULL))
            with pytest.raises(OSError, match="No space left"):
                write_checkpoint(tmp_path, {"t": 2}, {"T": np.arange(1000.0)})
        assert (tmp_path / NEWEST).read_bytes() == before
        assert [each.name for each in tmp_path.iterdir()] == [NEWEST]
    found, told = newest_checkpoint(tmp_path)
    assert found is not None and found.memory == {"t": 1} and not told


@pytest.mark.parametrize("after", [0, 1, 3, 10, 25, 60])
def test_hdf5_never_meets_a_write_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """A partial write, then none: HDF5 closes the file, the error is raised and no file with this name remains."""
    real, left = os.pwrite, [after]

    def pwrite(number: int, data: Any, at: int) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise FULL
        return real(number, data[: max(1, len(data) // 2)] if left[0] == 0 else data, at)

    monkeypatch.setattr(os, "pwrite", pwrite)
    points, cells = np.random.default_rng(1).random((500, 3)), np.arange(500).reshape(-1, 4)
    with (
        pytest.raises(OSError, match="No space left"),
        FieldsFile(tmp_path / "f.vtkhdf", FieldsMesh(points, cells, np.ones(125), {1: "all"})) as file,
    ):
        for t in range(200):
            file.append(float(t), {"T": points[:, 0]}, {"q": points[:125, 1]})
    assert not list(tmp_path.iterdir())


def test_a_guarded_file_is_the_file_hdf5_would_write(tmp_path: Path) -> None:
    values = np.random.default_rng(2).random(200_000)
    disk = GuardedFile(tmp_path / "guarded.h5")
    with h5py.File(disk, "w") as file:
        file.create_dataset("x", data=values, chunks=(1000,), compression="gzip")
        file["x"][5] = 3.0
    disk.close()
    disk.check()
    values[5] = 3.0
    with h5py.File(tmp_path / "guarded.h5", "r") as file:
        np.testing.assert_array_equal(file["x"][:], values)


def test_a_reader_that_has_seen_enough_stops_no_run(tmp_path: Path) -> None:
    live = begin("run", CASE, "-o", tmp_path / "run", *KEYS)
    assert live.stdout is not None and live.stdout.readline()
    live.stdout.close()
    assert live.stderr is not None
    err = live.stderr.read()
    assert live.wait(timeout=120) == 0 and "Traceback" not in err and "Logging error" not in err, err
    assert (tmp_path / "run" / "summary.json").is_file()
    shutil.rmtree(tmp_path / "run")
