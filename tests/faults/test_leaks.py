"""Many runs of one study leave nothing behind: no process, open file, shared memory or temporary folder.

| law                                                                         | quick      | in full      |
|-----------------------------------------------------------------------------|------------|--------------|
| runs of one study: all complete; open files of the study as after the first | 4 runs     | 500 runs     |
| processes forked from one that has imported the solver: the same            | 20 forks   | 2,000 forks  |
| children, files in TMPDIR, semaphores and segments in /dev/shm afterwards   | none, none | none, none   |
| memory of the parent from the tenth part to the end                         | not tested | under 5 %    |
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.environment import clean_environment
from tests.faults.commands import CASE, ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
SHARED = Path("/dev/shm")
MARK = "RFABLATE_TEST_MARK"
"""Environment variable that all processes of a test inherit."""

COUNTED = """
import json, os, resource, sys
from pathlib import Path

counts = []

def count(*_):
    memory = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    counts.append((len(os.listdir("/proc/self/fd")), memory))
"""
STUDY = (
    COUNTED
    + """
from rfablate.cli.main import main
from rfablate.study.study_progress import StudyProgress

StudyProgress.completed = count
code = main(["study", sys.argv[1], "-o", sys.argv[2], "-j", "2"])
Path(sys.argv[3]).write_text(json.dumps([code, counts]))
"""
)
FORKS = (
    COUNTED
    + """
from rfablate.cli.warm_members import start_warm

place = Path(sys.argv[1])
place.mkdir()
lock = os.open(place / "lock", os.O_RDWR | os.O_CREAT)
start, code = start_warm(lambda arguments: 0, 1), 0
for _ in range(int(sys.argv[2])):
    code = code or start(place, lock).wait(120)
    count()
Path(sys.argv[3]).write_text(json.dumps([code, counts]))
"""
)


def _marked(mark: str) -> list[int]:
    """Return the processes whose environment has a mark."""
    found = []
    for file in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"{MARK}={mark}".encode() in file.read_bytes():
                found.append(int(file.parent.name))
        except OSError:
            continue
    return found


def _shared() -> set[str]:
    """Return the names of semaphores and memory segments, without those of browsers."""
    return {each.name for each in SHARED.iterdir() if "chrom" not in each.name} if SHARED.is_dir() else set()


def _leaves_nothing(tmp_path: Path, code: str, *arguments: str | Path) -> list[Any]:
    """Run a script in a TMPDIR of its own; return its counts after each run, and check what it leaves behind."""
    (tmp_path / "tmp").mkdir()
    (tmp_path / "script.py").write_text(code)
    env = clean_environment() | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "tmp"), MARK: str(tmp_path)}
    counts = tmp_path / "counts.json"
    before = _shared()
    done = subprocess.run(
        [sys.executable, tmp_path / "script.py", *arguments, counts],
        env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=1800,
    )  # fmt: skip
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    exit_code, found = json.loads(counts.read_text())
    assert exit_code == 0, done.stdout
    assert _marked(str(tmp_path)) == []
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not [name for name in _shared() - before if str(os.getpid()) in name or name.startswith("sem.")]
    first, last = found[len(found) // 10], found[-1]
    assert last[0] <= first[0] + 2, found  # the two members that run at the moment
    if len(found) >= 500:
        assert last[1] < 1.05 * first[1], (first, last)
    return list(found)


@pytest.mark.parametrize("runs", [4, pytest.param(500, marks=[pytest.mark.faults, pytest.mark.timeout(1900)])])
def test_the_runs_of_a_study_leave_nothing_behind(tmp_path: Path, runs: int) -> None:
    (tmp_path / "case.toml").write_bytes(CASE.read_bytes())
    (tmp_path / "study.toml").write_text(
        'base = "case.toml"\n'
        'set = ["output.observe_at_s=[]", "generator.ramp_s=0.5", "mesh.accuracy=draft", "output.error_bar=false"]\n'
        f'[[axes]]\nkey = "generator.hold_s"\nlow = 0.1\nhigh = 0.2\ncount = {runs}\n'
    )
    found = _leaves_nothing(tmp_path, STUDY, tmp_path / "study.toml", tmp_path / "out")
    assert len(found) == runs


@pytest.mark.parametrize("forks", [20, pytest.param(2000, marks=[pytest.mark.faults, pytest.mark.timeout(1900)])])
def test_forks_of_a_warm_process_leave_nothing_behind(tmp_path: Path, forks: int) -> None:
    assert len(_leaves_nothing(tmp_path, FORKS, tmp_path / "member", str(forks))) == forks
