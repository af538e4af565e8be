"""Runs in a faulty environment: no home, a run directory that is removed during the run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.faults.commands import CASE, SLOW, begin, rfablate, rows, sets, wait_for


def test_a_run_needs_no_home(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    env = {"HOME": "/proc/none", "XDG_CACHE_HOME": "", "TMPDIR": str(tmp_path / "tmp")}
    done = rfablate("run", CASE, "-o", tmp_path / "run", "--set", "generator.hold_s=1", env=env)
    assert done.returncode == 0, done.stderr
    assert "cannot be used" in (tmp_path / "run" / "run.log").read_text()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("ranks", [1, pytest.param(2, marks=pytest.mark.faults)])
def test_a_run_directory_removed_in_mid_run_is_told(tmp_path: Path, ranks: int) -> None:
    """The run ends at its next checkpoint, frame or the summary; there is nothing left to resume."""
    folder = tmp_path / "run"
    keys = sets(
        *SLOW, "generator.ramp_s=0.5", "generator.hold_s=1", "output.checkpoint_every_s=0.3", "output.observe_at_s=[]"
    )
    if ranks > 1:
        from tests.mpi.launch import begin as begin_ranks

        process = begin_ranks(ranks, ["-m", "rfablate", "run", CASE, "-o", folder, *keys])
    else:
        process = begin("run", CASE, "-o", folder, *keys)
    wait_for(lambda: rows(folder) > 10 or process.poll() is not None)
    shutil.rmtree(folder)
    out, err = process.communicate(timeout=120)
    text = out + (err or "")
    assert process.returncode == 6, text
    assert "Traceback" not in text and text.count("error: ") == 1, text
    assert str(folder) in text and "No such file or directory" in text
    assert not folder.exists()


def test_a_damaged_directory_is_not_taken_for_a_run(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "case.toml").write_bytes(CASE.read_bytes())
    for text in ("{", "[]", json.dumps({"status": 3}), ""):
        (folder / "summary.json").write_text(text)
        for verb in ("resume", "report"):
            done = rfablate(verb, folder)
            assert "Traceback" not in done.stderr, (verb, text, done.stderr)
