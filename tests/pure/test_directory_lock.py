"""Only one process at a time uses a run directory, on one node or on several."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest

from rfablate.errors import CaseError
from rfablate.results.directory_lock import LOCK, RunLock
from rfablate.results.run_directory import require_unused


def _left_by(folder: Path, host: str, age_s: float) -> Path:
    file = folder / LOCK
    file.write_text(json.dumps({"host": host, "pid": 4711, "since": "2026-01-01T00:00:00+00:00"}))
    os.utime(file, (time.time() - age_s,) * 2)
    return file


def test_a_second_lock_is_refused_with_host_and_process(tmp_path: Path) -> None:
    first = RunLock(tmp_path)
    with pytest.raises(CaseError, match=f"process {os.getpid()} on .* is running here"):
        RunLock(tmp_path, patience_s=0.1)
    first.release()
    assert not list(tmp_path.iterdir())
    RunLock(tmp_path, patience_s=0.0).release()


def test_a_lock_waits_for_one_that_ends(tmp_path: Path) -> None:
    first = RunLock(tmp_path)
    threading.Timer(0.3, first.release).start()
    second = RunLock(tmp_path, patience_s=5.0)
    assert (tmp_path / LOCK).is_file()  # the end of the first has not removed it
    second.release()


def test_a_lock_left_on_this_host_is_taken_over_at_once(tmp_path: Path) -> None:
    import socket

    _left_by(tmp_path, socket.gethostname(), age_s=0.0)
    begin = time.monotonic()
    RunLock(tmp_path).release()
    assert time.monotonic() - begin < 1.0


def test_another_node_that_renews_its_lock_is_running(tmp_path: Path) -> None:
    """The file system does not share locks with this node: only the lock file shows the other run."""
    file, done = _left_by(tmp_path, "node7", age_s=0.0), threading.Event()

    def renew() -> None:
        while not done.wait(0.2):
            os.utime(file)

    thread = threading.Thread(target=renew)
    thread.start()
    try:
        with pytest.raises(CaseError, match="process 4711 on node7"):
            RunLock(tmp_path, beat_s=0.2, silence_s=5.0)
    finally:
        done.set()
        thread.join()
    assert json.loads(file.read_text())["host"] == "node7"


def test_another_node_that_is_silent_is_dead(tmp_path: Path) -> None:
    _left_by(tmp_path, "node7", age_s=0.0)
    begin = time.monotonic()
    RunLock(tmp_path, beat_s=0.1, silence_s=1.0).release()
    assert time.monotonic() - begin >= 0.9
    _left_by(tmp_path, "node7", age_s=300.0)
    begin = time.monotonic()
    RunLock(tmp_path).release()
    assert time.monotonic() - begin < 0.5


def test_a_held_lock_is_renewed(tmp_path: Path) -> None:
    lock = RunLock(tmp_path, beat_s=0.05)
    os.utime(tmp_path / LOCK, (0, 0))
    time.sleep(0.5)
    assert (tmp_path / LOCK).stat().st_mtime > time.time() - 10.0
    lock.release()


def test_without_locks_of_the_file_system_the_file_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", none)
    first = RunLock(tmp_path, beat_s=0.1)
    with pytest.raises(CaseError, match="is running here"):
        RunLock(tmp_path, beat_s=0.1)
    first.release()
    RunLock(tmp_path).release()


def test_a_directory_that_cannot_be_written_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="No such file or directory"):
        RunLock(tmp_path / "none")


def test_a_lock_alone_does_not_use_a_directory(tmp_path: Path) -> None:
    lock = RunLock(tmp_path)
    require_unused(tmp_path, overwrite=False)
    lock.release()
